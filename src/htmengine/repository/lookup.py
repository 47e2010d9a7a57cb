"""Rows for many keys at a time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, FromClause, bindparam, func, select

IN_LIST: Final = 500
"""Keys in a statement."""

_decode: Final = msgspec.json.Decoder(list[list[Any]]).decode


class Lookup:
    """Selects columns of the rows whose key is one of many. Make it once: SQLAlchemy knows a statement again.

    SQLite gets all keys as one value and gives all rows as one. A row by itself would cost a step of the statement,
    and each step gives the interpreter's lock away (see `bulk`). The columns are text and whole numbers, which JSON
    carries as they are.

    `source`: the tables, where the columns are of several.
    `group`: one row for each key; the columns are the key and aggregates.
    """

    def __init__(
        self,
        key: ColumnElement[str],
        *columns: ColumnElement[Any],
        source: FromClause | None = None,
        group: bool = False,
    ) -> None:
        keys = func.json_each(bindparam("keys")).table_valued("value")
        is_wanted = key.in_(select(keys.c.value))
        tables = [] if source is None else [source]
        self._portable = (
            select(*columns).select_from(*tables).where(key.in_(bindparam("keys", expanding=True)))
        )
        if group:
            self._portable = self._portable.group_by(key)
            named = (column.label(f"column_{number}") for number, column in enumerate(columns))
            rows = select(*named).select_from(*tables).where(is_wanted).group_by(key).subquery()
            self._sqlite = select(func.json_group_array(func.json_array(*rows.c)))
        else:
            rows_of_keys = select(func.json_group_array(func.json_array(*columns))).select_from(*tables)
            self._sqlite = rows_of_keys.where(is_wanted)

    def rows(self, conn: Connection, keys: Sequence[str]) -> list[Sequence[Any]]:
        """Return the rows in any order. A key that is given twice counts once."""
        if conn.dialect.name == "sqlite":
            given = msgspec.json.encode(list(dict.fromkeys(keys))).decode()
            return list(_decode(conn.execute(self._sqlite, {"keys": given}).scalar_one()))
        rows: list[Sequence[Any]] = []
        unique = iter(dict.fromkeys(keys))
        while some := list(islice(unique, IN_LIST)):
            rows += conn.execute(self._portable, {"keys": some}).all()
        return rows
