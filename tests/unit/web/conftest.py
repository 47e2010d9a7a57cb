import threading
from contextlib import contextmanager

import pytest

from htmengine import config
from htmengine.service.context import opened
from htmengine.web.server import listening, serve
from tests.unit.web.house import NOW, House


@pytest.fixture(autouse=True)
def ending_soon(monkeypatch):
    """Let a server end soon: each test waits for the end of its own."""
    monkeypatch.setattr("htmengine.web.feed.RECEIVE_S", 0.01)


@pytest.fixture
def context(tmp_path):
    with opened(config.embedded(tmp_path)) as context:
        yield context


@pytest.fixture
def house(context):
    house = House(context)
    yield house
    house.site.close()


class Served:
    """A house whose server listens on a port."""

    def __init__(self, house, port):
        self.house = house
        self.address = f"http://127.0.0.1:{port}"

    @contextmanager
    def publishing(self, uid, name, rowid):
        """Publish an alarm of a metric every moment, from a rowid on."""
        ended = threading.Event()

        def run():
            row = rowid
            while not ended.wait(0.1):
                self.house.publish((uid, name, row, NOW + row, 9.0, 0.9))
                row += 1

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


@pytest.fixture
def served(context):
    house = House(context)
    serving = threading.Event()
    with listening("127.0.0.1", 0) as bound:
        thread = threading.Thread(
            target=serve, args=(house.context, bound, serving.set), kwargs={"site": house.site}, daemon=True
        )
        thread.start()
        assert serving.wait(60)
        yield Served(house, bound.getsockname()[1])
        house.context.stop.set()
        thread.join()
