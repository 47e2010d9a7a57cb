"""Locks of the documented table `lock`."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select, update

from htmengine.repository import schema
from htmengine.repository.status import OperationLock


def lock_metrics(conn: Connection) -> None:
    """Keep everybody else from creating metrics until this transaction ends."""
    if not take(conn, OperationLock.METRICS):
        # An application made the tables without this row. A second one that finds it missing fails at the key, and
        # succeeds when it tries again.
        conn.execute(insert(schema.lock).values(name=OperationLock.METRICS))


def take(conn: Connection, name: str) -> bool:
    """Take one lock until this transaction ends; return whether there is such a lock."""
    row = schema.lock.c.name == name
    if conn.dialect.name == "sqlite":
        # It has no SELECT FOR UPDATE. Writing takes the one lock that there is.
        return conn.execute(update(schema.lock).where(row).values(name=name)).rowcount > 0
    return conn.execute(select(schema.lock.c.name).where(row).with_for_update()).first() is not None
