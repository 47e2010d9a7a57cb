"""How many examples a property is tried with, and how many cases where a test draws its own."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any, TypeVar

from hypothesis import settings

FULL = 100
"""Examples of a property that says nothing else, in the profile `ci`."""

Case = TypeVar("Case")


def part(count: int) -> int:
    """Return how many of `count` drawn cases are tried: all in the profile `ci`, in others a like share, but one at least."""
    return max(1, count * settings.default.max_examples // FULL)


def examples(count: int, **others: Any) -> settings:
    """Return the settings of a property that the profile `ci` tries with `count` examples."""
    return settings(max_examples=part(count), **others)


def some(cases: Iterable[Case]) -> list[Case]:
    """Return the cases of a large table that are tried: the same ones each time, and all in the profile `ci`."""
    table = list(cases)
    chosen = random.Random(len(table)).sample(range(len(table)), min(part(len(table)), len(table)))
    return [table[place] for place in sorted(chosen)]
