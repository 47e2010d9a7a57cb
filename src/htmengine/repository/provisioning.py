"""The database as a whole: making and dropping it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, text

from htmengine import config
from htmengine.repository.database import errors_translated
from htmengine.repository.server import server_engine

# "WITH (FORCE)" would end the server's own processes, too, and only a superuser may end these: while one vacuums, the owner of
# the database could not drop it. Without it the server sends them away itself.
_CLIENTS_ENDED: Final = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :db AND backend_type = 'client backend'"
)


def create(repository: config.Repository) -> None:
    """Make the database where there is none yet, without tables; a SQLite file is made when it is opened.

    Raises
    ------
    RepositoryUnavailable : the server is unavailable.
    RepositoryError : it does not let this user.
    """
    if repository.dialect == "sqlite":
        return
    with _server(repository) as (conn, name):
        if repository.dialect == "mysql":
            conn.execute(text(f"CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb4"))
        elif not conn.scalar(text("SELECT 1 FROM pg_database WHERE datname = :db"), {"db": repository.db}):
            conn.execute(text(f"CREATE DATABASE {name}"))


def drop(repository: config.Repository) -> None:
    """Delete the database with all that is in it; nothing happens if there is none. Raises as `create`."""
    if repository.dialect == "sqlite":
        if repository.path is not None:
            remove_file(repository.path)
        return
    with _server(repository) as (conn, name):
        if repository.dialect == "postgresql":
            conn.execute(_CLIENTS_ENDED, {"db": repository.db})
        conn.execute(text(f"DROP DATABASE IF EXISTS {name}"))


def remove_file(path: Path) -> None:
    """Delete a SQLite file with its write-ahead log."""
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)


@contextmanager
def _server(repository: config.Repository) -> Iterator[tuple[Connection, str]]:
    """Give a connection to the server, with no transaction, and the database's name as SQL has it."""
    engine = server_engine(repository, database=False, isolation_level="AUTOCOMMIT")
    try:
        with errors_translated(engine), engine.connect() as conn:
            yield conn, engine.dialect.identifier_preparer.quote(repository.db)
    finally:
        engine.dispose()
