"""The server as a program of its own."""

import dataclasses
import socket
import threading
import time
import urllib.request
from contextlib import suppress

import msgspec
import pytest

from benchmarks.running import free_port
from htmengine.web.server import HttpPortError, listening, work


def answer(port):
    with (
        suppress(OSError),
        urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=30) as response,
    ):
        return response.read()
    return None


def test_a_program_whose_port_is_taken_waits_for_it_and_says_so(context, caplog):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        http = msgspec.structs.replace(context.settings.http, port=port)
        settings = msgspec.structs.replace(context.settings, http=http)
        server = threading.Thread(target=work, args=(dataclasses.replace(context, settings=settings),))
        server.start()
        while not caplog.records:
            time.sleep(0.01)
    try:
        while server.is_alive() and answer(port) is None:
            time.sleep(0.05)
        assert server.is_alive()
    finally:
        context.stop.set()
        server.join()
    assert f"127.0.0.1:{port}" in caplog.text


def test_a_program_that_waits_for_its_port_ends_when_it_is_told_to(context, caplog):
    with socket.create_server(("127.0.0.1", 0)) as other:
        http = msgspec.structs.replace(context.settings.http, port=other.getsockname()[1])
        settings = msgspec.structs.replace(context.settings, http=http)
        server = threading.Thread(target=work, args=(dataclasses.replace(context, settings=settings),))
        server.start()
        while not caplog.records:
            time.sleep(0.01)
        context.stop.set()
        server.join(60)
        assert not server.is_alive()


def with_extra_port(context, port, extra):
    settings = context.settings
    return dataclasses.replace(
        context,
        settings=msgspec.structs.replace(
            settings,
            http=msgspec.structs.replace(settings.http, port=port),
            doors=msgspec.structs.replace(settings.doors, **extra),
        ),
    )


def test_doors_answer_at_ports_of_their_own_too(context):
    port, influx, otlp = (free_port() for _ in range(3))
    extra = {"influx_port": influx, "otlp_port": otlp}
    server = threading.Thread(target=work, args=(with_extra_port(context, port, extra),))
    server.start()
    try:
        while server.is_alive() and answer(port) is None:
            time.sleep(0.05)
        for at, path, body, kind in (
            (influx, "/write?precision=s", b"cpu value=1 1700000000", "text/plain"),
            (otlp, "/v1/metrics", b"{}", "application/json"),
            (port, "/write?precision=s", b"cpu value=2 1700000060", "text/plain"),
        ):
            request = urllib.request.Request(
                f"http://127.0.0.1:{at}{path}", data=body, headers={"Content-Type": kind}
            )
            with urllib.request.urlopen(request, timeout=30) as response:
                assert response.status in (200, 204)
    finally:
        context.stop.set()
        server.join()
    (queue,) = (one for one in context.bus.status() if one.name == context.settings.listener.queue)
    assert queue.ready == 2


def test_a_port_of_a_door_that_is_taken_is_named(context):
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        with pytest.raises(HttpPortError, match=str(taken)) as raised:
            work(with_extra_port(context, free_port(), {"otlp_port": taken}))
    assert "[otlp] extra_port" in raised.value.hint


def test_answers_are_sent_at_once():
    with listening("127.0.0.1", 0) as bound:
        client = socket.create_connection(bound.getsockname())
        accepted, _ = bound.accept()
        with client, accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
