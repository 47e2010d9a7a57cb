"""Tags of series, and the expressions that series are found by: `dc=a`, `dc!=a`, `host=~web.*`, `host!=~db`.

The name without its tags is the tag `name`. Regular expressions are anchored at the begin. What a series lacks counts as
empty, so that `dc=` finds the series without the tag.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from htmengine.graphite import patterns
from htmengine.graphite.target import TargetError

_OPERATORS: Final = ("!=~", "!~", "=~", "!=", "=")


class Condition(NamedTuple):
    """What the value of a tag must be."""

    tag: str
    fits: Callable[[str], bool]


def tags_of(name: str) -> dict[str, str]:
    """Return the tags of a series by its whole name, `name` among them."""
    return dict(_parsed(name))


@lru_cache(maxsize=100_000)
def _parsed(name: str) -> Mapping[str, str]:
    base, *pairs = name.split(";")
    return {"name": base, **dict(pair.split("=", 1) for pair in pairs if "=" in pair)}


def parse(expression: str) -> Condition:
    """Return what an expression asks for. Raises TargetError."""
    place, operator = min(
        ((at, sign) for sign in _OPERATORS if (at := expression.find(sign)) > 0),
        key=lambda found: (found[0], -len(found[1])),
        default=(0, ""),
    )
    if not operator:
        raise TargetError(
            f"{expression[:100]!r} is no condition of a tag, such as dc=a, dc!=a or host=~web.*"
        )
    tag, value = expression[:place], expression[place + len(operator) :]
    negated = operator.startswith("!")
    if not operator.endswith("~"):
        return Condition(tag, (lambda found: found != value) if negated else (lambda found: found == value))
    begins = patterns.beginning(value)
    return Condition(
        tag, (lambda found: not begins(found)) if negated else (lambda found: bool(begins(found)))
    )


def matching(names: Iterable[str], expressions: Sequence[str]) -> list[int]:
    """Return which of the names fulfil all expressions, by their places. Raises TargetError."""
    conditions = [parse(expression) for expression in expressions]
    found = []
    for place, name in enumerate(names):
        own = _parsed(name)
        if all(condition.fits(own.get(condition.tag, "")) for condition in conditions):
            found.append(place)
    return found


def known_tags(names: Iterable[str], prefix: str, limit: int) -> list[str]:
    """Return the tags that series have, in their order."""
    found = {tag for name in names for tag in _parsed(name)}
    return sorted(tag for tag in found if tag.startswith(prefix))[:limit]


def known_values(names: Iterable[str], tag: str, prefix: str, limit: int) -> list[str]:
    """Return the values that a tag has, in their order."""
    found = {value for name in names if (value := _parsed(name).get(tag))}
    return sorted(value for value in found if value.startswith(prefix))[:limit]
