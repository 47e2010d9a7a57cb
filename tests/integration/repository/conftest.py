"""The repository on servers: the fixtures of the unit tests, with a database of each server."""

import itertools

import pytest
from sqlalchemy import Engine

from htmengine import config
from htmengine.repository import metrics, migrations, schema
from htmengine.repository.engine import open_engine, writing
from tests import databases

NUMBERS = itertools.count()


@pytest.fixture(scope="session", params=["mysql", "postgresql"])
def server(request):
    """Give the settings of a server, without a database."""
    fixture = {"mysql": "mariadb_server", "postgresql": "postgresql_server"}[request.param]
    return databases.on(request.param, request.getfixturevalue(fixture))


def new_database(server: config.Repository, name: str) -> Engine:
    """Make an empty database and return an engine for it."""
    return open_engine(databases.created(server, f"{name}_{next(NUMBERS)}"))


@pytest.fixture(scope="session")
def lasting_engine(server):
    """Give a database that tests leave as it was."""
    engine = new_database(server, "lasting")
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
def empty_engine(server):
    engine = new_database(server, "empty")
    yield engine
    engine.dispose()


@pytest.fixture
def uid(engine: Engine) -> str:
    with writing(engine) as conn:
        return metrics.create_custom(conn, ["some.metric"])["some.metric"]
