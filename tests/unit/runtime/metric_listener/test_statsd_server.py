"""StatsD's port: what comes within an interval is one sample at its end."""

import asyncio
import socket
import time

import pytest

from benchmarks.running import free_port
from htmengine import config
from htmengine.doors.reasons import Reason
from htmengine.runtime.metric_listener.statsd_server import StatsdServer
from htmengine.service.counters import Counters

TIMEOUT_S = 60.0


class Publisher:
    """Keeps the lines."""

    def __init__(self):
        self.full = False
        self.lines = []

    def put(self, lines, door, peer=""):
        assert door == "statsd"
        self.lines += lines


class Clock:
    """The time, which tests move on."""

    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now


def serving(test, clock=lambda: 1005.0, **options):
    """Run a coroutine with a server that listens."""

    async def run():
        publisher, counters = Publisher(), Counters()
        settings = config.Statsd(port=free_port(), interval_s=10.0)
        server = StatsdServer(settings, publisher, counters, clock=clock, **options)
        await server.open()
        try:
            await test(server, publisher, counters, settings.port)
        finally:
            server.close()
            await asyncio.sleep(0)

    asyncio.run(run())


async def until(condition):
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def test_datagrams_and_connections_are_gathered_into_one_sample():
    async def test(server, publisher, counters, port):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"hits:10|c\nload:5|g", ("127.0.0.1", port))
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        for piece in (b"hits:2", b"0|c\nbroken\n", b"hits:1000"):  # the last line never ends
            writer.write(piece)
            await writer.drain()
        await until(lambda: counters["statsd_values"] == 3 and counters.rejected == 1)
        writer.close()
        assert publisher.lines == []
        server.flush(1010.0)
        assert publisher.lines == ["hits 3.0 1010", "load 5.0 1010"]
        assert set(counters.snapshot()["rejected"]) == {f"statsd: {Reason.SYNTAX}"}

    serving(test)


def test_an_interval_ends_by_the_clock():
    clock = Clock(1009.9)

    async def test(server, publisher, counters, port):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"hits:10|c", ("127.0.0.1", port))
        await until(lambda: counters["statsd_values"] == 1)
        clock.now = 1010.0
        await until(lambda: publisher.lines)
        assert publisher.lines == ["hits 1.0 1010"]

    serving(test, clock)


def test_an_interval_that_the_queue_has_no_room_for_is_counted():
    async def test(server, publisher, counters, port):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"hits:10|c", ("127.0.0.1", port))
        await until(lambda: counters["statsd_values"] == 1)
        publisher.full = True
        server.flush(1010.0)
        assert publisher.lines == []
        assert counters.snapshot()["rejected"][f"statsd: {Reason.QUEUE_FULL}"]["count"] == 1

    serving(test)


def test_a_value_with_a_time_of_its_own_is_passed_on_at_once():
    async def test(server, publisher, counters, port):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"level:7|g|T1700000000", ("127.0.0.1", port))
        await until(lambda: publisher.lines)
        assert publisher.lines == ["level 7.0 1700000000"]

    serving(test)


def test_the_client_of_statsd_sends_here():
    statsd = pytest.importorskip("statsd", reason="no statsd")

    async def test(server, publisher, counters, port):
        client = statsd.StatsClient("127.0.0.1", port)
        with client.pipeline() as pipe:
            pipe.incr("hits", 20, rate=1)
            pipe.gauge("level", -5)
            pipe.timing("took", 320)
            pipe.set("users", "alice")
        client.close()
        await until(lambda: counters["statsd_values"] == 5)
        server.flush(1010.0)
        assert set(publisher.lines) >= {
            "hits 2.0 1010",
            "level -5.0 1010",
            "took.mean 320.0 1010",
            "users.count 1.0 1010",
        }

    serving(test)


def test_the_client_of_datadog_sends_here():
    datadog = pytest.importorskip("datadog.dogstatsd", reason="no datadog")

    async def test(server, publisher, counters, port):
        client = datadog.DogStatsd("127.0.0.1", port, disable_telemetry=True, disable_buffering=True)
        client.increment("hits", 20, tags=["env:prod"])
        client.distribution("took", 5)
        client.event("title", "text")
        client.close_socket()
        await until(lambda: counters["statsd_values"] == 2 and counters.rejected == 1)
        server.flush(1010.0)
        assert "hits;env=prod 2.0 1010" in publisher.lines
        assert set(counters.snapshot()["rejected"]) == {f"statsd: {Reason.EVENT}"}

    serving(test)
