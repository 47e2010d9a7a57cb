"""Canonical names: a base and its tags, `base;key=value;key=value`, sorted by key.

This is Graphite's own form, so that a series has the same name whichever door it comes through. What would make a name
ambiguous is replaced by `_`: blanks, `;` and characters that nobody sees, in keys also `!`, `^` and `=`, in a base also
`{` where the name ends with `"}`. Values lose
leading `~`; tags without a key or a value are dropped; of several tags with one key the last stays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from htmengine import foreign
from htmengine.doors.reasons import MAX_NAME, BadSample, Reason
from htmengine.doors.remembered import MAX_SIZE, remembered

_KEY: Final = r'["-:<>-\]_-~]+'
_NOTHING_TO_REPLACE: Final = re.compile(rf"[!-:<-~]+(?:;{_KEY}=[!-:<-}}][!-:<-~]*)*").fullmatch
"""For ASCII; the number of `;` and `=` must be that of the tags besides."""
_BRACES: Final = re.compile(r"([^{]*)\{(.*)\}", re.DOTALL).fullmatch
_QUOTED_TAG: Final = re.compile(r'([^=,"]+)="((?:[^"\\]|\\.)*)"(?:,(?!$)|$)', re.DOTALL).match
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)


def canonical(base: str, tags: Mapping[str, str]) -> str:
    """Return the name of a series. Raises BadSample: without a base, or too long."""
    name = joined(base, tags)
    if name.count(";") == len(tags) == name.count("=") and _NOTHING_TO_REPLACE(name) and name[-1] != "}":
        return _checked(name)
    cleaned = {}
    for key, value in tags.items():
        key, value = _replaced(key, "!^="), _replaced(value.lstrip("~"))
        if key and value:
            cleaned[key] = value
    if not base:
        raise BadSample(Reason.NO_NAME)
    base = _replaced(base)
    if joined(base, cleaned).endswith('"}'):
        base = base.replace("{", "_")  # else `read` would take what follows for tags
    return _checked(joined(base, cleaned))


def read(path: str) -> str:
    """Return the canonical name of a Graphite path, `base;key=value` or `base{key="value"}`. Raises BadSample.

    A path with characters that nobody sees is refused, not changed: an agent that sends one is at fault.
    """
    return _known(path) if len(path) <= MAX_SIZE else _read(path)


def _read(path: str) -> str:
    if foreign.has_unseen(path):
        raise BadSample(Reason.NAME_CHARACTERS)
    base, *parts = path.split(";")
    if path.endswith('"}') and "{" in base:
        return canonical(*_in_braces(path))
    return canonical(base, dict(map(_pair, parts)))


_known = remembered(_read)


def joined(base: str, tags: Mapping[str, str]) -> str:
    """Return base and tags as they are, in the form of a name."""
    return ";".join([base, *[f"{key}={value}" for key, value in sorted(tags.items())]])


def _checked(name: str) -> str:
    if len(name) > MAX_NAME:
        raise BadSample(Reason.LONG_NAME)
    return name


def _replaced(text: str, also: str = "") -> str:
    return "".join("_" if c == ";" or c in also or c.isspace() or foreign.has_unseen(c) else c for c in text)


def _pair(part: str) -> tuple[str, str]:
    """Return key and value by the rules of Graphite's tags."""
    key, equals, value = part.partition("=")
    if not (key and equals and value) or value.startswith("~") or "!" in key or "^" in key:
        raise BadSample(Reason.BAD_TAG)
    return key, value


def _in_braces(path: str) -> tuple[str, dict[str, str]]:
    """Return base and tags of OpenMetrics' form."""
    found = _BRACES(path)
    if not found:
        raise BadSample(Reason.BAD_TAG)
    base, inside = found.groups()
    tags, at = {}, 0
    while at < len(inside):
        tag = _QUOTED_TAG(inside, at)
        if not tag:
            raise BadSample(Reason.BAD_TAG)
        tags[tag[1]] = _ESCAPE.sub(_unescaped, tag[2])
        at = tag.end()
    return base, tags


def _unescaped(escape: re.Match[str]) -> str:
    return "\n" if escape[1] == "n" else escape[1]
