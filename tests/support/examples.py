"""How many examples a property is tried with."""

from __future__ import annotations

from typing import Any

from hypothesis import settings

FULL = 100
"""Examples of a property that says nothing else, in the profile `ci`."""


def examples(count: int, **others: Any) -> settings:
    """Return the settings of a property that the profile `ci` tries with `count` examples; others with a like share."""
    return settings(max_examples=max(1, count * settings.default.max_examples // FULL), **others)
