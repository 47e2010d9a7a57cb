"""Writes the write-ahead log of a SQLite file back in the background."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any, Final

CHECKPOINT_INTERVAL_S: Final = 0.25
MAX_CHECKPOINT_INTERVAL_S: Final = 5.0
"""Where little is written: a page that is written again meanwhile is written back once."""
LOG_BYTES: Final = 16 << 20
"""So much is written back at a time, where that does not take longer than the interval above."""
PAUSE_AFTER_ERROR_S: Final = 5.0
LONG_LOG_BYTES: Final = 64 << 20
"""Then writers wait for the rest of the log, so that it can begin anew."""
WAL_AUTOCHECKPOINT_BYTES: Final = 256 << 20
"""For connections of a file that has a `Checkpointer`: they write the log back only where it does not get to it."""

log = logging.getLogger(__name__)


class Checkpointer:
    """Writes a write-ahead log back into its file, in a thread of its own.

    SQLite does it at the end of a commit, and all writers wait for the disk meanwhile. In the background it delays no
    writer. But the log starts again only once all of it was written back, which never happens while writers add to it:
    when it has grown long, writers wait for the little that is left.
    """

    def __init__(self, path: Path, write_lock: AbstractContextManager[Any]) -> None:
        """`write_lock`: held by whoever writes to the file."""
        self._path = path
        self._write_lock = write_lock
        self._written = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def wrote(self) -> None:
        """Say that the file was written to."""
        self._written.set()
        if self._thread is None:
            with self._starting:
                if self._thread is None and not self._closed.is_set():
                    self._thread = threading.Thread(target=self._run, name="wal-checkpoints", daemon=True)
                    self._thread.start()

    def close(self) -> None:
        """End the thread."""
        with self._starting:
            self._closed.set()
        self._written.set()
        if self._thread:
            self._thread.join()

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                # Not created again, should it have been deleted.
                uri = f"{self._path.absolute().as_uri()}?mode=rw"
                with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
                    # Opens the log, which SQLite does not until it reads. Were the file replaced in between, the log of
                    # the new one would be written back into the old one, and be lost.
                    connection.execute("PRAGMA schema_version")
                    self._keep_short(connection)
            except sqlite3.Error as error:  # the log merely grows; writers meet the same error if it stays
                log.debug("sqlite.not_checkpointed path=%s reason=%s", self._path, error)
                self._closed.wait(PAUSE_AFTER_ERROR_S)

    def _keep_short(self, connection: sqlite3.Connection) -> None:
        pause_s, last = CHECKPOINT_INTERVAL_S, time.monotonic()
        while True:
            self._pause(pause_s)
            self._written.wait()
            self._written.clear()
            if self._closed.is_set():
                return
            log_bytes = _checkpoint(connection)
            if log_bytes >= LONG_LOG_BYTES:
                _checkpoint(connection)  # what was added meanwhile, so that little is left
                with self._write_lock:
                    _checkpoint(connection)
            now = time.monotonic()
            pause_s, last = interval_s(log_bytes, now - last), now

    def _pause(self, seconds: float) -> None:
        """Wait until the time is over, the log has grown faster than it did, or the thread is to end."""
        end = time.monotonic() + seconds
        least = size = self._log_bytes()
        while (left_s := end - time.monotonic()) > 0 and size - least < LOG_BYTES:
            if self._closed.wait(min(left_s, CHECKPOINT_INTERVAL_S)):
                return
            size = self._log_bytes()
            least = min(least, size)  # it was cut when it began anew

    def _log_bytes(self) -> int:
        try:
            return self._path.with_name(f"{self._path.name}-wal").stat().st_size
        except OSError:
            return 0


def interval_s(log_bytes: int, in_s: float) -> float:
    """Return how long to wait before a log is written back again: until it has LOG_BYTES, within limits.

    log_bytes, in_s : its length when it was written back last, and in how many seconds it was written.
    """
    return min(max(CHECKPOINT_INTERVAL_S, in_s * LOG_BYTES / max(log_bytes, 1)), MAX_CHECKPOINT_INTERVAL_S)


def _checkpoint(connection: sqlite3.Connection) -> int:
    """Write back what can be without waiting, and return the length of the log in bytes."""
    _, pages, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    return int(pages * page_bytes)
