"""Silences: when metrics sent nothing for longer than is usual; and what is known of how regularly each one comes.

One writer finds and ends them, in transactions that are numbered: whoever follows silences asks for what changed after a
number.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, delete, or_, select

from htmengine.repository import bulk, schema
from htmengine.repository.chunks import in_chunks
from htmengine.repository.writer_row import WriterRow

MAX_ROWS: Final = 128
"""So many of a metric's newest rows are read at a time; gaps before them are not known."""
OVERDUE_S: Final = 300
"""A metric is silent so long after its next sample was due, or longer."""
_silence: Final = schema.metric_silence.c
_rhythm: Final = schema.metric_rhythm.c


class Silence(NamedTuple):
    """A time in which a metric sent nothing. Times are seconds since the epoch."""

    id: int
    seq: int
    """Of the change that found it, or ended it."""
    uid: str
    rowid: int
    """The last row before it."""
    since: int
    """Timestamp of that row."""
    value: float | None
    """Of that row; None where it is gone."""
    interval_s: float
    """Usual time from a sample to the next."""
    found: int
    """When the next sample was overdue."""
    until: int | None = None
    """Timestamp of the first row behind it; None while it lasts."""

    @property
    def missing_since(self) -> int:
        """About when the first sample that did not come was due."""
        return int(max(self.since + self.interval_s, self.found - OVERDUE_S))


class Position(NamedTuple):
    """How far the writer of silences has come."""

    silence_id: int
    """The newest silence."""
    seq: int
    """The last change."""
    owner: str
    """Who writes; empty if nobody does."""
    beat: int
    """Grows while the owner lives."""


_WRITER: Final = WriterRow(schema.silence_writer, Position)
BEGIN: Final = Position(silence_id=0, seq=0, owner="", beat=0)


def read_position(conn: Connection) -> Position | None:
    """Return how far the writer has come; None if it has never run."""
    return _WRITER.read(conn)


def lock_position(conn: Connection) -> Position:
    """Return the same, and keep other writers waiting until this transaction ends."""
    return _WRITER.lock(conn, BEGIN)


def move_position(conn: Connection, position: Position) -> None:
    """Store how far the writer has come."""
    _WRITER.move(conn, position)


def add(conn: Connection, found: Sequence[Silence]) -> None:
    """Store silences that were found."""
    if found:
        columns = map(list, zip(*found, strict=True))
        bulk.insert(conn, schema.metric_silence, dict(zip(Silence._fields, columns, strict=True)))


def end(conn: Connection, until: Mapping[int, int], seq: int) -> None:
    """End silences, given by their ids: each with the timestamp of the first row behind it."""
    if until:
        to = {"until": list(until.values()), "seq": [seq] * len(until)}
        bulk.update(conn, schema.metric_silence, {"id": list(until)}, to)


def lasting(conn: Connection, uids: Collection[str] | None = None) -> list[Silence]:
    """Return the silences that have not ended, of these metrics or of all, the oldest first."""
    query = select(*(_silence[name] for name in Silence._fields)).where(_silence.until.is_(None))
    if uids is None:
        return [Silence(*row) for row in conn.execute(query.order_by(_silence.since, _silence.id))]
    found = [
        Silence(*row)
        for some in in_chunks(sorted(uids))
        for row in conn.execute(query.where(_silence.uid.in_(some)))
    ]
    return sorted(found, key=lambda silence: (silence.since, silence.id))


def changed_since(conn: Connection, seq: int, *, limit: int) -> list[Silence]:
    """Return the silences that were found or ended after a change, in the order of the changes, whole changes of them.

    There are at least `limit` of them where there are so many.
    """
    numbers = select(_silence.seq).where(_silence.seq > seq).order_by(_silence.seq).limit(limit)
    last = max(conn.scalars(numbers), default=None)
    if last is None:
        return []
    query = select(*(_silence[name] for name in Silence._fields))
    query = query.where(_silence.seq > seq, _silence.seq <= last).order_by(_silence.seq, _silence.id)
    return [Silence(*row) for row in conn.execute(query)]


def of_metric(conn: Connection, uid: str, since: float, until: float) -> list[Silence]:
    """Return the silences of a metric that lie at least partly between two times, the oldest first."""
    query = select(*(_silence[name] for name in Silence._fields)).where(
        _silence.uid == uid,
        _silence.since <= until,
        or_(_silence.until.is_(None), _silence.until >= since),
    )
    return [Silence(*row) for row in conn.execute(query.order_by(_silence.since, _silence.id))]


def timestamps(
    conn: Connection, spans: Mapping[str, tuple[int, int]], *, limit: int = MAX_ROWS
) -> dict[str, list[tuple[int, int]]]:
    """Return rowid and timestamp of rows of metrics, in the order of their rowids.

    Parameters
    ----------
    spans : by uid, the rowid before the first row that is wanted, and that of the last one.
    limit : of so many rows of each metric, the newest.
    """
    from htmengine.repository.windows import Span, rows_of

    wanted = [Span(uid, max(before, last - limit) + 1, last) for uid, (before, last) in spans.items()]
    return {
        span.uid: list(zip(rows.rowids.tolist(), rows.timestamps.tolist(), strict=True))
        for span, rows in zip(wanted, rows_of(conn, wanted, ()), strict=True)
    }


def values(conn: Connection, rows: Sequence[tuple[str, int]]) -> dict[tuple[str, int], float]:
    """Return the values of rows, given by uid and rowid; those that are not stored are left out."""
    from htmengine.repository.windows import Span, rows_of

    wanted = [Span(uid, rowid, rowid) for uid, rowid in rows]
    return {
        (span.uid, span.last): float(found.columns["value"][0])
        for span, found in zip(wanted, rows_of(conn, wanted, ("value",)), strict=True)
        if len(found.rowids)
    }


def rhythms(conn: Connection, *, after: str = "", upto: str | None = None) -> dict[str, str]:
    """Return what is known of metrics, by uid: of those behind one uid and not behind another."""
    query = select(_rhythm.uid, _rhythm.rhythm).where(_rhythm.uid > after)
    if upto is not None:
        query = query.where(_rhythm.uid <= upto)
    return {row.uid: row.rhythm for row in conn.execute(query)}


def store_rhythms(conn: Connection, known: Mapping[str, str]) -> None:
    """Store what is known of metrics now, by uid."""
    if not known:
        return
    uids = sorted(known)
    for some in in_chunks(uids):
        conn.execute(delete(schema.metric_rhythm).where(_rhythm.uid.in_(some)))
    bulk.insert(conn, schema.metric_rhythm, {"uid": uids, "rhythm": [known[uid] for uid in uids]})


def forget(conn: Connection, uids: Collection[str]) -> None:
    """Remove what is known of metrics."""
    for some in in_chunks(sorted(uids)):
        conn.execute(delete(schema.metric_rhythm).where(_rhythm.uid.in_(some)))
