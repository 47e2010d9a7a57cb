"""What the server keeps in memory of every metric: its last row, and the last hour and day in cells.

Some three hundred bytes for each metric, in columns, so that a hundred thousand of them are ranked in milliseconds; and as
much again for each of those that somebody looked at. It is a cache: it is filled from the repository at the start, and kept
up to date from batches of results. Safe to use from several threads.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from msgspec import UnsetType
from numpy.typing import NDArray

from htmengine.htm.explanation import ALARM
from htmengine.htm.params import ROWS_FOR_RANGE
from htmengine.incidents.store import OpenMember
from htmengine.messages import BatchRow
from htmengine.repository.fleet import NewestRow
from htmengine.repository.listing import Listed
from htmengine.repository.silences import Silence
from htmengine.repository.status import WITH_MODEL, WITHOUT_MODEL, MetricStatus
from htmengine.runtime.anomaly_service.alarms import direction_of

CELLS: Final = 60
CELL_S: Final = 60
DAY_CELL_S: Final = 1440
FULL: Final = 255
_ALARM: Final = int(np.ceil(ALARM * FULL))
MAX_ALARMS: Final = 500_000
"""That are kept in memory."""
NEW_S: Final = 10.0
"""Of a metric that appeared less than this ago, nobody can tell yet whether it gets a model."""
OVER_S: Final = 1800.0
"""An alarm is over when none came for this long, and for six intervals of the metric."""
DIRECTIONS: Final = ("up", "down", "pattern")
STATES: Final = ("active", "learning", "silent", "no_model", "error", "unmonitored")
ACTIVE, LEARNING, SILENT, NO_MODEL, ERROR, UNMONITORED = range(len(STATES))
FIRST_CAPACITY: Final = 1024
GROWTH: Final = 1 / 16
"""Of the room for metrics at a time, where one by one is added."""
MAX_SHOWN: Final = 10_000
"""Metrics of which values are kept in cells. Where more were looked at, all are forgotten, and read again."""
_COLUMNS: Final[Mapping[str, tuple[type, Any]]] = {
    "status": (np.int8, 0),
    "generation": (np.int64, 0),
    "base_rowid": (np.int64, 0),
    "last_rowid": (np.int64, 0),
    "scored_rowid": (np.int64, 0),
    "time": (np.float64, np.nan),  # of the newest sample
    "rowid": (np.int64, 0),  # of the newest row whose value and score are known
    "scored_time": (np.float64, np.nan),  # of this row, where it has a score
    "value": (np.float64, np.nan),
    "log_score": (np.float32, np.nan),
    "forecast": (np.float32, np.nan),
    "usual_low": (np.float32, np.nan),
    "usual_high": (np.float32, np.nan),
    "one_in": (np.float32, np.nan),
    "gap": (np.float32, np.nan),
    "interval": (np.float32, np.nan),
    "cause": (np.int8, -1),  # of the newest alarm, as an index into `causes`
    "direction": (np.int8, -1),  # of the newest alarm, as an index into DIRECTIONS
    "alarm_rowid": (np.int64, 0),  # of the newest alarm that is counted
    "alarm_time": (np.float64, np.nan),  # of the newest alarm
    "since": (np.float64, np.nan),  # of the first alarm of those that are not over
    "silent_since": (np.float64, np.nan),  # of the last sample before a silence that lasts
    "expected": (np.float32, np.nan),  # from a sample to the next, usually, of a metric that is silent
    "appeared": (np.float64, -np.inf),  # when it was seen first, if it was not there from the start
    "shown": (np.int32, -1),  # where its values are in the cells, once somebody looked at it
}
"""By name, the type of a column and what it holds for a metric of which nothing is known."""


class Alarm(NamedTuple):
    """A row that alarmed."""

    uid: str
    rowid: int
    time: float
    log_score: float
    cause: str | None
    direction: str | None


class Ring:
    """Numbers in cells of equal length that end now; what is older falls out.

    The highest score for each metric; the last value for those that are shown, by their places among these.
    """

    def __init__(self, cells: int, step_s: int) -> None:
        self.cells = cells
        self.step_s = step_s
        self.newest = 0
        """Number of the newest cell, in steps since the epoch."""
        self.columns: dict[str, NDArray[Any]] = {
            "score": np.zeros((cells, FIRST_CAPACITY), dtype=np.uint8),
            "value": np.full((cells, 0), np.nan, dtype=np.float32),
        }

    def grow(self, name: str, capacity: int) -> None:
        """Make room for so many metrics, or for the values of so many."""
        column = self.columns[name]
        larger = np.full((self.cells, capacity), _EMPTY[name], dtype=column.dtype)
        larger[:, : column.shape[1]] = column
        self.columns[name] = larger

    def advance(self, now: float) -> None:
        """Empty the cells that begin between the newest so far and now."""
        newest = int(now // self.step_s)
        for number in range(max(self.newest, newest - self.cells) + 1, newest + 1):
            self.empty_cell(number)
        self.newest = max(self.newest, newest)

    def empty_cell(self, number: int) -> None:
        """Empty a cell of all metrics."""
        for name, column in self.columns.items():
            column[number % self.cells] = _EMPTY[name]

    def slots(self, times: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Return which times lie in a cell, and in which; what lies ahead of now counts as now."""
        numbers = np.minimum(times // self.step_s, self.newest).astype(np.int64)
        return numbers > self.newest - self.cells, numbers % self.cells

    def in_order(self, name: str, indexes: Any) -> NDArray[Any]:
        """Return cells of metrics, shape (cells, metrics), the oldest first; empty ones for the index -1."""
        indexes = np.asarray(indexes, dtype=np.int64)
        cells = np.full((self.cells, len(indexes)), _EMPTY[name], dtype=self.columns[name].dtype)
        order = np.arange(self.newest + 1, self.newest + 1 + self.cells) % self.cells
        there = np.flatnonzero(indexes >= 0)
        cells[:, there] = self.columns[name][np.ix_(order, indexes[there])]
        return cells


_EMPTY: Final = {"score": 0, "value": np.nan}
"""What stands in an empty cell."""


class AlarmLog:
    """The alarms of the last day, in columns: metric, time and log score."""

    def __init__(self, most: int = MAX_ALARMS) -> None:
        self._most = most
        self.since = np.inf
        """From here on all alarms are in it, in seconds since the epoch."""
        self.indexes = np.empty(0, dtype=np.int64)
        self.times = np.empty(0, dtype=np.float64)
        self.scores = np.empty(0, dtype=np.float64)

    def begin(self, since: float) -> None:
        """Say from when on all alarms are added."""
        self.since = since

    def add(
        self, indexes: NDArray[np.int64], times: NDArray[np.float64], scores: NDArray[np.float64]
    ) -> None:
        """Add alarms; the oldest go where there are too many."""
        if not len(indexes):
            return
        self.indexes = np.concatenate((self.indexes, indexes))
        self.times = np.concatenate((self.times, times))
        self.scores = np.concatenate((self.scores, scores))
        if len(self.indexes) > self._most:
            limit = float(np.sort(self.times)[-(self._most // 2)])
            self.since = max(self.since, limit)
            self._select(self.times >= limit)

    def between(
        self, since: float, until: float
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """Return metrics, times and scores of the alarms from one time up to another, which is left out."""
        inside = (self.times >= since) & (self.times < until)
        return self.indexes[inside], self.times[inside], self.scores[inside]

    def forget(self, i: int) -> None:
        """Forget the alarms of a metric."""
        self._select(self.indexes != i)

    def keep(self, kept: Sequence[int]) -> None:
        """Forget all metrics but these, which get new numbers: their places here."""
        places = np.full(max([*kept, *self.indexes.tolist()], default=0) + 1, -1, dtype=np.int64)
        places[list(kept)] = np.arange(len(kept))
        self.indexes = places[self.indexes]
        self._select(self.indexes >= 0)

    def _select(self, mask: NDArray[np.bool_]) -> None:
        self.indexes, self.times, self.scores = self.indexes[mask], self.times[mask], self.scores[mask]


class Fleet:
    """Every metric."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.uids: list[str] = []
        self.names: list[str] = []
        self.index: dict[str, int] = {}
        self.version = 0
        """Grows whenever metrics are added or removed."""
        self._capacity = FIRST_CAPACITY
        self._columns: dict[str, NDArray[Any]] = {
            name: np.full(FIRST_CAPACITY, empty, dtype=kind) for name, (kind, empty) in _COLUMNS.items()
        }
        self.minutes = Ring(CELLS, CELL_S)
        self.day = Ring(CELLS, DAY_CELL_S)
        self._shown = 0
        """Metrics whose values are in the cells, or were before they were removed."""
        self.causes: list[str] = []
        self.alarms = AlarmLog()
        self.open_members: Mapping[str, OpenMember] = {}
        """By uid, the open incident that a metric is in."""

    def __len__(self) -> int:
        """Return the number of metrics."""
        return len(self.uids)

    def column(self, name: str) -> NDArray[Any]:
        """Return a column of all metrics."""
        return self._columns[name][: len(self.uids)]

    def advance(self, now: float) -> None:
        """Let time pass."""
        with self.lock:
            self.minutes.advance(now)
            self.day.advance(now)

    def list_all(self, parts: Iterable[Sequence[Listed]], now: float = -np.inf) -> list[str]:
        """Take what the repository says of all metrics; those that it does not have any more go.

        Parameters
        ----------
        parts : some of the metrics each: so nobody waits for long, and not all are in memory once more.
        now : when metrics that were not known before have appeared; without it they were there from the start.

        Returns
        -------
        The names of those.
        """
        with self.lock:
            there = np.zeros(len(self.uids), dtype=np.bool_)
        new: list[str] = []
        for listed in parts:
            with self.lock:
                before = len(self.uids)
                indexes = self._list_some(listed, now)
                new += self.names[before:]
            there[indexes[indexes < len(there)]] = True
        if not there.all():
            with self.lock:
                kept = [*np.flatnonzero(there).tolist(), *range(len(there), len(self.uids))]
                self._keep(kept)
        return new

    def _list_some(self, listed: Sequence[Listed], now: float) -> NDArray[np.int64]:
        """Take what the repository says of some metrics, and return where they stand."""
        before = len(self.uids)
        indexes = self._indexes([(metric.uid, metric.name) for metric in listed])
        if len(indexes):
            columns = self._columns
            columns["appeared"][before : len(self.uids)] = now
            generations = np.array([metric.generation for metric in listed], dtype=np.int64)
            for i in indexes[generations > columns["generation"][indexes]].tolist():
                self._forget_scores(i)
            for name in ("status", "generation", "base_rowid", "last_rowid", "scored_rowid"):
                self._columns[name][indexes] = [getattr(metric, name) for metric in listed]
            # Whether one that had a model gets one is known: it has none because someone said so.
            columns["appeared"][indexes[columns["status"][indexes] != MetricStatus.UNMONITORED]] = -np.inf
            tails = np.array([metric.tail_timestamp for metric in listed], dtype=np.float64)
            # A batch may have told of a newer row meanwhile.
            self._columns["time"][indexes] = np.fmax(self._columns["time"][indexes], tails)
            for i, metric in zip(indexes.tolist(), listed, strict=True):
                if self.names[i] != metric.name:
                    self.names[i] = metric.name
        return indexes

    def apply(self, rows: Sequence[BatchRow]) -> bool:
        """Take scored rows, each metric's in order; return whether rows before some of them were missed."""
        if not rows:
            return False
        with self.lock:
            indexes = self._indexes([(row.uid, row.name) for row in rows])
            rowids = np.array([row.rowid for row in rows], dtype=np.int64)
            times = np.array([row.ts for row in rows], dtype=np.float64)
            values = np.array([row.value for row in rows], dtype=np.float64)
            scores = np.array([row.log_score for row in rows], dtype=np.float64)
            fresh = rowids >= self._columns["rowid"][indexes]  # others are scored again, or published again
            order = np.lexsort((rowids, indexes))
            order = order[fresh[order]]
            modelled = np.isin(self._columns["status"][indexes], tuple(WITHOUT_MODEL))
            modelled &= rowids > self._columns["scored_rowid"][indexes]
            self._columns["status"][indexes[fresh & modelled]] = (
                MetricStatus.ACTIVE
            )  # before the next listing says so
            missed = bool(len(order)) and self._follow(
                rows, order, indexes[order], rowids[order], times[order]
            )
            for position in np.flatnonzero(fresh & (scores >= ALARM)).tolist():
                row = rows[position]
                self._alarm(int(indexes[position]), float(row.ts), *cause_and_direction(row))
            for name in ("last_rowid", "scored_rowid"):
                np.maximum.at(self._columns[name], indexes, rowids)
            self._enter(indexes, rowids, times, values, scores)
            return missed

    def _follow(
        self,
        rows: Sequence[BatchRow],
        order: NDArray[np.int64],
        i: NDArray[np.int64],
        rowid: NDArray[np.int64],
        time: NDArray[np.float64],
    ) -> bool:
        """Set the newest row and the usual interval of metrics; return whether rows were missed.

        Parameters
        ----------
        order : places in `rows`, by metric and rowid.
        i, rowid, time : of these rows, in this order; `i` is where the metric stands.
        """
        columns = self._columns
        first = np.r_[True, i[1:] != i[:-1]]
        before = np.where(first, columns["rowid"][i], np.roll(rowid, 1))
        scored_before = np.where(first, ~np.isnan(columns["log_score"][i]), True)
        missed = bool(((before > 0) & (rowid > before + 1) & scored_before).any())
        gap = time - np.where(first, columns["time"][i], np.roll(time, 1))
        usable = np.flatnonzero((before > 0) & (rowid == before + 1) & (gap > 0))
        if len(usable):
            # The interval is the last gap that was much like the one before it.
            metric, gap = i[usable], gap[usable].astype(np.float32)
            opens = np.r_[True, metric[1:] != metric[:-1]]
            earlier = np.where(opens, columns["gap"][metric], np.roll(gap, 1))
            steady = np.isnan(earlier) | (np.abs(gap - earlier) <= 0.2 * earlier)
            columns["interval"][metric[steady]] = gap[steady]  # of several, the last stays
            columns["gap"][metric] = gap
        last = np.flatnonzero(np.r_[first[1:], True])
        i = i[last]
        columns["rowid"][i], columns["time"][i] = rowid[last], time[last]
        columns["scored_time"][i] = time[last]
        newest = [rows[position] for position in order[last].tolist()]
        usual = [row.usual or (None, None) for row in newest]
        for name, column in (
            ("value", [row.value for row in newest]),
            ("log_score", [row.log_score for row in newest]),
            ("forecast", [row.forecast for row in newest]),
            ("usual_low", [low for low, _ in usual]),
            ("usual_high", [high for _, high in usual]),
            ("one_in", [row.one_in for row in newest]),
        ):
            columns[name][i] = np.array(column, dtype=np.float64)  # None is NaN
        return missed

    def know_newest(self, uid: str, newest: NewestRow, scored: NewestRow) -> None:
        """Take the newest row of a metric, and its newest row with scores, as the repository has them."""
        i = self.index.get(uid)
        if i is None or newest.rowid <= self._columns["rowid"][i]:
            return
        known = {
            "rowid": newest.rowid,
            "time": newest.timestamp,
            "scored_time": None if newest.log_score is None else newest.timestamp,
            "value": newest.value,
            "log_score": scored.log_score,
            "forecast": scored.forecast,
            "usual_low": scored.usual_low,
            "usual_high": scored.usual_high,
        }
        for name, value in known.items():
            self._columns[name][i] = np.nan if value is None else value

    def enter_alarms(self, alarms: Iterable[Alarm]) -> None:
        """Take alarms of before the start into the cells, each metric's in order."""
        with self.lock:
            known = [alarm for alarm in alarms if alarm.uid in self.index]
            if not known:
                return
            indexes = np.array([self.index[alarm.uid] for alarm in known], dtype=np.int64)
            for i, alarm in zip(indexes.tolist(), known, strict=True):
                self._alarm(i, alarm.time, alarm.cause, alarm.direction)
            self._enter(
                indexes,
                np.array([alarm.rowid for alarm in known], dtype=np.int64),
                np.array([alarm.time for alarm in known], dtype=np.float64),
                np.full(len(known), np.nan),
                np.array([alarm.log_score for alarm in known], dtype=np.float64),
            )

    def fill(self, uid: str, rows: Sequence[Any], hours: Sequence[Any], interval: float = np.nan) -> None:
        """Take what was before the start into the cells of a metric, where they are empty.

        Parameters
        ----------
        rows : time, value and log score of the last hour's rows, as columns; a score is NaN where there is none.
        hours : begin, mean and highest log score of the last day's hours, as columns.
        interval : seconds from a row to the next, usually; NaN where it is not known.
        """
        with self.lock:
            i = self.index.get(uid)
            if i is None:
                return
            self._show(i)
            if np.isnan(self._columns["interval"][i]):
                self._columns["interval"][i] = interval
            times, values, scores = (np.asarray(column, dtype=np.float64) for column in rows)
            place = int(self._columns["shown"][i])
            _fill(self.minutes, i, place, times, values, scores)
            begins, means, worst = (np.asarray(column, dtype=np.float64) for column in hours)
            # An hour has two cells and a half; which of them alarmed, only the alarms themselves tell.
            calm = np.minimum(np.nan_to_num(worst), ALARM - 1.0 / FULL)
            for offset in range(0, 3600, DAY_CELL_S // 2):
                _fill(self.day, i, place, begins + offset, means, calm)

    def _show(self, i: int) -> None:
        """Keep the values of a metric from now on."""
        shown = self._columns["shown"]
        if shown[i] >= 0:
            return
        if self._shown == MAX_SHOWN:
            shown[:] = -1
            self._shown = 0
            for ring in (self.minutes, self.day):
                ring.columns["value"][:] = np.nan
        if self._shown == self.minutes.columns["value"].shape[1]:
            for ring in (self.minutes, self.day):
                ring.grow("value", min(max(64, 2 * self._shown), MAX_SHOWN))
        shown[i] = self._shown
        self._shown += 1

    def sparks(self, ring: Ring, indexes: Sequence[int]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Return values and scores of metrics in cells, shape (cells, metrics), the oldest first."""
        return ring.in_order("value", self.column("shown")[indexes]), ring.in_order("score", indexes)

    def alarm_counts(self) -> NDArray[np.int64]:
        """Return how many alarms each metric had in the last day."""
        oldest = float((self.day.newest - self.day.cells + 1) * self.day.step_s)
        indexes, _, _ = self.alarms.between(oldest, np.inf)
        return np.bincount(indexes, minlength=len(self.uids))

    def take_silences(self, changed: Iterable[Silence]) -> None:
        """Take silences that were found or have ended, in the order of their changes."""
        with self.lock:
            for silence in changed:
                i = self.index.get(silence.uid)
                if i is None:
                    continue
                lasts = silence.until is None
                self._columns["silent_since"][i] = silence.since if lasts else np.nan
                self._columns["expected"][i] = silence.interval_s if lasts else np.nan

    def states(self, now: float, indexes: Any = None) -> NDArray[np.int8]:
        """Return the states of metrics, as indexes into STATES; of all of them if `indexes` is None."""
        which = slice(None) if indexes is None else indexes
        status, time, scored, base, silent_since = (
            self.column(name)[which]
            for name in ("status", "time", "scored_rowid", "base_rowid", "silent_since")
        )
        seen = scored - base
        states = np.full(len(status), ACTIVE, dtype=np.int8)
        states[seen < ROWS_FOR_RANGE] = LEARNING
        states[silent_since >= time] = SILENT  # until a later sample is scored
        states[(status == MetricStatus.CREATE_PENDING) & (seen <= 0)] = NO_MODEL
        states[status == MetricStatus.PENDING_DATA] = LEARNING
        states[status == MetricStatus.ERROR] = ERROR
        without = status == MetricStatus.UNMONITORED
        states[without] = UNMONITORED
        states[without & (now - self.column("appeared")[which] < NEW_S)] = LEARNING
        return states

    def oddness(self, window_s: float, indexes: Any = None) -> NDArray[np.float32]:
        """Return the highest log score of metrics; one counts half after a quarter of the window, and so on.

        Parameters
        ----------
        indexes : of the metrics; all of them if None.
        """
        ring = self.minutes if window_s <= CELLS * CELL_S else self.day
        which = slice(len(self.uids)) if indexes is None else indexes
        worst = np.zeros(len(self.uids) if indexes is None else len(indexes), dtype=np.float32)
        weighted = np.empty_like(worst)
        for age in range(ring.cells):
            if age * ring.step_s > window_s:
                break
            weight = 2.0 ** (-age * ring.step_s / (window_s / 4)) / FULL
            cell = ring.columns["score"][(ring.newest - age) % ring.cells, which]
            np.maximum(worst, np.multiply(cell, np.float32(weight), out=weighted), out=worst)
        return worst

    def worst(self, last_s: float) -> NDArray[np.uint8]:
        """Return the highest cell of each metric within the last minutes, of 255."""
        cells = min(CELLS, max(1, int(np.ceil(last_s / CELL_S))))
        numbers = (self.minutes.newest - np.arange(cells)) % CELLS
        worst: NDArray[np.uint8] = self.minutes.columns["score"][numbers, : len(self.uids)].max(axis=0)
        return worst

    def unusual(self, last_s: float) -> NDArray[np.bool_]:
        """Return which metrics had an alarm within the last minutes."""
        alarming: NDArray[np.bool_] = self.worst(last_s) >= _ALARM
        return alarming

    def monitored(self) -> NDArray[np.bool_]:
        """Return which metrics have a model."""
        return np.isin(self.column("status"), tuple(WITH_MODEL))

    def _enter(
        self,
        indexes: NDArray[np.int64],
        rowids: NDArray[np.int64],
        times: NDArray[np.float64],
        values: NDArray[np.float64],
        scores: NDArray[np.float64],
    ) -> None:
        cells = _in_cells(scores)
        places = self._columns["shown"][indexes]
        for ring in (self.minutes, self.day):
            inside, slots = ring.slots(times)
            has_value = inside & (places >= 0) & ~np.isnan(values)
            ring.columns["value"][slots[has_value], places[has_value]] = values[has_value]
            np.maximum.at(ring.columns["score"], (slots[inside], indexes[inside]), cells[inside])
        alarms = inside & (scores >= ALARM) & (rowids > self._columns["alarm_rowid"][indexes])
        np.maximum.at(self._columns["alarm_rowid"], indexes[alarms], rowids[alarms])
        self.alarms.add(indexes[alarms], times[alarms], scores[alarms])

    def _forget_scores(self, i: int) -> None:
        """Forget what a model said of a metric: it was deleted, and its scores with it."""
        for ring in (self.minutes, self.day):
            ring.columns["score"][:, i] = 0
        for name in (
            *("scored_time", "log_score", "forecast", "usual_low", "usual_high", "one_in"),
            *("alarm_time", "since"),
        ):
            self._columns[name][i] = np.nan
        self._columns["alarm_rowid"][i] = 0
        self.alarms.forget(i)

    def _indexes(self, metrics: Sequence[tuple[str, str]]) -> NDArray[np.int64]:
        """Return where metrics stand; new ones are added."""
        index = self.index
        found = [index.get(uid, -1) for uid, _ in metrics]
        if -1 in found:
            self._make_room(found.count(-1))
            for position, (uid, name) in enumerate(metrics):
                if found[position] == -1:
                    found[position] = index[uid] if uid in index else self._add(uid, name)
            self.version += 1
        return np.array(found, dtype=np.int64)

    def _add(self, uid: str, name: str) -> int:
        i = len(self.uids)
        self.uids.append(uid)
        self.names.append(name)
        self.index[uid] = i
        return i

    def _make_room(self, more: int) -> None:
        """Make room for so many more metrics."""
        count = len(self.uids)
        if count + more <= self._capacity:
            return
        self._capacity = count + more + int(GROWTH * count)
        for name, column in self._columns.items():
            larger = np.full(self._capacity, _COLUMNS[name][1], dtype=column.dtype)
            larger[:count] = column[:count]
            self._columns[name] = larger
        for ring in (self.minutes, self.day):
            ring.grow("score", self._capacity)

    def _keep(self, kept: list[int]) -> None:
        """Forget all metrics but these."""
        count, before = len(kept), len(self.uids)
        self.uids = [self.uids[i] for i in kept]
        self.names = [self.names[i] for i in kept]
        self.index = {uid: i for i, uid in enumerate(self.uids)}
        self.version += 1
        for name, column in self._columns.items():
            column[:count] = column[kept]
            column[count:before] = _COLUMNS[name][1]
        self.alarms.keep(kept)
        for ring in (self.minutes, self.day):
            scores = ring.columns["score"]
            scores[:, :count] = scores[:, kept]
            scores[:, count:before] = 0

    def _alarm(self, i: int, time: float, cause: str | None, direction: str | None) -> None:
        columns = self._columns
        if not time - columns["alarm_time"][i] <= max(OVER_S, 6.0 * np.nan_to_num(columns["interval"][i])):
            columns["since"][i] = time
        columns["alarm_time"][i] = time
        if cause is not None:
            if cause not in self.causes:
                self.causes.append(cause)
            columns["cause"][i] = self.causes.index(cause)
        columns["direction"][i] = -1 if direction is None else DIRECTIONS.index(direction)


def cause_and_direction(row: BatchRow) -> tuple[str | None, str | None]:
    """Return why a row alarmed and to which side of its forecast it lies; None twice if it did not."""
    if isinstance(row.why, UnsetType):
        return None, None
    forecast = np.nan if row.forecast is None else row.forecast
    return row.why.cause, direction_of(row.why, row.value, forecast)


def _in_cells(scores: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return log scores as cells hold them: an alarm is one there, too."""
    return np.floor(np.nan_to_num(scores).clip(0.0, 1.0) * FULL + 0.5).astype(np.uint8)


def _fill(
    ring: Ring,
    i: int,
    place: int,
    times: NDArray[np.float64],
    values: NDArray[np.float64],
    scores: NDArray[np.float64],
) -> None:
    """Take values and scores of a metric into the cells of each that are empty."""
    inside, slots = ring.slots(times)
    values, scores, slots = values[inside], scores[inside], slots[inside]
    empty = np.isnan(ring.columns["value"][slots, place])
    ring.columns["value"][slots[empty], place] = values[empty]
    empty = ring.columns["score"][slots, i] == 0
    np.maximum.at(ring.columns["score"], (slots[empty], i), _in_cells(scores[empty]))
