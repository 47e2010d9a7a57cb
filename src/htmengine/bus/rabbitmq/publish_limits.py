"""Limits of queues, kept by those who publish: a broker fixes its own at a queue's first declaration."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from htmengine.bus.api import CHECKS_PER_LIMIT, Outgoing, QueueFull

NEWEST_SHARE: Final = 0.1
"""How much the messages of one call count for the average size of a queue's messages."""


class _Limit(NamedTuple):
    messages: int | None
    size: int | None


class Limits:
    """Counts what goes into queues that have a limit. Safe to use from several threads.

    Parameters
    ----------
    ready : returns how many messages wait in queues.
    """

    def __init__(self, ready: Callable[[Sequence[str]], Mapping[str, int]]) -> None:
        self._ready = ready
        self._lock = threading.Lock()
        self._limits: dict[str, _Limit] = {}
        self._room: dict[str, int] = {}
        """Messages that may be put into a queue before it is looked at again."""
        self._average: dict[str, float] = {}
        """Bytes of a message, as far as they were published here: the broker does not tell how large a queue is."""

    def set(self, queue: str, messages: int | None, size: int | None) -> None:
        """Give a queue a limit in messages, in bytes of all bodies together, both or none."""
        with self._lock:
            self._limits.pop(queue, None)
            self._room.pop(queue, None)
            if messages is not None or size is not None:
                self._limits[queue] = _Limit(messages, size)

    def forget(self, queue: str) -> None:
        """Forget the limit of a queue."""
        self.set(queue, None, None)

    def reserve(self, messages: Sequence[Outgoing]) -> None:
        """Count messages that are about to be published. Raises QueueFull if one of their queues takes no more."""
        sizes: dict[str, list[int]] = defaultdict(list)
        with self._lock:
            for message in messages:
                if message.queue in self._limits:
                    sizes[message.queue].append(len(message.body))
            for queue, those in sizes.items():
                mean = sum(those) / len(those)
                self._average[queue] = mean + (1 - NEWEST_SHARE) * (self._average.get(queue, mean) - mean)
            used_up = [queue for queue in sizes if self._room.get(queue, 0) <= 0]
        ready = self._ready(used_up) if used_up else {}
        with self._lock:
            for queue, waiting in ready.items():
                most = self._most(queue)
                if waiting >= most:
                    raise QueueFull(f"the queue {queue} is full: it holds {waiting} messages")
                self._room[queue] = min(most - waiting, -(-most // CHECKS_PER_LIMIT))
            for queue, those in sizes.items():
                self._room[queue] = self._room.get(queue, 0) - len(those)

    def _most(self, queue: str) -> int:
        """Return how many messages a queue may hold."""
        limit = self._limits[queue]
        by_size = max(1, int(limit.size / max(self._average[queue], 1.0))) if limit.size else None
        return min(most for most in (limit.messages, by_size) if most is not None)
