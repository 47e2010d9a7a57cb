"""The tests of tests/unit/repository/test_migrations.py, on servers."""

import pytest

from htmengine.repository import migrations
from tests.integration.repository.conftest import new_database
from tests.unit.repository.test_migrations import *  # noqa: F403

pytestmark = pytest.mark.slow


@pytest.fixture
def database(database_server):
    """Give the newest tables, to be changed."""
    database = new_database(database_server, "current")
    migrations.upgrade(database, shards=4)
    yield database
    database.close()
