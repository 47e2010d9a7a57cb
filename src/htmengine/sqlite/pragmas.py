"""Settings of the connections to SQLite files that several threads and processes write to."""

from __future__ import annotations

import sqlite3
from typing import Final

WAL_BYTES_KEPT: Final = 16 << 20
"""A write-ahead log that a burst or a long reader let grow is cut to this size when it begins anew."""


def configure(
    connection: sqlite3.Connection, *, busy_timeout_s: float, cache_kib: int, wal_bytes: int
) -> None:
    """Set up a connection: a write-ahead log, so that readers and the writer do not wait for each other.

    A commit survives the end of the process. A power loss may cost the last commits, never the file.

    Parameters
    ----------
    busy_timeout_s : how long the connection waits for another that writes.
    cache_kib : size of its cache at most.
    wal_bytes : length of the log from which on a commit writes it back into the file.
    """
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    for pragma in (
        f"busy_timeout = {int(busy_timeout_s * 1000)}",
        "journal_mode = WAL",
        "synchronous = NORMAL",
        f"cache_size = -{cache_kib}",
        f"wal_autocheckpoint = {wal_bytes // page_bytes}",
        f"journal_size_limit = {WAL_BYTES_KEPT}",
        # Some systems build SQLite so that it overwrites what is deleted: each page that becomes free is written once more.
        "secure_delete = OFF",
    ):
        connection.execute(f"PRAGMA {pragma}")
