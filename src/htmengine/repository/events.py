"""Events: what programs and people did to the fleet, such as deployments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, insert, or_, select

from htmengine.repository import schema

MAX_WHAT: Final = 255
MAX_TAGS: Final = 253
"""Characters of all tags with a blank between them."""
MAX_DATA: Final = 10_000
_event: Final = schema.fleet_event.c


class Event(NamedTuple):
    """Something that was done."""

    id: int
    at: int
    """Seconds since the epoch."""
    what: str
    tags: tuple[str, ...]
    data: str
    actor: str
    """Who told of it."""


def add(conn: Connection, at: int, what: str, tags: Sequence[str], data: str, actor: str) -> int:
    """Store an event, and return its id."""
    values = {"at": at, "what": what, "tags": f" {' '.join(tags)} ", "data": data, "actor": actor[:100]}
    key = conn.execute(insert(schema.fleet_event).values(**values)).inserted_primary_key
    assert key is not None
    return int(key[0])


def between(
    conn: Connection, since: int, until: int, tags: Sequence[str] = (), *, any_tag: bool = False, limit: int
) -> list[Event]:
    """Return the events behind one time up to another, the newest first.

    Parameters
    ----------
    tags : those that each must have; with `any_tag` one of them.
    """
    query = select(_event.id, _event.at, _event.what, _event.tags, _event.data, _event.actor)
    query = query.where(_event.at > since, _event.at <= until)
    conditions = [_event.tags.contains(f" {tag} ", autoescape=True) for tag in tags]
    if conditions:
        query = query.where(or_(*conditions)) if any_tag else query.where(*conditions)
    query = query.order_by(_event.at.desc(), _event.id.desc()).limit(limit)
    return [
        Event(row.id, row.at, row.what, tuple(row.tags.split()), row.data, row.actor)
        for row in conn.execute(query)
    ]
