"""The repository on servers: the fixtures of the unit tests, with a database of each server."""

import pytest

from htmengine import config
from htmengine.repository import migrations, schema
from htmengine.repository.database import Database
from htmengine.repository.opening import open_database
from tests import databases
from tests.unit.repository.conftest import uid  # noqa: F401  # a fixture


def new_database(database_server: config.Repository, name: str) -> Database:
    """Make an empty database and return an engine for it."""
    return open_database(databases.created(database_server, name))


@pytest.fixture(scope="session")
def lasting_database(database_server):
    """Give a database that tests leave as it was."""
    database = new_database(database_server, "lasting")
    migrations.upgrade(database, shards=4)
    yield database
    database.close()


@pytest.fixture
def database(lasting_database):
    """Give the newest tables, without any metric."""
    yield lasting_database
    with lasting_database.write() as conn:
        for table in reversed(schema.metadata.sorted_tables):
            conn.execute(table.delete())
    migrations.upgrade(lasting_database, shards=4)


@pytest.fixture
def empty_database(database_server):
    database = new_database(database_server, "empty")
    yield database
    database.close()
