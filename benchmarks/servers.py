"""Private servers for benchmarks, started by the code that starts them for tests."""

from __future__ import annotations

import configparser
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from htmengine import conf, config
from tests import databases, servers

DIALECTS: Final[dict[str, config.Dialect]] = {"mariadb": "mysql", "postgresql": "postgresql"}


@contextmanager
def private(name: str, folder: Path) -> Iterator[config.Repository]:
    """Give an empty database on a server of its own, with the settings that its package has: commits are durable.

    Exits with the reason where the server is not installed or does not start.
    """
    with _explained(), databases.started(DIALECTS[name], folder) as server:
        yield databases.created(server, "htmengine")


@contextmanager
def private_broker(folder: Path) -> Iterator[servers.RabbitMQ]:
    """Give a RabbitMQ of its own. Exits with the reason where it is not installed or does not start."""
    with _explained(), servers.rabbitmq(folder) as broker:
        yield broker


@contextmanager
def _explained() -> Iterator[None]:
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
    conf.write(folder, "app")
    directory = folder / "conf"
    if repository is not None:
        engine["repository"] = repository.dialect
        _change(
            directory / "application.conf",
            repository={
                "db": repository.db,
                "host": repository.host,
                "port": str(repository.port),
                "user": repository.user,
                "passwd": repository.passwd,
            },
        )
    if broker is not None:
        engine["bus"] = "rabbitmq"
        _change(
            directory / "rabbitmq.conf",
            connection={"host": broker.host, "port": str(broker.port), "virtual_host": broker.virtual_host},
            credentials={"user": broker.user, "password": broker.password},
            management={"port": str(broker.management_port)},
        )
    _change(directory / "application.conf", engine=engine)
    return directory


def _change(path: Path, **sections: dict[str, str]) -> None:
    parser = configparser.ConfigParser()
    parser.read(path)
    for section, options in sections.items():
        parser[section].update(options)
    with path.open("w") as file:
        parser.write(file)
