"""Incidents on servers: the fixtures of the unit tests, with a database of each server."""

import pytest

from htmengine.repository import migrations, schema
from htmengine.repository.engine import writing
from tests.integration.repository.conftest import engine, lasting_engine  # noqa: F401  # fixtures


@pytest.fixture
def fresh(engine):  # noqa: F811
    """Give what returns an empty repository each time it is called."""

    def make():
        with writing(engine) as conn:
            for table in reversed(schema.metadata.sorted_tables):
                conn.execute(table.delete())
        migrations.upgrade(engine, shards=4)
        return engine

    return make
