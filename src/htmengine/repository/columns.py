"""Rows of a metric in columns, wherever a database keeps them. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Table, func, select

from htmengine.repository import identity, schema
from htmengine.repository.chunks import in_chunks
from htmengine.repository.embedded import blocks, reading
from htmengine.repository.times import epoch_seconds

_data: Final = schema.metric_data.c


def read(
    conn: Connection,
    uid: str,
    names: Sequence[str],
    first: int,
    last: int | None = None,
    limit: int | None = None,
) -> tuple[Any, ...]:
    """Return the rowids of a metric's rows, and columns of them, by their rowids; rows that are not stored are left out.

    Parameters
    ----------
    names : `time`, in seconds since the epoch, and columns of `metric_data`.
    first, last : rowids; None for the newest.
    limit : at most so many rows.

    Returns
    -------
    For each column an array of shape (n,), or a list where it is text: int64 for rowids, `time` and `digest`, where
    `identity.UNKNOWN` stands for NULL; float64 for the others, where NaN stands for it.
    """
    if conn.dialect.name == "sqlite":
        return reading.columns(conn, uid, names, first, last, limit)
    query = select(_data.rowid, *map(_column, names)).where(_data.uid == uid, _data.rowid >= first)
    if last is not None:
        query = query.where(_data.rowid <= last)
    # The driver's own rows: they become arrays in a fraction of the time that SQLAlchemy's take.
    rows = conn.execute(query.order_by(_data.rowid).limit(limit)).cursor.fetchall()
    return _as_columns(("rowid", *names), rows)


def _as_columns(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> tuple[Any, ...]:
    """Return rows as columns, of the types of `read`. `names`: of the columns, those of the rowids included."""
    found = zip(*rows, strict=True) if rows else ((),) * len(names)
    return tuple(
        list(column)
        if name in blocks.TEXTS
        else np.array(column, np.int64 if name in _INTEGERS else np.float64)
        for name, column in zip(names, found, strict=True)
    )


_INTEGERS: Final = ("rowid", *blocks.INTEGERS)


def _column(name: str) -> Any:
    if name == "time":
        return epoch_seconds(_data.timestamp)
    return func.coalesce(_data.digest, identity.UNKNOWN) if name == "digest" else _data[name]


def items(column: npt.NDArray[Any]) -> list[Any]:
    """Return a column of numbers as rows have it: None for NaN."""
    return [None if item != item else item for item in column.tolist()]


def recent(conn: Connection) -> Table:
    """Return the table in which the newest row of each metric is, and the newest that was scored, if nothing was taken back.

    On SQLite it has no rows of blocks, so that they are not looked through for one that is not there.
    """
    return schema.recent_row if conn.dialect.name == "sqlite" else schema.metric_data


def before_recent(conn: Connection, uids: Sequence[str]) -> dict[str, int]:
    """Return the last rowid that `recent` does not have of each of these metrics; those of which it has all are left out."""
    if conn.dialect.name != "sqlite":
        return {}
    return {uid: last for some in in_chunks(uids) for uid, last in reading.last_in_blocks(conn, some).items()}


def with_older(
    conn: Connection,
    rows: Sequence[Sequence[Any]],
    names: Sequence[str],
    limit: int,
    *,
    least_log_score: float,
    uids: Sequence[str] | None,
) -> list[tuple[Any, ...]]:
    """Return the newest `limit` of the scored rows that were found in `recent`, and of those that are not there.

    Parameters
    ----------
    rows : uid, rowid, time and other columns of each, in the order of `names`.
    least_log_score, uids : which rows were looked for.
    """
    if conn.dialect.name == "sqlite":
        return reading.newest(conn, rows, names, limit, least_log_score=least_log_score, uids=uids)
    return sorted(map(tuple, rows), key=lambda row: (row[2], row[0], row[1]), reverse=True)[:limit]


def oldest_before_recent(conn: Connection) -> int | None:
    """Return the time of the oldest row of all metrics that `recent` does not have; None where it has all."""
    if conn.dialect.name != "sqlite":
        return None
    found: int | None = conn.exec_driver_sql("SELECT min(first_time) FROM row_block").scalar()
    return found
