"""Watermarks of metrics: how far their scores are. Who locks them and their metrics locks the watermarks first."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from typing import Final

from sqlalchemy import Connection, insert, select

from htmengine.repository import bulk, schema
from htmengine.repository.chunks import in_chunks

_metric: Final = schema.metric.c
_watermark: Final = schema.metric_watermark.c


def add(conn: Connection, uids: Sequence[str]) -> list[str]:
    """Give a watermark to those of these metrics that have none, and return their uids; on SQLite all have one.

    Two that do so for the same metric at the same time: one fails with SQLAlchemy's IntegrityError.
    """
    query = (
        select(_metric.uid, _metric.generation)
        .select_from(schema.watermarked)
        .where(_watermark.uid.is_(None))
        .order_by(_metric.uid)
    )
    new = [row for some in in_chunks(list(uids)) for row in conn.execute(query.where(_metric.uid.in_(some)))]
    if new:
        conn.execute(insert(schema.metric_watermark), [row._asdict() for row in new])
    return [row.uid for row in new]


def lock(conn: Connection, uids: Sequence[str]) -> None:
    """Keep others from moving the watermarks of these metrics until the transaction ends."""
    if conn.dialect.name != "sqlite":  # where one writes at a time
        for some in in_chunks(sorted(set(uids))):
            query = select(_watermark.uid).where(_watermark.uid.in_(some)).order_by(_watermark.uid)
            conn.execute(query.with_for_update(key_share=True)).all()


def update(conn: Connection, where: bulk.Columns, to: bulk.Columns) -> int:
    """Change watermarks, locked by uid, as `bulk.update` does; return how many were found."""
    return bulk.update(conn, schema.metric_watermark, where, to, shared=True)


def advance(conn: Connection, where: bulk.Columns, to: bulk.Columns) -> int:
    """Change watermarks as `update` does; metrics that have none yet get theirs, which stands at 0."""
    found = update(conn, where, to)
    uids = where["uid"]
    if found < len(uids) and (new := set(add(conn, uids))):
        is_new = [uid in new for uid in uids]
        found += update(conn, _of(where, is_new), _of(to, is_new))
    return found


def _of(columns: bulk.Columns, wanted: Sequence[bool]) -> bulk.Columns:
    return {name: list(compress(column, wanted)) for name, column in columns.items()}


def move(conn: Connection, uid: str, **to: int) -> None:
    """Set columns of one watermark."""
    update(conn, {"uid": [uid]}, {name: [value] for name, value in to.items()})
