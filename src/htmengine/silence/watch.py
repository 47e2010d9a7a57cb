"""Which metrics are silent: kept in memory, and told of what came. No clock, no database.

A metric is looked at when its next sample is overdue, and not before: so often as it may rest, not as often as it comes.
"""

from __future__ import annotations

import heapq
import math
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from htmengine.silence.rhythm import Pause, Rhythm

LEARNING_S: Final = 120.0
"""A metric of which too little is known is looked at about so often, in the beginning more often; one that is never silent,
too. Each after a share of its own of that time, so that those that were entered together are not all looked at together."""
LEARNING_LOOKS_PER_S: Final = 1000
"""At all those together, about: a fleet that is new needs the processor for its models."""
EXPECTED_WITHIN_S: Final = 600.0
"""By what is known of it, its next sample may come later than that: so long at most it is not looked at."""
MIN_PAUSE_S: Final = 5.0
MAX_PAUSE_S: Final = 60.0
PAUSE_SHARE: Final = 0.05
"""A silent metric is looked at again after this share of the time that it has been silent."""
MAX_UNWATCHED: Final = 16

Limit = Callable[[str], float | None]
"""Returns for a metric's name after how long it is silent, infinity for never; None where that is learned."""


class Begun(NamedTuple):
    """A metric is silent."""

    uid: str
    rowid: int
    """Its last row."""
    since: int
    """Timestamp of that."""
    interval_s: float
    found: int
    """When the next sample was overdue."""


class Ended(NamedTuple):
    """A metric that was silent is not any more."""

    uid: str
    until: int
    """Timestamp of the first row."""


class Looked(NamedTuple):
    """What a look at a metric has shown."""

    event: Begun | Ended | None
    rhythm: Rhythm


class _Metric:
    """What is known of a metric."""

    __slots__ = ("due", "limit_s", "rhythm", "rowid", "seen", "silent", "tail", "watched_since")

    def __init__(self, rowid: int, tail: int | None, rhythm: Rhythm, now: float) -> None:
        self.rowid = rowid
        self.tail = tail
        """Timestamp of that row."""
        self.rhythm = rhythm
        self.limit_s: float | None = None
        """By a rule: see `Limit`."""
        self.watched_since = now
        self.seen = False
        """Whether a row came since then: the first one may be late since nobody listened."""
        self.silent = False
        self.due = 0
        """Second of the next look."""

    def packed(self) -> bytes:
        """Return all of this but the pauses: most metrics rest, and as objects they would take four times as much."""
        return (
            _PACKED.pack(
                self.rowid,
                math.nan if self.tail is None else self.tail,
                math.nan if self.limit_s is None else self.limit_s,
                self.watched_since,
                self.due,
                self.seen,
                self.silent,
            )
            + self.rhythm.packed()
        )

    @classmethod
    def unpacked(cls, packed: bytes, pauses: tuple[Pause, ...]) -> _Metric:
        """Return the metric of what `packed` returned, and its pauses."""
        rowid, tail, limit_s, watched_since, due, seen, silent = _PACKED.unpack_from(packed)
        rhythm = Rhythm.unpacked(packed[_PACKED.size :], pauses)
        metric = cls(rowid, None if math.isnan(tail) else int(tail), rhythm, watched_since)
        metric.limit_s = None if math.isnan(limit_s) else limit_s
        metric.due, metric.seen, metric.silent = due, seen, silent
        return metric


_PACKED: Final = struct.Struct("<qdddq??")
"""Seconds since the epoch are exact as floating-point numbers."""
_NUMBER: Final = struct.Struct("<q")
_ROWID_AT: Final = 0
_DUE_AT: Final = 32
"""Where these are in it: they are asked for most often, and alone."""


