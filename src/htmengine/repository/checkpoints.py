"""Checkpoints of models: their rows, and who may write those of a shard. What a block holds is the models' own affair."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Final, NamedTuple

from sqlalchemy import (
    Connection,
    and_,
    bindparam,
    delete,
    func,
    insert,
    inspect,
    or_,
    select,
    update,
)

from htmengine.repository import schema
from htmengine.repository.locks import lock_tables
from htmengine.repository.lookup import IN_LIST

_model = schema.model_checkpoint.c
_owner = schema.shard_owner.c

ModelKey = tuple[str, int]
"""A metric's uid, and a generation of its model."""
ANCHORS: Final = 5
"""Checkpoints of a model that may stay beside the two from which it goes on: rows are removed up to one of them."""
ANCHOR_ROWS: Final = 1000
"""At least from one to the next: some tens of milliseconds to score, a few anchors' bytes to store."""


class CheckpointKey(NamedTuple):
    """Which checkpoint, and when it was written, in seconds since the epoch."""

    uid: str
    generation: int
    last_rowid: int
    written_at: int


class StoredCheckpoint(NamedTuple):
    """A model as it was after a row."""

    uid: str
    generation: int
    last_rowid: int
    shard: int
    codec: int
    block: bytes
    """As the codec says: `htmengine.model_swapper.checkpoint`."""


def create_tables(conn: Connection) -> None:
    """Create the tables, where they are missing; those who do so at the same time wait for each other."""
    tables = schema.model_checkpoint, schema.shard_owner
    if all(inspect(conn).has_table(table.name) for table in tables):
        return
    lock_tables(conn)
    for table in tables:
        table.create(conn, checkfirst=True)


def claim(conn: Connection, shard: int) -> int:
    """Become the owner of a shard and return the epoch under which to write."""
    raised = update(schema.shard_owner).where(_owner.shard == shard).values(epoch=_owner.epoch + 1)
    if not conn.execute(raised).rowcount:
        conn.execute(insert(schema.shard_owner).values(shard=shard, epoch=1))
    return int(conn.execute(select(_owner.epoch).where(_owner.shard == shard)).scalar_one())


def epoch(conn: Connection, shard: int) -> int:
    """Return the epoch of a shard's owner; 0 before the first."""
    return conn.scalar(select(_owner.epoch).where(_owner.shard == shard)) or 0


def stale_shards(conn: Connection, shards: Iterable[int], epochs: Mapping[int, int]) -> frozenset[int]:
    """Return those of these shards that have another owner than the one of these epochs; nobody claims one meanwhile."""
    # Locked where a server has more than one writer: nobody claims a shard between this and the commit.
    query = select(_owner.shard, _owner.epoch).where(_owner.shard.in_(list(shards))).with_for_update()
    current = {row.shard: row.epoch for row in conn.execute(query)}
    return frozenset(shard for shard in shards if current.get(shard, 0) != epochs.get(shard))


def store(conn: Connection, checkpoints: Sequence[StoredCheckpoint], *, now: int) -> None:
    """Store checkpoints of different keys; one that is stored under the same key is replaced.

    `now`: seconds since the epoch.
    """
    if not checkpoints:
        return
    _delete(conn, [checkpoint[:3] for checkpoint in checkpoints])
    conn.execute(
        insert(schema.model_checkpoint),
        [checkpoint._asdict() | {"written_at": now} for checkpoint in checkpoints],
    )


def prune(conn: Connection, models: Iterable[ModelKey], scored: Mapping[str, int]) -> None:
    """Keep some checkpoints of each model: the newest, the newest that does not lie beyond the watermark, and anchors.

    Anchors lie about ANCHOR_ROWS from each other, or twice as much, or four times, so that there are at most ANCHORS.

    `scored`: watermarks by uid. Of a model that is not in it, all stay.
    """
    wanted = sorted(model for model in set(models) if model[0] in scored)
    keys = [
        tuple(row)
        for start in range(0, len(wanted), IN_LIST)
        for row in conn.execute(
            select(_model.uid, _model.generation, _model.last_rowid)
            .where(
                or_(
                    *(
                        and_(_model.uid == uid, _model.generation == generation)
                        for uid, generation in wanted[start : start + IN_LIST]
                    )
                )
            )
            .order_by(_model.uid, _model.generation, _model.last_rowid)
        )
    ]
    needless = []
    for (uid, _), group in groupby(keys, key=lambda key: key[:2]):
        *older, newest = group
        safe = [key for key in [*older, newest] if key[2] <= scored[uid]][-1:]
        anchors = _anchors([key[2] for key in [*older, newest]])
        needless += [key for key in older if key not in safe and key[2] not in anchors]
    if needless:
        _delete(conn, needless)


