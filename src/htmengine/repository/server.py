"""Databases on a server: where they are, how a connection to them is secured, and what its transactions see.

A transaction that only reads sees one state of the database. One that writes sees, with each statement, what others
have committed by then: once it has waited for a lock, it must find what the holder of the lock has done.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine

from htmengine import config, extras
from htmengine.config.tls import client_context
from htmengine.repository import waiting
from htmengine.repository.database import Database, writes

CONNECTS_WITHIN_S: Final = 10

_DRIVERS: Final = {"mysql": "mysql+pymysql", "postgresql": "postgresql+psycopg"}


def open_server(repository: config.Repository, *, serving: bool = False) -> Database:
    """Return a database on a server; nothing is connected yet. Raises as `server_engine`."""
    engine = server_engine(
        repository,
        serving=serving,
        isolation_level="READ COMMITTED",
        pool_size=repository.pool_size,
        max_overflow=-1,
        pool_recycle=repository.pool_recycle_s,
        pool_pre_ping=True,
    )
    return Database(engine, on_begin=_begin_mysql if repository.dialect == "mysql" else _begin_postgresql)


def server_engine(
    repository: config.Repository, *, database: bool = True, serving: bool = False, **options: Any
) -> Engine:
    """Return a plain engine for a database on a server, or as `server_url` says for none; nothing is connected yet.

    `serving`: for services; no statement may take longer than the settings allow.

    Raises
    ------
    PackageMissing : the server's driver is not installed.
    ConfigError : the settings name files for TLS that cannot be used.
    """
    if repository.dialect != "sqlite":
        extras.require(repository.dialect, f"A repository on {repository.dialect}")
    engine = create_engine(
        server_url(repository, database=database),
        hide_parameters=True,
        connect_args=connect_arguments(repository) | waiting.driver_arguments(repository, serving=serving),
        **options,
    )
    waiting.limit(engine, repository, serving=serving)
    return engine


def server_url(repository: config.Repository, *, database: bool = True) -> URL:
    """Return where a server's database is; shown as text, the password is stars.

    Without `database` the server alone: for making or dropping the database. PostgreSQL has no connection to none; there
    it is the database that every server has for this.
    """
    none = "postgres" if repository.dialect == "postgresql" else None
    return URL.create(
        _DRIVERS[repository.dialect],
        username=repository.user,
        password=repository.passwd or None,
        host=repository.host,
        port=repository.port,
        database=repository.db if database else none,
        query={"charset": "utf8mb4"} if repository.dialect == "mysql" else {},
    )


def _begin_mysql(connection: Connection) -> None:
    if writes(connection) is False:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")  # of this one only


def _begin_postgresql(connection: Connection) -> None:
    # Nothing is sent: the driver remembers it for the BEGIN that goes with the first statement.
    connection.dialect.set_isolation_level(
        connection.connection.dbapi_connection,  # type: ignore[arg-type]  # it is open
        "REPEATABLE READ" if writes(connection) is False else "READ COMMITTED",
    )


def connect_arguments(repository: config.Repository) -> dict[str, Any]:
    """Return the driver's arguments for a connection. Raises ConfigError for files that cannot be used."""
    return {"connect_timeout": CONNECTS_WITHIN_S} | tls_arguments(repository)


def tls_arguments(repository: config.Repository) -> dict[str, Any]:
    """Return the driver's arguments for encryption; none where it is not asked for. Raises as `connect_arguments`."""
    context = client_context(repository)
    if context is None:
        return {}
    if repository.dialect == "mysql":
        return {"ssl": context}
    files = {"sslcert": repository.certificate, "sslkey": repository.key}
    return {"sslmode": "verify-full", "sslrootcert": str(repository.ca_file or "system")} | {
        name: str(file) for name, file in files.items() if file
    }
