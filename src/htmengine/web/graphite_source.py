"""Where Graphite's targets get their series from: the server's list of metrics, and rows of the repository."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from sqlalchemy import Connection

from htmengine.graphite.evaluation import Wanted
from htmengine.graphite.globs import Tree
from htmengine.graphite.series import Grid
from htmengine.graphite.target import TargetError
from htmengine.repository import series, windows
from htmengine.repository.hours import HOUR_S
from htmengine.repository.series import Floats, Integers
from htmengine.repository.windows import Rows, Span
from htmengine.web.fleet import Fleet
from htmengine.web.site import Site

MAX_ROWS: Final = 20_000
"""A metric that has more rows in the time that is asked for is read in steps that its database sums up, or by its hours."""
HOURLY_ROWS: Final = 50_000
"""From so many on by its hours."""
HOURLY: Final = frozenset({"value", "log_score"})
"""Columns that hours have."""
SLACK_ROWS: Final = 3
"""Rows that are read beside those that a metric's interval makes likely."""
USUAL_INTERVAL_S: Final = 60
INTERVAL_ROWS: Final = 100
"""After so many new rows the interval of a metric is looked at again."""


class Names:
    """The names of all metrics as a tree, kept until metrics go. Safe to use from several threads."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._lock = threading.Lock()
        self._names: list[str] | None = None
        self._tree = Tree()
        self._intervals: dict[str, tuple[int, int]] = {}
        """By uid, the interval, and the last rowid when it was looked at."""

    def tree(self) -> tuple[list[str], list[str], Tree]:
        """Return uids and names, and the tree of the names."""
        with self._lock, self._fleet.lock:
            names = self._fleet.names
            if names is not self._names:
                self._names, self._tree = names, Tree()
            if self._tree.size < len(names):
                self._tree.add(names[self._tree.size :])
            return list(self._fleet.uids), list(names), self._tree

    def intervals(self, conn: Connection, newest: Sequence[tuple[str, int]]) -> list[int]:
        """Return the usual seconds from row to row of metrics, by uid and last rowid."""
        with self._lock:
            unknown = [
                (uid, last)
                for uid, last in newest
                if uid not in self._intervals or last - self._intervals[uid][1] >= INTERVAL_ROWS
            ]
        found = windows.intervals(conn, unknown)
        with self._lock:
            for (uid, last), interval in zip(unknown, found, strict=True):
                if not np.isnan(interval):
                    self._intervals[uid] = (max(1, round(interval)), last)
            return [self._intervals.get(uid, (USUAL_INTERVAL_S, 0))[0] for uid, _ in newest]


class FleetSource:
    """The metrics as they are when a request begins."""

    def __init__(self, site: Site, names: Names) -> None:
        self._site = site
        self._known = names
        self._uids, self.names, self.tree = names.tree()
        self.branch = site.context.settings.graphite.branch

    def fetch(
        self, wanted: Sequence[Wanted], start: int, end: int, check: Callable[[], None], max_points: int
    ) -> list[Grid]:
        """Return columns of metrics, of the slots behind `start` up to `end`. Raises TargetError."""
        metrics = list(dict.fromkeys(one.metric for one in wanted))
        columns = list(dict.fromkeys(one.column for one in wanted))
        with self._site.context.database.read() as conn:
            grids = _Reading(self._site.fleet, self._known, conn, check).grids(
                {number: self._uids[number] for number in metrics}, columns, start, end, max_points
            )
        return [grids[one.metric][one.column] for one in wanted]


class _Window:
    """The slots of a metric that are wanted."""

    def __init__(self, interval: int, start: int, end: int) -> None:
        self.step = interval
        rows = (end - start) / interval
        if rows > HOURLY_ROWS and HOUR_S % interval == 0:
            self.step = HOUR_S
        elif rows > MAX_ROWS:
            self.step = interval * -(-int(rows) // MAX_ROWS)
        self.is_raw = self.step == interval
        self.first = start // self.step * self.step + self.step
        self.last = end // self.step * self.step
        self.count = max(0, (self.last - self.first) // self.step + 1)

    def grid(self, timestamps: Integers, values: Floats) -> Grid:
        """Return values in their slots; of several in one slot the last stays."""
        slots = np.full(self.count, np.nan)
        places = (timestamps - self.first) // self.step
        inside = (places >= 0) & (places < self.count)
        slots[places[inside]] = values[inside]
        return Grid(self.first, self.step, slots)


class _Reading:
    def __init__(self, fleet: Fleet, names: Names, conn: Connection, check: Callable[[], None]) -> None:
        self._fleet = fleet
        self._names = names
        self._conn = conn
        self._check = check

    def grids(
        self, uids: dict[int, str], columns: Sequence[str], start: int, end: int, max_points: int
    ) -> dict[int, dict[str, Grid]]:
        """Return, by number of the metric and column, the slots."""
        newest = self._newest(list(uids.values()))
        intervals = self._names.intervals(self._conn, [(uid, newest[uid][0]) for uid in uids.values()])
        wanted = {
            number: _Window(interval, start, end) for number, interval in zip(uids, intervals, strict=True)
        }
        points = sum(window.count for window in wanted.values()) * len(columns)
        if points > max_points:
            raise TargetError(
                f"the targets have {points:,} points, more than the {max_points:,} that one request may read: "
                "ask for fewer metrics, or a shorter time"
            )
        raw = {number: window for number, window in wanted.items() if window.is_raw}
        found: dict[int, dict[str, Grid]] = {}
        spans = [self._span(uids[number], window, newest[uids[number]]) for number, window in raw.items()]
        read = windows.rows_of(self._conn, spans, columns, self._check)
        for (number, window), span, rows in zip(raw.items(), spans, read, strict=True):
            whole = self._whole(span, window, rows, newest[span.uid][0], columns)
            found[number] = {name: window.grid(whole.timestamps, whole.columns[name]) for name in columns}
        for number, window in wanted.items():
            if not window.is_raw:
                self._check()
                found[number] = self._summed_up(uids[number], window, columns)
        return found

    def _newest(self, uids: Sequence[str]) -> dict[str, tuple[int, float]]:
        """Return, by uid, the last rowid and its time."""
        fleet = self._fleet
        with fleet.lock:
            places = [fleet.index.get(uid) for uid in uids]
            rowids, times = fleet.column("last_rowid"), fleet.column("time")
            return {
                uid: (0, np.nan) if i is None else (int(rowids[i]), float(times[i]))
                for uid, i in zip(uids, places, strict=True)
            }

    def _span(self, uid: str, window: _Window, newest: tuple[int, float]) -> Span:
        """Return the rows in which a window is likely to lie: samples come at their interval."""
        last_rowid, time = newest
        if np.isnan(time) or time < window.first:
            return Span(uid, 1, 0)  # there is none
        behind = (time - window.first) / window.step
        first = last_rowid - int(np.ceil(behind * 1.02)) - SLACK_ROWS
        last = (
            last_rowid - int(np.floor((time - window.last - window.step) / window.step * 0.98)) + SLACK_ROWS
        )
        return Span(uid, max(1, first), max(0, last))

    def _whole(
        self, span: Span, window: _Window, rows: Rows, last_rowid: int, columns: Sequence[str]
    ) -> Rows:
        """Return the rows of a window, read again where they did not come at their interval."""
        if not span.last:
            return rows
        times, until = rows.timestamps, window.last + window.step
        begins = span.first <= 1 or (len(times) and times[0] <= window.first)
        ends = span.last >= last_rowid or (len(times) and times[-1] >= until)
        if begins and ends:
            return rows
        first = series.first_from(self._conn, span.uid, window.first)
        last = series.first_from(self._conn, span.uid, until) - 1
        return next(windows.rows_of(self._conn, [Span(span.uid, first, last)], columns, self._check))

    def _summed_up(self, uid: str, window: _Window, columns: Sequence[str]) -> dict[str, Grid]:
        until = window.last + window.step
        hourly = [name for name in columns if name in HOURLY and window.step == HOUR_S]
        found: dict[str, Grid] = {}
        if hourly:
            hours = series.hours_between(self._conn, uid, window.first, until)
            times = np.array([hour.hour for hour in hours], dtype=np.int64)
            by_name = {
                "value": [hour.mean_value for hour in hours],
                "log_score": [hour.max_log_score for hour in hours],
            }
            for name in hourly:
                found[name] = window.grid(times, np.array(by_name[name], dtype=np.float64))
        others = [name for name in columns if name not in found]
        if others:
            times, numbers = windows.steps_of(self._conn, uid, window.first, until, window.step, others)
            for name in others:
                found[name] = window.grid(times, numbers[name])
        return found
