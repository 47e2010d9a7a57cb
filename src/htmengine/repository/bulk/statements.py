"""What the statements of several databases have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Column, Connection, Table

from htmengine.repository.chunks import in_statements


def insert_values(
    conn: Connection,
    table: Table,
    rows: Mapping[str, Sequence[Any]],
    placeholder: Callable[[Column[Any]], str],
    size: int,
    *,
    again: bool = False,
) -> None:
    """Insert rows by statements of `size` rows each; `placeholder` is what stands for a value of a column."""
    quoted = conn.dialect.identifier_preparer.quote_identifier
    names = ", ".join(map(quoted, rows))
    row = ", ".join(placeholder(table.c[name]) for name in rows)
    for count, parameters in in_statements(list(rows.values()), size, again=again):
        values = ", ".join([f"({row})"] * count)
        conn.exec_driver_sql(f"INSERT INTO {quoted(table.name)} ({names}) VALUES {values}", parameters)


def in_order(columns: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Return the same rows in the order of their first column."""
    return list(zip(*sorted(zip(*columns, strict=True), key=itemgetter(0)), strict=True))


def may_be_null(column: Column[Any]) -> bool:
    """Tell whether a key of an update has to take a NULL for 0."""
    return bool(column.nullable) and not column.primary_key
