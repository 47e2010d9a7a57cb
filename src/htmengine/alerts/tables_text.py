"""Targets and windows as they are written into the text of `alerts.toml`: read out of it, and put back without touching anything else.

A table that stays as it is keeps its lines; one that changes keeps the comments above it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from htmengine.alerts.toml_blocks import (
    Block,
    NotSeparable,
    block,
    headers,
    joined,
    key,
    lines_of,
    parsed,
    value,
)

Kind = Literal["targets", "windows"]
_TIMES: Final = ("from", "to")


class WrittenWindow(
    Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, rename={"from_": "from"}
):
    """A window of time as it is written: by cron with a duration, by a calendar, or from one time to another."""

    name: str = ""
    cron: str | None = None
    duration: str | None = None
    ical: str | None = None
    """The path of a calendar, on the machine of the engine."""
    from_: str | None = None
    """As ISO 8601 writes it; without an offset it is local time in `timezone`."""
    to: str | None = None
    timezone: str | None = None


class WrittenTarget(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A target as it is written: who is told, and how."""

    name: str = ""
    kind: str = ""
    settings: dict[str, Any] = {}
    """By name, as docs/reference/alert-targets.md has them. Secrets stand in files or in the environment: these are their names."""


def written_windows(text: str) -> list[WrittenWindow]:
    """Return the windows of a text. Raises NotSeparable."""
    try:
        return [
            msgspec.convert({"name": name} | {k: _as_json(one) for k, one in table.items()}, WrittenWindow)
            for name, table in _tables(text, "windows").items()
        ]
    except msgspec.ValidationError as error:
        raise NotSeparable(str(error)) from error


def written_targets(text: str) -> list[WrittenTarget]:
    """Return the targets of a text. Raises NotSeparable."""
    found = []
    for name, table in _tables(text, "targets").items():
        settings = {name: _as_json(one) for name, one in table.items() if name != "kind"}
        found.append(WrittenTarget(name, str(table.get("kind", "")), settings))
    return found


def with_windows(text: str, windows: Sequence[WrittenWindow]) -> str:
    """Return a text with other windows. Raises NotSeparable."""
    tables = {}
    for one in windows:
        values = {k: v for k, v in msgspec.to_builtins(one).items() if k != "name" and v is not None}
        tables[one.name] = {k: _time(v) if k in _TIMES else v for k, v in values.items()}
    return _with_tables(text, "windows", tables)


def with_targets(text: str, targets: Sequence[WrittenTarget]) -> str:
    """Return a text with other targets. Raises NotSeparable."""
    return _with_tables(text, "targets", {one.name: {"kind": one.kind} | one.settings for one in targets})


def with_maintenance(text: str, windows: Sequence[str]) -> str:
    """Return a text in which these windows are maintenance for all rules. Raises NotSeparable."""
    lines = lines_of(text)
    before = parsed(lines).get("maintenance", [])
    if ([before] if isinstance(before, str) else before) == list(windows):
        return text
    marks = headers(lines)
    end = block(lines, marks[0].line, len(lines)).begin if marks else len(lines)
    begin = next((i for i in range(end) if re.match(r"\s*[\"']?maintenance[\"']?\s*=", lines[i])), None)
    written = (
        [f"maintenance = {value(windows[0] if len(windows) == 1 else list(windows))}"] if windows else []
    )
    if begin is None:
        made = [*lines[:end], *written, *([""] if written and marks else []), *lines[end:]]
    else:
        last = next(i for i in range(begin + 1, end + 1) if _is_whole(lines[begin:i]))
        made = [*lines[:begin], *written, *lines[last:]]
    return joined(made)


def _is_whole(lines: Sequence[str]) -> bool:
    try:
        tomllib.loads("\n".join(lines))
    except tomllib.TOMLDecodeError:
        return False
    return True


def _as_json(one: Any) -> Any:
    """Return a value as JSON has it."""
    return one.isoformat() if isinstance(one, datetime) else one


def _time(text: str) -> datetime | str:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return text  # which is told where the file is checked


def _tables(text: str, kind: Kind) -> dict[str, dict[str, Any]]:
    lines = lines_of(text)
    found = parsed(lines).get(kind, {})
    if not isinstance(found, Mapping) or not all(isinstance(one, dict) for one in found.values()):
        raise NotSeparable(f"{kind} are not tables of their own, [{kind}.NAME]")
    if set(found) != set(_blocks(lines, kind)):
        raise NotSeparable(f"{kind} are not tables of their own, [{kind}.NAME]")
    return dict(found)


def _blocks(lines: Sequence[str], kind: Kind) -> dict[str, Block]:
    """Return where the tables of a kind stand, by name. Raises NotSeparable."""
    marks = headers(lines)
    found: dict[str, Block] = {}
    for place, mark in enumerate(marks):
        own = mark.path[:2]
        if len(own) < 2 or own[0] != kind or (place and marks[place - 1].path[:2] == own):
            continue
        following = [one.line for one in marks[place + 1 :] if one.path[:2] != own]
        name = str(own[1])
        if name in found:
            raise NotSeparable(f"[{kind}.{key(name)}] stands at two places")
        found[name] = block(lines, mark.line, following[0] if following else len(lines))
    return found


def _with_tables(text: str, kind: Kind, wanted: Mapping[str, Mapping[str, Any]]) -> str:
    before, lines = _tables(text, kind), lines_of(text)
    blocks = _blocks(lines, kind)
    made: list[str] = []
    at = 0
    for name, own in blocks.items():
        made += lines[at : own.begin]
        at = own.end
        if name not in wanted:
            while at < len(lines) and not lines[at].strip():
                at += 1
        elif wanted[name] == before[name]:
            made += lines[own.begin : own.end]
        else:
            made += [*lines[own.begin : own.header], *_rendered(kind, name, wanted[name])]
    new = [
        line for name in wanted if name not in before for line in ["", *_rendered(kind, name, wanted[name])]
    ]
    if not blocks:  # above the rules, which name them
        rules = [mark.line for mark in headers(lines) if mark.path[:1] == ("rules",)]
        at = block(lines, rules[0], len(lines)).begin if rules else len(lines)
        made = lines[:at]
        while made and not made[-1].strip():
            made.pop()
        new = [*new, ""] if rules and new else new
    return joined([*made, *new, *lines[at:]])


def _rendered(kind: Kind, name: str, table: Mapping[str, Any]) -> list[str]:
    return [f"[{kind}.{key(name)}]", *(f"{key(one)} = {value(given)}" for one, given in table.items())]
