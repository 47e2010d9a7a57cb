"""A short run of the benchmark that kills the engine; `python -m benchmarks.chaos` is the long one."""

import socket

import pytest

from benchmarks.chaos.__main__ import ENGINE, installed, published, run, subscribe
from benchmarks.chaos.oracle import Verdict
from benchmarks.fleet import generate
from tests.acceptance.engine import wait_until

pytestmark = pytest.mark.acceptance

PROMISE = dict.fromkeys(Verdict._fields, 0) | {"faults": []}
SHARING = {"metric_storer": 2, "model_scheduler": 2}


def test_kills_lose_double_and_change_nothing(tmp_path):
    with installed("embedded", "sqlite", tmp_path) as installation:
        result = run(installation, kills=4, metrics=10, samples=1000, seed=3)
    assert {name: result[name] for name in PROMISE} == PROMISE
    assert len(result["killed_at"]) == 4


@pytest.mark.integration
def test_kills_of_the_database_lose_double_and_change_nothing(tmp_path):
    with installed("embedded", "mariadb", tmp_path) as installation:
        result = run(installation, kills=1, metrics=10, samples=500, seed=3, server_kills={"database": 1})
    assert {name: result[name] for name in PROMISE} == PROMISE
    assert len(result["killed_at"]) == 2


@pytest.mark.integration
def test_kills_of_storers_and_schedulers_that_share_the_work_change_nothing(tmp_path):
    with installed("rabbitmq", "postgresql", tmp_path, SHARING) as installation:
        result = run(installation, kills=4, metrics=10, samples=500, seed=3)
    assert {name: result[name] for name in PROMISE} == PROMISE
    assert len(result["killed_at"]) == 4


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
