"""Bulk statements: many rows inserted or updated in few steps of the database.

Columns come in as sequences of one length; a DateTime column takes whole seconds since the epoch. Each database gets
the statements that are fastest there (`benchmarks/repository.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, Final

from sqlalchemy import Connection, DateTime, Table

from htmengine.repository.bulk import mysql, postgresql, sqlite
from htmengine.repository.times import check_seconds

Columns = Mapping[str, Sequence[Any]]

_DIALECTS: Final[Mapping[str, ModuleType]] = {"sqlite": sqlite, "mysql": mysql, "postgresql": postgresql}


def insert(conn: Connection, table: Table, rows: Columns) -> None:
    """Insert rows: all of them, or, with an error, none."""
    if _check(table, list(rows.items())):
        _DIALECTS[conn.dialect.name].insert(conn, table, rows)


def update(conn: Connection, table: Table, where: Columns, to: Columns, *, shared: bool = False) -> int:
    """Update, for each row of `where`, the rows of the table that equal it, to the same row of `to`.

    A NULL of the table equals 0 where a number may be NULL (last_rowid in tables of an older application).

    Parameters
    ----------
    shared : other writers update the same rows. They are locked in the order of the first column of `where`, a key, so
        that writers cannot deadlock.

    Returns
    -------
    The number of rows of the table that were found.
    """
    if not _check(table, [*where.items(), *to.items()]):
        return 0
    return int(_DIALECTS[conn.dialect.name].update(conn, table, where, to, shared))


def _check(table: Table, columns: Sequence[tuple[str, Sequence[Any]]]) -> int:
    """Return the number of rows. Raises ValueError."""
    lengths = {len(column) for _, column in columns}
    if len(lengths) > 1:
        raise ValueError(f"columns of {sorted(lengths)} rows")
    for name, column in columns:
        if isinstance(table.c[name].type, DateTime) and column:
            check_seconds(column)
    return lengths.pop()
