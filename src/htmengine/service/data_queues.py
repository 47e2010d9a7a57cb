"""The metric-data queues: the documented one alone, or several behind it, among which samples are divided by name.

With one, one storer works. With several, each storer has some of them, so that a metric has one writer all the same.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from htmengine import config
from htmengine.messages import part_of

LIMIT: Final = 20_000
"""Messages that wait in all of them together."""
LIMIT_BYTES: Final = 8 << 20
"""Some two hundred thousand lines: what waits is worked off in seconds, and beyond it the senders wait."""
MIN_BYTES: Final = 1 << 20
"""Of one of several: some messages must find room, however many queues there are."""


class DataQueues(NamedTuple):
    """The queues of an installation."""

    documented: str
    """Applications put their lines here."""
    parts: tuple[str, ...] = ()
    """Those behind it; none where storers take from the documented one."""

    @classmethod
    def of(cls, settings: config.Settings, count: int) -> DataQueues:
        """Return the queues of an installation that has so many; `count` 1: the documented one alone."""
        return cls(
            settings.listener.queue,
            tuple(settings.data_queue(part) for part in range(count)) if count > 1 else (),
        )

    @property
    def stored(self) -> tuple[str, ...]:
        """The queues that storers take from."""
        return self.parts or (self.documented,)

    @property
    def every(self) -> tuple[str, ...]:
        """All of them, in the order in which a sample of an application passes through."""
        return (self.documented, *self.parts)

    def of_name(self, name: str) -> str:
        """Return the queue of a metric, by the name that it is stored under."""
        return self.parts[part_of(name, len(self.parts))] if self.parts else self.documented

    def limits(self, queue: str) -> tuple[int, int]:
        """Return how many messages, and bytes, may wait in one of them."""
        if queue == self.documented:
            return LIMIT, LIMIT_BYTES
        return LIMIT // len(self.parts), max(LIMIT_BYTES // len(self.parts), MIN_BYTES)
