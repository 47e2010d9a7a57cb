"""Connections of the documented engine: a statement commits by itself, unless the application began a transaction.

SQLAlchemy 2 begins a transaction with the first statement and rolls it back when nobody commits. Applications of the
documented API were written for the opposite: what is executed outside of a transaction is committed, and a transaction
that is begun within another joins it.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self, cast

from sqlalchemy import Connection, Engine, RootTransaction, Select

from htmengine.repository.engine import transaction
from htmengine.repository.server import WRITING


def autocommit(engine: Engine) -> Engine:
    """Let the connections of an engine commit each statement by itself, and return the engine."""
    engine._connection_cls = AutocommitConnection
    return engine


class AutocommitConnection(Connection):
    """See the module. Results of a statement that was committed by itself are complete: they are read to their end."""

    _beginning = False

    def begin(self) -> RootTransaction:
        """Begin a transaction; within one, join it: its commit does nothing, its rollback rolls back all."""
        outer = self.get_transaction()
        if outer is not None:
            return cast("RootTransaction", _Joined(outer))
        if self.get_execution_options().get(WRITING) is None:
            self.execution_options(**{WRITING: True})  # it may read first and write later
        self._beginning = True  # what is executed now is what begins it
        try:
            return super().begin()
        finally:
            self._beginning = False

    def execute(self, statement: Any, parameters: Any = None, **options: Any) -> Any:
        """Execute a statement; outside of a transaction it is committed at once."""
        if self._beginning or self.in_transaction():
            return super().execute(statement, parameters, **options)
        with transaction(self, writes=not isinstance(statement, Select)):
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
        with transaction(self, writes=True):
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
