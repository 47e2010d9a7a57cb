"""The engine as a child process: start, wait until it listens, kill, stop."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, func, select
from typer.testing import CliRunner

from htmengine.cli.app import app
from htmengine.repository import schema

STARTS_WITHIN_S = 90.0
STOPS_WITHIN_S = 90.0


FIRST_PORT: Final = 10_000
LAST_PORT: Final = 32_767
"""From here on systems take ports for outgoing connections: one of them could take a port before its server does."""

_given: set[int] = set()


def free_port() -> int:
    """Return a port of the loopback interface that nobody has now, for TCP nor UDP, and that was not returned before.

    Workers of pytest-xdist look in ranges of their own.
    """
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    own = range(FIRST_PORT + worker, LAST_PORT + 1, count)
    while True:
        port = secrets.choice(own)  # by no seed: other runs must not look in the same order
        if port in _given:
            continue
        with (
            contextlib.suppress(OSError),
            socket.socket() as stream,
            socket.socket(type=socket.SOCK_DGRAM) as datagrams,
        ):
            for one in (stream, datagrams):
                one.bind(("127.0.0.1", port))
            _given.add(port)
            return port


def scored_samples(conn: Connection) -> int:
    """Return how many samples of all metrics are scored."""
    return int(conn.scalar(select(func.sum(schema.metric_watermark.c.scored_rowid))) or 0)


SERVICES = {
    "metric_listener": "htmengine.runtime.metric_listener",
    "metric_storer": "htmengine.runtime.metric_storer",
    "model_scheduler": "htmengine.model_swapper.model_scheduler_service",
    "anomaly_service": "htmengine.runtime.anomaly_service",
}
"""Modules of the programs, by the services' names."""


class Engine:
    """`htmengine up` on a data folder, or on a configuration directory, and a port; or one service of SERVICES alone."""

    def __init__(
        self,
        data: Path,
        port: int,
        config: Path | None = None,
        service: str | None = None,
        http_port: int | None = None,
    ) -> None:
        self.data = data
        self._place = ["--config", str(config)] if config else ["--data", str(data)]
        program = [SERVICES[service]] if service else ["htmengine.cli", "up"]
        own_port = ["--port", str(port)] if service in (None, "metric_listener") else []
        http = [] if http_port is None else ["--http-port", str(http_port)]
        self._arguments = [*program, *self._place, *own_port, *http]
        self.port = port
        self.http_port = http_port
        self.config = config
        self._service = service
        self._log_before = 0
        self.log = data / f"{service or 'engine'}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The number of the running process."""
        if self._process is None:
            raise RuntimeError("the engine was not started")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self, environment: dict[str, str] | None = None) -> None:
        """Start the process; it may die at once, if the environment tells it to."""
        self.data.mkdir(parents=True, exist_ok=True)
        self._log_before = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *self._arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | (environment or {}),
            )

    def wait_until_it_listens(self) -> bool:
        """Return True once a connection is accepted, False when the process died before."""
        return self._wait_until(self._listens, "the engine does not listen")

    def wait_until_it_works(self) -> bool:
        """Return True once a service says that it has started, False when the process died before."""
        return self._wait_until(self._says_that_it_started, f"{self._service} has not started")

    def _wait_until(self, condition: Callable[[], bool], complaint: str) -> bool:
        deadline = time.monotonic() + STARTS_WITHIN_S
        while self.running:
            if condition():
                return True
            if time.monotonic() > deadline:
                raise TimeoutError(f"{complaint} after {STARTS_WITHIN_S:.0f} s: {self._tail()}")
            time.sleep(0.02)
        return False

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def _says_that_it_started(self) -> bool:
        return f"{self._service}.started".encode() in self.log.read_bytes()[self._log_before :]

    def kill(self) -> None:
        """Kill -9, and wait until the process is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def wait(self, timeout_s: float) -> int:
        """Return the exit code; raises subprocess.TimeoutExpired while it lives on."""
        if self._process is None:
            raise RuntimeError("the engine was not started")
        return self._process.wait(timeout_s)

    def stop(self) -> int:
        """Ask the process to stop and return its exit code."""
        os.kill(self.pid, signal.SIGTERM)
        return self.wait(STOPS_WITHIN_S)

    def settled(self) -> bool:
        """Return whether nothing is on its way any more, and nothing is wrong.

        The command runs in this process: who waits asks often, and to start another one takes longer than to look.
        """
        return CliRunner().invoke(app, ["verify", "--settled", *self._place]).exit_code == 0

    def command(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """Run another command of htmengine on the same folder or configuration."""
        return subprocess.run(
            [sys.executable, "-m", "htmengine.cli", *arguments, *self._place],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )

    def _tail(self) -> str:
        return self.log.read_text(errors="replace")[-2000:]


@contextlib.contextmanager
def running(
    data: Path, port: int | None = None, config: Path | None = None, **environment: Any
) -> Iterator[Engine]:
    """Start an engine that listens, and kill it in the end if it still runs."""
    engine = Engine(data, port or free_port(), config)
    engine.start(environment)
    try:
        if not engine.wait_until_it_listens():
            raise RuntimeError(f"the engine ended with {engine.wait(1)}: {engine._tail()}")
        yield engine
    finally:
        engine.kill()
