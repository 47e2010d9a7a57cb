"""Engines as documented: from an application's configuration, one for the process."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar, cast

from sqlalchemy import URL, Engine
from sqlalchemy.exc import DBAPIError

from htmengine import config as settings
from htmengine.config.options import positive_number
from htmengine.errors import DependencyUnavailable
from htmengine.foreign import whole_number
from htmengine.repository.autocommit import AutocommitEngine
from htmengine.repository.database import Database
from htmengine.repository.errors import is_transient
from htmengine.repository.opening import open_database
from htmengine.repository.server import server_engine, server_url, tls_arguments
from htmengine.system.backoff import Backoff, retry

P = ParamSpec("P")
R = TypeVar("R")

RETRIES_S: Final = 10.0
FIRST_DELAY_S: Final = 0.1
MAX_DELAY_S: Final = 10.0

_engines: dict[int, tuple[settings.Repository, Engine]] = {}
"""By process id: the engine of this process. A process that was forked must not use its parent's connections."""


def engineFactory(config: Any, reset: bool = False) -> Engine:
    """Return the engine of this process for the configured database.

    The same one for each call, until the configuration says another database or `reset` asks for a new one; then the
    old one's connections are closed. Its connections commit each statement by itself, unless a transaction was begun.

    Parameters
    ----------
    config : an application's configuration (`get(section, option)`), or what `htmengine.config.load` returns.
    """
    repository = repository_settings(config)
    process = os.getpid()
    if process not in _engines:
        for _, inherited in _engines.values():
            inherited.dispose(close=False)  # its connections are the parent's
        _engines.clear()
    elif reset or _engines[process][0] != repository:
        _engines.pop(process)[1].dispose()
    if process not in _engines:
        _engines[process] = repository, AutocommitEngine(open_database(repository))
    return _engines[process][1]


def getDSN(config: Any) -> URL:
    """Return where the server is, without a database. Shown as text, the password is stars."""
    return server_url(repository_settings(config), database=False)


def getDbDSN(config: Any) -> URL:
    """Return where the database is. Shown as text, the password is stars."""
    repository = repository_settings(config)
    if repository.dialect == "sqlite":
        return URL.create("sqlite", database=str(repository.path))
    return server_url(repository)


def getUnaffiliatedEngine(config: Any) -> Engine:
    """Return a new engine for the server with no database selected, to create or drop one."""
    return AutocommitEngine(Database(server_engine(repository_settings(config), database=False)))


def getBaseConnectionArgsDict(config: Any) -> dict[str, Any]:
    """Return arguments for connecting to the server with its driver, PyMySQL or psycopg; with TLS if that is asked for."""
    repository = repository_settings(config)
    secret = (
        {"password": repository.passwd}
        if repository.dialect == "postgresql"
        else {"passwd": repository.passwd, "charset": "utf8", "use_unicode": True}
    )
    where = {"host": repository.host, "port": repository.port, "user": repository.user}
    return where | secret | tls_arguments(repository)


def repository_settings(config: Any) -> settings.Repository:
    """Return the settings of the repository in an application's configuration, or in ours."""
    if isinstance(config, settings.Repository):
        return config
    if isinstance(config, settings.Settings):
        return config.repository
    dialect = "mysql"  # the documented one: applications name no other
    if config.has_option("engine", "repository"):
        dialect = config.get("engine", "repository")
    if dialect == "sqlite":
        return settings.Repository(path=Path(config.get("engine", "data_dir")) / "repository.sqlite")
    given = dict(config.items("repository"))
    files = {
        name: Path(os.path.expandvars(given[option])).expanduser()
        for name, option in (
            ("ca_file", "tls_ca_file"),
            ("certificate", "tls_certificate"),
            ("key", "tls_key"),
        )
        if option in given
    }
    return settings.Repository(
        dialect=dialect,  # type: ignore[arg-type]
        db=config.get("repository", "db"),
        host=config.get("repository", "host"),
        user=config.get("repository", "user"),
        passwd=config.get("repository", "passwd"),
        port=whole_number(str(config.get("repository", "port"))),
        tls="tls" in given and config.getboolean("repository", "tls"),
        pool_size=whole_number(str(given.get("pool_size", 0))),
        pool_recycle_s=whole_number(str(given.get("pool_recycle", 179))),
        timeout_s=positive_number(str(given.get("timeout", 30))),
        **files,
    )


def retryOnTransientErrors(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function that is called again, for about ten seconds, while the database is unavailable.

    It must be safe to repeat: a whole transaction, or a single statement.
    """

    @functools.wraps(function)
    def retrying(*args: P.args, **kwargs: P.kwargs) -> R:
        end = time.monotonic() + RETRIES_S
        backoff = Backoff(FIRST_DELAY_S, MAX_DELAY_S)

        def worth(error: Exception) -> bool:
            passing = isinstance(error, DependencyUnavailable) or is_transient(cast("DBAPIError", error))
            return passing and time.monotonic() + backoff.next_s <= end

        return retry(
            lambda: function(*args, **kwargs), (DBAPIError, DependencyUnavailable), backoff, worth=worth
        )

    return retrying
