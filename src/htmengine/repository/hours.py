"""Scored rows summed up by the hour: what stays of them when they are removed.

Each row is counted once. `metric_watermark.hourly_rowid` tells up to which row a metric's rows are summed up; it moves in
the transaction that stores the sums, and only from where it was read. An hour is summed up when it is over: the rows behind
are few, and who reads adds them (`htmengine.repository.series`). So an hour costs one written row, however its samples
come.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, bindparam, case, delete, func, select

from htmengine.repository import bulk, columns, samples, schema, watermarks
from htmengine.repository.chunks import in_chunks
from htmengine.repository.times import FIRST_SECOND, epoch_seconds, whole

HOUR_S: Final = 3600
MAX_VALUE: Final = 1e300
"""Values beyond count as this in the mean, as they do in a model."""

_watermark: Final = schema.metric_watermark.c
_data: Final = schema.metric_data.c
_hour: Final = schema.metric_hour.c


class Hour(NamedTuple):
    """The rows of one hour of a metric, summed up."""

    hour: int
    """When it begins, in seconds since the epoch."""
    last_rowid: int
    samples: int
    min_value: float
    mean_value: float
    max_value: float
    max_log_score: float | None
    """None where no row has one: an older application scored them, or nobody."""
    alarms: int
    """Rows that alarm."""


class Sums(NamedTuple):
    """A metric's rows `from_rowid` + 1 … `to_rowid`, summed up and to be stored."""

    uid: str
    generation: int
    from_rowid: int
    to_rowid: int
    hours: Sequence[Hour]
    """Ascending."""
    is_stored: bool
    """Whether a part of the first was stored before. It is in here, too."""


class Due(NamedTuple):
    """A metric with rows that are not summed up."""

    uid: str
    generation: int
    hourly_rowid: int
    scored_rowid: int
    is_over: bool
    """Whether the hour of the first of these rows is over."""


