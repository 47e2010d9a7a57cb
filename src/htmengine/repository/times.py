"""Timestamps: naive UTC datetimes in the database, whole seconds since the epoch in our code."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Column, ColumnElement, Connection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

FIRST_SECOND: Final = -62_135_596_800
"""The year 1 begins; no timestamp before it can be stored."""
LAST_SECOND: Final = 253_402_300_799
"""The year 9999 ends; no timestamp after it can be stored."""

_OF_SQLITE: Final = (
    "unixepoch({})"  # two thirds of the time of the other
    if sqlite3.sqlite_version_info >= (3, 38)
    else "CAST(strftime('%s', {}) AS INTEGER)"
)


class epoch_seconds(FunctionElement[int]):  # noqa: N801  (used like a function of SQL)
    """A DateTime column as whole seconds since the epoch, computed by the database."""

    type = BigInteger()
    inherit_cache = True


@compiles(epoch_seconds)
def _portable(element: epoch_seconds, compiler: SQLCompiler, **options: Any) -> str:
    return f"CAST(EXTRACT(EPOCH FROM {compiler.process(element.clauses, **options)}) AS BIGINT)"


@compiles(epoch_seconds, "sqlite")
def _sqlite(element: epoch_seconds, compiler: SQLCompiler, **options: Any) -> str:
    text = compiler.process(element.clauses, **options)
    for column in element.clauses:
        for base in getattr(column, "base_columns", ()):
            if isinstance(base, Column) and (stored := base.info.get("sqlite_epoch")):
                return f"{text.removesuffix(base.name)}{stored}"  # the view has it as a number, too
    return _OF_SQLITE.format(text)


@compiles(epoch_seconds, "mysql", "mariadb")
def _mysql(element: epoch_seconds, compiler: SQLCompiler, **options: Any) -> str:
    return f"TIMESTAMPDIFF(SECOND, '1970-01-01', {compiler.process(element.clauses, **options)})"


def by_time(conn: Connection, column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return by what a database finds and orders rows by a DateTime column: an index has the number on SQLite."""
    return epoch_seconds(column) if conn.dialect.name == "sqlite" else column


def time_bound(conn: Connection, seconds: float) -> datetime | int:
    """Return what `by_time` is compared with, for a time in seconds since the epoch."""
    return whole(seconds) if conn.dialect.name == "sqlite" else bound(seconds)


def from_epoch(seconds: int) -> datetime:
    """Return the naive UTC datetime that is stored for a time."""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)


def whole(seconds: float) -> int:
    """Return the earliest whole second that is not before a time and can be stored, or the last of all."""
    return math.ceil(min(max(seconds, FIRST_SECOND), LAST_SECOND))


def bound(seconds: float) -> datetime:
    """Return the same as it is stored."""
    return from_epoch(whole(seconds))


def to_epoch(stored: datetime) -> int:
    """Return the whole seconds since the epoch of a naive UTC datetime."""
    return int(stored.replace(tzinfo=UTC).timestamp() // 1)


def check_seconds(timestamps: Sequence[int]) -> None:
    """Raise ValueError for a time, in seconds since the epoch, that cannot be stored."""
    for second in (min(timestamps), max(timestamps)) if timestamps else ():
        if not FIRST_SECOND <= second <= LAST_SECOND:
            raise ValueError(f"timestamp {second} lies outside of the years 1 to 9999")
