"""All metrics, read in parts: for the web server, which keeps the state of each in memory. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, func, select

from htmengine.repository import schema
from htmengine.repository.metrics import IS_CUSTOM

PART: Final = 5000
"""Metrics that are read at a time, so that other threads do not wait for long."""

_metric: Final = schema.metric.c


class Listed(NamedTuple):
    """A metric, and how far its rows and scores reach."""

    uid: str
    name: str
    status: int
    generation: int
    """Of the model: another one whenever the metric's model was deleted."""
    base_rowid: int
    last_rowid: int
    scored_rowid: int
    tail_timestamp: int | None
    """Of the last row, in seconds since the epoch."""


COLUMNS: Final = (
    _metric.uid,
    func.coalesce(_metric.name, ""),
    func.coalesce(_metric.status, 0),
    _metric.generation,
    _metric.base_rowid,
    func.coalesce(_metric.last_rowid, 0),
    schema.scored_rowid,
    _metric.tail_timestamp,
)
"""What `Listed` is made of, from `schema.watermarked`."""

_PART: Final = (
    select(*COLUMNS)
    .select_from(schema.watermarked)
    .where(_metric.uid > bindparam("after"), IS_CUSTOM)
    .order_by(_metric.uid)
    .limit(bindparam("part"))
)


def every_metric(conn: Connection, *, part: int = PART) -> Iterator[list[Listed]]:
    """Yield all custom metrics by uid, so many at a time."""
    after = ""
    while True:
        found = [Listed(*row) for row in conn.execute(_PART, {"after": after, "part": part})]
        if found:
            yield found
        if len(found) < part:
            return
        after = found[-1].uid
