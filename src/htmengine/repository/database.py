"""An open database: transactions that read, and transactions that write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError

from htmengine.errors import ExplainedError
from htmengine.repository.errors import DAMAGED_HINT, RepositoryError, RepositoryUnavailable, translated
from htmengine.sqlite.presence import DAMAGED, damage

_WRITES: Final = "htmengine_writes"
"""An option of a connection: whether the transaction that it begins writes. Unset where an application begins it."""


class Database:
    """A database that is open. Safe to use from several threads; nothing is connected before the first transaction."""

    def __init__(
        self,
        engine: Engine,
        *,
        on_begin: Callable[[Connection], None] = lambda connection: None,
        writer: Engine | None = None,
        write_lock: AbstractContextManager[Any] | None = None,
        sync: Callable[[], None] = lambda: None,
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        """Take over an engine.

        Parameters
        ----------
        on_begin : called with each connection that begins a transaction; `writes` says which kind.
        writer : connections for transactions that write; those of `engine` by default.
        write_lock : held by whoever writes.
        sync : brings to the disk what was committed, where a commit does not.
        on_close : called once the connections are closed.
        """
        self.engine = engine
        """SQLAlchemy's; its connections begin transactions as SQLAlchemy's do, without the lock of writers."""
        self.on_begin = on_begin
        self.write_lock = write_lock or nullcontext()
        self._writer = writer or engine
        self._sync = sync
        self._on_close = on_close
        self._after_close: list[Callable[[], None]] = []
        for one in {engine, self._writer}:
            event.listen(one, "begin", on_begin)

    @property
    def dialect(self) -> str:
        """The kind of database: "sqlite", "mysql" or "postgresql"."""
        return self.engine.dialect.name

    @property
    def place(self) -> str:
        """Where it is, for a person: the file, or the address without the password."""
        return place(self.engine)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection in a transaction that sees one state of the database. Raises what `write` raises."""
        with (
            errors_translated(self.engine),
            self.engine.connect() as connection,
            begun(connection, writes=False),
        ):
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection in a transaction that writes: committed at the end, rolled back on an error.

        Raises
        ------
        RepositoryUnavailable : the database is unavailable, or busy for long; nothing was changed.
        RepositoryError : the database cannot be opened or written, or has not the tables of this version.
        """
        with (
            errors_translated(self.engine),
            self.write_lock,
            self._writer.connect() as connection,
            begun(connection, writes=True),
        ):
            yield connection

    def sync(self) -> None:
        """Bring to the disk what was committed: it outlives a power failure, too. Servers do so with each commit.

        Raises
        ------
        RepositoryUnavailable : the disk reports an error; call it again.
        """
        try:
            self._sync()
        except OSError as error:
            raise RepositoryUnavailable(
                f"{self.place}: the disk reports an error ({error.strerror})",
                hint="Look at the disk: nothing is taken from the queue until it can be written.",
            ) from error

    def require_whole(self) -> None:
        """Check that a SQLite file is there and whole, as far as that is seen in a short time; servers are not checked.

        Raises
        ------
        RepositoryError : the file was deleted, or is damaged.
        """
        if self.dialect != "sqlite":
            return
        with self.read():
            pass
        if found := damage(Path(self.place)):
            raise RepositoryError(f"{self.place}: {DAMAGED}: {found}.", hint=DAMAGED_HINT)

    def after_close(self, action: Callable[[], None]) -> None:
        """Have something done once the connections are closed, such as to close what belongs to this database."""
        self._after_close.append(action)

    def close(self) -> None:
        """Close the connections that nobody uses; safe to repeat. Later transactions open new ones."""
        self.engine.dispose()
        if self._writer is not self.engine:
            self._writer.dispose()
        self._on_close()
        while self._after_close:
            self._after_close.pop()()


@contextmanager
def begun(connection: Connection, *, writes: bool) -> Iterator[None]:
    """Begin a transaction of a connection that is in none; commit it at the end, or roll it back on an error."""
    mark(connection, writes=writes)
    try:
        with connection.begin():
            yield
    finally:
        mark(connection, writes=None)


def mark(connection: Connection, *, writes: bool | None) -> None:
    """Say whether the next transaction of a connection writes; None leaves it open."""
    connection.execution_options(**{_WRITES: writes})


def writes(connection: Connection) -> bool | None:
    """Return whether the transaction that a connection begins writes; None where nobody said."""
    option: bool | None = connection.get_execution_options().get(_WRITES)
    return option


@contextmanager
def errors_translated(engine: Engine) -> Iterator[None]:
    """Raise errors of a database as `repository.errors.translated` gives them."""
    try:
        yield
    except DBAPIError as error:
        answer = translated(error, place(engine))
        if answer is error:
            raise
        raise answer from (None if isinstance(answer, ExplainedError) else error)


def place(engine: Engine) -> str:
    """Return where an engine's database is, for a person: the file, or the address without the password."""
    url = engine.url
    if engine.dialect.name == "sqlite":
        return url.database or ""
    return f"{engine.dialect.name}://{url.username}@{url.host}:{url.port}/{url.database or ''}"
