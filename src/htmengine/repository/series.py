"""A metric's rows as columns, and its hours: what charts are drawn from. Reads only."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Select, bindparam, select

from htmengine.repository import hours, schema
from htmengine.repository.hours import HOUR_S, Hour, hour_of
from htmengine.repository.times import bound, epoch_seconds, whole

_metric: Final = schema.metric.c
_data: Final = schema.metric_data.c

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Series(NamedTuple):
    """Rows of a metric, ascending: arrays of shape (n,). NaN where a row has no score, or its model no forecast."""

    rowids: Integers
    timestamps: Integers
    """Seconds since the epoch."""
    values: Floats
    anomaly_scores: Floats
    log_scores: Floats
    forecasts: Floats
    usual_lows: Floats
    """Of 100 values 99 lie between this and `usual_highs`."""
    usual_highs: Floats


_COLUMNS: Final = (
    _data.rowid,
    epoch_seconds(_data.timestamp),
    _data.metric_value,
    _data.anomaly_score,
    _data.log_score,
    _data.forecast,
    _data.usual_low,
    _data.usual_high,
)


def rows_since(conn: Connection, uid: str, since_rowid: int, limit: int) -> Series:
    """Return the rows behind a rowid, at most `limit`; what was removed is left out."""
    query = select(*_COLUMNS).where(_data.uid == uid, _data.rowid > since_rowid)
    return _columns(conn, query.order_by(_data.rowid).limit(limit))


def rows_between(conn: Connection, uid: str, since: float, until: float) -> Series:
    """Return the rows from one time up to another, which is left out; both in seconds since the epoch."""
    query = select(*_COLUMNS).where(_data.uid == uid, _data.rowid >= first_from(conn, uid, since))
    query = query.where(_data.rowid < first_from(conn, uid, until))
    return _columns(conn, query.order_by(_data.rowid))


def hours_between(conn: Connection, uid: str, since: float, until: float) -> list[Hour]:
    """Return the hours that begin from one time up to another, which is left out; those without rows are left out.

    Rows that are not summed up yet are summed up here, so that nothing is missing; rows without a score, too.
    """
    behind = conn.scalar(select(_metric.hourly_rowid).where(_metric.uid == uid))
    if behind is None:
        return []
    found = hours.stored(conn, uid, since, until)
    since, until = (hour_of(whole(time) + HOUR_S - 1) for time in (since, until))  # whole hours
    first, end = max(behind + 1, first_from(conn, uid, since)), first_from(conn, uid, until)
    for hour in hours.of_rows(conn, uid, first, end - 1):
        if found and found[-1].hour == hour.hour:
            hour = hours.joined(found.pop(), hour)
        found.append(hour)
    return found


def first_from(conn: Connection, uid: str, time: float) -> int:
    """Return a rowid so that rows from there on are at this time or later, and rows before it are not.

    No index has a metric's times; they ascend with its rowids, so that the row is found by halves.
    """
    query = select(_data.rowid, _data.timestamp).where(_data.uid == uid)
    newest = conn.execute(query.order_by(_data.rowid.desc()).limit(1)).first()
    if newest is None:
        return 0
    wanted = bound(time)
    if newest.timestamp < wanted:
        return int(newest.rowid) + 1
    query = query.where(_data.rowid >= bindparam("rowid")).order_by(_data.rowid).limit(1)
    low, high = 0, int(newest.rowid)
    while low < high:
        row = conn.execute(query, {"rowid": (low + high) // 2}).one()
        if row.timestamp >= wanted:
            high = (low + high) // 2
        else:
            low = row.rowid + 1
    return low


def _columns(conn: Connection, query: Select[Any]) -> Series:
    rows = conn.execute(query).all()
    rowids, timestamps, *numbers = zip(*rows, strict=True) if rows else [()] * len(_COLUMNS)
    return Series(
        np.array(rowids, dtype=np.int64),
        np.array(timestamps, dtype=np.int64),
        *(np.array(column, dtype=np.float64) for column in numbers),
    )
