"""Bulk statements: many rows inserted or updated in few steps of the database.

Columns come in as sequences of one length; a DateTime column takes whole seconds since the epoch.

SQLite gets statements of some hundred rows each. Python's module gives the interpreter lock away around every step of a
statement and must wait for it after each: a statement for each row would hand it over a thousand times for a thousand
rows, and a busy thread makes each hand-over last. Other databases get the portable form of SQLAlchemy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, Final

from sqlalchemy import Column, Connection, DateTime, Table, and_, bindparam, func
from sqlalchemy import insert as core_insert
from sqlalchemy import update as core_update

from htmengine.repository.times import from_epoch

Columns = Mapping[str, Sequence[Any]]

SQLITE_ROWS: Final = 500
"""Rows in a statement. More are no faster (`benchmarks/repository.py`)."""

FIRST_SECOND: Final = -62_135_596_800
"""The year 1 begins; no timestamp before it can be stored."""
LAST_SECOND: Final = 253_402_300_799
"""The year 9999 ends; no timestamp after it can be stored."""


def insert(conn: Connection, table: Table, rows: Columns) -> None:
    """Insert rows: all of them, or, with an error, none."""
    _check(table, rows)
    if conn.dialect.name == "sqlite":
        names = ", ".join(f'"{name}"' for name in rows)
        row = ", ".join(_sqlite_placeholder(table.c[name]) for name in rows)
        for count, parameters in _sqlite_chunks(rows):
            values = ", ".join([f"({row})"] * count)
            conn.exec_driver_sql(f'INSERT INTO "{table.name}" ({names}) VALUES {values}', parameters)
    elif _length(rows):
        conn.execute(core_insert(table), _portable_rows(table, rows, {name: name for name in rows}))


def update(conn: Connection, table: Table, where: Columns, to: Columns) -> int:
    """Update, for each row of `where`, the rows of the table that equal it, to the same row of `to`.

    A NULL of the table equals 0 where a number may be NULL (last_rowid in tables of an older application).

    Returns
    -------
    The number of rows of the table that were found.
    """
    _check(table, {**where, **to})
    if conn.dialect.name != "sqlite":
        return _portable_update(conn, table, where, to)
    together = list(where.values()) + list(to.values())
    row = ", ".join(_sqlite_placeholder(table.c[name]) for name in [*where, *to])
    ours = ", ".join(f'"{name}" = given.column{i}' for i, name in enumerate(to, len(where) + 1))
    same = " AND ".join(f"{_sqlite_key(table.c[name])} = given.column{i}" for i, name in enumerate(where, 1))
    found = 0
    for count, parameters in _sqlite_chunks(dict(enumerate(together))):
        values = ", ".join([f"({row})"] * count)
        statement = f'UPDATE "{table.name}" SET {ours} FROM (VALUES {values}) AS given WHERE {same}'
        found += conn.exec_driver_sql(statement, parameters).rowcount
    return found


def _portable_update(conn: Connection, table: Table, where: Columns, to: Columns) -> int:
    if not _length(where):
        return 0
    matches = [
        (func.coalesce(table.c[name], 0) if _may_be_null(table.c[name]) else table.c[name])
        == bindparam(f"where_{name}", type_=table.c[name].type)
        for name in where
    ]
    statement = (
        core_update(table).where(and_(*matches)).values({name: bindparam(f"to_{name}") for name in to})
    )
    named = {name: f"where_{name}" for name in where}, {name: f"to_{name}" for name in to}
    rows = [
        {**keys, **values}
        for keys, values in zip(
            _portable_rows(table, where, named[0]), _portable_rows(table, to, named[1]), strict=True
        )
    ]
    return conn.execute(statement, rows).rowcount


def _check(table: Table, columns: Columns) -> None:
    lengths = {len(column) for column in columns.values()}
    if len(lengths) > 1:
        raise ValueError(f"columns of {sorted(lengths)} rows")
    for name, column in columns.items():
        if isinstance(table.c[name].type, DateTime) and column:
            for second in (min(column), max(column)):
                if not FIRST_SECOND <= second <= LAST_SECOND:
                    raise ValueError(f"timestamp {second} lies outside of the years 1 to 9999")


def _length(columns: Columns) -> int:
    return len(next(iter(columns.values())))


def _may_be_null(column: Column[Any]) -> bool:
    return bool(column.nullable) and not column.primary_key


def _sqlite_placeholder(column: Column[Any]) -> str:
    # In exactly the form in which SQLAlchemy stores a datetime; made inside the statement, where no lock is held.
    return (
        "strftime('%Y-%m-%d %H:%M:%S.000000', ?, 'unixepoch')" if isinstance(column.type, DateTime) else "?"
    )


def _sqlite_key(column: Column[Any]) -> str:
    name = f'"{column.table.name}"."{column.name}"'
    return f"ifnull({name}, 0)" if _may_be_null(column) else name


def _sqlite_chunks(columns: Mapping[Any, Sequence[Any]]) -> list[tuple[int, tuple[Any, ...]]]:
    """Return the number of rows and the parameters of each statement."""
    rows = list(zip(*columns.values(), strict=True))
    return [
        (len(chunk := rows[start : start + SQLITE_ROWS]), tuple(chain.from_iterable(chunk)))
        for start in range(0, len(rows), SQLITE_ROWS)
    ]


def _portable_rows(table: Table, columns: Columns, names: Mapping[str, str]) -> list[dict[str, Any]]:
    converted = [
        [from_epoch(second) for second in column] if isinstance(table.c[name].type, DateTime) else column
        for name, column in columns.items()
    ]
    keys = [names[name] for name in columns]
    return [dict(zip(keys, row, strict=True)) for row in zip(*converted, strict=True)]
