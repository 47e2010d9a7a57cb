"""Metrics whose history is being sent: their live samples are held until it is complete.

So are samples of names that nobody knows yet, until their metrics are created: see `runtime.metric_storer.lane`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from htmengine.repository import bulk, schema
from htmengine.repository.chunks import in_chunks

_backfill: Final = schema.backfill.c
_held: Final = schema.held_sample.c


class Run(NamedTuple):
    """A history that is being sent."""

    name: str
    """Of the metric."""
    token: str


class HeldSamples(NamedTuple):
    """Live samples of one metric that wait, in columns, in the order in which they came."""

    ids: list[int]
    timestamps: list[int]
    values: list[float]


def running(conn: Connection) -> dict[str, str]:
    """Return the backfills that have begun and not ended: by the metric's name, the token of the run that sends it.

    Messages of other runs are late ones.
    """
    query = select(_backfill.name, _backfill.token).order_by(_backfill.name)
    return {row.name: row.token for row in conn.execute(query)}


def runs(conn: Connection) -> dict[Run, int]:
    """Return, of the backfills that have begun and not ended, a number that changes when something of them comes."""
    query = select(_backfill.name, _backfill.token, _backfill.renewed_at)
    return {Run(row.name, row.token): row.renewed_at for row in conn.execute(query)}


def begin(conn: Connection, name: str, token: str, now: int) -> None:
    """Note that something of a backfill came: it goes on, or begins, in the place of any other of the metric.

    `now`: seconds since the epoch, for people who look at the table.
    """
    values = {"token": token, "renewed_at": now}
    if not conn.execute(update(schema.backfill).where(_backfill.name == name).values(values)).rowcount:
        conn.execute(insert(schema.backfill).values(name=name, **values))


def end(conn: Connection, name: str, token: str) -> bool:
    """End a backfill; return whether this run was the metric's current one. Held samples stay, to be taken."""
    same = _backfill.name == name, _backfill.token == token
    return conn.execute(delete(schema.backfill).where(*same)).rowcount > 0


def hold(conn: Connection, names: Sequence[str], timestamps: Sequence[int], values: Sequence[float]) -> None:
    """Keep live samples of metrics whose history is being sent. Timestamps are whole seconds since the epoch."""
    bulk.insert(conn, schema.held_sample, {"name": names, "timestamp": timestamps, "metric_value": values})


def held(conn: Connection, name: str, limit: int) -> HeldSamples:
    """Return the oldest samples that are held for a metric, at most `limit`."""
    query = select(_held.id, _held.timestamp, _held.metric_value).where(_held.name == name)
    rows = conn.execute(query.order_by(_held.id).limit(limit)).all()
    return HeldSamples([row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows])


def release(conn: Connection, name: str, last_id: int) -> int:
    """Drop the samples that are held for a metric, up to this id: they are stored now. Return their number."""
    return conn.execute(delete(schema.held_sample).where(_held.name == name, _held.id <= last_id)).rowcount


def held_without_history(conn: Connection) -> list[str]:
    """Return the names of which samples are held although no history is sent, those first of which they have waited longest."""
    running = select(_backfill.name)
    query = select(_held.name).where(_held.name.not_in(running)).order_by(_held.id)
    return list(dict.fromkeys(conn.scalars(query)))


def take_held(conn: Connection, names: Sequence[str]) -> tuple[list[str], list[int], list[float]]:
    """Take out what is held of some metrics; return names, timestamps and values, in the order in which they came."""
    wanted = set(names)
    query = select(_held.id, _held.name, _held.timestamp, _held.metric_value)
    # Where the database takes A for a, it gives names that nobody asked for.
    rows = sorted(
        row
        for some in in_chunks(names)
        for row in conn.execute(query.where(_held.name.in_(some)))
        if row.name in wanted
    )
    for some_ids in in_chunks([row.id for row in rows]):
        conn.execute(delete(schema.held_sample).where(_held.id.in_(some_ids)))
    return [row.name for row in rows], [row.timestamp for row in rows], [row.metric_value for row in rows]


def forget_held(conn: Connection, name: str) -> None:
    """Drop the samples that are held for a metric: it is deleted. A backfill of it that goes on makes it anew."""
    conn.execute(delete(schema.held_sample).where(_held.name == name))
