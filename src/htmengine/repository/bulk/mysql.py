"""MySQL and MariaDB get statements of some hundred rows each.

An update joins the table with a derived one, which every version knows. JSON_TABLE, which only newer ones know, is as
fast; a temporary table and INSERT … ON DUPLICATE KEY UPDATE are not faster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Column, Connection, DateTime, Table

from htmengine.repository.bulk.statements import in_order, insert_values, may_be_null
from htmengine.repository.chunks import in_statements

ROWS: Final = 250
"""Rows in a statement. More are no faster."""


def insert(conn: Connection, table: Table, rows: Mapping[str, Sequence[Any]]) -> None:
    """Insert rows, which are checked."""
    insert_values(conn, table, rows, _placeholder, ROWS)


def update(
    conn: Connection,
    table: Table,
    where: Mapping[str, Sequence[Any]],
    to: Mapping[str, Sequence[Any]],
    shared: bool,
) -> int:
    """Update rows, which are checked, and return how many were found."""
    names = [*where, *to]
    first = ", ".join(f"{_placeholder(table.c[name])} AS c{i}" for i, name in enumerate(names))
    others = ", ".join(_placeholder(table.c[name]) for name in names)
    same = " AND ".join(f"{_key(table.c[name])} = given.c{i}" for i, name in enumerate(where))
    ours = ", ".join(f"ours.`{name}` = given.c{i}" for i, name in enumerate(to, len(where)))
    found = 0
    rows = in_order([*where.values(), *to.values()]) if shared else [*where.values(), *to.values()]
    for count, parameters in in_statements(rows, ROWS):
        given = " UNION ALL SELECT ".join([first] + [others] * (count - 1))
        # The given rows are read first, one after the other: rows are locked in their order, and found by the key.
        found += conn.exec_driver_sql(
            f"UPDATE (SELECT {given}) AS given STRAIGHT_JOIN `{table.name}` AS ours ON {same} SET {ours}",
            parameters,
        ).rowcount
    return found


def _placeholder(column: Column[Any]) -> str:
    is_time = isinstance(column.type, DateTime)
    return "TIMESTAMPADD(SECOND, %s, TIMESTAMP'1970-01-01 00:00:00')" if is_time else "%s"


def _key(column: Column[Any]) -> str:
    name = f"ours.`{column.name}`"
    return f"IFNULL({name}, 0)" if may_be_null(column) else name
