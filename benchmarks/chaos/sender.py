"""Sends a whole fleet's history to the port; after every broken connection it begins again from the first line."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

from benchmarks.fleet import Fleet


class Sender(threading.Thread):
    """Keeps sending until it has sent everything over one connection and nobody broke it since."""

    def __init__(self, fleet: Fleet, port: int, pause_s: float) -> None:
        """`pause_s`: before a sample of all metrics that is sent for the first time."""
        super().__init__(daemon=True, name="sender")
        self._lines = [fleet.lines(sample) for sample in range(fleet.values.shape[1])]
        self._port = port
        self._pause_s = pause_s
        self._furthest = 0
        self._told_to_stop = threading.Event()
        self.connections = 0

    def run(self) -> None:
        """Send, and start again when the connection breaks, until `stop` is called."""
        while not self._told_to_stop.is_set():
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", self._port), timeout=5) as peer,
            ):
                peer.settimeout(60)
                self.connections += 1
                for number, lines in enumerate(self._lines):
                    if number >= self._furthest:
                        self._told_to_stop.wait(self._pause_s)
                        self._furthest = number + 1
                    peer.sendall(lines)
                    if self._told_to_stop.is_set():
                        return
                # Everything was sent; whether everything arrived is known only while the connection lives.
                peer.settimeout(0.2)
                while not self._told_to_stop.is_set():
                    with contextlib.suppress(TimeoutError):
                        if not peer.recv(1):
                            break
            time.sleep(0.05)

    def stop(self) -> None:
        """End the thread soon."""
        self._told_to_stop.set()
