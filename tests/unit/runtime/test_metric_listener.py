import contextlib
import socket
import threading
import time

import msgspec
import pytest

from htmengine import config, messages
from htmengine.runtime.metric_listener import Listener

SETTINGS = config.Listener(port=0, queue="data", flush_interval_s=0.001)
PATIENCE_S = 20.0
"""How long to wait for what must come."""


class FakeBus:
    """Keeps what is published; refuses as often as it is told to."""

    def __init__(self):
        self.messages = []
        self.failures = []
        self.declared = []
        self.changed = threading.Condition()
        self.open = threading.Event()
        self.open.set()

    def publish(self, messages):
        self.open.wait()
        with self.changed:
            if self.failures:
                raise self.failures.pop(0)
            self.messages += messages
            self.changed.notify_all()

    def declare_queue(self, name, *, limit=None, expendable=False):
        self.declared.append(name)

    @property
    def batches(self):
        assert {message.queue for message in self.messages} <= {"data"}
        return [messages.decode_metric_lines(message.body).data for message in self.messages]

    @property
    def lines(self):
        return [line for batch in self.batches for line in batch]

    def wait_for(self, count):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.lines) >= count, PATIENCE_S), self.lines
            return self.lines


class Running:
    """A listener at work in a thread."""

    def __init__(self, bus, transport="tcp", **settings):
        self.port = None
        self.failure = None
        opened = threading.Event()
        self.stopping = threading.Event()

        def ready(port):
            self.port = port
            opened.set()

        self.listener = Listener(
            msgspec.structs.replace(SETTINGS, **settings), bus, transport=transport, ready=ready
        )
        self.counters = self.listener.counters

        def run():
            try:
                self.listener.run(self.stopping)
            except Exception as error:
                self.failure = error
                opened.set()

        self.thread = threading.Thread(target=run)
        self.thread.start()
        assert opened.wait(PATIENCE_S)

    def stop(self):
        self.stopping.set()
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)

    def send(self, data):
        with self.connect() as client:
            client.sendall(data)

    def wait_for(self, condition):
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.005)


@pytest.fixture
def bus():
    return FakeBus()


@pytest.fixture
def running(bus):
    with contextlib.ExitStack() as stack:

        def start(transport="tcp", **settings):
            found = Running(bus, transport, **settings)
            stack.callback(found.stop)
            return found

        yield start


def test_lines_of_a_connection_are_published_in_their_order(bus, running):
    running().send(b"a 1 100\nb 2 100\r\n\n  \na 2 101\n")
    assert bus.wait_for(3) == ["a 1 100", "b 2 100", "a 2 101"]
