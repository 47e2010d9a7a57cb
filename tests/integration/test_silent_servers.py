"""The whole engine where a router forgets its connections to broker and database, and nobody is told."""

import signal

import msgspec
import pytest

from benchmarks.running import free_port
from benchmarks.servers import configure
from htmengine.repository import overview
from htmengine.repository.migrations import upgrade
from htmengine.repository.opening import open_database
from tests import databases
from tests.acceptance.engine import STOPS_WITHIN_S, python, sent, wait_until
from tests.support import silence

pytestmark = [pytest.mark.integration, pytest.mark.slow]

METRIC = "app.requests"
TIMEOUT_S = 3.0


class Application:
    """An engine on servers behind routers."""

    def __init__(self, folder, database, broker, routers):
        self.database = open_database(database)
        upgrade(self.database, 2)
        self.routers = routers
        near, far = (
            msgspec.structs.replace(server, port=router.port, timeout_s=TIMEOUT_S)
            for server, router in zip((database, broker), routers, strict=True)
        )
        self.directory = configure(folder, near, far, checkpoint_store="repository", shards="2")
        self.port = free_port()
        self.log = folder / "log"

    def start(self):
        with self.log.open("w") as log:
            self.process = python(
                *("-m", "htmengine.cli", "up", "--config", self.directory, "--port", self.port),
                stdout=log,
                stderr=log,
            )

    def score(self, first, last):
        lines = [f"{METRIC} {row % 24} {1_700_000_000 + 300 * row}" for row in range(first, last + 1)]
        wait_until(lambda: sent(self.port, lines), lambda: f"a connection: {self.log.read_text()}")
        wait_until(lambda: self.scored() == last, lambda: f"{last} scores: {self.log.read_text()}")

    def scored(self):
        with self.database.read() as conn:
            found = overview.metric(conn, METRIC)
        return found.scored_rowid if found else 0


@pytest.fixture
def application(database_server, broker, tmp_path):
    database = databases.created(database_server, "silent")
    with (
        silence.router(database.host, database.port) as first,
        silence.router(broker.host, broker.port) as second,
    ):
        application = Application(tmp_path, database, broker, (first, second))
        application.start()
        yield application
        application.process.kill()
        application.process.wait()
        application.database.close()


def test_an_engine_goes_on_behind_a_router_that_forgets_and_ends_behind_one_that_is_gone(application):
    application.score(1, 20)
    for router in application.routers:
        router.forget()
        application.score(application.scored() + 1, application.scored() + 20)
    log = application.log.read_text()
    assert "waiting" in log, log
    assert "does not answer" in log or "no answer" in log or "Lost connection" in log, log
    for router in application.routers:
        router.forget(closed=True)
    application.process.send_signal(signal.SIGTERM)
    application.process.wait(STOPS_WITHIN_S)
