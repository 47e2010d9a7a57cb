import pytest
from sqlalchemy import Engine, delete

from htmengine import config
from htmengine.repository import migrations, schema
from htmengine.repository.engine import open_engine, writing
from tests.unit.runtime.anomaly_service.scored import Installation
from tests.unit.runtime.metric_storer.storer import Storer


@pytest.fixture
def storer(tmp_path):
    storer = Storer(tmp_path)
    yield storer
    storer.engine.dispose()


@pytest.fixture(scope="module")
def scored_engine(tmp_path_factory: pytest.TempPathFactory):
    engine = open_engine(config.Repository(path=tmp_path_factory.mktemp("repository") / "repository.sqlite"))
    migrations.upgrade(engine, 1)
    yield engine
    engine.dispose()


@pytest.fixture
def at(scored_engine: Engine) -> Installation:
    """Give an anomaly service's stage on a repository without metrics."""
    with writing(scored_engine) as conn:
        conn.execute(delete(schema.metric))
    return Installation(scored_engine)
