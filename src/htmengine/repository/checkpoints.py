"""Checkpoints of models: their rows, and who may write those of a shard. What a block holds is the models' own affair."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from sqlalchemy import (
    Connection,
    bindparam,
    delete,
    func,
    insert,
    inspect,
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


def store(
    conn: Connection, checkpoints: Sequence[StoredCheckpoint], *, scored: Mapping[str, int], now: int
) -> None:
    """Store checkpoints of different keys, and drop those that they make needless.

    One that is stored under the same key is replaced. Of each model the newest stays, the newest that does not lie
    beyond the watermark, and anchors. These lie about ANCHOR_ROWS from each other, or twice as much, or four times, so that
    there are at most ANCHORS.

    Parameters
    ----------
    scored : watermarks by uid. Of a model that is not in it, all stay.
    now : seconds since the epoch.
    """
    if not checkpoints:
        return
    given: dict[ModelKey, set[int]] = {}
    for checkpoint in checkpoints:
        given.setdefault((checkpoint.uid, checkpoint.generation), set()).add(checkpoint.last_rowid)
    there: dict[ModelKey, set[int]] = {}
    for uid, generation, rowid in _rowids(conn, sorted({uid for uid, _ in given})):
        there.setdefault((uid, generation), set()).add(rowid)
    leaving = []
    for model, rowids in given.items():
        stored = there.get(model, set())
        keep = stored | rowids
        if model[0] in scored:
            newest = max(keep)
            safe = max((rowid for rowid in keep if rowid <= scored[model[0]]), default=newest)
            keep = {newest, safe} | _anchors(sorted(keep))
        leaving += [(*model, rowid) for rowid in sorted(stored - keep | stored & rowids)]
        rowids &= keep
    _delete(conn, leaving)
    rows = [
        checkpoint._asdict() | {"written_at": now}
        for checkpoint in checkpoints
        if checkpoint.last_rowid in given[checkpoint.uid, checkpoint.generation]
    ]
    if rows:
        conn.execute(insert(schema.model_checkpoint), rows)


def _rowids(conn: Connection, uids: Sequence[str]) -> list[tuple[str, int, int]]:
    """Return the keys of the checkpoints of some metrics."""
    query = select(_model.uid, _model.generation, _model.last_rowid).where(
        _model.uid.in_(bindparam("uids", expanding=True))
    )
    return [
        (uid, generation, rowid)
        for start in range(0, len(uids), IN_LIST)
        for uid, generation, rowid in conn.execute(query, {"uids": uids[start : start + IN_LIST]})
    ]


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
    keys = list(keys)
    if not keys:
        return
    same = (
        _model.uid == bindparam("of_uid"),
        _model.generation == bindparam("of_generation"),
        _model.last_rowid == bindparam("of_rowid"),
    )
    conn.execute(
        delete(schema.model_checkpoint).where(*same),
        [{"of_uid": uid, "of_generation": generation, "of_rowid": rowid} for uid, generation, rowid in keys],
    )
