"""One SQLite file that threads and processes write to in turn."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from htmengine.bus.api import BusError, BusLost, BusUnavailable
from htmengine.sqlite import pragmas
from htmengine.sqlite.errors import is_damage, passing_reason
from htmengine.sqlite.presence import DAMAGED, DELETED, Presence, damage
from htmengine.sqlite.write_lock import FairLock
from htmengine.system import private

BUSY_TIMEOUT_S: Final = 10.0
CACHE_BYTES: Final = 16 << 20
PAGE_BYTES: Final = 1024
"""Of a page. Most transactions are small, and each writes the pages that it changes."""
WAL_BYTES: Final = 16 << 20
"""How long the write-ahead log grows before it is written back into the file. The file is small, so a longer log means
fewer writes of the same pages."""

LOST_HINT: Final = (
    "Move away what is left of it, and start again, with a new bus: what is stored is scored all the same, and what was not"
    " stored yet is sent again by its senders."
)


class SqliteFile:
    """A connection that the threads of a process share: one at a time, in turn."""

    def __init__(
        self, path: Path, application_id: int, version: int, schema: str, *, cache_bytes: int = CACHE_BYTES
    ) -> None:
        """Open a file, or create it with a schema. `cache_bytes`: of its pages that are kept in memory, at most.

        Raises
        ------
        BusUnavailable : the file cannot be opened or written now.
        BusError : the file is damaged, or not one of this kind and version.
        """
        self.path = path
        self._lock = FairLock()
        self._closed = False
        self._cache_kib = cache_bytes >> 10
        self._presence = Presence(path)
        try:
            private.folder(path.parent)
        except OSError as error:
            raise BusUnavailable(f"{path.parent}: the folder cannot be created: {error.strerror}") from error
        private.database(path)
        with self._translated():
            self._connection = sqlite3.connect(
                path,
                timeout=BUSY_TIMEOUT_S,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=256,
            )
        try:
            self._set_up(application_id, version, schema)
        except BaseException:
            self._connection.close()
            raise

    def _set_up(self, application_id: int, version: int, schema: str) -> None:
        with self._translated():
            is_new = self._is_new(application_id, version)  # nothing is changed in a file of another kind
            if self._connection.execute("PRAGMA page_size").fetchone() != (PAGE_BYTES,):
                self._resize_pages(is_new)
            pragmas.configure(
                self._connection,
                busy_timeout_s=BUSY_TIMEOUT_S,
                cache_kib=self._cache_kib,
                wal_bytes=WAL_BYTES,
            )
        with self.writing() as connection:
            if self._is_new(application_id, version):
                for statement in schema.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {application_id}")
                connection.execute(f"PRAGMA user_version = {version}")

    def _resize_pages(self, is_new: bool) -> None:
        """Change the size of the pages of a file that nobody else has open; else it stays as it is."""
        with suppress(sqlite3.OperationalError):
            if not is_new:
                self._connection.execute("PRAGMA busy_timeout = 0")
                self._connection.execute("PRAGMA journal_mode = DELETE")
            self._connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            if not is_new:
                self._connection.execute("VACUUM")

    def _is_new(self, application_id: int, version: int) -> bool:
        """Tell whether the file is empty. Raises BusError if it is of another kind or version."""
        tables, kind, has = (
            self._connection.execute(query).fetchone()[0]
            for query in (
                "SELECT count(*) FROM sqlite_schema",
                "PRAGMA application_id",
                "PRAGMA user_version",
            )
        )
        if tables and kind != application_id:
            raise BusError(f"{self.path}: this file is not a bus of htmengine")
        if tables and has != version:
            raise BusError(f"{self.path}: the bus is of version {has}, this program needs version {version}")
        return not tables

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give the connection to one thread, for single statements that read."""
        with self._lock, self._translated():
            self._check_open()
            yield self._connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give the connection to one thread, in a transaction that is all or nothing."""
        with self._lock, self._translated():
            self._check_open()
            connection = self._connection
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close the file; nothing happens if it is closed."""
        with self._lock:
            self._closed = True
            self._connection.close()

    def require_whole(self) -> None:
        """Check that the file is there and whole. Raises BusLost."""
        with self.reading():
            found = damage(self.path)
        if found:
            raise self._lost(f"{DAMAGED}: {found}")

    def _check_open(self) -> None:
        if self._closed:
            raise BusError(f"{self.path}: the bus was closed")
        if self._presence.is_gone():
            raise self._lost(DELETED)

    def _lost(self, what: str) -> BusLost:
        return BusLost(f"{self.path}: {what}", hint=LOST_HINT)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn SQLite's errors into those of the bus; what only a mistake of ours can cause stays as it is."""
        try:
            yield
        except sqlite3.Error as error:
            if reason := passing_reason(error):
                raise BusUnavailable(f"{self.path}: {reason} ({error})") from error
            if is_damage(error):
                raise self._lost(f"{DAMAGED}, or not a bus ({error})") from error
            raise
