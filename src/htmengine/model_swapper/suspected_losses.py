"""Whether scores were lost: they are neither stored nor on their way.

A sample that was scored may come again for two reasons. Mostly the message was sent or delivered twice, and its score
waits in the results queue; to score it again would double the work at the worst moment. Or its score was lost behind
us, and somebody asks for it again. The two are told apart by the results queue: once everything in it is younger than
the doubt, what was scored before has left it, and the watermark in the repository says whether it arrived.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from htmengine.messages import shard_of

INTERVAL_S: Final = 0.5
MARGIN_S: Final = 1.0
"""Ages of messages come from another clock, in a precision of its own."""

Ages = Callable[[Collection[int]], Mapping[int, float | None]]
"""Tells of shards how long the oldest message waits in their results queues: None when there is none, infinite where the
bus does not know."""


@dataclass(slots=True)
class Doubt:
    """A row was scored, and asked for again."""

    generation: int
    rowid: int
    since: float | None = None
    """From then on, what was scored before was in the results queue, or out of it again; None until it is published."""


class Doubts:
    """The doubts of a scheduler, one for a metric: the first, until it is resolved."""

    def __init__(self, shards: int) -> None:
        self._shards = shards
        self._doubts: dict[str, Doubt] = {}
        self._next_look = float("-inf")

    def __len__(self) -> int:
        """Return the number of metrics in doubt."""
        return len(self._doubts)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the uids."""
        return iter(self._doubts)

    def note(self, uid: str, generation: int, rowid: int) -> None:
        """Note that a row was asked for again."""
        if uid not in self._doubts:
            self._doubts[uid] = Doubt(generation, rowid)

    def published(self, now: float) -> None:
        """Say that all scores up to now were published."""
        for doubt in self._doubts.values():
            if doubt.since is None:
                doubt.since = now

    def proven(self, now: float, ages_of: Ages) -> dict[str, Doubt]:
        """Return the doubts, by uid, of whose scores none is on its way any more. Looks at most every `INTERVAL_S`."""
        if now < self._next_look or not self._doubts:
            return {}
        self._next_look = now + INTERVAL_S
        shards = {uid: shard_of(uid, self._shards) for uid in self._doubts}
        ages = ages_of(set(shards.values()))
        found = {}
        for uid, doubt in self._doubts.items():
            oldest = ages[shards[uid]]
            if doubt.since is not None and (oldest is None or oldest < now - doubt.since - MARGIN_S):
                found[uid] = doubt
        return found

    def pop(self, uid: str) -> None:
        """Forget a metric's doubt, if there is one."""
        self._doubts.pop(uid, None)
