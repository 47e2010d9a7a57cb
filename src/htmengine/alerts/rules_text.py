"""Rules as they are written into the text of `alerts.toml`: read out of it, and put back without touching anything else.

Only the tables `[[rules]]` are written. A rule that stays as it is keeps its lines, comments among them; one that changes
keeps the comments above it.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

_HEADER: Final = re.compile(r"\s*\[")
_OF_RULES: Final = re.compile(r"\s*\[\[?\s*(?:rules|\"rules\"|'rules')\s*[\].]")
_NEW_RULE: Final = re.compile(r"\s*\[\[\s*(?:rules|\"rules\"|'rules')\s*\]\]")
_LISTS: Final = ("match", "exclude", "tags", "causes", "active", "maintenance", "targets")
"""What may stand without brackets where it is one alone."""


class Deviation(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """How far from the forecast at least."""

    absolute: float | None = None
    percent: float | None = None


class AtLeast(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """How many alarms, or how many metrics."""

    rows: int | None = None
    metrics: int | None = None


class WrittenRule(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A rule as it is written; what is missing has its default. Whether it can be used is not known."""

    name: str = ""
    match: list[str] = []
    exclude: list[str] = []
    tags: list[str] = []
    min_score: float | None = None
    budget: float | None = None
    direction: str | None = None
    min_deviation: Deviation | None = None
    causes: list[str] = []
    at_least: AtLeast | None = None
    active: list[str] = []
    maintenance: list[str] = []
    severity: str | None = None
    cooldown: str | None = None
    targets: list[str] = []


class RulesNotSeparable(ValueError):
    """The rules of a text are not written as tables of their own, or not as the API can show them."""


def rule_of(values: Mapping[str, Any]) -> WrittenRule:
    """Return a rule of its settings; lists of one may be that one. Raises RulesNotSeparable."""
    try:
        return msgspec.convert(_listed(values), WrittenRule)
    except (msgspec.ValidationError, TypeError) as error:
        raise RulesNotSeparable(str(error)) from error


def written_rules(text: str) -> list[WrittenRule]:
    """Return the rules of a text. Raises RulesNotSeparable."""
    return [rule for _block, rule in _blocks_of_rules(_lines(text))]


def with_rules(text: str, rules: Sequence[WrittenRule]) -> str:
    """Return a text with other rules. Raises RulesNotSeparable."""
    lines = _lines(text)
    blocks = _blocks_of_rules(lines)
    before = {rule.name: (block, rule) for block, rule in blocks}
    pieces = [_piece(lines, rule, before.get(rule.name)) for rule in rules]
    made: list[str] = []
    at = 0
    for place, (block, _rule) in enumerate(blocks):
        made += lines[at : block.begin]
        if place < len(pieces):
            made += pieces[place]
        if place == len(blocks) - 1:
            for piece in pieces[len(blocks) :]:
                made += ["", *piece]
        at = block.end
    made += lines[at:]
    if not blocks:
        while made and not made[-1].strip():
            made.pop()
        for piece in pieces:
            made += ["", *piece] if made else piece
    written = "\n".join(made).strip("\n")
    return written + "\n" if written else ""


class _Block(NamedTuple):
    """The lines of a rule."""

    begin: int
    """The first comment above it."""
    header: int
    end: int


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").split("\n")


def _blocks_of_rules(lines: Sequence[str]) -> list[tuple[_Block, WrittenRule]]:
    """Return where the rules of a text stand, and what they say. Raises RulesNotSeparable."""
    try:
        found = tomllib.loads("\n".join(lines)).get("rules", [])
        rules = msgspec.convert([_listed(rule) for rule in found], list[WrittenRule])
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise RulesNotSeparable(f"the file is no TOML: {error}") from error
    except (msgspec.ValidationError, TypeError) as error:
        raise RulesNotSeparable(str(error)) from error
    headers = _headers(lines)
    blocks = []
    for place, line in enumerate(headers):
        if not _NEW_RULE.match(lines[line]):
            continue
        following = [one for one in headers[place + 1 :] if not _is_part_of_rule(lines[one])]
        end = following[0] if following else len(lines)
        blocks.append(_Block(_with_comments(lines, line), line, _without_comments(lines, line, end)))
    if len(blocks) != len(rules):
        raise RulesNotSeparable("the rules are not tables of their own, [[rules]]")
    return list(zip(blocks, rules, strict=True))


def _listed(rule: Any) -> Any:
    """Return a rule whose lists are lists."""
    if not isinstance(rule, Mapping):
        return rule
    return {
        key: [value] if key in _LISTS and isinstance(value, str) else value for key, value in rule.items()
    }


def _headers(lines: Sequence[str]) -> list[int]:
    """Return the lines that begin a table; brackets within a value that goes over several lines do not."""
    found: list[int] = []
    begin = 0
    for line, text in enumerate(lines):
        if not _HEADER.match(text):
            continue
        try:
            tomllib.loads("\n".join(lines[begin:line]))
        except tomllib.TOMLDecodeError:
            continue
        found.append(line)
        begin = line
    return found


def _is_part_of_rule(line: str) -> bool:
    """Tell whether a header is of a table within a rule."""
    return bool(_OF_RULES.match(line)) and not _NEW_RULE.match(line)


def _with_comments(lines: Sequence[str], header: int) -> int:
    begin = header
    while begin > 0 and lines[begin - 1].lstrip().startswith("#"):
        begin -= 1
    return begin


def _without_comments(lines: Sequence[str], header: int, end: int) -> int:
    """Return the end of a block without the comments and empty lines behind it, which belong to what follows."""
    while end > header + 1 and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1
    return end


def _piece(lines: Sequence[str], rule: WrittenRule, before: tuple[_Block, WrittenRule] | None) -> list[str]:
    if before is None:
        return _rendered(rule)
    block, as_was = before
    if as_was == rule:
        return list(lines[block.begin : block.end])
    return [*lines[block.begin : block.header], *_rendered(rule)]


def _rendered(rule: WrittenRule) -> list[str]:
    values: dict[str, Any] = msgspec.to_builtins(rule)
    return ["[[rules]]", *(f"{key} = {_value(key, value)}" for key, value in values.items() if value != {})]


def _value(key: str, value: Any) -> str:
    if isinstance(value, list):
        shown = [_value(key, one) for one in value]
        return shown[0] if len(shown) == 1 else f"[{', '.join(shown)}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{name} = {_value(name, one)}' for name, one in value.items())} }}"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value)
