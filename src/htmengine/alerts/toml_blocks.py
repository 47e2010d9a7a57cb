"""Tables of a TOML text as blocks of lines, so that some are replaced and everything else stays as it is, comments too."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from htmengine.alerts.toml_lines import Path

_HEADER: Final = re.compile(r"\s*\[")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


class NotSeparable(ValueError):
    """Tables of a text are not written as blocks of their own, or not as the API can show them."""


class Header(NamedTuple):
    """A line that begins a table."""

    line: int
    path: Path
    """Of the table: `("rules", 0)` for one of an array."""


class Block(NamedTuple):
    """The lines of a table."""

    begin: int
    """The first comment above it."""
    header: int
    end: int


def lines_of(text: str) -> list[str]:
    """Return the lines of a text."""
    return text.replace("\r\n", "\n").split("\n")


def parsed(lines: Sequence[str]) -> dict[str, Any]:
    """Return what lines say. Raises NotSeparable."""
    try:
        return tomllib.loads("\n".join(lines))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise NotSeparable(f"the file is no TOML: {error}") from error


def headers(lines: Sequence[str]) -> list[Header]:
    """Return the lines that begin a table; brackets within a value that goes over several lines do not.

    Paths of tables within arrays have 0 for every place: only the name tells.
    """
    found: list[Header] = []
    begin = 0
    for line, text in enumerate(lines):
        if not _HEADER.match(text):
            continue
        try:
            tomllib.loads("\n".join(lines[begin:line]))
        except tomllib.TOMLDecodeError:
            continue
        found.append(Header(line, _path(text)))
        begin = line
    return found


def _path(header: str) -> Path:
    path: list[str | int] = []
    value: Any = tomllib.loads(header)
    while value:
        key: str | int = 0 if isinstance(value, list) else next(iter(value))
        path.append(key)
        value = value[key]
    return tuple(path)


def block(lines: Sequence[str], header: int, end: int) -> Block:
    """Return the block of a header up to the next one, with the comments above it and without those above the next."""
    begin = header
    while begin > 0 and lines[begin - 1].lstrip().startswith("#"):
        begin -= 1
    while end > header + 1 and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1
    return Block(begin, header, end)


def joined(lines: Sequence[str]) -> str:
    """Return lines as a text; an empty one for nothing."""
    written = "\n".join(lines).strip("\n")
    return written + "\n" if written else ""


def key(name: str) -> str:
    """Return a key as TOML writes it."""
    return name if _BARE.fullmatch(name) else _text(name)


def value(given: Any) -> str:
    """Return a value as TOML writes it."""
    if isinstance(given, bool):
        return str(given).lower()
    if isinstance(given, list | tuple):
        return f"[{', '.join(value(one) for one in given)}]"
    if isinstance(given, Mapping):
        return f"{{ {', '.join(f'{key(name)} = {value(one)}' for name, one in given.items())} }}"
    if isinstance(given, float):
        return str(int(given)) if given.is_integer() and abs(given) < 2**53 else repr(given)
    if isinstance(given, str):
        return _text(given)
    return given.isoformat() if isinstance(given, datetime) else str(given)


def _text(given: str) -> str:
    return json.dumps(given, ensure_ascii=False).replace("\x7f", "\\u007f")
