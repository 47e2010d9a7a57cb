"""A short run of the benchmark that kills the engine; `python -m benchmarks.chaos` is the long one."""

import socket

import pytest

from benchmarks.chaos.__main__ import ENGINE, installed, published, repository, run, subscribe
from benchmarks.chaos.oracle import Verdict
from benchmarks.fleet import generate
from htmengine.repository import queue_layout
from tests.acceptance.engine import wait_until

pytestmark = pytest.mark.acceptance

PROMISE = dict.fromkeys(Verdict._fields, 0) | {"faults": []}
SHARING = {"metric_storer": 2, "model_scheduler": 2}


def test_kills_lose_double_and_change_nothing(tmp_path):
    with installed("embedded", "sqlite", tmp_path) as installation:
        result = run(installation, kills=4, metrics=10, samples=1000, seed=3)
    assert {name: result[name] for name in PROMISE} == PROMISE
    assert len(result["killed_at"]) == 4


@pytest.mark.slow
def test_the_number_of_queues_changes_while_samples_come_and_the_engine_is_killed(tmp_path):
    with installed("embedded", "sqlite", tmp_path) as installation:
        result = run(installation, kills=3, metrics=10, samples=1000, seed=5, queues=(3, 2))
        with repository(installation.settings) as conn:
            layout = queue_layout.read(conn)
    assert {name: result[name] for name in PROMISE} == PROMISE
    assert [done for done in result["killed_at"] if "queues" in done] == [
        "queues become 3",
        "queues become 2",
    ]
    assert (layout.number, layout.epoch, layout.draining) == (2, 2, 0)


@pytest.mark.slow
@pytest.mark.integration
def test_the_number_of_queues_changes_on_servers_while_storers_are_killed(tmp_path):
    with installed("rabbitmq", "mariadb", tmp_path, SHARING) as installation:
        result = run(installation, kills=2, metrics=10, samples=500, seed=4, queues=(3, 1))
        with repository(installation.settings) as conn:
            layout = queue_layout.read(conn)
    assert {name: result[name] for name in PROMISE} == PROMISE
    assert (layout.number, layout.draining) == (1, 0)


@pytest.mark.slow
@pytest.mark.integration
def test_kills_of_the_database_lose_double_and_change_nothing(tmp_path):
    with installed("embedded", "mariadb", tmp_path) as installation:
        result = run(installation, kills=1, metrics=10, samples=500, seed=3, server_kills={"database": 1})
    assert {name: result[name] for name in PROMISE} == PROMISE
    assert len(result["killed_at"]) == 2


@pytest.mark.slow
@pytest.mark.integration
def test_kills_of_storers_and_schedulers_that_share_the_work_change_nothing(tmp_path):
    with installed("rabbitmq", "postgresql", tmp_path, SHARING) as installation:
        result = run(installation, kills=4, metrics=10, samples=500, seed=3)
    assert {name: result[name] for name in PROMISE} == PROMISE
    assert len(result["killed_at"]) == 4


@pytest.mark.slow
def test_what_a_kill_left_unpublished_is_published_before_the_verdict(tmp_path):
    fleet = generate(1, 2, seed=3)
    (name,) = fleet.names
    with installed("embedded", "sqlite", tmp_path) as installation:
        subscribe(installation)
        for sample, steps in enumerate(({}, {ENGINE: "anomaly_service.committed:1"})):
            assert installation.start(steps)
            with socket.create_connection(("127.0.0.1", installation.door.port)) as peer:
                peer.sendall(fleet.lines(sample))
                wait_until(lambda sample=sample: installation.scored() > sample, f"sample {sample} scored")
            if steps:
                assert installation.door.wait(60) < 0
                assert published(installation.settings) == []
            installation.finish()
            assert published(installation.settings) == [(name, sample + 1)]
        assert installation.faults == []
