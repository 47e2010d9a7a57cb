"""Looks for violated invariants: gaps, scores that do not reach the watermark, time that goes back. Reads only.

Each function returns what it found, as few rows; on a healthy repository that is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Select, func, or_, select

from htmengine.repository import hours, identity, samples, schema
from htmengine.repository.hours import Hour
from htmengine.repository.metrics import CUSTOM
from htmengine.repository.scores import EXPECTED_COLUMNS, SCORE_COLUMNS
from htmengine.repository.times import bound, epoch_seconds

_metric: Final = schema.metric.c
_data: Final = schema.metric_data.c


class Part(NamedTuple):
    """What of a repository is looked at: some metrics, few enough for one transaction."""

    uids: Sequence[str]
    since: float | None = None
    """Their rows from this time on, in seconds since the epoch; None for all that are stored."""


def metric_names(conn: Connection) -> list[tuple[str, str]]:
    """Return uid and name of every metric, by uid."""
    query = select(_metric.uid, func.coalesce(_metric.name, "")).order_by(_metric.uid)
    return [(uid, name) for uid, name in conn.execute(query)]


def _rows_of(query: Select[Any], part: Part, *, before: int = 0) -> Select[Any]:
    """Let a query of samples look at a part alone; with so many rows before the first of each metric."""
    query = query.where(_data.uid.in_(part.uids))
    if part.since is None:
        return query
    # Backwards from the newest row of each: what is older is not read.
    other = schema.metric_data.alias()
    older = (
        select(other.c.rowid)
        .where(other.c.uid == _metric.uid, other.c.timestamp < bound(part.since))
        .order_by(other.c.rowid.desc())
        .limit(1)
        .scalar_subquery()
    )
    begin = (
        select(_metric.uid, func.coalesce(older, 0).label("rowid"))
        .where(_metric.uid.in_(part.uids))
        .subquery()
    )
    return query.join(begin, begin.c.uid == _data.uid).where(_data.rowid > begin.c.rowid - before)


class RowCounts(NamedTuple):
    """The rows of one metric, as far as they are looked at, against what the metric says of them."""

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


def row_counts(conn: Connection, part: Part) -> list[RowCounts]:
    """Return one element for each metric, by uid."""
    stored = schema.metric_data.alias()
    oldest = (
        select(stored.c.rowid)
        .where(stored.c.uid == _metric.uid)
        .order_by(stored.c.rowid)
        .limit(1)
        .scalar_subquery()
    )
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
    query: Select[Any] = (
        select(
            _metric.uid,
            _metric.name,
            func.coalesce(_metric.status, 0),
            _metric.generation,
            _metric.base_rowid,
            func.coalesce(_metric.last_rowid, 0),
            schema.scored_rowid,
            _metric.tail_timestamp,
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


class ScoredRows(NamedTuple):
    """Rows of a metric with their scores, in columns."""

    rowids: list[int]
    timestamps: list[int]
    values: list[float]
    digests: list[int]
    scores: list[tuple[float | None, ...]]
    """Of each row, in the order of `scores.SCORE_COLUMNS`."""
    expected: list[tuple[float | None, ...]]
    """Likewise, in the order of `scores.EXPECTED_COLUMNS`."""


def scored_rows(conn: Connection, uid: str, first: int, last: int) -> ScoredRows:
    """Return the rows `first` … `last` of a metric that have scores, by rowid."""
    query = (
        select(
            _data.rowid,
            epoch_seconds(_data.timestamp),
            _data.metric_value,
            func.coalesce(_data.digest, identity.UNKNOWN),
            *SCORE_COLUMNS,
            *EXPECTED_COLUMNS,
        )
        .where(_data.uid == uid, _data.rowid.between(first, last), _data.anomaly_score.is_not(None))
        .order_by(_data.rowid)
    )
    rows = conn.execute(query).all()
    scores = len(SCORE_COLUMNS)
    width = 4 + scores + len(EXPECTED_COLUMNS)
    rowids, timestamps, values, digests, *others = (
        map(list, zip(*rows, strict=True)) if rows else [[]] * width
    )
    stored, expected = (list(zip(*columns, strict=True)) for columns in (others[:scores], others[scores:]))
    return ScoredRows(rowids, timestamps, values, digests, stored, expected)


class RowKey(NamedTuple):
    """One row."""

    uid: str
    rowid: int


def time_reversals(conn: Connection, part: Part, *, limit: int = 100) -> list[RowKey]:
    """Return rows whose timestamp is not after the one of the row before: stored twice, or out of order."""
    before = func.lag(_data.timestamp).over(partition_by=_data.uid, order_by=_data.rowid)
    every = select(_data.uid, _data.rowid, _data.timestamp, before.label("before"))
    rows = _rows_of(every.select_from(schema.metric_data), part, before=1).subquery()
    query = select(rows.c.uid, rows.c.rowid).where(rows.c.timestamp <= rows.c.before).limit(limit)
    return [RowKey(*row) for row in conn.execute(query)]


def half_scored(conn: Connection, part: Part, *, limit: int = 100) -> list[RowKey]:
    """Return rows that have some of their scores but not all, or one outside of 0 to 1."""
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


def without_alarm(conn: Connection, *, since: float | None = None, limit: int = 100) -> list[RowKey]:
    """Return rows that alarm by their score, but of which no alarm is stored.

    Of all metrics at once: the index of notable scores leads to them. `since` : as that of a `Part`.
    """
    alarm = schema.metric_alarm.c
    query = (
        select(_data.uid, _data.rowid)
        .outerjoin_from(
            schema.metric_data,
            schema.metric_alarm,
            (alarm.uid == _data.uid) & (alarm.rowid == _data.rowid),
        )
        .where(schema.notable(), _data.log_score >= schema.ALARM_LOG_SCORE, alarm.id.is_(None))
    )
    if since is not None:
        query = query.where(_data.timestamp >= bound(since))
    return [RowKey(*row) for row in conn.execute(query.limit(limit))]


def alarms_of_other_rows(conn: Connection, *, since: float | None = None, limit: int = 100) -> list[RowKey]:
    """Return alarms whose row has another time, value or score, or has none yet. `since` : as that of a `Part`."""
    alarm = schema.metric_alarm.c
    query = (
        select(alarm.uid, alarm.rowid)
        .join_from(schema.metric_alarm, schema.watermarked, alarm.uid == _metric.uid)
        .outerjoin(
            schema.metric_data,
            (alarm.uid == _data.uid) & (alarm.rowid == _data.rowid),
        )
        .where(
            or_(
                alarm.rowid > schema.scored_rowid,
                _data.log_score != alarm.log_score,
                _data.metric_value != alarm.metric_value,
                _data.timestamp != alarm.timestamp,
            )
        )
    )
    if since is not None:
        query = query.where(alarm.timestamp >= bound(since))
    return [RowKey(*row) for row in conn.execute(query.limit(limit))]


class OtherHour(NamedTuple):
    """An hour whose stored sums are not those of its rows; one of the two may be missing."""

    hour: int
    stored: Hour | None
    of_rows: Hour | None


def other_hours(conn: Connection, uid: str, *, most: int) -> list[OtherHour]:
    """Compare the hours of a metric with its rows, as far as these are there, and return those that differ.

    `most` : of the newest rows that are summed up.
    """
    hourly = hours.summed_up(conn, uid)
    oldest = samples.oldest_rowid(conn, uid)
    if oldest is None:
        return []
    first = max(oldest, hourly - most + 1)
    of_rows = {hour.hour: hour for hour in hours.of_rows(conn, uid, first, hourly)}
    if not of_rows:
        return []
    stored = {hour.hour: hour for hour in hours.stored(conn, uid, min(of_rows), max(of_rows) + 1)}
    begun = min(of_rows)
    if first > 1 and begun in stored and stored[begun].samples > of_rows[begun].samples:
        del of_rows[begun], stored[begun]  # rows of it are gone, or not read
    return [
        OtherHour(hour, stored.get(hour), of_rows.get(hour))
        for hour in sorted(of_rows.keys() | stored.keys())
        if not _same_sums(stored.get(hour), of_rows.get(hour))
    ]


def _same_sums(one: Hour | None, other: Hour | None) -> bool:
    if one is None or other is None:
        return one is other
    # Parts of an hour may have been added, which rounds.
    near = abs(one.mean_value - other.mean_value) <= 1e-9 * max(abs(one.min_value), abs(one.max_value))
    return near and one._replace(mean_value=0.0) == other._replace(mean_value=0.0)


def names_taken_twice(conn: Connection) -> list[str]:
    """Return names that more than one custom metric has."""
    query = (
        select(_metric.name)
        .where(_metric.datasource == CUSTOM)
        .group_by(_metric.name)
        .having(func.count() > 1)
    )
    return list(conn.scalars(query))


def held_without_backfill(conn: Connection) -> dict[str, int]:
    """Return, by name, how many live samples are held for metrics that no history is being sent for."""
    held = schema.held_sample.c
    query = (
        select(held.name, func.count())
        .where(held.name.not_in(select(schema.backfill.c.name)))
        .group_by(held.name)
    )
    return {row[0]: row[1] for row in conn.execute(query)}
