"""How far scores were written back: by receiver and metric, the last row that the receiver has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, and_, delete, func, insert, literal, or_, select, update

from htmengine.repository import bulk, schema
from htmengine.repository.metrics import IS_CUSTOM

_metric: Final = schema.metric.c
_position: Final = schema.writeback_position.c
_writer: Final = schema.writeback_writer.c


class Pending(NamedTuple):
    """A metric with scored rows that a receiver does not have."""

    uid: str
    name: str
    scored_rowid: int
    position: int | None
    """The last row that the receiver has; None where nothing is stored."""

    @property
    def first(self) -> int:
        """The first row to be sent. Where rows begin anew, they are sent anew."""
        return 1 if self.position is None or self.position > self.scored_rowid else self.position + 1


def begin(conn: Connection, receiver: str, *, history: bool) -> tuple[str, int]:
    """Return who writes to a receiver, and the beat. One that is new gets the rows to come; with `history` those before, too."""
    row = conn.execute(select(_writer.owner, _writer.beat).where(_writer.receiver == receiver)).first()
    if row is not None:
        return row.owner, row.beat
    conn.execute(insert(schema.writeback_writer).values(receiver=receiver, owner="", beat=0))
    if not history:
        now = select(literal(receiver), _metric.uid, schema.scored_rowid).select_from(schema.watermarked)
        now = now.where(IS_CUSTOM)
        conn.execute(insert(schema.writeback_position).from_select(["receiver", "uid", "rowid"], now))
    return "", 0


def renew(conn: Connection, receiver: str, owner: str, before: tuple[str, int]) -> bool:
    """Store who writes to a receiver, with the next beat; return whether it was still as it was before."""
    return (
        conn.execute(
            update(schema.writeback_writer)
            .where(_writer.receiver == receiver, _writer.owner == before[0], _writer.beat == before[1])
            .values(owner=owner, beat=before[1] + 1)
        ).rowcount
        == 1
    )


def pending(conn: Connection, receiver: str, after: str, *, limit: int) -> list[Pending]:
    """Return metrics with rows that a receiver does not have, by uid, those behind `after`."""
    query = (
        select(_metric.uid, _metric.name, schema.scored_rowid.label("scored_rowid"), _position.rowid)
        .join_from(
            schema.watermarked,
            schema.writeback_position,
            and_(_position.receiver == receiver, _position.uid == _metric.uid),
            isouter=True,
        )
        .where(
            IS_CUSTOM,
            _metric.uid > after,
            or_(
                schema.scored_rowid > func.coalesce(_position.rowid, 0),
                and_(_metric.last_rowid < _position.rowid, schema.scored_rowid > 0),
            ),
        )
        .order_by(_metric.uid)
        .limit(limit)
    )
    return [Pending(row.uid, row.name, row.scored_rowid, row.rowid) for row in conn.execute(query)]


def waiting(conn: Connection, receiver: str) -> dict[str, int]:
    """Return how many scored rows of each metric a receiver does not have, by name; those of which it has all are left out."""
    rows = schema.scored_rowid - func.coalesce(_position.rowid, 0)
    query = (
        select(_metric.name, rows)
        .join_from(
            schema.watermarked,
            schema.writeback_position,
            and_(_position.receiver == receiver, _position.uid == _metric.uid),
            isouter=True,
        )
        .where(IS_CUSTOM, rows > 0)
    )
    return {name: int(count) for name, count in conn.execute(query)}


def advance(conn: Connection, receiver: str, sent: Sequence[tuple[Pending, int]]) -> None:
    """Store the last row of metrics that a receiver has."""
    new = [(one.uid, rowid) for one, rowid in sent if one.position is None]
    if new:
        bulk.insert(
            conn,
            schema.writeback_position,
            {
                "receiver": [receiver] * len(new),
                "uid": [uid for uid, _ in new],
                "rowid": [rowid for _, rowid in new],
            },
        )
    known = [(one.uid, rowid) for one, rowid in sent if one.position is not None]
    bulk.update(
        conn,
        schema.writeback_position,
        {"uid": [uid for uid, _ in known], "receiver": [receiver] * len(known)},
        {"rowid": [rowid for _, rowid in known]},
    )


def forget_deleted(conn: Connection) -> None:
    """Remove what is stored of metrics that are gone."""
    conn.execute(
        delete(schema.writeback_position).where(_position.uid.not_in(select(_metric.uid).scalar_subquery()))
    )
