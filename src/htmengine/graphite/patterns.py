r"""Regular expressions from users, matched in linear time by RE2; `\1` in a replacement is the first group, as in Python."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import re2

from htmengine.graphite.target import TargetError

MAX_LENGTH: Final = 200
_GROUP: Final = re.compile(r"\\g<(\w+)>|\\(\d{1,2})|\\(.)", re.DOTALL)
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r"}


@lru_cache(maxsize=512)
def compiled(text: str) -> Any:
    """Return a regular expression of RE2. Raises TargetError."""
    if len(text) > MAX_LENGTH:
        raise TargetError(
            f"a regular expression has at most {MAX_LENGTH} characters; this one has {len(text)}"
        )
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(text, options)
    except re2.error as error:
        reason = error.args[0]
        said = reason.decode(errors="backslashreplace") if isinstance(reason, bytes) else reason
        raise TargetError(f"{text[:80]!r} is no regular expression: {said}") from None


def beginning(text: str) -> Callable[[str], object]:
    """Return what fits a text from its begin on. Raises TargetError."""
    match: Callable[[str], object] = compiled(text).match
    return match


def within(text: str) -> Callable[[str], object]:
    """Return what fits any part of a text. Raises TargetError."""
    search: Callable[[str], object] = compiled(text).search
    return search


def replaced(pattern: str, replacement: str, text: str) -> str:
    """Return a text with each part that fits replaced. Raises TargetError."""
    found = compiled(pattern)
    pieces: list[str] = []
    place = 0
    for match in found.finditer(text):
        pieces += (text[place : match.start()], _filled(match, replacement))
        place = match.end()
    return "".join((*pieces, text[place:]))


def _filled(match: Any, replacement: str) -> str:
    def part(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        if name is None:
            return _ESCAPES.get(found[3], found[3])
        try:
            group = match.group(int(name) if name.isdigit() else name)
        except (IndexError, KeyError):
            raise TargetError(f"the pattern has no group {name}") from None
        return group or ""

    return _GROUP.sub(part, replacement)
