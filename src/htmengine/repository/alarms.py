"""Alarms: the rows whose log score says so, with the reason. They stay when their samples are removed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, or_, select

from htmengine.repository import bulk, schema
from htmengine.repository.locks import lock_alarms
from htmengine.repository.times import bound, epoch_seconds, from_epoch

MERGE_ROWS: Final = 10
"""Alarming rows belong to one alarm if at most so many rows lie from one to the next."""

_alarm: Final = schema.metric_alarm.c


class NewAlarm(NamedTuple):
    """A row that alarms, as it is to be stored. The columns from `one_in` on are None where the model cannot tell."""

    uid: str
    rowid: int
    timestamp: int
    """Seconds since the epoch."""
    value: float
    log_score: float
    one_in: float | None = None
    """One in how many samples of the metric is as unusual."""
    cause: str | None = None
    channel: str | None = None
    """`htmengine.messages.Why` tells what both may be."""
    direction: str | None = None
    """up, down, or pattern."""
    forecast: float | None = None
    usual_low: float | None = None
    usual_high: float | None = None
    why: str | None = None
    """JSON, as it is published."""


class Alarm(NamedTuple):
    """A row that alarms, as it is stored."""

    id: int
    """Greater than those of all alarms that were stored before."""
    uid: str
    rowid: int
    first_rowid: int
    """The row with which the alarm began that this row belongs to."""
    timestamp: int
    value: float
    log_score: float
    peak: float
    """The highest log score of that alarm up to this row."""
    one_in: float | None
    cause: str | None
    channel: str | None
    direction: str | None
    forecast: float | None
    usual_low: float | None
    usual_high: float | None
    why: str | None


_ALARM: Final = (
    _alarm.id,
    _alarm.uid,
    _alarm.rowid,
    _alarm.first_rowid,
    epoch_seconds(_alarm.timestamp),
    _alarm.metric_value,
    _alarm.log_score,
    _alarm.peak,
    _alarm.one_in,
    _alarm.cause,
    _alarm.channel,
    _alarm.direction,
    _alarm.forecast,
    _alarm.usual_low,
    _alarm.usual_high,
    _alarm.why,
)


class Position(NamedTuple):
    """Where a page of alarms ended: the time, uid and rowid of its last alarm."""

    timestamp: int
    uid: str
    rowid: int


def store(conn: Connection, alarms: Sequence[NewAlarm]) -> None:
    """Store alarms, a metric's in the order of their rowids; it comes last in the transaction that stores their scores.

    Whoever else stores alarms waits until this transaction ends. Raises SQLAlchemy's IntegrityError for one that is
    there already.
    """
    if not alarms:
        return
    lock_alarms(conn)
    last = {uid: _latest(conn, uid) for uid in dict.fromkeys(alarm.uid for alarm in alarms)}
    first_rowids, peaks = [], []
    for alarm in alarms:
        before, first, peak = last[alarm.uid]
        if before is None or alarm.rowid - before > MERGE_ROWS:
            first, peak = alarm.rowid, 0.0
        peak = max(peak, alarm.log_score)
        last[alarm.uid] = alarm.rowid, first, peak
        first_rowids.append(first)
        peaks.append(peak)
    columns = dict(zip(NewAlarm._fields, map(list, zip(*alarms, strict=True)), strict=True))
    columns["metric_value"] = columns.pop("value")
    bulk.insert(conn, schema.metric_alarm, {**columns, "first_rowid": first_rowids, "peak": peaks})


def _latest(conn: Connection, uid: str) -> tuple[int | None, int, float]:
    """Return the rowid of a metric's newest alarm, or None, the row with which that began, and its peak."""
    query = select(_alarm.rowid, _alarm.first_rowid, _alarm.peak).where(_alarm.uid == uid)
    row = conn.execute(query.order_by(_alarm.rowid.desc()).limit(1)).first()
    return (None, 0, 0.0) if row is None else (row.rowid, row.first_rowid, row.peak)


def alarms_of(
    conn: Connection,
    uid: str,
    *,
    before_rowid: int | None = None,
    since_rowid: int | None = None,
    limit: int,
) -> list[Alarm]:
    """Return alarms of a metric: the newest first, or, from `since_rowid` on, in the order of their rows.

    Parameters
    ----------
    before_rowid : only rows before this one: that of the last alarm of the page before.
    since_rowid : only rows behind this one.
    """
    query = select(*_ALARM).where(_alarm.uid == uid)
    if before_rowid is not None:
        query = query.where(_alarm.rowid < before_rowid)
    if since_rowid is None:
        query = query.order_by(_alarm.rowid.desc())
    else:
        query = query.where(_alarm.rowid > since_rowid).order_by(_alarm.rowid)
    return _alarms(conn, query, limit)


def alarms_between(
    conn: Connection,
    since: float,
    until: float,
    *,
    min_score: float = schema.ALARM_LOG_SCORE,
    after: Position | None = None,
    limit: int,
) -> list[Alarm]:
    """Return alarms of all metrics from one time up to another, which is left out; the newest first, by time, uid, rowid.

    Parameters
    ----------
    since, until : seconds since the epoch.
    min_score : the least log score.
    after : the last alarm of the page before.
    """
    query = select(*_ALARM).where(_between(since, until))
    if min_score > schema.ALARM_LOG_SCORE:
        query = query.where(_alarm.log_score >= min_score)
    if after is not None:
        time = from_epoch(after.timestamp)
        earlier = or_(
            _alarm.timestamp < time,
            _alarm.uid < after.uid,
            and_(_alarm.uid == after.uid, _alarm.rowid < after.rowid),
        )
        query = query.where(_alarm.timestamp <= time, earlier)
    order = _alarm.timestamp.desc(), _alarm.uid.desc(), _alarm.rowid.desc()
    return _alarms(conn, query.order_by(*order), limit)


def alarms_since(conn: Connection, after_id: int, *, limit: int) -> list[Alarm]:
    """Return the alarms that were stored after this one, in the order in which they were: none is left out or comes later."""
    return _alarms(conn, select(*_ALARM).where(_alarm.id > after_id).order_by(_alarm.id), limit)


def alarms_at(conn: Connection, uid: str, rowids: Iterable[int]) -> dict[int, Alarm]:
    """Return, by rowid, the alarms of these rows of a metric."""
    query = select(*_ALARM).where(_alarm.uid == uid, _alarm.rowid.in_(list(rowids)))
    return {row[2]: Alarm(*row) for row in conn.execute(query)}


def remove_of(conn: Connection, uid: str, above: int) -> None:
    """Remove the alarms of a metric's rows behind this one: their scores are cleared."""
    conn.execute(delete(schema.metric_alarm).where(_alarm.uid == uid, _alarm.rowid > above))


def _between(since: float, until: float) -> ColumnElement[bool]:
    return and_(_alarm.timestamp >= bound(since), _alarm.timestamp < bound(until))


def _alarms(conn: Connection, query: Select[Any], limit: int) -> list[Alarm]:
    return [Alarm(*row) for row in conn.execute(query.limit(limit))]
