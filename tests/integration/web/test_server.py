"""The server as a program of its own."""

import dataclasses
import socket
import threading
import time
import urllib.request
from contextlib import suppress

import msgspec

from htmengine.web.server import listening, work


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


def test_answers_are_sent_at_once():
    with listening("127.0.0.1", 0) as bound:
        client = socket.create_connection(bound.getsockname())
        accepted, _ = bound.accept()
        with client, accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
