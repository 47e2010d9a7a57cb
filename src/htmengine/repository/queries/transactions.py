"""Transactions of the documented functions: the caller's, or one of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Result, Select, select

from htmengine.repository.autocommit import AutocommitConnection
from htmengine.repository.database import begun

Fields = Sequence[ColumnElement[Any]]
"""Columns that are asked for."""


@contextmanager
def joined(conn: Connection, *, writes: bool) -> Iterator[None]:
    """Join the connection's transaction, or give it one that ends with the block."""
    if conn.in_transaction():
        yield
    elif isinstance(conn, AutocommitConnection):
        with conn.transaction(writes=writes):
            yield
    else:
        with begun(conn, writes=writes):
            yield


def all_rows(conn: Connection, query: Select[Any]) -> Result[Any]:
    """Return the rows of a query, read to the end."""
    with joined(conn, writes=False):
        return conn.execute(query).freeze()()


def columns(table: FromClause, fields: Fields | None) -> Select[Any]:
    """Return a query for the columns that are asked for; all of the table's if none are."""
    return select(*fields) if fields else select(table)


def storable(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as every driver takes them: members of an enumeration as plain numbers."""
    return {name: value.value if isinstance(value, Enum) else value for name, value in values.items()}


def stored_time(time: datetime) -> datetime:
    """Return a time as its column holds it: UTC without a zone, whole seconds."""
    if time.tzinfo is not None:
        time = time.astimezone(UTC).replace(tzinfo=None)
    return time.replace(microsecond=0)
