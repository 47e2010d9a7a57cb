"""Private servers for benchmarks, started by the code that starts them for tests."""

from __future__ import annotations

import configparser
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from htmengine import config
from htmengine.config import templates
from htmengine.repository import queue_layout
from htmengine.repository.migrations import upgrade
from htmengine.repository.opening import open_database
from htmengine.repository.queue_layout import QueueLayout
from tests import databases, servers

QUEUES_PER_STORER: Final = 4
DATABASES: Final = {"mariadb": servers.mariadb, "postgresql": servers.postgresql}


class Application(NamedTuple):
    """A configured application that has not run yet, and the servers that it runs on."""

    directory: Path
    """Of its configuration."""
    settings: config.Settings
    servers: dict[str, servers.ServerProcess]
    """`broker` and `database`, where it has them."""


@contextmanager
def application(bus: str, db: str, folder: Path, **engine: str) -> Iterator[Application]:
    """Give an application on servers of its own, or with embedded parts below the folder; see `configure`.

    Skips the test that asks, or see `explained`, where a server is not installed; fails it where one does not start.
    """
    with ExitStack() as stack:
        processes, repository, broker = {}, None, None
        if bus == "rabbitmq":
            rabbitmq = stack.enter_context(servers.rabbitmq(folder / "broker"))
            processes["broker"], broker = rabbitmq.process, rabbitmq.settings()
        if db != "sqlite":
            database = stack.enter_context(DATABASES[db](folder / "server"))
            processes["database"] = database.process
            repository = databases.created(database.settings(), "htmengine")
        directory = configure(folder / "app", repository, broker, **engine)
        settings = config.load(directory)
        if repository is not None:
            tables = open_database(repository)
            upgrade(tables, settings.shards)
            tables.close()
        yield Application(directory, settings, processes)


def share(repository: config.Repository, storers: int) -> None:
    """Let so many storers share the work of an application that has not run yet."""
    if storers > 1:
        database = open_database(repository)
        with database.write() as conn:
            queue_layout.store(conn, QueueLayout(QUEUES_PER_STORER * storers))
        database.close()


@contextmanager
def private(db: str, folder: Path) -> Iterator[config.Repository]:
    """Give an empty database on a server of its own, with the settings that its package has: commits are durable.

    Where it is not installed or does not start, see `application`.
    """
    with DATABASES[db](folder) as server:
        yield databases.created(server.settings(), "htmengine")


@contextmanager
def explained() -> Iterator[None]:
    """Exit with the reason, as a program does, where a server is not installed or does not start."""
    try:
        yield
    except (pytest.skip.Exception, pytest.fail.Exception) as error:
        sys.exit(str(error))


def configure(
    folder: Path,
    repository: config.Repository | None = None,
    broker: config.Broker | None = None,
    **engine: str,
) -> Path:
    """Write the configuration of an application and return its directory.

    Parameters
    ----------
    repository : on a server; None for a file below the folder.
    broker : None for the embedded bus.
    engine : options of the section `[engine]`.
    """
    templates.write(folder, "app")
    directory = folder / "conf"
    if repository is not None:
        engine["repository"] = repository.dialect
        change(
            directory / "application.conf",
            repository={
                "db": repository.db,
                "host": repository.host,
                "port": str(repository.port),
                "user": repository.user,
                "passwd": repository.passwd,
                "timeout": str(repository.timeout_s),
            },
        )
    if broker is not None:
        engine["bus"] = "rabbitmq"
        change(
            directory / "rabbitmq.conf",
            connection={
                "host": broker.host,
                "port": str(broker.port),
                "virtual_host": broker.virtual_host,
                "timeout": str(broker.timeout_s),
            },
            credentials={"user": broker.user, "password": broker.password},
            management={"port": str(broker.management_port)},
        )
    change(directory / "application.conf", engine=engine)
    return directory


def change(path: Path, **sections: dict[str, str]) -> None:
    """Set options of a file of the configuration."""
    parser = configparser.ConfigParser()
    parser.read(path)
    for section, options in sections.items():
        parser[section].update(options)
    with path.open("w") as file:
        parser.write(file)
