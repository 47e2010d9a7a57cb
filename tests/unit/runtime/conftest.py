import pytest
from sqlalchemy import delete

from htmengine.repository import schema
from htmengine.repository.database import Database
from tests.support.repository import new_repository
from tests.unit.runtime.anomaly_service.scored import Installation
from tests.unit.runtime.metric_storer.storer import Storer


@pytest.fixture
def storer(tmp_path):
    storer = Storer(tmp_path)
    yield storer
    storer.database.close()


@pytest.fixture(scope="module")
def scored_database(tmp_path_factory: pytest.TempPathFactory):
    database = new_repository(tmp_path_factory.mktemp("repository") / "repository.sqlite", shards=1)
    yield database
    database.close()


@pytest.fixture
def at(scored_database: Database) -> Installation:
    """Give an anomaly service's stage on a repository without metrics."""
    with scored_database.write() as conn:
        conn.execute(delete(schema.metric))
    return Installation(scored_database)
