"""Looks for violated invariants: gaps, scores that do not reach the watermark, time that goes back. Reads only.

Each function returns what it found, as few rows; on a healthy repository that is none.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy import Connection, exists, func, or_, select

from htmengine.repository import hours, identity, samples, schema
from htmengine.repository.hours import Hour
from htmengine.repository.metrics import IS_CUSTOM
from htmengine.repository.row_checks import RowKey
from htmengine.repository.scores import EXPECTED_COLUMNS, SCORE_COLUMNS
from htmengine.repository.times import bound, epoch_seconds

_metric: Final = schema.metric.c
_data: Final = schema.metric_data.c


def metric_names(conn: Connection) -> list[tuple[str, str]]:
    """Return uid and name of every metric, by uid."""
    query = select(_metric.uid, func.coalesce(_metric.name, "")).order_by(_metric.uid)
    return [(uid, name) for uid, name in conn.execute(query)]


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
    own = (_data.uid == alarm.uid) & (_data.rowid == alarm.rowid)
    differs = or_(
        _data.log_score != alarm.log_score,
        _data.metric_value != alarm.metric_value,
        _data.timestamp != alarm.timestamp,
    )
    # Looked up alarm by alarm: beside a join that keeps alarms without a row, SQLite makes a copy of all rows first.
    other = exists().where(own, differs)
    query = (
        select(alarm.uid, alarm.rowid)
        .join_from(schema.metric_alarm, schema.watermarked, alarm.uid == _metric.uid)
        .where(or_(alarm.rowid > schema.scored_rowid, other))
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
    query = select(_metric.name).where(IS_CUSTOM).group_by(_metric.name).having(func.count() > 1)
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
