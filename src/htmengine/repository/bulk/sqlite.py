"""SQLite gets statements of some hundred rows each.

Python's module gives the interpreter lock away around every step of a statement and must wait for it after each: a
statement for each row would hand it over a thousand times for a thousand rows, and a busy thread makes each hand-over
last. To compile one takes three times as long as to execute it, so that the rest of the rows is divided into powers of
two: the module knows these statements again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Column, Connection, DateTime, Table

from htmengine.repository.bulk.statements import insert_values, may_be_null
from htmengine.repository.chunks import in_statements

ROWS: Final = 512
"""Rows in a statement at most. More are no faster."""


def insert(conn: Connection, table: Table, rows: Mapping[str, Sequence[Any]]) -> None:
    """Insert rows, which are checked."""
    insert_values(conn, table, rows, _placeholder, ROWS, again=True)


def update(
    conn: Connection,
    table: Table,
    where: Mapping[str, Sequence[Any]],
    to: Mapping[str, Sequence[Any]],
    shared: bool,
) -> int:
    """Update rows, which are checked, and return how many were found. `shared` is of no matter: one writes at a time."""
    row = ", ".join(_placeholder(table.c[name]) for name in [*where, *to])
    ours = ", ".join(f'"{name}" = given.column{i}' for i, name in enumerate(to, len(where) + 1))
    same = " AND ".join(f"{_key(table.c[name])} = given.column{i}" for i, name in enumerate(where, 1))
    found = 0
    for count, parameters in in_statements([*where.values(), *to.values()], ROWS, again=True):
        values = ", ".join([f"({row})"] * count)
        statement = f'UPDATE "{table.name}" SET {ours} FROM (VALUES {values}) AS given WHERE {same}'
        found += conn.exec_driver_sql(statement, parameters).rowcount
    return found


def _placeholder(column: Column[Any]) -> str:
    # In exactly the form in which SQLAlchemy stores a datetime; made inside the statement, where no lock is held.
    return (
        "strftime('%Y-%m-%d %H:%M:%S.000000', ?, 'unixepoch')" if isinstance(column.type, DateTime) else "?"
    )


def _key(column: Column[Any]) -> str:
    name = f'"{column.table.name}"."{column.name}"'
    return f"ifnull({name}, 0)" if may_be_null(column) else name
