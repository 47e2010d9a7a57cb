"""Locks of the documented table `lock`, and one for those who make tables, when there is none yet."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection, func, insert, select, update

from htmengine.messages import part_of
from htmengine.repository import queue_layout, schema
from htmengine.repository.status import OperationLock

_TABLES: Final = "htmengine.upgrade"
_TIMEOUT_S: Final = 600


def lock_tables(conn: Connection) -> None:
    """Wait until nobody else makes or changes the tables, and keep others waiting until this connection is done."""
    if conn.dialect.name == "postgresql":
        conn.execute(select(func.pg_advisory_xact_lock(zlib.crc32(_TABLES.encode()))))
    elif conn.dialect.name == "mysql":
        # It is of the server, so that it names the database; and of the connection, so that this one is closed.
        conn.execute(select(func.get_lock(f"{_TABLES}.{conn.engine.url.database}"[:64], _TIMEOUT_S)))
        conn.detach()


def lock_metrics(conn: Connection, names: Iterable[str] | None = None) -> None:
    """Keep everybody else from creating metrics until this transaction ends: those of these names at least, or all.

    There is a lock for each of several metric-data queues, so that storers do not wait for each other. Their number does not
    change meanwhile: two that went by different ones would take different locks.
    """
    parts = queue_layout.locked(conn, shared=True).number
    if parts == 1:
        _take_or_make(conn, OperationLock.METRICS)
        return
    chosen = range(parts) if names is None else sorted({part_of(name, parts) for name in names})
    for part in chosen:
        _take_or_make(conn, _lock_of_part(part))


def _lock_of_part(part: int) -> str:
    return f"{OperationLock.METRICS}.{part:04d}"


def lock_alarms(conn: Connection) -> None:
    """Keep everybody else from storing alarms until this transaction ends. Take it last: nothing is waited for behind it."""
    _take_or_make(conn, OperationLock.ALARMS)


def lock_teachings(conn: Connection) -> None:
    """Keep everybody else from teaching until this transaction ends. Take it behind the metric."""
    _take_or_make(conn, OperationLock.TEACHINGS)


def _take_or_make(conn: Connection, name: str) -> None:
    if not take(conn, name):
        # An application made the tables without this row. A second one that finds it missing fails at the key, and
        # succeeds when it tries again.
        conn.execute(insert(schema.lock).values(name=name))


def take(conn: Connection, name: str) -> bool:
    """Take one lock until this transaction ends; return whether there is such a lock."""
    row = schema.lock.c.name == name
    if conn.dialect.name == "sqlite":
        # It has no SELECT FOR UPDATE. Writing takes the one lock that there is.
        return conn.execute(update(schema.lock).where(row).values(name=name)).rowcount > 0
    return conn.execute(select(schema.lock.c.name).where(row).with_for_update()).first() is not None
