"""Connections: how the database is opened, and transactions that read or write.

Every SQLite file has write-ahead logging, so that readers and the writer do not wait for each other. Writers begin with
BEGIN IMMEDIATE: a transaction that reads first and writes later could find that another wrote between.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Final
from weakref import WeakValueDictionary

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from htmengine import config
from htmengine.errors import ConfigError, ExplainedError
from htmengine.repository.errors import DAMAGED_HINT, GONE_HINT, RepositoryError, translated
from htmengine.repository.server import WRITING, open_server
from htmengine.sqlite.checkpointer import WAL_AUTOCHECKPOINT_PAGES, Checkpointer
from htmengine.sqlite.presence import DAMAGED, DELETED, Presence, damage
from htmengine.sqlite.write_lock import FairLock
from htmengine.system import private

BUSY_TIMEOUT_S: Final = 30.0
"""How long a process waits for another that writes to the same SQLite file."""

_WRITE_LOCK: Final = "htmengine_write_lock"  # options of the engine
_WRITER: Final = "htmengine_writer"

_write_locks: WeakValueDictionary[Path, FairLock] = WeakValueDictionary()
"""The lock of each open SQLite file. It belongs to the file, whoever opened it: threads that write to one file queue
here, since those that wait inside SQLite sleep in growing steps and may be passed over for long."""
_write_locks_guard: Final = threading.Lock()


def open_engine(repository: config.Repository, *, serving: bool = False) -> Engine:
    """Return an engine for the database; nothing is connected yet. A SQLite file's folder is created.

    `serving`: for services, which must not wait for long; see `repository.waiting`.

    Raises
    ------
    ConfigError : the settings name no file, or one for TLS that cannot be used.
    RepositoryError : the folder cannot be created.
    """
    if repository.dialect == "sqlite":
        return _open_sqlite(repository.path)
    return open_server(repository, serving=serving)


def _open_sqlite(path: Path | None) -> Engine:
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
    for one in (engine, writer):
        event.listen(one, "do_connect", partial(_connect_sqlite, presence))
        event.listen(one, "connect", _prepare_sqlite)
        event.listen(one, "begin", partial(_begin_sqlite, presence))
    lock = _lock_of_file(path)
    checkpointer = Checkpointer(path, lock)

    def dispose(_: Engine) -> None:
        writer.dispose()
        checkpointer.close()
        presence.forget()

    event.listen(engine, "engine_disposed", dispose)
    return engine.execution_options(**{_WRITE_LOCK: _WriteLock(lock, checkpointer), _WRITER: writer})


class _WriteLock:
    """Held by whoever writes to a SQLite file."""

    def __init__(self, lock: FairLock, checkpointer: Checkpointer) -> None:
        self._lock = lock
        self._checkpointer = checkpointer

    def __enter__(self) -> None:
        self._lock.__enter__()

    def __exit__(self, *_: object) -> None:
        self._lock.__exit__()
        self._checkpointer.wrote()


def _lock_of_file(path: Path) -> FairLock:
    with _write_locks_guard:
        return _write_locks.setdefault(path.resolve(), FairLock())


def _prepare_sqlite(connection: sqlite3.Connection, entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the module begins no transactions of its own: _begin_sqlite does
    for pragma in (
        f"busy_timeout = {int(BUSY_TIMEOUT_S * 1000)}",
        "journal_mode = WAL",
        "synchronous = NORMAL",  # a power loss may cost the last transactions, never the file
        "foreign_keys = ON",
        "temp_store = MEMORY",
        "cache_size = -131072",  # KiB at most: an index on scores is written to all over
        f"wal_autocheckpoint = {WAL_AUTOCHECKPOINT_PAGES}",
        "journal_size_limit = 67108864",  # a log that a long reader let grow is cut again
    ):
        connection.execute(f"PRAGMA {pragma}")


def _connect_sqlite(presence: Presence, *_: object) -> None:
    """Make no new file in the place of one that was deleted."""
    _require(presence, connected=False)
    private.database(presence.path)


def _require(presence: Presence, *, connected: bool) -> None:
    if presence.is_gone(connected=connected):
        raise RepositoryError(f"{presence.path}: {DELETED}.", hint=GONE_HINT)


def require_whole(engine: Engine) -> None:
    """Check that a SQLite file is there and whole, as far as that is seen in a short time; others are not looked at.

    Raises
    ------
    RepositoryError : the file was deleted, or is damaged.
    """
    if engine.dialect.name != "sqlite":
        return
    with reading(engine):
        pass
    path = Path(place(engine))
    if found := damage(path):
        raise RepositoryError(f"{path}: {DAMAGED}: {found}.", hint=DAMAGED_HINT)


def _begin_sqlite(presence: Presence, connection: Connection) -> None:
    _require(presence, connected=True)
    writing = connection.get_execution_options().get(WRITING, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Give a connection in a transaction that writes: committed at the end, rolled back on an error.

    Raises
    ------
    RepositoryUnavailable : the database is away, or busy for long; nothing was changed.
    RepositoryError : the database cannot be opened or written, or has not the tables of this version.
    """
    with (
        _errors_translated(engine),
        _write_lock(engine),
        engine.get_execution_options().get(_WRITER, engine).connect() as connection,
        _begun(connection, writes=True),
    ):
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Give a connection in a transaction that sees one state of the database. Raises what `writing` raises."""
    with _errors_translated(engine), engine.connect() as connection, _begun(connection, writes=False):
        yield connection


@contextmanager
def transaction(connection: Connection, *, writes: bool) -> Iterator[None]:
    """Begin a transaction of a connection; commit it at the end, or roll it back on an error.

    One that writes waits for the write lock first, if the database is a SQLite file.
    """
    with _write_lock(connection) if writes else nullcontext(), _begun(connection, writes=writes):
        yield


def _write_lock(of: Engine | Connection) -> AbstractContextManager[Any]:
    """Return the lock of a SQLite file's writers; other databases have none."""
    lock: AbstractContextManager[Any] = of.get_execution_options().get(_WRITE_LOCK, nullcontext())
    return lock


@contextmanager
def _begun(connection: Connection, *, writes: bool) -> Iterator[None]:
    connection.execution_options(**{WRITING: writes})
    try:
        with connection.begin():
            yield
    finally:
        connection.execution_options(**{WRITING: None})


@contextmanager
def _errors_translated(engine: Engine) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        answer = translated(error, place(engine))
        if answer is error:
            raise
        raise answer from (None if isinstance(answer, ExplainedError) else error)


def place(engine: Engine) -> str:
    """Return where the database is, for a person: the file, or the address without the password."""
    url = engine.url
    if engine.dialect.name == "sqlite":
        return url.database or ""
    return f"{engine.dialect.name}://{url.username}@{url.host}:{url.port}/{url.database or ''}"
