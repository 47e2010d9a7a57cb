"""Rows of metrics: samples, numbered 1, 2, 3 … for each metric."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, bindparam, delete, exists, func, select

from htmengine.repository import bulk, columns, identity, schema
from htmengine.repository.embedded import rows as runs
from htmengine.repository.lookup import IN_LIST
from htmengine.repository.times import check_seconds, epoch_seconds

_data: Final = schema.metric_data.c
_metric: Final = schema.metric.c


class Rows(NamedTuple):
    """Samples of one metric in columns, in the order of their rowids."""

    rowids: list[int]
    timestamps: list[int]
    values: list[float]
    digests: list[int]

    def part(self, start: int, end: int | None = None) -> Rows:
        """Return the rows at these places."""
        return Rows(
            self.rowids[start:end],
            self.timestamps[start:end],
            self.values[start:end],
            self.digests[start:end],
        )


class Row(NamedTuple):
    """A sample of a metric."""

    rowid: int
    timestamp: int
    value: float
    digest: int


class Range(NamedTuple):
    """Which rows of a metric are stored."""

    oldest: int
    newest: int
    rows: int


class Advance(NamedTuple):
    """Rows `from_rowid` + 1 … `to_rowid` of a metric were appended."""

    uid: str
    from_rowid: int
    to_rowid: int
    tail_timestamp: int
    """Of the row `to_rowid`; so is the digest."""
    tail_digest: int = identity.UNKNOWN


def append(
    conn: Connection,
    uids: Sequence[str],
    rowids: Sequence[int],
    timestamps: Sequence[int],
    values: Sequence[float],
    digests: Sequence[int] | None = None,
) -> None:
    """Insert samples of any number of metrics; `advance_last` comes before, in the same transaction.

    Without digests nothing tells these rows from others that get their rowids: as with rows of earlier versions.
    Values come back bit for bit, but for one: SQLite and MySQL store -0.0 as 0.0. Timestamps are whole seconds since the epoch.
    Raises ValueError for a timestamp that no datetime holds, and SQLAlchemy's IntegrityError for a row that is there
    already, a metric that is not, and a value that is not a number.
    """
    if conn.dialect.name == "sqlite":
        check_seconds(timestamps)
        runs.append(
            conn, uids, rowids, timestamps, values, [None] * len(uids) if digests is None else digests
        )
        return
    rows: dict[str, Sequence[Any]] = {
        "uid": uids,
        "rowid": rowids,
        "timestamp": timestamps,
        "metric_value": values,
    }
    bulk.insert(conn, schema.metric_data, rows if digests is None else rows | {"digest": digests})


def advance_last(conn: Connection, advances: Sequence[Advance]) -> int:
    """Move the highest rowid of metrics, each only if it is still `from_rowid`; return how many were moved.

    Do it before `append`, in the same transaction: it locks the metrics, by uid, while an insert would lock each in
    passing, and then have to wait for whoever waits for it.
    """
    if not advances:
        return 0
    uids, before, after, tails, digests = zip(*advances, strict=True)
    return bulk.update(
        conn,
        schema.metric,
        {"uid": uids, "last_rowid": before},
        {"last_rowid": after, "tail_timestamp": tails, "tail_digest": digests},
        shared=True,
    )


def read(conn: Connection, uid: str, first: int, last: int, limit: int) -> Rows:
    """Return the samples with rowids `first` … `last`, at most `limit` of them; those that are not stored are left out."""
    found = columns.read(conn, uid, ("time", "metric_value", "digest"), first, last, limit)
    return Rows(*(column.tolist() for column in found))


def read_spans(conn: Connection, spans: Mapping[str, tuple[int, int]]) -> dict[str, Rows]:
    """Return, by uid, the samples from the first to the last of two rowids; those that are not stored are left out."""
    found = {uid: Rows([], [], [], []) for uid in spans}
    for uid, rowid, timestamp, value, digest in (
        runs.read_spans(conn, spans) if conn.dialect.name == "sqlite" else _read_spans(conn, spans)
    ):
        rows = found[uid]
        rows.rowids.append(rowid)
        rows.timestamps.append(timestamp)
        rows.values.append(value)
        rows.digests.append(digest)
    for uid, before in columns.before_recent(conn, list(spans)).items():
        first, last = spans[uid]
        if before >= first:
            found[uid] = read(conn, uid, first, last, last - first + 1)
    return found


def _read_spans(conn: Connection, spans: Mapping[str, tuple[int, int]]) -> Iterator[Sequence[Any]]:
    """Return uid and sample of the rows, in the order of their rowids for each metric."""
    query = (
        select(_data.uid, *_sample(_data))
        .where(_data.uid.in_(bindparam("uids", expanding=True)))
        .where(_data.rowid.between(bindparam("first"), bindparam("last")))
        .order_by(_data.uid, _data.rowid)
    )
    of_span: dict[tuple[int, int], list[str]] = {}
    for uid, span in spans.items():
        of_span.setdefault(span, []).append(uid)
    for (first, last), uids in of_span.items():
        for start in range(0, len(uids), IN_LIST):
            given = {"uids": uids[start : start + IN_LIST], "first": first, "last": last}
            yield from conn.execute(query, given)


def newest(conn: Connection, uids: Sequence[str]) -> dict[str, Row]:
    """Return the row `last_rowid` of each of these metrics; metrics without it are left out."""
    data = columns.recent(conn).c
    query = (
        select(data.uid, *_sample(data))
        .join(schema.metric, (_metric.uid == data.uid) & (_metric.last_rowid == data.rowid))
        .where(_metric.uid.in_(bindparam("uids", expanding=True)))
    )
    found = {
        uid: Row(*row)
        for first in range(0, len(uids), IN_LIST)
        for uid, *row in conn.execute(query, {"uids": uids[first : first + IN_LIST]})
    }
    for uid in columns.before_recent(conn, [uid for uid in uids if uid not in found]):
        last = conn.scalar(select(_metric.last_rowid).where(_metric.uid == uid))
        if last and (rows := read(conn, uid, last, last, 1)).rowids:
            found[uid] = Row(rows.rowids[0], rows.timestamps[0], rows.values[0], rows.digests[0])
    return found


def _sample(data: Any) -> tuple[ColumnElement[Any], ...]:
    return (
        data.rowid,
        epoch_seconds(data.timestamp),
        data.metric_value,
        func.coalesce(data.digest, identity.UNKNOWN),
    )


def digest_at(conn: Connection, uid: str, rowid: int) -> int:
    """Return the digest of a metric's samples up to a row; `identity.UNKNOWN` where neither it nor the next row has one."""
    rows = read(conn, uid, rowid, rowid + 1, 2)
    if not rows.rowids:
        tail = select(_metric.tail_digest).where(_metric.uid == uid, _metric.last_rowid == rowid)
        return conn.scalar(tail) or identity.UNKNOWN
    if rows.rowids[0] == rowid:
        return rows.digests[0]
    return identity.before(rows.digests, rows.timestamps, rows.values)[0]


