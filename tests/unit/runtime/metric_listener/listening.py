"""A metric listener at work, and a bus that keeps what it publishes."""

import socket
import threading
import time

import msgspec

from htmengine import config, messages
from htmengine.runtime.metric_listener.server import Listener

SETTINGS = config.Listener(port=0, queue="data", flush_interval_s=0.001)
TIMEOUT_S = 60.0
"""How long to wait for what must come."""


class FakeBus:
    """Keeps what is published; refuses as often as it is told to."""

    def __init__(self):
        self.messages = []
        self.failures = []
        self.asked = 0
        self.changed = threading.Condition()
        self.open = threading.Event()
        self.open.set()

    def publish(self, messages, *, gate=None):
        self.asked += 1
        self.open.wait()
        with self.changed:
            if self.failures:
                raise self.failures.pop(0)
            self.messages += messages
            self.changed.notify_all()

    @property
    def batches(self):
        assert {message.queue for message in self.messages} <= {"data"}
        return [messages.decode_metric_lines(message.body).data for message in self.messages]

    @property
    def lines(self):
        return [line for batch in self.batches for line in batch]

    def wait_for(self, count):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.lines) >= count, TIMEOUT_S), self.lines
            return self.lines


class Running:
    """A listener at work in a thread."""

    def __init__(self, bus, transport="tcp", clock=time.time, statsd=None, **settings):
        self.port = None
        self.failure = None
        opened = threading.Event()
        self.stopping = threading.Event()

        def ready(port):
            self.port = port
            opened.set()

        self.listener = Listener(
            msgspec.structs.replace(SETTINGS, **settings),
            bus,
            transport=transport,
            statsd=statsd,
            ready=ready,
            clock=clock,
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
        assert opened.wait(TIMEOUT_S)

    def stop(self):
        self.stopping.set()
        self.thread.join(TIMEOUT_S)
        assert not self.thread.is_alive()

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT_S)

    def send(self, data):
        with self.connect() as client:
            client.sendall(data)

    def wait_for(self, condition):
        deadline = time.monotonic() + TIMEOUT_S
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.005)
