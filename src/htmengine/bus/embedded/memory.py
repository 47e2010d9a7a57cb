"""Messages that need not outlive the process that publishes and consumes them: they are not written to the file."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from htmengine.bus.api import Delivery, QueueFull
from htmengine.bus.embedded.tables import Row

_tags: Final = itertools.count(-1, -1)
"""Those of messages in the file are above 0."""


class _Message(NamedTuple):
    row: Row
    published_at: float


class MemoryStatus(NamedTuple):
    """What a queue has in memory."""

    ready: int
    unacked: int
    published_at: float | None
    """When the oldest of them was published."""


class MemoryQueue:
    """What the process of a queue's owner publishes to it. Safe to use from several threads."""

    def __init__(self, name: str, limit: int | None, *, drops: bool) -> None:
        """`limit`: number of messages at which it refuses more; or `drops` its oldest instead."""
        self.name = name
        self._epoch = 0
        self._limit = limit
        self._drops = drops
        self._lock = threading.Lock()
        self._waiting: deque[_Message] = deque()
        self._held: dict[int, _Message] = {}
        self._takes_more = False

    def __len__(self) -> int:
        """Return the number of messages, those that are not acknowledged included."""
        return len(self._waiting) + len(self._held)

    def put(self, rows: Sequence[Row], now: float) -> bool:
        """Add messages; return False, and add none, where the owner takes no more from here. Raises QueueFull."""
        with self._lock:
            if not self._takes_more:
                return False
            if self._limit is not None and not self._drops and len(self) >= self._limit:
                raise QueueFull(f"the queue {self.name} is full: it holds {len(self)} messages")
            self._waiting.extend(_Message(row, now) for row in rows)
            while self._drops and self._limit is not None and len(self._waiting) > self._limit:
                self._waiting.popleft()
            return True

    def take(self, limit: int) -> list[Delivery]:
        """Return the next messages, at most so many; they are held until they are acknowledged."""
        found: list[Delivery] = []
        with self._lock:
            while self._waiting and len(found) < limit:
                message = self._waiting.popleft()
                tag = next(_tags)
                self._held[tag] = message
                headers, body = message.row
                found.append(Delivery(self.name, body, headers, 1, self._epoch, tag))
        return found

    def acknowledge(self, tags: Collection[int]) -> None:
        """Forget messages that are done."""
        with self._lock:
            for tag in tags:
                self._held.pop(tag, None)

    def admit(self, epoch: int) -> None:
        """Take messages; `epoch` is that of the queue."""
        with self._lock:
            self._takes_more, self._epoch = True, epoch

    def refuse(self) -> None:
        """Take no more messages; what is there is still given out."""
        with self._lock:
            self._takes_more = False

    def close(self) -> list[Row]:
        """Take no more messages, and return what was not acknowledged, in order."""
        with self._lock:
            self._takes_more = False
            left = [message.row for message in (*self._held.values(), *self._waiting)]
            self._held.clear()
            self._waiting.clear()
            return left

    def clear(self) -> int:
        """Drop what waits, and return how much it was."""
        with self._lock:
            count = len(self._waiting)
            self._waiting.clear()
            return count

    def status(self) -> MemoryStatus:
        """Return what is here now."""
        with self._lock:
            oldest = next(itertools.chain(self._held.values(), self._waiting), None)
            return MemoryStatus(len(self._waiting), len(self._held), oldest and oldest.published_at)
