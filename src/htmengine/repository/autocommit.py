"""The documented engine: a statement commits by itself, unless the application began a transaction.

SQLAlchemy 2 begins a transaction with the first statement and rolls it back when nobody commits. Applications of the
documented API were written for the opposite: what is executed outside of a transaction is committed, and a transaction
that is begun within another joins it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import TracebackType
from typing import Any, Self, cast

from sqlalchemy import Connection, Engine, RootTransaction, Select, event

from htmengine.repository.database import Database, begun, mark, writes


class AutocommitEngine(Engine):
    """An engine for a database whose connections commit each statement by itself. To dispose of it closes the database."""

    def __init__(self, database: Database) -> None:
        given = database.engine
        super().__init__(given.pool, given.dialect, given.url, hide_parameters=given.hide_parameters)
        self.database = database
        event.listen(self, "begin", database.on_begin)

    def connect(self) -> AutocommitConnection:
        """Return a new connection."""
        return AutocommitConnection(self)

    def dispose(self, close: bool = True) -> None:
        """Close the connections that nobody uses; without `close` only forget them: they are those of a parent process."""
        super().dispose(close)
        if close:
            self.database.close()


class AutocommitConnection(Connection):
    """See the module. Results of a statement that was committed by itself are complete: they are read to their end."""

    engine: AutocommitEngine
    _beginning = False

    def begin(self) -> RootTransaction:
        """Begin a transaction; within one, join it: its commit does nothing, its rollback rolls back all."""
        outer = self.get_transaction()
        if outer is not None:
            return cast("RootTransaction", _Joined(outer))
        if writes(self) is None:
            mark(self, writes=True)  # it may read first and write later
        self._beginning = True  # what is executed now is what begins it
        try:
            return super().begin()
        finally:
            self._beginning = False

    @contextmanager
    def transaction(self, *, writes: bool) -> Iterator[None]:
        """Begin a transaction; commit it at the end, or roll it back on an error. One that writes waits for the writers' lock."""
        with self.engine.database.write_lock if writes else nullcontext(), begun(self, writes=writes):
            yield

    def execute(self, statement: Any, parameters: Any = None, **options: Any) -> Any:
        """Execute a statement; outside of a transaction it is committed at once."""
        if self._beginning or self.in_transaction():
            return super().execute(statement, parameters, **options)
        with self.transaction(writes=not isinstance(statement, Select)):
            return _complete(super().execute(statement, parameters, **options))

    def scalar(self, statement: Any, parameters: Any = None, **options: Any) -> Any:
        """Execute a statement and return the first column of its first row, None without a row."""
        return self.execute(statement, parameters, **options).scalar()

    def scalars(self, statement: Any, parameters: Any = None, **options: Any) -> Any:
        """Execute a statement and return the first column of its rows."""
        return self.execute(statement, parameters, **options).scalars()

    def exec_driver_sql(self, statement: str, parameters: Any = None, execution_options: Any = None) -> Any:
        """Execute text as it stands; outside of a transaction it is committed at once."""
        if self._beginning or self.in_transaction():
            return super().exec_driver_sql(statement, parameters, execution_options)
        with self.transaction(writes=True):
            return _complete(super().exec_driver_sql(statement, parameters, execution_options))


class _Joined:
    """A transaction within another."""

    def __init__(self, outer: RootTransaction) -> None:
        self._outer = outer

    @property
    def is_active(self) -> bool:
        return self._outer.is_active

    def commit(self) -> None:
        """Leave it to the outer transaction."""

    close = commit

    def rollback(self) -> None:
        self._outer.rollback()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None and self._outer.is_active:
            self._outer.rollback()


def _complete(result: Any) -> Any:
    return result.freeze()() if result.returns_rows else result
