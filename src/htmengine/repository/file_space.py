"""What a SQLite file takes of the disk: pages in use, and those of removed rows, which new rows use again.

Where rows go because newer ones come, these take their pages, and a part of the pages stays for that. The rest is given back
to the disk, a few pages at a time: the last pages of the file take the places of free ones, and its end is cut off. SQLite
can do so where it was said before the first page was written (`auto_vacuum`); files of earlier versions keep their size.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy import Connection

PAGES_BATCH_SIZE: Final = 256
"""So many are given back in a transaction: others wait for it, and each is written once."""
KEPT_BYTES: Final = 64 << 20
KEPT_SHARE: Final = 1 / 16
"""At least so much of the pages in use, or KEPT_BYTES, is kept for new rows."""


class FileSpace(NamedTuple):
    """In bytes."""

    used: int
    reusable: int


def file_space(conn: Connection) -> FileSpace:
    """Return what the file of a SQLite connection takes."""
    size, count, free = (_number(conn, name) for name in ("page_size", "page_count", "freelist_count"))
    return FileSpace((count - free) * size, free * size)


def can_shrink(conn: Connection) -> bool:
    """Tell whether there are pages to give back. Always false on servers."""
    if conn.dialect.name != "sqlite" or _number(conn, "auto_vacuum") != _INCREMENTAL:
        return False
    space = file_space(conn)
    return space.reusable > max(KEPT_BYTES, int(KEPT_SHARE * space.used))


def shrink(conn: Connection) -> None:
    """Give some pages back, in a transaction that writes; the file is shorter once the write-ahead log is written back."""
    cursor = conn.connection.cursor()
    for _ in range(PAGES_BATCH_SIZE):  # Python's module executes one step of the statement, which is a page
        cursor.execute("PRAGMA incremental_vacuum(1)")
    cursor.close()


_INCREMENTAL: Final = 2


def _number(conn: Connection, pragma: str) -> int:
    return int(conn.exec_driver_sql(f"PRAGMA {pragma}").scalar_one())
