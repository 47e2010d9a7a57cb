"""The repository on servers: the fixtures of the unit tests, with a database of each server."""

import pytest
from sqlalchemy import Engine

from htmengine import config
from htmengine.repository import migrations, schema
from htmengine.repository.engine import open_engine, writing
from tests import databases
from tests.unit.repository.conftest import uid  # noqa: F401  # a fixture


def new_database(database_server: config.Repository, name: str) -> Engine:
    """Make an empty database and return an engine for it."""
    return open_engine(databases.created(database_server, name))


@pytest.fixture(scope="session")
def lasting_engine(database_server):
    """Give a database that tests leave as it was."""
    engine = new_database(database_server, "lasting")
    migrations.upgrade(engine, shards=4)
    yield engine
    engine.dispose()


@pytest.fixture
def engine(lasting_engine):
    """Give the newest tables, without any metric."""
    yield lasting_engine
    with writing(lasting_engine) as conn:
        for table in reversed(schema.metadata.sorted_tables):
            conn.execute(table.delete())
    migrations.upgrade(lasting_engine, shards=4)


@pytest.fixture
def empty_engine(database_server):
    engine = new_database(database_server, "empty")
    yield engine
    engine.dispose()
