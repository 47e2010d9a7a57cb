"""Rules as they are written into the text of `alerts.toml`: read out of it, and put back without touching anything else.

Only the tables `[[rules]]` are written. A rule that stays as it is keeps its lines, comments among them; one that changes
keeps the comments above it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from htmengine.alerts.toml_blocks import (
    Block,
    Header,
    NotSeparable,
    block,
    headers,
    joined,
    lines_of,
    parsed,
    value,
)

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


def rule_of(values: Mapping[str, Any]) -> WrittenRule:
    """Return a rule of its settings; lists of one may be that one. Raises NotSeparable."""
    try:
        return msgspec.convert(_listed(values), WrittenRule)
    except (msgspec.ValidationError, TypeError) as error:
        raise NotSeparable(str(error)) from error


def written_rules(text: str) -> list[WrittenRule]:
    """Return the rules of a text. Raises NotSeparable."""
    return [rule for _, rule in _blocks_of_rules(lines_of(text))]


def with_rules(text: str, rules: Sequence[WrittenRule]) -> str:
    """Return a text with other rules. Raises NotSeparable."""
    lines = lines_of(text)
    blocks = _blocks_of_rules(lines)
    before = {rule.name: (own, rule) for own, rule in blocks}
    pieces = [_piece(lines, rule, before.get(rule.name)) for rule in rules]
    made: list[str] = []
    at = 0
    for place, (own, _rule) in enumerate(blocks):
        made += lines[at : own.begin]
        if place < len(pieces):
            made += pieces[place]
        if place == len(blocks) - 1:
            for piece in pieces[len(blocks) :]:
                made += ["", *piece]
        at = own.end
    made += lines[at:]
    if not blocks:
        while made and not made[-1].strip():
            made.pop()
        for piece in pieces:
            made += ["", *piece] if made else piece
    return joined(made)


def _blocks_of_rules(lines: Sequence[str]) -> list[tuple[Block, WrittenRule]]:
    """Return where the rules of a text stand, and what they say. Raises NotSeparable."""
    found = parsed(lines).get("rules", [])
    try:
        rules = msgspec.convert([_listed(rule) for rule in found], list[WrittenRule])
    except (msgspec.ValidationError, TypeError) as error:
        raise NotSeparable(str(error)) from error
    marks = headers(lines)
    blocks = []
    for place, mark in enumerate(marks):
        if mark.path != ("rules", 0):
            continue
        following = [one.line for one in marks[place + 1 :] if not _is_part_of_rule(one)]
        blocks.append(block(lines, mark.line, following[0] if following else len(lines)))
    if len(blocks) != len(rules):
        raise NotSeparable("the rules are not tables of their own, [[rules]]")
    return list(zip(blocks, rules, strict=True))


def _listed(rule: Any) -> Any:
    """Return a rule whose lists are lists."""
    if not isinstance(rule, Mapping):
        return rule
    return {
        key: [value] if key in _LISTS and isinstance(value, str) else value for key, value in rule.items()
    }


def _is_part_of_rule(mark: Header) -> bool:
    """Tell whether a header is of a table within a rule."""
    return mark.path[:1] == ("rules",) and mark.path != ("rules", 0)


def _piece(lines: Sequence[str], rule: WrittenRule, before: tuple[Block, WrittenRule] | None) -> list[str]:
    if before is None:
        return _rendered(rule)
    own, as_was = before
    if as_was == rule:
        return list(lines[own.begin : own.end])
    return [*lines[own.begin : own.header], *_rendered(rule)]


def _rendered(rule: WrittenRule) -> list[str]:
    values: dict[str, Any] = msgspec.to_builtins(rule)
    return ["[[rules]]", *(f"{name} = {_shown(given)}" for name, given in values.items() if given != {})]


def _shown(given: Any) -> str:
    return value(given[0] if isinstance(given, list) and len(given) == 1 else given)
