import pytest

from htmengine import config
from htmengine.service.context import opened
from tests.unit.web.house import House


@pytest.fixture
def context(tmp_path):
    with opened(config.embedded(tmp_path)) as context:
        yield context


@pytest.fixture
def house(context):
    house = House(context)
    yield house
    house.site.close()
