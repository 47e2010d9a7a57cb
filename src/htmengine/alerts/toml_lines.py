"""Where in a TOML text things stand: the parser tells of values, and not of their lines."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias

Path: TypeAlias = tuple[str | int, ...]
"""Keys and places in arrays, from the outside in: `("rules", 0, "match")`."""


def lines_of(text: str, paths: Collection[Path]) -> dict[Path, int]:
    """Return the number of the line, from 1, with which each of these begins.

    Only what the text has is found; where the last parts of a path are missing, the line of what should hold them is.

    Parameters
    ----------
    text : can be parsed as a whole.
    """
    # What the beginning of a text holds up to some line, the whole holds, too. Beginnings that end within a value cannot be
    # parsed, and are passed over.
    wanted = {path[:length] for path in paths for length in range(len(path) + 1)}
    found: dict[Path, int] = {(): 1}
    lines = text.split("\n")
    line = 1
    for end in range(1, len(lines) + 1):
        if len(found) == len(wanted):
            break
        try:
            parsed = tomllib.loads("\n".join(lines[:end]) + "\n")
        except tomllib.TOMLDecodeError:
            continue
        for path in wanted.difference(found):
            if _holds(parsed, path):
                found[path] = line
        line = end + 1
    return {
        path: next(found[path[:length]] for length in range(len(path), -1, -1) if path[:length] in found)
        for path in paths
    }


def _holds(value: Any, path: Path) -> bool:
    for part in path:
        if isinstance(part, int):
            if not isinstance(value, Sequence) or len(value) <= part:
                return False
        elif not isinstance(value, Mapping) or part not in value:
            return False
        value = value[part]
    return True