def _anchors(rowids: Sequence[int]) -> set[int]:
    """Return those of the rowids of a model's checkpoints, ascending, that stay as anchors."""
    apart = ANCHOR_ROWS
    while rowids[-1] // apart - rowids[0] // apart >= ANCHORS:
        apart *= 2  # of two neighbours the first stays
    firsts = {rowid // apart: rowid for rowid in reversed(rowids)}
    return {rowid for rowid in firsts.values() if rowid >= ANCHOR_ROWS}


def newest(conn: Connection, uids: Sequence[str]) -> list[StoredCheckpoint]:
    """Return the newest checkpoint of every model of these metrics that has one."""
    other = schema.model_checkpoint.alias()
    last = (
        select(func.max(other.c.last_rowid))
        .where(other.c.uid == _model.uid, other.c.generation == _model.generation)
        .scalar_subquery()
    )
    query = select(
        _model.uid, _model.generation, _model.last_rowid, _model.shard, _model.codec, _model.block
    ).where(_model.uid.in_(bindparam("uids", expanding=True)), _model.last_rowid == last)
    return [
        StoredCheckpoint(*row)
        for start in range(0, len(uids), IN_LIST)
        for row in conn.execute(query, {"uids": uids[start : start + IN_LIST]})
    ]


def rowids(conn: Connection, uids: Sequence[str]) -> dict[ModelKey, list[int]]:
    """Return, by model, the rowids of the checkpoints of every model of these metrics that has one, ascending."""
    query = select(_model.uid, _model.generation, _model.last_rowid)
    found: dict[ModelKey, list[int]] = {}
    for start in range(0, len(uids), IN_LIST):
        some = query.where(_model.uid.in_(uids[start : start + IN_LIST]))
        for uid, generation, rowid in conn.execute(some.order_by(_model.last_rowid)):
            found.setdefault((uid, generation), []).append(rowid)
    return found


def models(conn: Connection) -> list[ModelKey]:
    """Return every model that has a checkpoint."""
    query = select(_model.uid, _model.generation).distinct()
    return [(row.uid, row.generation) for row in conn.execute(query)]


def listing(conn: Connection, uid: str | None = None) -> list[CheckpointKey]:
    """Return the keys of all checkpoints, or of those of one metric, the oldest of a model first."""
    query = select(_model.uid, _model.generation, _model.last_rowid, _model.written_at).order_by(
        _model.uid, _model.generation, _model.last_rowid
    )
    if uid is not None:
        query = query.where(_model.uid == uid)
    return [CheckpointKey(*row) for row in conn.execute(query)]


def read(conn: Connection, key: CheckpointKey) -> StoredCheckpoint | None:
    """Return a checkpoint; None when it is gone."""
    query = select(_model.shard, _model.codec, _model.block).where(
        _model.uid == key.uid, _model.generation == key.generation, _model.last_rowid == key.last_rowid
    )
    row = conn.execute(query).first()
    return None if row is None else StoredCheckpoint(*key[:3], *row)


def of_metrics(conn: Connection, uids: Sequence[str]) -> list[StoredCheckpoint]:
    """Return all checkpoints of these metrics, few enough for one statement, the oldest of a model first."""
    query = select(
        _model.uid, _model.generation, _model.last_rowid, _model.shard, _model.codec, _model.block
    ).where(_model.uid.in_(uids))
    order = _model.uid, _model.generation, _model.last_rowid
    return [StoredCheckpoint(*row) for row in conn.execute(query.order_by(*order))]


def discard(conn: Connection, uid: str, generation: int, *, above: int) -> None:
    """Delete a model's checkpoints that lie beyond a rowid."""
    same = _model.uid == uid, _model.generation == generation, _model.last_rowid > above
    conn.execute(delete(schema.model_checkpoint).where(*same))


def delete_older(conn: Connection, rowids: Mapping[ModelKey, int]) -> None:
    """Delete the checkpoints of these models that lie before a rowid."""
    for (uid, generation), rowid in rowids.items():
        older = _model.uid == uid, _model.generation == generation, _model.last_rowid < rowid
        conn.execute(delete(schema.model_checkpoint).where(*older))


def delete_models(conn: Connection, models: Iterable[ModelKey]) -> None:
    """Delete all checkpoints of these uids, of the given generation and of all before it."""
    for uid, generation in models:
        ended = _model.uid == uid, _model.generation <= generation
        conn.execute(delete(schema.model_checkpoint).where(*ended))


def _delete(conn: Connection, keys: Iterable[tuple[str, int, int]]) -> None:
    same = (
        _model.uid == bindparam("of_uid"),
        _model.generation == bindparam("of_generation"),
        _model.last_rowid == bindparam("of_rowid"),
    )
    conn.execute(
        delete(schema.model_checkpoint).where(*same),
        [{"of_uid": uid, "of_generation": generation, "of_rowid": rowid} for uid, generation, rowid in keys],
    )
