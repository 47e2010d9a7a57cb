"""Incidents on servers: the fixtures of the unit tests, with a database of each server."""

import pytest

from htmengine.repository import migrations, schema
from tests.integration.repository.conftest import database, lasting_database  # noqa: F401  # fixtures


@pytest.fixture
def fresh(database):  # noqa: F811  # a fixture
    """Give what returns an empty repository each time it is called."""

    def make():
        with database.write() as conn:
            for table in reversed(schema.metadata.sorted_tables):
                conn.execute(table.delete())
        migrations.upgrade(database, shards=4)
        return database

    return make
