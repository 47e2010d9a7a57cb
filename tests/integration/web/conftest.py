"""Web servers: in this process, which is asked without a socket, and on a port of this machine."""

import shutil
import threading
from contextlib import contextmanager, nullcontext

import anyio.from_thread
import pytest

from htmengine import config
from htmengine.service.context import opened
from htmengine.web.server import listening, serve
from tests.integration.web.server import NOW, WebServer


@pytest.fixture(scope="session", autouse=True)
def one_event_loop():
    """Let all servers run on one event loop: to start one and its threads takes longer than to answer most requests."""
    with anyio.from_thread.start_blocking_portal() as portal, pytest.MonkeyPatch.context() as patch:
        patch.setattr(anyio.from_thread, "start_blocking_portal", lambda **_: nullcontext(portal))
        yield


@pytest.fixture(scope="session", autouse=True)
def ending_soon():
    """Let a server end soon: each test waits for the end of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("htmengine.web.feed.RECEIVE_S", 0.01)
        yield


@pytest.fixture(scope="session")
def tools_described_once():
    """Let the servers of tools describe these once: to make schemas of all takes longer than most tests."""
    from mcp.server.mcpserver.tools import base

    describe, known = base.func_metadata, {}

    def described(tool, **options):
        key = tool.__wrapped__.__func__, repr(options)
        if key not in known:
            known[key] = describe(tool, **options)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "func_metadata", described)
        yield


@pytest.fixture
def context(data_folder):
    with opened(config.embedded(data_folder)) as context:
        yield context


@contextmanager
def server_of(context):
    server = WebServer(context)
    yield server
    server.site.close()


@pytest.fixture
def server(context):
    with server_of(context) as server:
        yield server


@pytest.fixture(scope="module")
def shared_server(new_installation, tmp_path_factory):
    """Give a server for those tests of a module that leave it as it is: to set one up takes longer than to ask it."""
    folder = tmp_path_factory.mktemp("shared")
    shutil.copytree(new_installation, folder, dirs_exist_ok=True)
    with opened(config.embedded(folder)) as context, server_of(context) as server:
        yield server


class Served:
    """A server that listens on a port."""

    def __init__(self, server, port):
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
def served(context):
    server = WebServer(context)
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
