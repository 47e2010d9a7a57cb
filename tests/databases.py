"""Databases of their own on private servers, for tests and benchmarks."""

from __future__ import annotations

import itertools
from typing import Final

import msgspec
from sqlalchemy import create_engine

from htmengine import config
from htmengine.repository.server import server_url

_NUMBERS: Final = itertools.count()


def created(server: config.Repository, name: str) -> config.Repository:
    """Create an empty database, whose name begins so, and return its settings."""
    name = f"{name}_{next(_NUMBERS)}"
    administration = create_engine(server_url(server, database=False), isolation_level="AUTOCOMMIT")
    with administration.connect() as conn:
        conn.exec_driver_sql(f"CREATE DATABASE {name}")
    administration.dispose()
    return msgspec.structs.replace(server, db=name)
