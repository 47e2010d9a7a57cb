"""PostgreSQL gets one statement, whose parameters are whole columns: binary arrays, which cost the client least.

COPY is as fast at inserting, but what it may do depends on more than the table's own rules, and it cannot update.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, DateTime, Double, Integer, Table

from htmengine.repository.bulk.statements import may_be_null
from htmengine.repository.schema import Single


def insert(conn: Connection, table: Table, rows: Mapping[str, Sequence[Any]]) -> None:
    """Insert rows, which are checked."""
    names = ", ".join(f'"{name}"' for name in rows)
    values = ", ".join(_value(table.c[name], i) for i, name in enumerate(rows))
    conn.exec_driver_sql(
        f'INSERT INTO "{table.name}" ({names}) SELECT {values} FROM {_given(table, list(rows))}',
        _parameters(table, rows),
    )


def update(
    conn: Connection,
    table: Table,
    where: Mapping[str, Sequence[Any]],
    to: Mapping[str, Sequence[Any]],
    shared: bool,
) -> int:
    """Update rows, which are checked, and return how many were found."""
    same = " AND ".join(f"{_key(table.c[name])} = given.c{i}" for i, name in enumerate(where))
    ours = ", ".join(f'"{name}" = {_value(table.c[name], i)}' for i, name in enumerate(to, len(where)))
    given = _given(table, [*where, *to])
    # Until the transaction ends. Rows are few against the table, and found by its key; the planner would rather read the
    # whole table until that is some hundred megabytes.
    conn.exec_driver_sql("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")
    if shared:
        _lock(conn, table, where)
    statement = f'UPDATE "{table.name}" AS ours SET {ours} FROM {given} WHERE {same}'
    return conn.exec_driver_sql(statement, _parameters(table, where) + _parameters(table, to)).rowcount


def _lock(conn: Connection, table: Table, where: Mapping[str, Sequence[Any]]) -> None:
    """Lock the rows by the first column of `where`: an update takes them in whatever order it finds them."""
    name = next(iter(where))
    rows = f'SELECT 1 FROM "{table.name}" AS ours JOIN {_given(table, [name])} ON ours."{name}" = given.c0'
    locked = f'{rows} ORDER BY ours."{name}" FOR NO KEY UPDATE OF ours'
    conn.exec_driver_sql(f"SELECT count(*) FROM ({locked}) AS locked", (list(where[name]),))


def _given(table: Table, names: Sequence[str]) -> str:
    arrays = ", ".join(f"%b::{_type(table.c[name])}[]" for name in names)
    return f"unnest({arrays}) AS given({', '.join(f'c{i}' for i in range(len(names)))})"


def _parameters(table: Table, columns: Mapping[str, Sequence[Any]]) -> tuple[list[Any], ...]:
    return tuple(
        # The driver refuses a list of whole numbers and others.
        [None if value is None else float(value) for value in column]
        if isinstance(table.c[name].type, Double | Single)
        else list(column)
        for name, column in columns.items()
    )


def _type(column: Column[Any]) -> str:
    if isinstance(column.type, Double):
        return "double precision"
    if isinstance(column.type, Single):
        return "real"
    if isinstance(column.type, BigInteger | DateTime):
        return "bigint"
    return "integer" if isinstance(column.type, Integer) else "varchar"


def _value(column: Column[Any], index: int) -> str:
    is_time = isinstance(column.type, DateTime)
    return f"TIMESTAMP '1970-01-01' + given.c{index} * INTERVAL '1 second'" if is_time else f"given.c{index}"


def _key(column: Column[Any]) -> str:
    name = f'ours."{column.name}"'
    return f"coalesce({name}, 0)" if may_be_null(column) else name
