"""Private database servers for benchmarks, started by the code that starts them for tests."""

from __future__ import annotations

import configparser
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from htmengine import conf, config
from tests import databases

DIALECTS: Final[dict[str, config.Dialect]] = {"mariadb": "mysql", "postgresql": "postgresql"}


@contextmanager
def private(name: str, folder: Path) -> Iterator[config.Repository]:
    """Give an empty database on a server of its own, with the settings that its package has: commits are durable.

    Exits with the reason where the server is not installed or does not start.
    """
    try:
        with databases.started(DIALECTS[name], folder) as server:
            yield databases.created(server, "htmengine")
    except (pytest.skip.Exception, pytest.fail.Exception) as error:
        sys.exit(str(error))


def configure(folder: Path, repository: config.Repository, **engine: str) -> Path:
    """Write the configuration of an application whose repository is on a server, and return its directory.

    `engine` are options of the section `[engine]`.
    """
    conf.write(folder, "app")
    directory = folder / "conf"
    parser = configparser.ConfigParser()
    parser.read(directory / "application.conf")
    parser["engine"].update(repository=repository.dialect, **engine)
    parser["repository"].update(
        db=repository.db,
        host=repository.host,
        port=str(repository.port),
        user=repository.user,
        passwd=repository.passwd,
    )
    with (directory / "application.conf").open("w") as file:
        parser.write(file)
    return directory
