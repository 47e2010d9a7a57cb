"""A router that forgets connections: they stay open, and nothing comes through any more."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


class Router:
    """Passes connections on to a server.

    After `forget` those that are open are silent for ever, in both directions, and nobody is told. New ones are passed
    on, unless `closed`: then they are accepted, and silent too.
    """

    def __init__(self, server: tuple[str, int]) -> None:
        self.closed = False
        self._server = server
        self._generation = 0
        self._sockets: list[socket.socket] = []
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def forget(self, *, closed: bool = False) -> None:
        self.closed = closed
        self._generation += 1

    def close(self) -> None:
        for one in [self._listening, *self._sockets]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                self._sockets.append(client)
                if self.closed:
                    continue
                server = socket.create_connection(self._server)
                self._sockets.append(server)
                for source, target in ((client, server), (server, client)):
                    threading.Thread(
                        target=self._pass_on, args=(source, target, self._generation), daemon=True
                    ).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, generation: int) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if generation == self._generation:
                    target.sendall(data)
            if generation == self._generation:
                target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def router(host: str, port: int) -> Iterator[Router]:
    """Give a router before a server."""
    made = Router((host, port))
    try:
        yield made
    finally:
        made.close()
