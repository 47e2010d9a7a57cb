"""What a service counts, with a few examples of what it refused."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterable
from typing import Any, Final

from htmengine.doors.samples import shortened

EXAMPLES: Final = 5
"""How many refused lines are kept for each reason; the newest stay."""


class Counters:
    """Counts of a service since it started. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._rejected: Counter[str] = Counter()
        self._examples: dict[str, deque[str]] = {}

    def add(self, name: str, count: int = 1) -> None:
        """Count something."""
        with self._lock:
            self._counts[name] += count

    def set(self, name: str, number: int) -> None:
        """Say how many there are of something now."""
        with self._lock:
            self._counts[name] = number

    def reject(self, reason: str, examples: Iterable[str] = (), count: int | None = None) -> None:
        """Count lines that are not used; `count` is that of the examples unless it is given."""
        cut = [shortened(example) for example in examples]
        with self._lock:
            self._rejected[reason] += len(cut) if count is None else count
            self._examples.setdefault(reason, deque(maxlen=EXAMPLES)).extend(cut)

    def __getitem__(self, name: str) -> int:
        """Return a count; 0 for what never happened."""
        with self._lock:
            return self._counts[name]

    @property
    def rejected(self) -> int:
        """The lines that were not used, for whatever reason."""
        with self._lock:
            return self._rejected.total()

    def snapshot(self) -> dict[str, Any]:
        """Return everything in a form that JSON holds: `{"lines": 7, "rejected": {reason: {"count", "examples"}}}`."""
        with self._lock:
            rejected = {
                reason: {"count": count, "examples": list(self._examples[reason])}
                for reason, count in self._rejected.items()
            }
            return {**self._counts, "rejected": rejected}
