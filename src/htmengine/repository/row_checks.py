"""Counts of each metric's rows, and rows that are wrong in themselves or beside the one before. Reads only.

Servers look for them. SQLite hands all rows out once, as columns, in less time than it takes to look for the row before each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
from sqlalchemy import Connection, ScalarSelect, Select, func, or_, select

from htmengine.repository import listing, schema, windows
from htmengine.repository.chunks import in_chunks
from htmengine.repository.embedded import rows as runs
from htmengine.repository.embedded.in_order import Times, Wanted, in_order
from htmengine.repository.listing import Listed
from htmengine.repository.times import FIRST_SECOND, bound, epoch_seconds
from htmengine.repository.windows import Span, Table

ROWS_OF_SPAN: Final = 2048
"""A metric's rows are read in parts that end with multiples of this, as blocks do, and METRICS_IN_STATEMENT parts at once."""
ROWS_OF_TEXT: Final = 4096
"""So many merged rows of each metric are looked at together: some ten kilobytes."""
_metric: Final = schema.metric.c
_data: Final = schema.metric_data.c


class Part(NamedTuple):
    """What of a repository is looked at: some metrics, few enough for one transaction."""

    uids: Sequence[str]
    since: float | None = None
    """Their rows from this time on, in seconds since the epoch; None for all that are stored."""


class RowCounts(NamedTuple):
    """The rows of one metric, as far as they are looked at, against what the metric says of them: its `Listed` comes first."""

    uid: str
    name: str
    status: int
    generation: int
    base_rowid: int
    last_rowid: int
    scored_rowid: int
    tail_timestamp: int | None
    rows: int
    first: int | None
    """Rowid of the first row that is looked at."""
    last: int | None
    scored: int
    """Rows with scores."""
    scored_to: int | None
    """Highest rowid with scores."""
    newest: int | None
    """Greatest timestamp."""
    oldest: int | None
    """Rowid of the first row that is stored; later than 1 where old rows were removed."""

    @property
    def expected_scored(self) -> int:
        """How many of the rows that are stored the watermark says have scores."""
        return 0 if self.first is None else max(0, self.scored_rowid - self.first + 1)


class RowKey(NamedTuple):
    """One row."""

    uid: str
    rowid: int


class Checked(NamedTuple):
    """What the rows of a part are like."""

    counts: list[RowCounts]
    """One for each metric, by uid."""
    reversals: list[RowKey]
    """Rows whose timestamp is not after the one of the row before: stored twice, or out of order."""
    halves: list[RowKey]
    """Rows that have some of their scores but not all, or one outside of 0 to 1."""


def checked(conn: Connection, part: Part, *, limit: int = 100) -> Checked:
    """Look at the rows of a part; of those that are wrong, return at most so many of each kind."""
    if conn.dialect.name == "sqlite":
        return _OfColumns(conn, part).checked(limit)
    return Checked(_counts(conn, part), _reversals(conn, part, limit), _halves(conn, part, limit))


class _Found:
    """What is found of a metric's rows, which come part by part in their order."""

    def __init__(self) -> None:
        self.rows = self.scored = 0
        self.first: int | None = None
        self.last: int | None = None
        self.scored_to: int | None = None
        self.newest: int | None = None
        self.time: int | None = None
        """Of the last row."""

    def goes_on(self, rows: Wanted, times: Times) -> bool:
        """Take over rows behind those that were found, and return whether they are later than these; else nothing is taken."""
        if self.time is not None and times.first <= self.time:
            return False
        count = rows.last - rows.first + 1
        self.rows += count
        self.first = rows.first if self.first is None else self.first
        self.last = rows.last
        if rows.are_scored:
            self.scored += count
            self.scored_to = rows.last
        self.time = times.last
        self.newest = times.last if self.newest is None else max(self.newest, times.last)
        return True

    def counts(self) -> tuple[int | None, ...]:
        """Return what `RowCounts` have of it, in their order."""
        return self.rows, self.first, self.last, self.scored, self.scored_to, self.newest


