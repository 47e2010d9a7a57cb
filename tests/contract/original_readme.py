"""The Python of the original's README, as its readers would run it today.

Blocks are found in the plain text of that document; print statements are turned into calls; and what nobody could run as
it stands is mended, each slip by name, so that anything else would be noticed.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Final, NamedTuple


class Mend(NamedTuple):
    """A slip of the document."""

    what: str
    block: str
    """Text by which its block is known."""
    wrong: str
    right: str


MENDS: Final = (
    Mend(
        "a queue name that nothing defines",
        "MESSAGE_QUEUE_NAME",
        "bus = ",
        'MESSAGE_QUEUE_NAME = "{queue}"\nbus = ',
    ),
    Mend("a missing import", "import calendar", "import calendar", "import calendar\nimport os"),
    Mend("surplus brackets", "import calendar", "str(row.anomaly_score)))", "str(row.anomaly_score)"),
)


def blocks(document: Path, *, queue: str) -> list[str]:
    """Return the document's blocks of Python 3, in order, mended; `queue` is the name of the metric-data queue."""
    lines = document.read_text(encoding="utf-8").splitlines()
    mended: list[Mend] = []
    found = []
    position = 0
    while position < len(lines):
        begins = re.match(r"(import|from) \w", lines[position])
        block = _longest(lines, position, queue) if begins else None
        if block is None:
            position += 1
        else:
            found.append(block.text)
            mended += block.mended
            position = block.end
    unused = [mend.what for mend in MENDS if mended.count(mend) != 1]
    assert not unused, f"not found once in {document}: {', '.join(unused)}"
    return found


class _Block(NamedTuple):
    text: str
    end: int
    mended: list[Mend]


def _longest(lines: list[str], begin: int, queue: str) -> _Block | None:
    """Return the longest run of lines that is Python once it is mended."""
    for end in range(len(lines), begin, -1):
        if not lines[end - 1].strip():
            continue
        text = "\n".join(lines[begin:end]) + "\n"
        mended = [mend for mend in MENDS if mend.block in text and mend.wrong in text]
        for mend in mended:
            text = text.replace(mend.wrong, mend.right.format(queue=queue), 1)
        text = with_print_calls(text)
        try:
            ast.parse(text)
        except SyntaxError:
            continue
        return _Block(text, end, mended)
    return None


def with_print_calls(text: str) -> str:
    """Return Python 2 with its print statements as calls; a comma at the end means no new line."""
    result = []
    lines = iter(text.splitlines())
    for line in lines:
        statement = re.match(r"(\s*)print (.*)", line)
        if statement is None:
            result.append(line)
            continue
        indent, arguments = statement.groups()
        while arguments.count("(") > arguments.count(")") and (more := next(lines, None)) is not None:
            arguments += "\n" + more
        if arguments.endswith(","):
            arguments += ' end=" "'
        result.append(f"{indent}print({arguments})")
    return "\n".join(result) + "\n"


def configuration(document: Path) -> dict[str, str]:
    """Return the document's templates of configuration files, by name, as they stand."""
    found: dict[str, list[str]] = {}
    lines: list[str] | None = None
    for line in document.read_text(encoding="utf-8").splitlines():
        heading = re.fullmatch(r"\s*• conf/(\S+\.conf)", line)
        if heading:
            lines = found.setdefault(heading[1], [])
        elif line.strip() and not line.startswith("    "):
            lines = None
        elif lines is not None and (lines or re.match(r"    [#;\[]", line)):
            lines.append(line[4:])
    return {name: "\n".join(text) for name, text in found.items()}