class Watch:
    """All metrics that may fall silent. Times are seconds since the epoch, up to which everything that came was stored."""

    def __init__(self, limit: Limit, now: float) -> None:
        self._limit = limit
        self._unwatched: list[tuple[float, float]] = [(-math.inf, now)]
        """Times in which nobody watched: gaps that they reach into teach nothing."""
        self._metrics: dict[str, bytes] = {}
        self._pauses: dict[str, tuple[Pause, ...]] = {}
        """Of the metrics that have any."""
        self._due: dict[int, list[str]] = {}
        """By second, metrics that are to be looked at, unless they are due at another one by now."""
        self._seconds: list[int] = []
        """The same seconds, as a heap."""

    def __len__(self) -> int:
        """Return the number of metrics."""
        return len(self._metrics)

    def __contains__(self, uid: object) -> bool:
        """Tell whether a metric is watched."""
        return uid in self._metrics

    def uids(self) -> Iterable[str]:
        """Return the metrics that are watched."""
        return self._metrics.keys()

    def enter(
        self,
        uid: str,
        name: str,
        rowid: int,
        tail: int | None,
        now: float,
        *,
        rhythm: Rhythm | None = None,
        silent: bool = False,
        is_new: bool = False,
    ) -> None:
        """Watch a metric from now on.

        Parameters
        ----------
        rowid, tail : of its newest row, and the timestamp of that.
        rhythm : what is known of it.
        silent : whether it is known to be silent.
        is_new : it was made while its neighbours were watched, so that its rows have come just now.
        """
        metric = _Metric(rowid, tail, rhythm or Rhythm(), now)
        metric.limit_s = self._limit(name)
        metric.silent = silent
        if is_new and tail is not None:
            metric.rhythm = metric.rhythm.heard(now - tail, late=False)
        self._plan(uid, metric, now)

    def forget(self, uid: str) -> None:
        """Watch a metric no more."""
        self._metrics.pop(uid, None)
        self._pauses.pop(uid, None)

    def follow(self, limit: Limit, names: Iterable[tuple[str, str]], now: float) -> None:
        """Go by other rules from now on. `names`: uid and name of every metric."""
        self._limit = limit
        for uid, name in names:
            if uid not in self._metrics:
                continue
            metric, limit_s = self._of(uid), limit(name)
            if limit_s != metric.limit_s:
                metric.limit_s = limit_s
                metric.watched_since = now
                self._plan(uid, metric, now)

    def resume(self, since: float, now: float) -> None:
        """Begin again: nobody has watched between two times."""
        self._unwatched.append((min(since, now), max(since, now)))
        del self._unwatched[:-MAX_UNWATCHED]
        for uid in self._metrics:
            metric = self._of(uid)
            metric.watched_since = now
            metric.seen = False
            self._plan(uid, metric, now)

    def rhythm(self, uid: str) -> Rhythm:
        """Return what is known of a metric."""
        return self._of(uid).rhythm

    def is_silent(self, uid: str) -> bool:
        """Tell whether a metric is silent."""
        return uid in self._metrics and self._of(uid).silent

    def rowid(self, uid: str) -> int:
        """Return the newest row of a metric that was seen."""
        return self._number(uid, _ROWID_AT)

    def due(self, now: float, limit: int) -> list[str]:
        """Return metrics that are to be looked at, at most so many; each is due again when it was looked at."""
        found: dict[str, None] = {}
        while self._seconds and self._seconds[0] <= now and len(found) < limit:
            second = self._seconds[0]
            uids = self._due[second]
            while uids and len(found) < limit:
                uid = uids.pop()
                if uid in self._metrics and self._number(uid, _DUE_AT) == second:
                    found[uid] = None
            if not uids:
                del self._due[heapq.heappop(self._seconds)]
        return list(found)

    def _of(self, uid: str) -> _Metric:
        return _Metric.unpacked(self._metrics[uid], self._pauses.get(uid, ()))

    def _number(self, uid: str, at: int) -> int:
        (number,) = _NUMBER.unpack_from(self._metrics[uid], at)
        return int(number)

    def look(
        self, uid: str, rowid: int, tail: int | None, rows: Sequence[tuple[int, int]], now: float
    ) -> Looked:
        """Take how a metric stands now; return what has become of it.

        Parameters
        ----------
        rowid, tail : of its newest row, and the timestamp of that.
        rows : rowid and timestamp of the rows behind the one that was the newest; the oldest may be left out.
        """
        metric = self._of(uid)
        event: Begun | Ended | None = None
        if rowid > metric.rowid and tail is not None:
            event = self._came(uid, metric, rowid, tail, rows, now)
        elif rowid < metric.rowid:  # its rows were removed, or the repository was restored
            metric.rowid, metric.tail, metric.watched_since, metric.seen = rowid, tail, now, False
            if metric.silent:
                metric.silent, event = False, Ended(uid, int(now))
        elif not metric.silent:
            overdue = self._overdue_at(metric)
            if metric.tail is not None and overdue is not None and now >= overdue:
                metric.silent = True
                event = Begun(uid, rowid, metric.tail, metric.rhythm.interval_s, int(overdue))
        self._plan(uid, metric, now)
        return Looked(event, metric.rhythm)

    def _came(
        self,
        uid: str,
        metric: _Metric,
        rowid: int,
        tail: int,
        rows: Sequence[tuple[int, int]],
        now: float,
    ) -> Ended | None:
        times = [timestamp for _, timestamp in rows]
        rhythm, before = metric.rhythm, metric.tail
        is_next = bool(rows) and rows[0][0] == metric.rowid + 1 and before is not None
        first = times[0] if is_next else tail
        # Data that fill the gap were late, not missing.
        filled = is_next and before is not None and first - before <= rhythm.tolerance_s
        late_by: float | None = None
        if now > rhythm.expected_by(tail):
            late_by = now - tail
        elif filled and before is not None and now > rhythm.expected_by(before):
            late_by = now - first
        if is_next and before is not None:
            times.insert(0, before)
        for some in self._watched(times, rhythm.tolerance_s):
            rhythm = rhythm.learned(some)
        metric.rhythm = rhythm.heard(now - tail, late=False)
        if late_by is not None and metric.seen:
            metric.rhythm = metric.rhythm.heard(late_by, late=True)
        metric.rowid, metric.tail, metric.seen = rowid, tail, True
        if not metric.silent:
            return None
        metric.silent = False
        return Ended(uid, first)

    def _watched(self, times: Sequence[int], tolerance_s: float) -> Iterator[Sequence[int]]:
        """Divide timestamps at the gaps in which nobody watched, unless they are as usual."""
        begin = 0
        for place in range(1, len(times)):
            since, until = times[place - 1], times[place]
            if until - since > tolerance_s and any(
                since < to and until > from_ for from_, to in self._unwatched
            ):
                yield times[begin:place]
                begin = place
        yield times[begin:]

    def _overdue_at(self, metric: _Metric) -> float | None:
        """Return when a metric that sends nothing more is silent; None for never, or as long as that is not known."""
        if metric.tail is None or not metric.rhythm.live:
            return None
        if metric.limit_s is not None:
            if math.isinf(metric.limit_s):
                return None
            return max(float(metric.tail), metric.watched_since) + metric.limit_s
        if not metric.rhythm.is_known:
            return None
        rhythm = metric.rhythm
        least = metric.watched_since + rhythm.tolerance_s + rhythm.lateness_s
        return max(rhythm.expected_by(metric.tail), least)

    def _plan(self, uid: str, metric: _Metric, now: float) -> None:
        """Say when a metric is looked at next, and keep what is known of it."""
        if metric.silent:
            age_s = now - (metric.tail if metric.tail is not None else now)
            due = now + min(max(PAUSE_SHARE * age_s, MIN_PAUSE_S), MAX_PAUSE_S)
        else:
            overdue = self._overdue_at(metric)
            known_s, share = now - metric.watched_since, _share(uid)
            least_s = max(MIN_PAUSE_S, len(self._metrics) / LEARNING_LOOKS_PER_S)
            due = now + max(least_s, min(known_s, LEARNING_S)) * share
            if overdue is not None:
                due = max(overdue, now + 1.0)
            elif metric.tail is not None:
                expected = metric.tail + (0.5 + share) * metric.rhythm.interval_s
                due = max(due, min(expected, now + EXPECTED_WITHIN_S))
        metric.due = math.ceil(due)
        self._metrics[uid] = metric.packed()
        if metric.rhythm.pauses:
            self._pauses[uid] = metric.rhythm.pauses
        else:
            self._pauses.pop(uid, None)
        if metric.due not in self._due:
            self._due[metric.due] = []
            heapq.heappush(self._seconds, metric.due)
        self._due[metric.due].append(uid)


def _share(uid: str) -> float:
    """Return a number from 0.5 to 1.5, for each metric another, and always the same."""
    return 0.5 + zlib.crc32(uid.encode()) / (1 << 32)
