"""How many metrics samples may create: a guard against senders whose names change all the time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from sqlalchemy import Connection

from htmengine.doors.reasons import Reason
from htmengine.repository import backfill, gathered_samples, metrics, running_totals

MINUTE_S: Final = 60.0
UNLIMITED: Final = 1 << 62
OTHERS_S: Final = 5.0
"""So often metrics are counted where other storers create some, too."""
AMPLE: Final = 1000
"""With room for so many more than there can be new ones, nobody looks which are."""
_ROUNDING: Final = 1e-9


class NewMetrics:
    """So many new metrics a minute; what is not used is kept for later, up to those of a minute. And so many in all.

    Parameters
    ----------
    per_minute : 0 for as many as there are.
    timer : seconds that only grow.
    most : of all that there are; 0 for as many as there are.
    """

    def __init__(self, per_minute: int, timer: Callable[[], float], most: int = 0) -> None:
        self.limited = per_minute > 0 or most > 0
        """Whether there is a limit."""
        self._per_minute = per_minute
        self._timer = timer
        self.share = 1.0
        """Of those of a minute, where several storers create metrics."""
        self._left = float(per_minute)
        self._at = timer()
        self._most = most
        self._there = 0
        self._counted_at: float | None = None

    def look(self, conn: Connection, waiting: int) -> None:
        """Count the metrics that there are, and those that wait to be created, if that is some time ago.

        Others create and delete some, too.
        """
        now = self._timer()
        every_s = MINUTE_S if self.share == 1.0 else OTHERS_S
        if self._most and (self._counted_at is None or now - self._counted_at >= every_s):
            self._there, self._counted_at = metrics.count(conn) + waiting, now

    def left(self) -> int:
        """Return how many there may be now."""
        if not self._per_minute:
            return self._room() if self._most else UNLIMITED
        now = self._timer()
        per_minute = self._per_minute * self.share
        self._left = min(per_minute, self._left + (now - self._at) * per_minute / MINUTE_S)
        self._at = now
        left = int(self._left + _ROUNDING)
        return min(left, self._room()) if self._most else left

    @property
    def reason(self) -> Reason:
        """Why there may be no more."""
        by_all = self._most and (not self._per_minute or self._room() < self._left)
        return Reason.MANY_METRICS if by_all else Reason.MANY_NEW

    def count(self, created: int) -> None:
        """Count new metrics that are committed."""
        self._left -= created
        self._there += created

    def _room(self) -> int:
        return max(0, self._most - self._there)


def new(conn: Connection, names: Mapping[str, str], admitted: Iterable[str]) -> list[str]:
    """Return the metrics of which nothing is stored yet, in the order of their first samples.

    A running total, a sample that waits and a history that has begun are something.

    Parameters
    ----------
    names : by the name that samples are sent under, in their order, that which they are stored under.
    admitted : metrics of which a history comes along, or that wait to be created.
    """
    stored = list(dict.fromkeys(names.values()))
    known = {*admitted, *metrics.states_by_name(conn, stored)}
    if known.issuperset(stored):
        return []
    known.update(backfill.running(conn))
    known.update(gathered_samples.read(conn, [name for name in stored if name not in known]))
    totals = running_totals.read(conn, [sent for sent, name in names.items() if name not in known])
    known.update(names[sent] for sent in totals)
    return [name for name in stored if name not in known]
