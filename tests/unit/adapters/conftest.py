import pytest
from sqlalchemy import delete

from htmengine import config
from htmengine.adapters.datasource import CustomAdapter
from htmengine.repository import schema
from htmengine.service.context import Context, opened


@pytest.fixture(scope="package")
def installation(tmp_path_factory: pytest.TempPathFactory):
    with opened(config.embedded(tmp_path_factory.mktemp("data"))) as context:
        yield context


@pytest.fixture
def context(installation: Context) -> Context:
    """An installation without metrics and messages."""
    with installation.database.write() as conn:
        conn.execute(delete(schema.metric))
    for queue in installation.bus.status():
        installation.bus.purge(queue.name)
    return installation


@pytest.fixture
def adapter(context: Context) -> CustomAdapter:
    return CustomAdapter(context.database, context.bus, context.settings)