def stored_range(conn: Connection, uid: str) -> Range | None:
    """Return which rows of a metric are stored; None if there are none."""
    query = select(func.min(_data.rowid), func.max(_data.rowid), func.count()).where(_data.uid == uid)
    oldest, newest, count = conn.execute(query).one()
    return Range(oldest, newest, count) if count else None


def first_without_gap(conn: Connection, uids: Sequence[str]) -> dict[str, int]:
    """Return, by uid, the oldest rowid from which on all rows of a metric are stored; a metric without rows is left out."""
    query = (
        select(_data.uid, func.min(_data.rowid), func.max(_data.rowid), func.count())
        .where(_data.uid.in_(bindparam("uids", expanding=True)))
        .group_by(_data.uid)
    )
    return {
        uid: oldest if rows == newest - oldest + 1 else _behind_last_gap(conn, uid)
        for start in range(0, len(uids), IN_LIST)
        for uid, oldest, newest, rows in conn.execute(query, {"uids": uids[start : start + IN_LIST]}).all()
    }


def _behind_last_gap(conn: Connection, uid: str) -> int:
    before = schema.metric_data.alias()
    alone = ~exists().where(before.c.uid == uid, before.c.rowid == _data.rowid - 1)
    return int(conn.execute(select(func.max(_data.rowid)).where(_data.uid == uid, alone)).scalar_one())


def value_range(conn: Connection, uid: str) -> tuple[float, float] | None:
    """Return the least and the greatest value of a metric; None if it has no rows."""
    query = select(func.min(_data.metric_value), func.max(_data.metric_value)).where(_data.uid == uid)
    least, greatest = conn.execute(query).one()
    return None if least is None else (least, greatest)


def tail(conn: Connection, uid: str, limit: int) -> Rows:
    """Return the newest samples of a metric, oldest first."""
    newest = newest_rowid(conn, uid)
    return Rows([], [], [], []) if newest is None else read(conn, uid, newest - limit + 1, newest, limit)


def oldest_rowid(conn: Connection, uid: str) -> int | None:
    """Return the lowest rowid of a metric's rows; None if it has none."""
    found = columns.read(conn, uid, (), 0, limit=1)[0]
    return int(found[0]) if len(found) else None


def newest_rowid(conn: Connection, uid: str) -> int | None:
    """Return the highest rowid of a metric's rows; None if it has none."""
    data = columns.recent(conn).c
    newest = conn.scalar(select(data.rowid).where(data.uid == uid).order_by(data.rowid.desc()).limit(1))
    return newest if newest is not None else columns.before_recent(conn, [uid]).get(uid)


def remove(conn: Connection, uid: str, first: int, last: int) -> None:
    """Remove the rows of a metric from one rowid to another."""
    if conn.dialect.name == "sqlite":
        runs.remove(conn, uid, first, last)
    else:
        conn.execute(delete(schema.metric_data).where(_data.uid == uid, _data.rowid.between(first, last)))
