"""The whole engine on a broker: in one process, and each service alone as supervisord would start it."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from benchmarks.running import free_port
from benchmarks.servers import configure
from htmengine.config.options import environment_name
from htmengine.runtime.anomaly_service import AnomalyService
from nta.utils.amqp.connection import ConnectionParams, PlainCredentials
from nta.utils.amqp.exceptions import AmqpChannelError
from nta.utils.amqp.messages import Message
from nta.utils.amqp.synchronous_amqp_client import SynchronousAmqpClient
from tests.acceptance.engine import STOPS_WITHIN_S, python, sent, wait_until

pytestmark = pytest.mark.integration

METRIC = "app.requests"
SERVICES = (
    "htmengine.runtime.metric_listener",
    "htmengine.runtime.metric_storer",
    "htmengine.model_swapper.model_scheduler_service",
    "htmengine.runtime.anomaly_service",
)


class Application:
    """A configuration directory on a broker."""

    def __init__(self, folder, broker):
        self.directory = configure(folder, broker=broker, shards="8")
        self.repository = folder / "data" / "repository.sqlite"
        self.port = free_port()
        port = environment_name("application.conf", "metric_listener", "plaintext_port")
        self.environment = os.environ | {"APPLICATION_CONFIG_PATH": str(self.directory), port: str(self.port)}
        self._broker = broker

    def start(self, *arguments):
        return python(*arguments, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def _run(self, *arguments):
        return subprocess.run(
            [sys.executable, "-m", "htmengine.cli", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def command(self, *arguments, code=0):
        done = self._run(*arguments)
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return [json.loads(line) for line in done.stdout.splitlines()]

    def is_settled(self):
        return self._run("verify", "--settled").returncode == 0

    def client(self):
        where = self._broker
        return SynchronousAmqpClient(
            ConnectionParams(
                where.host, where.port, where.virtual_host, PlainCredentials(where.user, where.password)
            )
        )

    def send(self, first, last):
        lines = [f"{METRIC} {row % 24} {1_700_000_000 + 300 * row}" for row in range(first, last + 1)]
        wait_until(lambda: sent(self.port, lines), "a connection")

    def scored(self):
        with closing(sqlite3.connect(self.repository)) as database:
            query = "SELECT metric_watermark.scored_rowid FROM metric JOIN metric_watermark USING (uid) WHERE name = ?"
            rows = database.execute(query, (METRIC,)).fetchall()
        return rows[0][0] if rows else 0


@pytest.fixture
def application(tmp_path, broker):
    return Application(tmp_path / "app", broker)


def stopped(process):
    process.send_signal(signal.SIGTERM)
    return process.wait(STOPS_WITHIN_S)


def results(client, queue, last):
    """Return the results in the messages of a queue, up to a row."""
    found = []

    def all_came():
        while (message := client.getOneMessage(queue, noAck=True)) is not None:
            if (message.properties.headers or {}).get("dataType") is None:
                found.append(AnomalyService.deserializeModelResult(message.body))
        return any(result["rowid"] == last for document in found for result in document["results"])

    wait_until(all_came, f"the result of row {last}")
    return found


def test_a_line_comes_out_scored_in_the_documented_message(application):
    with application.client() as client:
        client.declareExchange("app.model.results", "fanout", durable=True)
        queue = client.declareQueue("dashboard", durable=True).queue
        client.bindQueue(queue, "app.model.results", "")
        engine = application.start("-m", "htmengine.cli", "up")
        try:
            application.send(1, 20)
            documents = results(client, queue, 20)
            client.declareQueue("app.metric.custom.data", durable=True)  # as the documents say
            client.publish(Message(b"no JSON"), "", "app.metric.custom.data")
            (letter,) = wait_until(lambda: application.command("dead", "list", "--json"), "a dead letter")
            (status,) = application.command("status", "--json")
            wait_until(lambda: application.command("rebalance", "--json") != [{}], "an answer of consumers")
        finally:
            assert stopped(engine) == 0
    assert [result["rowid"] for document in documents for result in document["results"]] == list(range(1, 21))
    assert documents[0]["metric"]["name"] == METRIC
    assert set(documents[0]["results"][0]) == {
        "rowid",
        "ts",
        "value",
        "rawAnomaly",
        "anomaly",
        "multiStepBestPredictions",
    }
    assert letter["queue"] == "app.metric.custom.data"
    alive = {service["name"] for service in status["services"] if service["alive"]}
    assert alive >= {"metric_listener", "metric_storer", "model_scheduler", "anomaly_service"}
    assert status["deadLetters"] == 1
    assert application.command("dead", "discard", str(letter["id"])) == [{"discarded": 1}]


@pytest.mark.slow
def test_every_service_alone_survives_the_death_of_each(application):
    processes = {name: application.start("-m", name) for name in SERVICES}
    try:
        last = 0
        for name in SERVICES:
            application.send(last + 1, last + 40)
            processes[name].kill()
            processes[name].wait()
            processes[name] = application.start("-m", name)
            # Part of it comes only now, so that the new process has worked before it is told to stop; and what the
            # listener had taken from the connection may be lost with it.
            last += 60
            application.send(1, last)
            wait_until(lambda last=last: application.scored() == last, f"{last} scores")
        wait_until(application.is_settled, "that nothing is on its way")
        assert [stopped(process) for process in processes.values()] == [0] * len(SERVICES)
    finally:
        for process in processes.values():
            process.kill()
    assert application.command("verify", "--settled", "--json")[0]["findings"] == []


@pytest.mark.slow
def test_queues_and_exchanges_that_somebody_deletes_end_no_service(application):
    engine = application.start("-m", "htmengine.cli", "up")
    try:
        application.send(1, 20)
        wait_until(lambda: application.scored() == 20, "20 scores")
        last = 20
        with application.client() as client:
            shards = range(8)
            for deleted in (
                ["app.metric.custom.data"],
                [f"app.mswapper.model.input.{shard:04d}" for shard in shards],
                [f"app.mswapper.results.{shard:04d}" for shard in shards],
            ):
                for queue in deleted:
                    client.deleteQueue(queue)
                last += 20
                application.send(1, last)
                # What was in a queue that was deleted is lost: senders send it again, and the sweep asks again.
                wait_until(
                    lambda last=last: application.scored() == last or application.send(1, last),
                    f"{last} scores",
                )
            for exchange in ("app.model.results", "app.model.results.batches", "app.dead"):
                client.deleteExchange(exchange)
            queue = client.declareQueue("dashboard", durable=True).queue
            while not bound(client, queue):  # it is missed when there is something to publish
                last += 1
                application.send(last, last)
                wait_until(lambda last=last: application.scored() == last, f"{last} scores")
            application.send(last + 1, last + 20)
            assert results(client, queue, last + 20)
        (status,) = application.command("status", "--json")
        assert {service["restarts"] for service in status["services"]} == {0}
    finally:
        assert stopped(engine) == 0


def bound(client, queue):
    """Bind a queue to the exchange of results, if it is there."""
    try:
        client.bindQueue(queue, "app.model.results", "")
    except AmqpChannelError:
        return False
    return True
