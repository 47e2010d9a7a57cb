"""Whether scores were lost: they are neither stored nor on their way.

A sample that was scored may come again for two reasons. Mostly the message was sent or delivered twice, and its score
waits in the results queue; to score it again would double the work when there is most of it. Or its score was lost after
it was published, and the sweep asks for it again. The results queue tells which of the two it is: once everything in it is younger than
the suspicion, what was scored before has left it, and the watermark in the repository says whether it arrived.
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
class SuspectedLoss:
    """A row was scored, and asked for again."""

    generation: int
    rowid: int
    since: float | None = None
    """From then on, what was scored before was in the results queue, or out of it again; None until it is published."""


class SuspectedLosses:
    """The suspected losses of a scheduler, one for a metric: the first, until it is resolved."""

    def __init__(self, shards: int) -> None:
        self._shards = shards
        self._suspected: dict[str, SuspectedLoss] = {}
        self._next_look = float("-inf")

    def __len__(self) -> int:
        """Return the number of metrics with a suspected loss."""
        return len(self._suspected)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the uids."""
        return iter(self._suspected)

    def note(self, uid: str, generation: int, rowid: int) -> None:
        """Note that a row was asked for again."""
        if uid not in self._suspected:
            self._suspected[uid] = SuspectedLoss(generation, rowid)

    def published(self, now: float) -> None:
        """Say that all scores up to now were published."""
        for loss in self._suspected.values():
            if loss.since is None:
                loss.since = now

    def confirmed(self, now: float, ages_of: Ages) -> dict[str, SuspectedLoss]:
        """Return the suspected losses, by uid, of which no score is on its way any more. Looks at most every `INTERVAL_S`."""
        if now < self._next_look or not self._suspected:
            return {}
        self._next_look = now + INTERVAL_S
        shards = {uid: shard_of(uid, self._shards) for uid in self._suspected}
        ages = ages_of(set(shards.values()))
        found = {}
        for uid, loss in self._suspected.items():
            oldest = ages[shards[uid]]
            if loss.since is not None and (oldest is None or oldest < now - loss.since - MARGIN_S):
                found[uid] = loss
        return found

    def pop(self, uid: str) -> None:
        """Forget a metric's suspected loss, if there is one."""
        self._suspected.pop(uid, None)
