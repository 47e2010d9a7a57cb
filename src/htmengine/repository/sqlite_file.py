"""A repository in a SQLite file: how it is opened, and how its writers take turns.

The file has write-ahead logging, so that readers and the writer do not wait for each other. Writers begin with BEGIN
IMMEDIATE: a transaction that reads first and writes later could find that another wrote between.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from functools import partial
from pathlib import Path
from typing import Final
from weakref import WeakValueDictionary

from sqlalchemy import URL, Connection, create_engine, event
from sqlalchemy.pool import ConnectionPoolEntry

from htmengine.errors import ConfigError
from htmengine.repository.database import Database, writes
from htmengine.repository.embedded import functions
from htmengine.repository.errors import GONE_HINT, RepositoryError
from htmengine.sqlite import pragmas
from htmengine.sqlite.checkpointer import WAL_AUTOCHECKPOINT_BYTES, Checkpointer
from htmengine.sqlite.presence import DELETED, Presence
from htmengine.sqlite.write_lock import FairLock
from htmengine.system import private

BUSY_TIMEOUT_S: Final = 30.0
"""How long a process waits for another that writes to the same file."""
CACHE_BYTES: Final = 16 << 20
"""Of the writer, where nobody says how much."""
PAGE_BYTES: Final = 2048
"""Of a page of a file that is made new. A sample changes pages of its own, which are written whole; smaller ones cost more
time where many are written at once."""
READER_CACHE_BYTES: Final = 8 << 20
"""At most, of each, and a quarter of the writer's. What it holds is void once somebody has written; the operating system keeps
the file."""

_locks: WeakValueDictionary[Path, FairLock] = WeakValueDictionary()
"""The lock of each open file. It belongs to the file, whoever opened it: threads that write to one file queue here,
since those that wait inside SQLite sleep in growing steps and may be passed over for long."""
_locks_guard: Final = threading.Lock()


def open_sqlite(path: Path | None, *, shrinks: bool = True, cache_bytes: int = CACHE_BYTES) -> Database:
    """Return the database in a file; nothing is connected yet. Its folder is created.

    `shrinks`, `cache_bytes`: see `open_database`. A file that shrinks has small rows, and gets smaller pages.

    Raises
    ------
    ConfigError : no file is named.
    RepositoryError : the folder cannot be created.
    """
    if path is None:
        raise ConfigError(
            "The repository is a SQLite file, but no file is named.",
            hint="Set [engine] data_dir in application.conf to a folder for it.",
        )
    try:
        private.folder(path.parent)
    except OSError as error:
        raise RepositoryError(
            f"{path.parent}: this folder cannot be created: {error.strerror}.",
            hint="Name a folder that may be written.",
        ) from error
    url = URL.create("sqlite", database=str(path))
    # Who reads gets the connection that was used last, so that few of them have caches.
    engine = create_engine(url, hide_parameters=True, pool_size=8, max_overflow=-1, pool_use_lifo=True)
    # A connection's cache is void once another connection has written: writers take turns with the same one.
    writer = create_engine(url, hide_parameters=True, pool_size=1, max_overflow=0)
    presence = Presence(path)
    for one, most in ((engine, min(READER_CACHE_BYTES, cache_bytes // 4)), (writer, cache_bytes)):
        event.listen(one, "do_connect", partial(_connect, presence))
        event.listen(one, "connect", partial(_prepare, most >> 10, shrinks))
    lock = _lock_of(path)
    checkpointer = Checkpointer(path, lock)

    def close() -> None:
        checkpointer.close()
        presence.forget()

    return Database(
        engine,
        on_begin=partial(_begin, presence),
        writer=writer,
        write_lock=_WriteLock(lock, checkpointer),
        sync=partial(_sync, path),
        on_close=close,
    )


class _WriteLock:
    """Held by whoever writes to a file; its end tells the checkpointer."""

    def __init__(self, lock: FairLock, checkpointer: Checkpointer) -> None:
        self._lock = lock
        self._checkpointer = checkpointer

    def __enter__(self) -> None:
        self._lock.__enter__()

    def __exit__(self, *_: object) -> None:
        self._lock.__exit__()
        self._checkpointer.wrote()


def _sync(path: Path) -> None:
    """Bring the write-ahead log to the disk; what is in it no more was brought there when it was written back."""
    try:
        log = os.open(f"{path}-wal", os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        os.fsync(log)
    finally:
        os.close(log)


def _lock_of(path: Path) -> FairLock:
    with _locks_guard:
        return _locks.setdefault(path.resolve(), FairLock())


def _prepare(
    cache_kib: int, shrinks: bool, connection: sqlite3.Connection, entry: ConnectionPoolEntry
) -> None:
    connection.isolation_level = None  # the module begins no transactions of its own: _begin does
    if shrinks and connection.execute("PRAGMA page_count").fetchone() == (0,):
        # Heard of before the first page is written.
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    pragmas.configure(
        connection, busy_timeout_s=BUSY_TIMEOUT_S, cache_kib=cache_kib, wal_bytes=WAL_AUTOCHECKPOINT_BYTES
    )
    functions.register(connection)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA temp_store = MEMORY")


def _connect(presence: Presence, *_: object) -> None:
    """Make no new file in the place of one that was deleted."""
    _require(presence, connected=False)
    private.database(presence.path)


def _begin(presence: Presence, connection: Connection) -> None:
    _require(presence, connected=True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes(connection) else "BEGIN")


def _require(presence: Presence, *, connected: bool) -> None:
    if presence.is_gone(connected=connected):
        raise RepositoryError(f"{presence.path}: {DELETED}.", hint=GONE_HINT)
