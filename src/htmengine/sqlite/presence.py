"""Whether the file of an open SQLite database is still there, and whole.

A file that is deleted lives on, without a name, as long as somebody has it open: SQLite writes to it as before, and all of
it is gone at the end. So what is open is compared with what the path names.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from time import monotonic
from typing import Final

from htmengine.sqlite.errors import is_damage

CHECKS_WITHIN_S: Final = 2.0
"""A file that is too large to be checked in this time is checked in part."""
_STEPS_BETWEEN_LOOKS: Final = 10_000

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
    end = monotonic() + CHECKS_WITHIN_S
    try:
        uri = f"{path.absolute().as_uri()}?mode=rw"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            connection.set_progress_handler(lambda: monotonic() > end, _STEPS_BETWEEN_LOOKS)
            connection.execute("SELECT count(*) FROM sqlite_schema")
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        return str(error) if is_damage(error) else None  # it may be busy, or its disk full: others say so
    return None if found == "ok" else str(found)


def _identity(name: str) -> tuple[int, int] | None:
    try:
        found = os.stat(name)  # noqa: PTH116  # before each transaction: a Path takes twice as long
    except OSError:
        return None
    return found.st_dev, found.st_ino
