"""Samples that wait to become rows: for the end of their interval, or for others that come late."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, delete, func, or_, select, update

from htmengine.repository import bulk, schema
from htmengine.repository.chunks import in_chunks
from htmengine.repository.lookup import Lookup

_sample: Final = schema.gathered_sample.c
_SPANS: Final = Lookup(
    _sample.name, _sample.name, func.min(_sample.timestamp), func.max(_sample.timestamp), group=True
)


class Gathered(NamedTuple):
    """A sample that waits."""

    id: int | None
    """None for one that is not stored yet."""
    name: str
    """Of its metric."""
    source: str
    """The name that it was sent under, before rules changed it."""
    timestamp: int
    """Whole seconds since the epoch."""
    value: float


class Span(NamedTuple):
    """The times between which samples of a metric wait, in whole seconds since the epoch."""

    first: int
    newest: int


def spans(conn: Connection, names: Sequence[str]) -> dict[str, Span]:
    """Return between which times samples of these metrics wait; of some nothing may."""
    return {name: Span(first, newest) for name, first, newest in _SPANS.rows(conn, names)}


def read(
    conn: Connection, names: Sequence[str], part: tuple[int, int] | None = None
) -> dict[str, list[Gathered]]:
    """Return what waits of these metrics, in the order in which it came; of some nothing may.

    `part`: two times, in seconds since the epoch; only what is of the first or earlier, or of the second or later.
    """
    wanted = set(names)
    found: dict[str, list[Gathered]] = {}
    query = select(_sample.id, _sample.name, _sample.source, _sample.timestamp, _sample.metric_value)
    if part is not None:
        query = query.where(or_(_sample.timestamp <= part[0], _sample.timestamp >= part[1]))
    for some in in_chunks(list(wanted)):
        for row in conn.execute(query.where(_sample.name.in_(some)).order_by(_sample.id)):
            if row.name in wanted:
                found.setdefault(row.name, []).append(Gathered(*row))
    return found


def store(conn: Connection, samples: Sequence[Gathered]) -> None:
    """Let samples wait, in this order."""
    if samples:
        _, names, sources, timestamps, values = zip(*samples, strict=True)
        bulk.insert(
            conn,
            schema.gathered_sample,
            {"name": names, "source": sources, "timestamp": timestamps, "metric_value": values},
        )


def remove(conn: Connection, ids: Sequence[int]) -> None:
    """Drop samples that wait no more."""
    for some in in_chunks(ids):
        conn.execute(delete(schema.gathered_sample).where(_sample.id.in_(some)))


def newest(conn: Connection) -> dict[str, int]:
    """Return the time of the newest sample that waits, by metric."""
    query = select(_sample.name, func.max(_sample.timestamp)).group_by(_sample.name)
    return {name: int(timestamp) for name, timestamp in conn.execute(query)}


def rename(conn: Connection, before: str, name: str) -> None:
    """Let what waits of a metric wait under its new name."""
    conn.execute(update(schema.gathered_sample).where(_sample.name == before).values(name=name))


def forget(conn: Connection, name: str) -> None:
    """Drop what waits of a metric: it is deleted."""
    conn.execute(delete(schema.gathered_sample).where(_sample.name == name))


def count(conn: Connection, name: str) -> int:
    """Return how many samples of a metric wait."""
    query = select(func.count()).select_from(schema.gathered_sample).where(_sample.name == name)
    return conn.scalar(query) or 0
