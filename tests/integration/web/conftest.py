"""The web server on a port of this machine: the fixtures of the unit tests, served."""

import threading
from contextlib import contextmanager

import pytest

from htmengine.web.server import listening, serve
from tests.unit.web.conftest import context, ending_soon, server  # noqa: F401  # fixtures
from tests.unit.web.server import NOW, WebServer


class Served:
    """A server that listens on a port."""

    def __init__(self, server, port):  # noqa: F811
        self.server = server
        self.address = f"http://127.0.0.1:{port}"

    @contextmanager
    def publishing(self, uid, name, rowid):
        """Publish an alarm of a metric every moment, from a rowid on."""
        ended = threading.Event()

        def run():
            row = rowid
            while not ended.wait(0.1):
                self.server.publish((uid, name, row, NOW + row, 9.0, 0.9))
                row += 1

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


@pytest.fixture
def served(context):  # noqa: F811  # a fixture
    server = WebServer(context)  # noqa: F811
    serving = threading.Event()
    with listening("127.0.0.1", 0) as bound:
        thread = threading.Thread(
            target=serve, args=(server.context, bound, serving.set), kwargs={"site": server.site}, daemon=True
        )
        thread.start()
        assert serving.wait(60)
        yield Served(server, bound.getsockname()[1])
        server.context.stop.set()
        thread.join()