class _OfColumns:
    def __init__(self, conn: Connection, part: Part) -> None:
        self._conn = conn
        query = select(*listing.COLUMNS).select_from(schema.watermarked).where(_metric.uid.in_(part.uids))
        self._metrics = [Listed(*row) for row in conn.execute(query.order_by(_metric.uid))]
        self._places = runs.places(conn, [metric.uid for metric in self._metrics])
        self._oldest = {
            uid: first for uid, place in self._places.items() if (first := place.oldest) is not None
        }
        self._before = _before(conn, part)
        self._since = part.since
        self._found = {metric.uid: _Found() for metric in self._metrics}
        self._reversals: list[RowKey] = []
        self._halves: list[RowKey] = []

    def checked(self, limit: int) -> Checked:
        begins = self._oldest | self._before
        if self._since is None:
            self._look_at_blocks()
            begins |= self._behind_what_is_in_order()
            begins = {uid: first for uid, first in begins.items() if self._places[uid].reach(first)}
        self._read(
            span
            for metric in self._metrics
            if metric.uid in begins
            for span in _spans(metric.uid, begins[metric.uid], metric.last_rowid, _BEYOND)
        )
        counts = [
            RowCounts._make((*metric, *self._found[metric.uid].counts(), self._oldest.get(metric.uid)))
            for metric in self._metrics
        ]
        return Checked(counts, self._reversals[:limit], self._halves[:limit])

    def _look_at_blocks(self) -> None:
        self._read(
            span
            for uid, place in self._places.items()
            if place.last_in_blocks is not None
            for span in _spans(uid, self._oldest[uid], place.last_in_blocks, place.last_in_blocks)
        )

    def _behind_what_is_in_order(self) -> dict[str, int]:
        """Take over merged rows in which nothing is wrong; return the rowid behind them, or else behind blocks, by uid."""
        begins = {}
        scored_to = {metric.uid: metric.scored_rowid for metric in self._metrics}
        merged: dict[str, tuple[int, int]] = {}
        for uid, place in self._places.items():
            if place.last_in_blocks is not None:
                begins[uid] = place.last_in_blocks + 1
            if place.first_merged is not None and place.last_merged is not None:
                first_after = _BEYOND if place.first_in_runs is None else place.first_in_runs
                first = max(place.first_merged, begins.get(uid, 0))
                merged[uid] = first, min(place.last_merged, first_after - 1)
        while merged := {uid: (first, end) for uid, (first, end) in merged.items() if first <= end}:
            wanted = [_wanted(uid, *span, scored_to[uid]) for uid, span in merged.items()]
            for rows, times in zip(wanted, in_order(self._conn, wanted), strict=True):
                if times is not None and self._found[rows.uid].goes_on(rows, times):
                    begins[rows.uid] = rows.last + 1
                    merged[rows.uid] = rows.last + 1, merged[rows.uid][1]
                else:
                    del merged[rows.uid]
        return begins

    def _read(self, spans: Iterable[Span]) -> None:
        wanted = list(spans)
        tables = windows.tables_of(self._conn, wanted, ("raw", "anomaly_score"))
        for some, table in zip(in_chunks(wanted, windows.METRICS_IN_STATEMENT), tables, strict=True):
            self._look_at([span.uid for span in some], table)

    def _look_at(self, uids: Sequence[str], table: Table) -> None:
        rowids, times = table.rowids, table.timestamps
        raw, anomaly = table.columns.values()
        spans = [
            (uid, *ends) for uid, ends in zip(uids, pairwise(table.ends), strict=True) if ends[0] < ends[1]
        ]
        if not spans:
            return
        starts = np.array([begin for _, begin, _ in spans])
        lengths = np.diff(starts, append=len(rowids))
        before = np.array([self._before.get(uid, -1) for uid, _, _ in spans])
        is_wanted = rowids > np.repeat(before, lengths)
        is_scored = is_wanted & ~np.isnan(anomaly)
        is_reversal = np.diff(times, prepend=times[:1]) <= 0
        for place, (uid, begin, _) in enumerate(spans):
            if place and spans[place - 1][0] == uid:
                continue  # its row before is here, too
            previous = self._found[uid].time
            is_reversal[begin] = previous is not None and times[begin] <= previous
        wrong = (raw < 0) | (raw > 1) | (anomaly < 0) | (anomaly > 1) | (np.isnan(raw) != np.isnan(anomaly))
        for places, keys in ((is_reversal, self._reversals), (is_wanted & wrong, self._halves)):
            for place in np.flatnonzero(places).tolist():
                span = int(np.searchsorted(starts, place, side="right")) - 1
                keys.append(RowKey(spans[span][0], int(rowids[place])))
        columns = (
            np.add.reduceat(is_wanted.astype(np.int64), starts),
            np.minimum.reduceat(np.where(is_wanted, rowids, _BEYOND), starts),
            np.add.reduceat(is_scored.astype(np.int64), starts),
            np.maximum.reduceat(np.where(is_scored, rowids, -1), starts),
            np.maximum.reduceat(np.where(is_wanted, times, FIRST_SECOND), starts),
            rowids[starts + lengths - 1],
            times[starts + lengths - 1],
        )
        found = zip(*(column.tolist() for column in columns), strict=True)
        for (uid, _, _), (rows, first, scored, scored_to, newest, last, time) in zip(
            spans, found, strict=True
        ):
            own = self._found[uid]
            own.time = time
            if not rows:
                continue
            own.rows += rows
            own.first = first if own.first is None else own.first
            own.last = last
            own.scored += scored
            own.scored_to = scored_to if scored else own.scored_to
            own.newest = newest if own.newest is None else max(own.newest, newest)


