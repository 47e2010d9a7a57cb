"""The engine as people run it: processes on a data folder of their own."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, contextmanager
from pathlib import Path

from typer.testing import CliRunner, Result

from benchmarks.running import free_port
from htmengine.cli.app import app
from htmengine.htm import params
from htmengine.htm.model import Model

TIMEOUT_S = 300.0
"""A machine that is busy with other things takes many times as long; only a test that fails waits for so long."""
STOPS_WITHIN_S = 90.0


def wait_until(condition: Callable[[], object], what: str | Callable[[], str], patience_s: float = TIMEOUT_S):
    """Return what the condition returns as soon as that is true; `what` may be found out once it has not come true."""
    deadline = time.monotonic() + patience_s
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            awaited = what if isinstance(what, str) else what()
            raise AssertionError(f"did not happen within {patience_s:.0f} s: {awaited}")
        time.sleep(0.05)


def python(*arguments, **options) -> subprocess.Popen:
    """Start Python with its output kept apart from the tests'."""
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        text=True,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options,
    )


class Folder:
    """A data folder, the configuration directory that names it if there is one, and the ports of its engine."""

    def __init__(self, path: Path, config: Path | None = None) -> None:
        self.path = path
        self.where = ("--config", str(config)) if config else ("--data", str(path))
        self.port = free_port()
        self.http_port = free_port()
        self.ports = ("--port", self.port, "--http-port", self.http_port)
        self.log = path / "engine.log"
        path.mkdir(parents=True, exist_ok=True)

    def cli(self, *arguments, code=0, data=None) -> str:
        """Run a command on this folder and return its standard output; the exit code is checked, unless it is None."""
        done = self._run(*arguments, data=data)
        assert code in (None, done.returncode), (
            f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        self.advice = done.stderr
        return done.stdout

    def _run(self, *arguments, data=None) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "htmengine.cli", *map(str, arguments), *self.where],
            capture_output=True,
            text=True,
            check=False,
            input=data if data is not None else "",
        )

    def _ask(self, *arguments, data=None) -> Result:
        """Run a command in this process: who waits asks often, and to start another one takes longer than to look."""
        return CliRunner().invoke(app, [*map(str, arguments), *self.where], input=data or "")

    def settles(self) -> None:
        """Wait until nothing is on its way any more, and nothing is wrong then.

        A row has its scores a moment before its messages are acknowledged, or a repeated one is found out.
        """
        wait_until(
            lambda: self._ask("verify", "--settled").exit_code == 0,
            lambda: f"that all is done and right: {self._ask('verify', '--settled').output}",
        )

    def fails(self, *arguments, code=1, data=None) -> str:
        """Run a command that cannot be done, in this process, and return the two lines that say why and what to do."""
        done = self._ask(*arguments, data=data)
        assert done.exit_code == code, f"{arguments}: {done.exit_code}\n{done.output}"
        assert not done.stdout
        assert len(done.stderr.splitlines()) == 2, done.stderr
        return done.stderr

    def json(self, *arguments, **options):
        """Run a command and return its JSON documents, a list; of a single one, itself."""
        lines = self.cli(*arguments, **options).splitlines()
        documents = [json.loads(line) for line in lines if line]
        return documents[0] if len(documents) == 1 else documents

    def metric(self, name: str) -> dict:
        """Return how a metric stands; {} if there is none."""
        done = self._ask("metrics", "--json")
        assert done.exit_code == 0, done.output
        documents = map(json.loads, done.stdout.splitlines())
        return next((document for document in documents if document["metric"] == name), {})

    def wait_for_rows(self, name: str, count: int) -> None:
        """Wait until so many samples of a metric are stored."""
        query = "SELECT 1 FROM metric WHERE name = ? AND last_rowid >= ?"
        wait_until(lambda: self.select(query, name, count), f"{count} rows of {name}")

    def wait_for_scores(self, name: str, count: int) -> None:
        """Wait until so many samples of a metric are scored."""
        query = "SELECT 1 FROM metric JOIN metric_watermark USING (uid) WHERE name = ? AND metric_watermark.scored_rowid >= ?"
        wait_until(lambda: self.select(query, name, count), f"{count} scores of {name}")

    def select(self, query: str, *parameters, file: str = "repository.sqlite") -> list[tuple]:
        """Return rows of the repository, or of another of the engine's databases."""
        with closing(sqlite3.connect(self.path / file)) as database:
            return database.execute(query, parameters).fetchall()

    def stored_scores(self, name: str) -> list[tuple]:
        """Return rowid, value, raw, anomaly and log score of a metric's rows."""
        return self.select(
            "SELECT d.rowid, d.metric_value, d.raw_anomaly_score, d.anomaly_score, d.log_score"
            " FROM metric_data d JOIN metric m USING (uid) WHERE m.name = ? ORDER BY d.rowid",
            name,
        )

    def send(self, lines: list[str]) -> None:
        """Send lines to the port over TCP."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT_S) as peer:
            peer.sendall(encoded(lines))

    def send_datagram(self, lines: list[str] | list[bytes]) -> None:
        """Send lines to the port in one datagram."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            raw = [line if isinstance(line, bytes) else line.encode() for line in lines]
            peer.sendto(b"\n".join(raw), ("127.0.0.1", self.port))

    def listens(self) -> bool:
        """Whether the port takes connections."""
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    @contextmanager
    def up(self, *options, **environment):
        """Run `htmengine up`, and stop it in good order at the end."""
        with self.log.open("a") as log:
            process = python(
                *("-m", "htmengine.cli", "up", *self.where, *self.ports, *options),
                stdout=log,
                stderr=log,
                env=os.environ | environment,
            )
        try:
            wait_until(
                lambda: self.listens() or process.poll() is not None,
                lambda: f"listening: {self.log.read_text()}",
            )
            assert process.poll() is None, self.log.read_text()
            yield process
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                assert process.wait(STOPS_WITHIN_S) == 0, self.log.read_text()
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()


def lines(name: str, count: int, *, first: int = 0, start: int = 1_600_000_000) -> list[str]:
    """Return lines of a metric, a minute apart."""
    return [
        f"{name} {50 + 10 * ((first + i) % 24 / 24) + (first + i) % 7 / 10!r} {start + 60 * (first + i)}"
        for i in range(count)
    ]


def sent(port: int, lines: list[str]) -> bool:
    """Send lines to a port over TCP; return False where nobody takes them."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as peer:
            peer.sendall(encoded(lines))
    except OSError:
        return False
    return True


def encoded(lines: list[str]) -> bytes:
    """Return lines as a connection carries them."""
    return "".join(f"{line}\n" for line in lines).encode()


def expected_scores(sent: list[str]) -> list[tuple]:
    """Return what `Folder.stored_scores` must return for lines of one metric with the default model."""
    samples = [(float(value), float(timestamp)) for _, value, timestamp in map(str.split, sent)]
    values, timestamps = zip(*samples, strict=True)
    scores = Model(params.parameter_set("default")).score_series(timestamps, values)
    columns = (scores.raw_anomaly_score, scores.anomaly_score, scores.log_score)
    return list(
        zip(
            range(1, len(sent) + 1),
            values,
            *(column.tolist() for column in columns),
            strict=True,
        )
    )
