"""Whether the file of an open SQLite database is still there, and whole.

A file that is deleted lives on, without a name, as long as somebody has it open: SQLite writes to it as before, and all of
it is gone at the end. So what is open is compared with what the path names.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from htmengine.sqlite.errors import is_damage

CHECKED_WHOLE_BYTES: Final = 64 << 20
"""A larger file is not checked by SQLite, which goes through a whole table without looking up: 24 s for one of 4.4 GB.
Its tables are read instead, for as long as there is time."""
READS_WITHIN_S: Final = 2.0
_INTERRUPTED_EVERY_S: Final = 0.05
_COUNT: Final = 'SELECT count(*) FROM "{}" NOT INDEXED'

DELETED: Final = (
    "the file was deleted, moved or replaced while it was open; what was written to it since is lost"
)
DAMAGED: Final = "the file is damaged"


class Presence:
    """Remembers which file a path named when it was opened, and which write-ahead log. Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[str, tuple[int, int]] = {}

    def is_gone(self, *, connected: bool = True) -> bool:
        """Tell whether the path names another file than at the first call since `forget`, or none.

        `connected`: the caller has the file open. Only then what is there is remembered: a log that somebody else has open
        goes away with them.
        """
        for ending in ("", "-wal"):
            name = f"{self.path}{ending}"
            found = _identity(name)
            known = self._known.get(name)
            if known is None:
                if connected and found is not None:
                    self._known[name] = found
            elif known != found:
                return True
        return False

    def forget(self) -> None:
        """Forget the files: they were closed."""
        self._known.clear()


def damage(path: Path) -> str | None:
    """Return what is wrong with a file, as far as that is seen in a short time; None where nothing is."""
    try:
        uri = f"{path.absolute().as_uri()}?mode=rw"
        # The thread that interrupts is another.
        with closing(sqlite3.connect(uri, uri=True, check_same_thread=False)) as connection:
            tables = connection.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage"
            ).fetchall()
            if path.stat().st_size <= CHECKED_WHOLE_BYTES:
                (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
                return None if found == "ok" else str(found)
            with _interrupted_after(connection, READS_WITHIN_S):
                for (table,) in tables:
                    connection.execute(_COUNT.format(table)).fetchone()
    except sqlite3.Error as error:
        return str(error) if is_damage(error) else None  # it may be busy, or its disk full: others say so
    return None


@contextmanager
def _interrupted_after(connection: sqlite3.Connection, seconds: float) -> Iterator[None]:
    """Let the statements of the block fail once so much time has passed."""
    done = threading.Event()

    def interrupt() -> None:
        done.wait(seconds)
        while not done.wait(_INTERRUPTED_EVERY_S):  # it reaches only a statement that has begun
            connection.interrupt()

    thread = threading.Thread(target=interrupt, name="interrupts", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _identity(name: str) -> tuple[int, int] | None:
    try:
        found = os.stat(name)  # noqa: PTH116  # before each transaction: a Path takes twice as long
    except OSError:
        return None
    return found.st_dev, found.st_ino
