"""The row in which a writer keeps how far it has come; whoever holds it is the only one that writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Generic, Protocol, TypeVar

from sqlalchemy import Connection, Table, insert, select, update

_NAME: Final = "writer"


class _Position(Protocol):
    """A named tuple."""

    def _asdict(self) -> dict[str, Any]: ...


P = TypeVar("P", bound=_Position)


class WriterRow(Generic[P]):
    """The one row of a table, which has a column `name` and one for each field of a named tuple.

    Parameters
    ----------
    make : makes such a tuple of its fields, by name.
    """

    def __init__(self, table: Table, make: Callable[..., P]) -> None:
        self._table = table
        self._make = make
        # Writers ask all the time: to make these statements takes longer than to execute them.
        own = table.c.name == _NAME
        self._query = select(*(column for column in table.c if column is not table.c.name)).where(own)
        self._locking = self._query.with_for_update()
        self._update = update(table).where(own)

    def read(self, conn: Connection) -> P | None:
        """Return how far the writer has come; None if it has never run."""
        row = conn.execute(self._query).first()
        return None if row is None else self._make(**row._mapping)

    def lock(self, conn: Connection, first: P) -> P:
        """Return the same, `first` if it has never run, and keep other writers waiting until this transaction ends."""
        row = conn.execute(self._locking).first()
        if row is not None:
            return self._make(**row._mapping)
        conn.execute(insert(self._table).values(name=_NAME, **first._asdict()))
        return first

    def move(self, conn: Connection, position: P) -> None:
        """Store how far the writer has come."""
        conn.execute(self._update, position._asdict())
