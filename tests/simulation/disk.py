"""A disk that loses what was not synced: each file of SQLite by itself falls back to a state between its last sync and now.

SQLite appends a transaction to the write-ahead log and syncs the log only before it writes it back. So a power failure
leaves some first part of the log. Its end may lie within a transaction, which SQLite then takes as not committed.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from pathlib import Path


class Disk:
    """The SQLite files of a folder."""

    def __init__(self, folder: Path, names: list[str]) -> None:
        self.folder = folder
        self._names = names
        self._synced = {name: _committed(_log(folder / name)) for name in names}
        """By file: how many bytes of its log a power failure cannot take. What an earlier one left is on the disk."""
        self._keepers = [_opened(folder / name) for name in names]
        """Keep the logs: the last connection that is closed would write them back."""

    def path(self, name: str) -> Path:
        return self.folder / name

    def sync(self, name: str) -> None:
        """Write all of a file's log to the disk."""
        self._synced[name] = _size(_log(self.path(name)))

    def write_back(self, name: str) -> None:
        """Write a log back into its file, where nobody reads it: it begins anew."""
        keeper = self._keepers[self._names.index(name)]
        busy, pages, written = keeper.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if not busy and pages == written:
            self._synced[name] = 0

    def after_power_failure(self, folder: Path, chance: random.Random) -> tuple[Disk, str]:
        """Return what is left of all files, in another folder, and how much was lost, for a person."""
        torn = []
        for name in self._names:
            source, target = self.path(name), folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            log = _log(source)
            size = _size(log)
            left = chance.choice((size, chance.randint(min(self._synced[name], size), size)))
            if size:
                _log(target).write_bytes(log.read_bytes()[:left])
            torn.append(f"{name} keeps {left} of {size} bytes")
        return Disk(folder, self._names), ", ".join(torn)

    def close(self) -> None:
        for keeper in self._keepers:
            keeper.close()
        self._keepers.clear()


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    return connection


def _log(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _committed(log: Path) -> int:
    """Return where the last whole transaction of a log ends: what comes behind it is written over.

    The format: https://www.sqlite.org/walformat.html.
    """
    if not _size(log):
        return 0
    written = log.read_bytes()
    frame_size = 24 + int.from_bytes(written[8:12], "big")
    ends = range(32 + frame_size, len(written) + 1, frame_size)
    commits = (end for end in ends if any(written[end - frame_size + 4 : end - frame_size + 8]))
    return max(commits, default=0)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
