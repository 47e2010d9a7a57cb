"""Finds metrics whose scores stopped following their rows, and feeds them again.

A message to a model can be lost: the storer died between its commit and its publication, a full queue refused it, a
broker lost its disk. The rows are all there; one message with a metric's last row is enough, since the scheduler reads
what is missing before it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final, NamedTuple

from htmengine.bus import QueueStatus
from htmengine.repository.metrics import MetricState

MAX_REQUESTS: Final = 1000
"""Of one sweep; the others are asked for by the next."""
MAX_DOUBLINGS: Final = 6


class _Standstill(NamedTuple):
    """A metric that did not move."""

    mark: tuple[int, int, int]
    """Generation, watermark and status: while these stay the same, nothing has moved."""
    since: float
    asked: int
    """How often it was asked for since it stands still."""


class Sweep:
    """Decides which metrics are asked for.

    A metric is asked for when it has stood still for some time, and for longer than anything has been waiting in its
    shard's queues: what was on its way then has arrived or was lost. So there is one request for a metric at most. One
    that does not help is repeated after twice the time, and so on.
    """

    def __init__(self, timeout_s: float, *, most: int = MAX_REQUESTS) -> None:
        """`timeout_s`: how long a metric may stand still."""
        self._timeout_s = timeout_s
        self._most = most
        self._still: dict[str, _Standstill] = {}
        self._still_before: dict[str, _Standstill] = {}
        """As the last pass over all metrics left it."""
        self._suspects: set[str] = set()

    def suspect(self, uids: Iterable[str]) -> None:
        """Name metrics whose samples may not have been passed on: they are asked for at once."""
        self._suspects.update(uids)

    @property
    def suspects(self) -> Collection[str]:
        """Metrics that should be looked at soon."""
        return self._suspects

    def choose(
        self,
        behind: Sequence[MetricState],
        waiting_s: Callable[[str], float],
        now: float,
        *,
        is_last: bool = True,
    ) -> list[MetricState]:
        """Return the metrics to ask for now, and remember those that stand still.

        Parameters
        ----------
        behind : metrics whose scores are behind their rows, or whose model is not confirmed: all suspects that are, and a
            part of the others.
        waiting_s : for a uid, how long the oldest message has been waiting in its shard's queues.
        is_last : with this part a pass over all metrics ends: who was in none of its parts does not stand still.
        """
        chosen: list[MetricState] = []
        for state in behind:
            mark = state.generation, state.scored_rowid, state.status
            known = self._still.get(state.uid) or self._still_before.get(state.uid)
            if known is None or known.mark != mark:
                known = _Standstill(mark, now, 0)
            if state.uid in self._suspects:
                known = known._replace(since=min(known.since, now - self._timeout_s), asked=0)
            timeout_s = self._timeout_s * 2 ** min(known.asked, MAX_DOUBLINGS)
            if now - known.since >= timeout_s + waiting_s(state.uid) and len(chosen) < self._most:
                chosen.append(state)
                known = _Standstill(mark, now, known.asked + 1)
            self._still[state.uid] = known
        if is_last:
            self._still, self._still_before = {}, self._still
        self._suspects.clear()
        return chosen


def waiting_in(statuses: Iterable[QueueStatus], queues: Iterable[str]) -> float:
    """Return how long the oldest messages of these queues have been waiting together, in seconds.

    0 when all are empty; infinite where the bus does not know.
    """
    wanted = set(queues)
    return math.fsum(
        math.inf if status.oldest_age_s is None else status.oldest_age_s
        for status in statuses
        if status.name in wanted and status.ready + status.unacked
    )
