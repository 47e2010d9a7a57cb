import pytest
from sqlalchemy import delete

from htmengine import config
from htmengine.adapters.datasource import CustomAdapter
from htmengine.repository import schema
from htmengine.repository.engine import writing
from htmengine.runtime import opening


@pytest.fixture(scope="package")
def opened(tmp_path_factory: pytest.TempPathFactory):
    with opening.opened(config.embedded(tmp_path_factory.mktemp("data"))) as context:
        yield context


@pytest.fixture
def context(opened: opening.Context) -> opening.Context:
    """An installation without metrics and messages."""
    with writing(opened.engine) as conn:
        conn.execute(delete(schema.metric))
    for queue in opened.bus.status():
        opened.bus.purge(queue.name)
    return opened


@pytest.fixture
def adapter(context: opening.Context) -> CustomAdapter:
    return CustomAdapter(context.engine, context.bus, context.settings)
