"""Databases of their own on private servers, for tests and benchmarks."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy import create_engine

from htmengine import config
from htmengine.repository.server import server_url
from tests import servers

_NUMBERS: Final = itertools.count()
SERVERS: Final = {"mysql": servers.mariadb, "postgresql": servers.postgresql}


@contextlib.contextmanager
def started(dialect: config.Dialect, folder: Path) -> Iterator[config.Repository]:
    """Run a server of a dialect, and give its settings without a database."""
    with SERVERS[dialect](folder) as address:
        yield on(dialect, address)


def on(dialect: config.Dialect, address: servers.Address) -> config.Repository:
    """Return the settings of a server that runs, without a database."""
    return config.Repository(
        dialect=dialect,
        db="",
        host=address.host,
        port=address.port,
        user=address.user,
        passwd=address.password,
    )


def created(server: config.Repository, name: str) -> config.Repository:
    """Create an empty database, whose name begins so, and return its settings."""
    name = f"{name}_{next(_NUMBERS)}"
    administration = create_engine(server_url(server, database=False), isolation_level="AUTOCOMMIT")
    with administration.connect() as conn:
        conn.exec_driver_sql(f"CREATE DATABASE {name}")
    administration.dispose()
    return msgspec.structs.replace(server, db=name)
