"""Who may write checkpoints of a shard: the owner that raised the shard's epoch last."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, select, update

from htmengine.repository import schema

_owner: Final = schema.shard_owner.c


def raise_epoch(conn: Connection, shard: int) -> int:
    """Become the owner of a shard; return the epoch, which shuts out every owner before.

    Raises LookupError if the installation has no such shard.
    """
    statement = update(schema.shard_owner).where(_owner.shard == shard).values(epoch=_owner.epoch + 1)
    if not conn.execute(statement).rowcount:
        raise LookupError(f"this installation has no shard {shard}")
    return epoch(conn, shard)


def epoch(conn: Connection, shard: int) -> int:
    """Return the epoch of a shard's owner; 0 before the first. Raises LookupError if there is no such shard."""
    found = conn.scalar(select(_owner.epoch).where(_owner.shard == shard))
    if found is None:
        raise LookupError(f"this installation has no shard {shard}")
    return int(found)


def is_owner(conn: Connection, shard: int, epoch: int) -> bool:
    """Return whether this epoch is the newest of a shard; no later one begins before this transaction ends."""
    query = select(_owner.epoch).where(_owner.shard == shard).with_for_update(read=True)
    return conn.scalar(query) == epoch
