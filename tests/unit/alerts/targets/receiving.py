"""Receivers that note what comes, and answer as they are told."""

import json
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

from htmengine.alerts import toml_tables
from htmengine.alerts.targets import kinds
from tests.unit.alerts.notices import FIRST, notice

NASTY = 'web;q="1"\r\nSubject: <script>alert(1)</script> <!channel> \x1b[31m\x00\u202e`*_~' + "ä" * 300
"""A name of a metric, as somebody would choose it who wishes receivers ill."""


class Request(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


class HttpReceiver:
    """A server on the loopback interface; `answers` are given one after the other, then `always`.

    An answer is a status, with headers and a body where they matter.
    """

    def __init__(self, tls=None):
        self.requests = []
        self.answers = []
        self.always = (200, {}, b"")
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                receiver.requests.append(Request(self.command, self.path, dict(self.headers.items()), body))
                status, headers, said = receiver.answers.pop(0) if receiver.answers else receiver.always
                self.send_response(status)
                for key, value in ({"Content-Length": str(len(said))} | headers).items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_arguments):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def answer(self, status, body=b"", **headers):
        self.answers.append((status, {key.replace("_", "-"): value for key, value in headers.items()}, body))

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def raw_server(serve):
    """Give the port of a server whose connections `serve` gets, each in a thread of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connections = []

        def accept():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                connections.append(connection)
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in connections:
                connection.close()


def made(settings, folder=Path("/nowhere"), environment=None, name="ops"):
    """Return the target of a table of settings, and what is wrong with it, a line each."""
    table = toml_tables.parse(f"[targets.{name}]\n{settings}", "alerts.toml")
    ((_, own),) = table.tables("targets")
    target = kinds.make(name, own, folder, environment=environment or {})
    return target, [fault.text for fault in own.faults]


def target_of(settings, folder=Path("/nowhere"), environment=None):
    """Return the target of settings that can be used."""
    target, faults = made(settings, folder, environment)
    assert faults == []
    return target


def nasty_notice(kind="opened", **changes):
    """Return a notice of metrics whose names are a danger to receivers."""
    facts = FIRST.__class__(name=NASTY, first=FIRST.first, sentence=f"{NASTY} is high", reason="high")
    first = notice().first.__class__("i7.1", "warning", NASTY)
    return notice(
        kind,
        **{
            "first": first,
            "first_mover": NASTY,
            "metrics": (facts,) * 20,
            "metric_count": 400,
            "sentence": f"began with {NASTY}: {NASTY} is high",
            "hint": NASTY,
            "url": "https://engine.example/i/i7",
        }
        | changes,
    )