_BEYOND: Final = 1 << 62


def _wanted(uid: str, first: int, end: int, scored_to: int) -> Wanted:
    """Return a part of a metric's rows from one rowid on: those that must have scores, or those that must have none."""
    last = min(first + ROWS_OF_TEXT - 1, end)
    return Wanted(
        uid, first, last if last <= scored_to or first > scored_to else scored_to, first <= scored_to
    )


def _spans(uid: str, first: int, last: int, end: int) -> Iterator[Span]:
    """Yield the parts in which a metric's rows are read from one rowid on; what is behind `last`, up to `end`, in one."""
    while (of_part := first // ROWS_OF_SPAN * ROWS_OF_SPAN + ROWS_OF_SPAN) < last:
        yield Span(uid, first, of_part)
        first = of_part + 1
    yield Span(uid, first, end)


def _older(since: float) -> ScalarSelect[Any]:
    """Return the rowid of a metric's last row before a time: backwards from the newest, so that what is older is not read."""
    other = schema.metric_data.alias()
    return (
        select(other.c.rowid)
        .where(other.c.uid == _metric.uid, other.c.timestamp < bound(since))
        .order_by(other.c.rowid.desc())
        .limit(1)
        .scalar_subquery()
    )


def _before(conn: Connection, part: Part) -> dict[str, int]:
    """Return, by uid, the last rowid before the time of a part; metrics without such are left out."""
    if part.since is None:
        return {}
    query = select(_metric.uid, _older(part.since)).where(_metric.uid.in_(part.uids))
    return {uid: rowid for uid, rowid in conn.execute(query) if rowid is not None}


def _rows_of(query: Select[Any], part: Part, *, before: int = 0) -> Select[Any]:
    """Let a query of samples look at a part alone; with so many rows before the first of each metric."""
    query = query.where(_data.uid.in_(part.uids))
    if part.since is None:
        return query
    begin = (
        select(_metric.uid, func.coalesce(_older(part.since), 0).label("rowid"))
        .where(_metric.uid.in_(part.uids))
        .subquery()
    )
    return query.join(begin, begin.c.uid == _data.uid).where(_data.rowid > begin.c.rowid - before)


def _counts(conn: Connection, part: Part) -> list[RowCounts]:
    rows = (
        _rows_of(
            select(
                _data.uid,
                func.count().label("rows"),
                func.min(_data.rowid).label("first"),
                func.max(_data.rowid).label("last"),
                func.count(_data.anomaly_score).label("scored"),
                func.max(_data.rowid).filter(_data.anomaly_score.is_not(None)).label("scored_to")
                if conn.dialect.name != "mysql"
                else func.max(func.if_(_data.anomaly_score.is_(None), None, _data.rowid)).label("scored_to"),
                epoch_seconds(func.max(_data.timestamp)).label("newest"),
            ).select_from(schema.metric_data),
            part,
        )
        .group_by(_data.uid)
        .subquery()
    )
    stored = schema.metric_data.alias()
    oldest = (
        select(stored.c.rowid)
        .where(stored.c.uid == _metric.uid)
        .order_by(stored.c.rowid)
        .limit(1)
        .scalar_subquery()
    )
    query: Select[Any] = (
        select(
            *listing.COLUMNS,
            func.coalesce(rows.c.rows, 0),
            rows.c.first,
            rows.c.last,
            func.coalesce(rows.c.scored, 0),
            rows.c.scored_to,
            rows.c.newest,
            oldest,
        )
        .outerjoin_from(schema.watermarked, rows, rows.c.uid == _metric.uid)
        .where(_metric.uid.in_(part.uids))
        .order_by(_metric.uid)
    )
    return [RowCounts(*row) for row in conn.execute(query)]


def _reversals(conn: Connection, part: Part, limit: int) -> list[RowKey]:
    before = func.lag(_data.timestamp).over(partition_by=_data.uid, order_by=_data.rowid)
    every = select(_data.uid, _data.rowid, _data.timestamp, before.label("before"))
    rows = _rows_of(every.select_from(schema.metric_data), part, before=1).subquery()
    query = select(rows.c.uid, rows.c.rowid).where(rows.c.timestamp <= rows.c.before).limit(limit)
    return [RowKey(*row) for row in conn.execute(query)]


def _halves(conn: Connection, part: Part, limit: int) -> list[RowKey]:
    scores = (_data.raw_anomaly_score, _data.anomaly_score)
    query = (
        select(_data.uid, _data.rowid)
        .select_from(schema.metric_data)
        .where(
            or_(
                scores[0].is_(None) != scores[1].is_(None),
                *(or_(score < 0, score > 1) for score in scores),
            )
        )
    )
    return [RowKey(*row) for row in conn.execute(_rows_of(query, part).limit(limit))]