def hour_of(timestamp: float) -> int:
    """Return when the hour of a time begins, both in seconds since the epoch."""
    return int(timestamp // HOUR_S) * HOUR_S


def waiting(conn: Connection, from_uid: str = "", *, limit: int) -> list[Due]:
    """Return metrics with scored rows that are not summed up, by uid, those behind `from_uid`."""
    return _due(conn, conn.execute(_WAITING.where(_watermark.uid > from_uid).limit(limit)).all())


def waiting_of(conn: Connection, uids: Sequence[str]) -> list[Due]:
    """Return those of these metrics that have scored rows that are not summed up."""
    found = [
        row for some in in_chunks(uids) for row in conn.execute(_WAITING.where(_watermark.uid.in_(some)))
    ]
    return _due(conn, found)


_WAITING: Final = (
    select(_watermark.uid, _watermark.generation, _watermark.hourly_rowid, _watermark.scored_rowid)
    .where(_watermark.scored_rowid > _watermark.hourly_rowid)
    .order_by(_watermark.uid)
)


def _due(conn: Connection, found: Sequence[Row[str, int, int, int]]) -> list[Due]:
    uids = [row.uid for row in found]
    first, last = (_times(conn, uids, at) for at in (_watermark.hourly_rowid + 1, _watermark.scored_rowid))
    for uid, _, hourly, _ in found:
        if uid not in first and uid in last:  # rows were removed
            first[uid] = int(columns.read(conn, uid, ["time"], hourly + 1, limit=1)[1][0])
    return [Due(*row, row[0] in last and hour_of(first[row[0]]) < hour_of(last[row[0]])) for row in found]


def _times(conn: Connection, uids: Sequence[str], at: ColumnElement[int]) -> dict[str, int]:
    """Return, by uid, the time of the row of each metric that a column names; those that are not stored are left out."""
    data = columns.recent(conn).c
    query = select(data.uid, epoch_seconds(data.timestamp)).join_from(
        schema.metric_watermark, data.rowid.table, (data.uid == _watermark.uid) & (data.rowid == at)
    )
    found = {
        uid: time
        for some in in_chunks(uids)
        for uid, time in conn.execute(query.where(_watermark.uid.in_(some)))
    }
    for uid in columns.before_recent(conn, [uid for uid in uids if uid not in found]):
        rowid = conn.execute(select(at).where(_watermark.uid == uid)).scalar_one()
        for time in columns.read(conn, uid, ["time"], rowid, rowid)[1].tolist():
            found[uid] = time
    return found


def over(conn: Connection, metric: Due, *, rows: int) -> Sums | None:
    """Return the hours of a metric that are over, as they are to be stored; None if none is.

    At most so many rows are summed up. Where one hour has more, it is a part of it.
    """
    end = min(metric.scored_rowid, metric.hourly_rowid + rows)
    found = of_rows(conn, metric.uid, metric.hourly_rowid + 1, end)
    if len(found) > 1 or (found and end == metric.scored_rowid):
        found.pop()  # it may go on
    return _sums(conn, metric.uid, metric.generation, metric.hourly_rowid, found) if found else None


def summed_to(conn: Connection, uid: str, generation: int, hourly_rowid: int, to_rowid: int) -> Sums:
    """Return the rows from behind `hourly_rowid` up to another, which is there, as their hours are to be stored."""
    return _sums(conn, uid, generation, hourly_rowid, of_rows(conn, uid, hourly_rowid + 1, to_rowid))


def _sums(conn: Connection, uid: str, generation: int, before: int, found: list[Hour]) -> Sums:
    part = stored(conn, uid, found[0].hour, found[0].hour + 1)
    if part:
        found[0] = joined(part[0], found[0])
    return Sums(uid, generation, before, found[-1].last_rowid, found, bool(part))


def store(conn: Connection, sums: Sequence[Sums]) -> bool:
    """Store sums, and return whether nobody else did, or cleared scores, since they were made; if not, roll back."""
    if not sums:
        return True
    uids, generations, before, after, hours, _ = zip(*sums, strict=True)
    same = {"uid": uids, "generation": generations, "hourly_rowid": before}
    if watermarks.advance(conn, same, {"hourly_rowid": after}) != len(sums):
        return False
    if parts := [{"of_uid": some.uid, "of_hour": some.hours[0].hour} for some in sums if some.is_stored]:
        # One by one: SQLite looks through the whole table for a list of pairs.
        of_part = and_(_hour.uid == bindparam("of_uid"), _hour.hour == bindparam("of_hour"))
        conn.execute(delete(schema.metric_hour).where(of_part), parts)
    rows = [(uid, *hour) for uid, some in zip(uids, hours, strict=True) for hour in some]
    columns = zip(*rows, strict=True)
    bulk.insert(conn, schema.metric_hour, dict(zip(("uid", *Hour._fields), columns, strict=True)))
    return True


def of_rows(conn: Connection, uid: str, first: int, last: int | None) -> list[Hour]:
    """Return the rows of a metric from one rowid to another summed up, ascending; None for the newest."""
    is_recent = columns.before_recent(conn, [uid]).get(uid, 0) < first
    data = (columns.recent(conn) if is_recent else schema.metric_data).c
    number = ((epoch_seconds(data.timestamp) - FIRST_SECOND) // HOUR_S).label("number")
    value = case(
        (data.metric_value > MAX_VALUE, MAX_VALUE),
        (data.metric_value < -MAX_VALUE, -MAX_VALUE),
        else_=data.metric_value,
    )
    sums: tuple[Any, ...] = (
        number,
        func.max(data.rowid),
        func.count(),
        func.min(data.metric_value),
        func.sum(value),
        func.max(data.metric_value),
        func.max(data.log_score),
        func.count(case((data.log_score >= schema.ALARM_LOG_SCORE, 1))),
    )
    query: Select[Any] = select(*sums).where(data.uid == uid, data.rowid >= first)
    query = query.group_by("number").order_by("number")
    if last is not None:
        query = query.where(data.rowid <= last)
    return [
        Hour(int(number) * HOUR_S + FIRST_SECOND, rowid, samples, least, total / samples, *others)
        for number, rowid, samples, least, total, *others in conn.execute(query)
    ]


def stored(conn: Connection, uid: str, since: float, until: float) -> list[Hour]:
    """Return the hours of a metric that are stored and begin from one time up to another, ascending."""
    query = (
        select(*(_hour[name] for name in Hour._fields))
        .where(_hour.uid == uid, _hour.hour >= whole(since), _hour.hour < whole(until))
        .order_by(_hour.hour)
    )
    # The driver's own rows: a year of them takes half of the time that SQLAlchemy's take.
    return list(map(Hour._make, conn.execute(query).cursor.fetchall()))


def joined(before: Hour, after: Hour) -> Hour:
    """Return two parts of one hour as one."""
    samples = before.samples + after.samples
    scores = [score for score in (before.max_log_score, after.max_log_score) if score is not None]
    mean = (before.mean_value * before.samples + after.mean_value * after.samples) / samples
    return Hour(
        before.hour,
        after.last_rowid,
        samples,
        min(before.min_value, after.min_value),
        mean,
        max(before.max_value, after.max_value),
        max(scores, default=None),
        before.alarms + after.alarms,
    )


def take_back(conn: Connection, uid: str, kept: int) -> None:
    """Forget the sums of a metric's rows behind `kept`, which are there: their scores are cleared, and may come again.

    Hours whose rows were removed stay.
    """
    if summed_up(conn, uid) <= kept:
        return
    oldest = samples.oldest_rowid(conn, uid)
    if oldest is None:
        return
    conn.execute(
        delete(schema.metric_hour).where(
            _hour.uid == uid, _hour.last_rowid > kept, _hour.last_rowid >= oldest
        )
    )
    last = conn.scalar(select(func.max(_hour.last_rowid)).where(_hour.uid == uid))
    watermarks.move(conn, uid, hourly_rowid=last or 0)


def summed_up(conn: Connection, uid: str) -> int:
    """Return up to which row those of a metric are summed up."""
    return conn.scalar(select(_watermark.hourly_rowid).where(_watermark.uid == uid)) or 0
