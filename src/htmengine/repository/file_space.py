"""What a SQLite file takes of the disk: pages in use, and those of removed rows, which new rows use again.

The file does not shrink. To give pages back it would have to be written anew, or move pages at every commit
(`auto_vacuum`); where rows go because newer ones come, these take their pages.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection


class FileSpace(NamedTuple):
    """In bytes."""

    used: int
    reusable: int


def file_space(conn: Connection) -> FileSpace:
    """Return what the file of a SQLite connection takes."""
    size, count, free = (
        int(conn.exec_driver_sql(f"PRAGMA {name}").scalar_one())
        for name in ("page_size", "page_count", "freelist_count")
    )
    return FileSpace((count - free) * size, free * size)
