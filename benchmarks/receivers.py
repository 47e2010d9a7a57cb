"""Receivers of notices: servers of the loopback interface that note what comes, and answer as they are told."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, TypeAlias

Reply: TypeAlias = tuple[int, dict[str, str], bytes]
"""Status, headers and body."""


class Request(NamedTuple):
    """What came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    status: int
    """Of the answer."""

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


class HttpReceiver:
    """A server over HTTP; `answers` are given one after the other, then `always`."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.answers: list[Reply] = []
        self.always: Reply = (200, {}, b"")
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, headers, said = receiver.answers.pop(0) if receiver.answers else receiver.always
                receiver.requests.append(
                    Request(self.command, self.path, dict(self.headers.items()), body, status)
                )
                self.send_response(status)
                for key, value in ({"Content-Length": str(len(said))} | headers).items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Answer the next request that has no answer yet with this."""
        self.answers.append((status, {key.replace("_", "-"): value for key, value in headers.items()}, body))

    def close(self) -> None:
        """Take no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def raw_server(serve: Callable[[socket.socket], object]) -> Iterator[int]:
    """Give the port of a server whose connections `serve` gets, each in a thread of its own, until they are closed."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connections = []

        def serve_one(connection: socket.socket) -> None:
            with suppress(OSError):
                serve(connection)

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                connections.append(connection)
                threading.Thread(target=serve_one, args=(connection,), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in connections:
                connection.close()
