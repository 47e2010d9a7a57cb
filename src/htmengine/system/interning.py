"""Equal values as one object, where many are kept of which few differ."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value", bound=Hashable)


class Interned(Generic[Value]):
    """Knows values, at most so many; beyond them it begins anew, and what was given out stays."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: dict[Value, Value] = {}

    def one(self, value: Value) -> Value:
        """Return the same object for what is equal."""
        if len(self._known) >= self._limit:
            self._known.clear()
        return self._known.setdefault(value, value)
