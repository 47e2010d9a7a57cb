"""The whole engine with its repository, and its checkpoints, on a database server."""

import json
import signal
import subprocess
import sys

import pytest
from sqlalchemy import func, select

from benchmarks.running import free_port
from benchmarks.servers import configure
from htmengine import config
from htmengine.repository import overview, schema
from htmengine.repository.opening import open_database
from tests import databases
from tests.acceptance.engine import STOPS_WITHIN_S, python, sent, wait_until

METRIC = "app.requests"
FIRST_SECOND = 1_700_000_000


class Application:
    """A configuration directory on a database of its own, and the engine that runs with it."""

    def __init__(self, folder, database):
        self.directory = configure(folder, database, checkpoint_store="repository")
        self.port = free_port()
        self.database = open_database(config.load(self.directory).repository)

    def command(self, *arguments, code=0):
        """Run a command and return what it printed and what it advised."""
        done = self._run(*arguments)
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout, done.stderr

    def _run(self, *arguments):
        return subprocess.run(
            [sys.executable, "-m", "htmengine.cli", *arguments, "--config", str(self.directory)],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def run_until_scored(self, first, last):
        """Run the engine, send it these rows, and stop it once they are scored."""
        process = python("-m", "htmengine.cli", "up", "--config", self.directory, "--port", self.port)
        try:
            wait_until(lambda: self._send(process, first, last), "a connection")
            wait_until(lambda: self.scored() == last, f"{last} scores")
            wait_until(lambda: self._run("verify", "--settled").returncode == 0, "that nothing is on its way")
        finally:
            process.send_signal(signal.SIGTERM)
            _, stderr = process.communicate(timeout=STOPS_WITHIN_S)
        assert process.returncode == 0, stderr

    def _send(self, process, first, last):
        assert process.poll() is None, process.communicate()
        lines = [f"{METRIC} {row % 24} {FIRST_SECOND + 300 * row}" for row in range(first, last + 1)]
        return sent(self.port, lines)

    def scored(self):
        """Return how far the metric is scored."""
        with self.database.read() as conn:
            found = overview.metric(conn, METRIC)
        return found.scored_rowid if found else 0


@pytest.fixture
def application(database_server, tmp_path):
    application = Application(tmp_path, databases.created(database_server, "app"))
    yield application
    application.database.close()


def test_a_line_becomes_a_scored_row(application):
    _, stderr = application.command("up", code=1)
    assert "htmengine db upgrade" in stderr
    printed, _ = application.command("db", "upgrade")
    assert json.loads(printed) == {"upgraded": True, "shards": 1}
    application.run_until_scored(1, 300)
    with application.database.read() as conn:
        assert conn.scalar(select(func.count()).select_from(schema.model_checkpoint)) > 0
    application.run_until_scored(301, 310)  # the model goes on from its checkpoint
    printed, _ = application.command("results", METRIC, "--json", "--limit", "5")
    assert [json.loads(line)["rowid"] for line in printed.splitlines()] == [306, 307, 308, 309, 310]
    application.command("verify", "--settled")
    printed, _ = application.command("doctor", METRIC, "--json", code=1)  # no service runs any more
    assert json.loads(printed)["metrics"][0]["scored"] == 310
