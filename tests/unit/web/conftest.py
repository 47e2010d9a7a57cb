import pytest

from htmengine import config
from htmengine.service.context import opened
from tests.unit.web.house import House


@pytest.fixture(autouse=True)
def ending_soon(monkeypatch):
    """Let a server end soon: each test waits for the end of its own."""
    monkeypatch.setattr("htmengine.web.feed.RECEIVE_S", 0.01)


@pytest.fixture
def context(data_folder):
    with opened(config.embedded(data_folder)) as context:
        yield context


@pytest.fixture
def house(context):
    house = House(context)
    yield house
    house.site.close()
