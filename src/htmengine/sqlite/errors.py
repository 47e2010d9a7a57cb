"""Which of SQLite's errors are transient: they pass by themselves, or once somebody has removed the cause."""

from __future__ import annotations

import sqlite3
from typing import Final

_PASSING: Final = {
    sqlite3.SQLITE_BUSY: "another process has held it for too long",
    sqlite3.SQLITE_LOCKED: "another process has held it for too long",
    sqlite3.SQLITE_FULL: "the disk is full; free some space on it",
    sqlite3.SQLITE_IOERR: "the disk reports an error",
    sqlite3.SQLITE_READONLY: "it cannot be written; check the permissions of the file and its folder",
    sqlite3.SQLITE_PERM: "it cannot be written; check the permissions of the file and its folder",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check the permissions of the file and its folder",
    sqlite3.SQLITE_NOMEM: "there is not enough memory",
}
"""By primary code: what it means, and what helps."""
_DAMAGE: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def passing_reason(error: sqlite3.Error) -> str | None:
    """Return what an error means that may pass, and what helps; None for any other."""
    return _PASSING.get(_code(error))


def is_damage(error: sqlite3.Error) -> bool:
    """Tell whether an error says that the file is damaged, or no database."""
    return _code(error) in _DAMAGE


def _code(error: sqlite3.Error) -> int:
    """Return the primary code of an error; 0 for one that the library has not given."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
