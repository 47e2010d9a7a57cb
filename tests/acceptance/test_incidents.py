"""The service that writes incidents, killed at its worst moments."""

import json
import os
import random
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from htmengine import config
from htmengine.incidents.grouping import group
from htmengine.incidents.names import Fleet
from htmengine.repository import migrations
from htmengine.repository.opening import open_database
from htmengine.service.fault_injection import KILL_VARIABLE
from tests.acceptance.engine import TIMEOUT_S, Folder, python, wait_until
from tests.unit.incidents.alarming import alarm, as_grouped, create, members

pytestmark = pytest.mark.acceptance

NAMES = ["web.a.cpu", "web.a.load", "web.b.cpu", "db.latency", "db.locks;dc=x", "queue;dc=x"]


@pytest.fixture
def database(tmp_path):
    database = open_database(config.Repository(path=tmp_path / "repository.sqlite"))
    migrations.upgrade(database, shards=1)
    yield database
    database.close()


@contextmanager
def service(folder, kill_at=None):
    """Run the service; it is killed at the end, if it still runs."""
    environment = os.environ | ({KILL_VARIABLE: kill_at} if kill_at else {})
    process = python("-m", "htmengine.incidents", "--data", folder, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def drawn(seed, count):
    chance = random.Random(seed)
    return list({(chance.choice(NAMES), 30 * chance.randrange(200)) for _ in range(count)})


def expected(uids, found):
    incidents = group([as_grouped(uids[name], name, after_s) for name, after_s in found], Fleet(NAMES))
    return {frozenset(one[:2] for one in incident) for incident in incidents}


def stored(database):
    return {frozenset(own) for own in members(database).values()}


def test_a_service_that_is_killed_before_or_behind_its_commit_loses_and_doubles_nothing(database, tmp_path):
    uids = create(database, NAMES)
    first, second = drawn(1, 40), [one for one in drawn(2, 40) if one not in drawn(1, 40)]
    for name, after_s in first:
        alarm(database, uids[name], after_s)
    with service(tmp_path, "incidents.stored:1") as process:
        assert process.wait() == -signal.SIGKILL
    assert members(database) == {}
    with service(tmp_path, "incidents.committed:1") as process:
        assert process.wait() == -signal.SIGKILL
    assert stored(database) == expected(uids, first)
    reported = members(database)
    for name, after_s in second:
        alarm(database, uids[name], after_s)
    with service(tmp_path):
        wait_until(lambda: stored(database) == expected(uids, [*first, *second]), "all alarms in incidents")
    assert min(reported) in members(database)  # what was told first goes on


def test_another_service_takes_over_from_one_that_is_killed(database, tmp_path):
    uids = create(database, NAMES)
    with service(tmp_path) as active:
        alarm(database, uids["db.latency"], 0)
        wait_until(lambda: members(database), "the first alarm in an incident")
        with service(tmp_path):
            active.kill()
            alarm(database, uids["web.a.cpu"], 50_000)
            wait_until(lambda: len(members(database)) == 2, "the second alarm in an incident")


def listed(folder):
    done = subprocess.run(
        [sys.executable, "-m", "htmengine.cli", "incidents", "--json", "--data", folder],
        capture_output=True,
        text=True,
        check=True,
        timeout=TIMEOUT_S,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
def test_the_cascade_of_the_demonstration_is_one_incident_with_its_first_mover(tmp_path):
    folder = Folder(tmp_path / "demo")
    subprocess.run(
        [
            *(sys.executable, "-m", "htmengine.cli", "up", "--demo", "--seconds", "15"),
            *("--data", folder.path, *map(str, folder.ports)),
        ],
        capture_output=True,
        check=True,
        timeout=TIMEOUT_S,
    )
    with service(folder.path):  # it takes what the engine had no time for
        found = wait_until(
            lambda: [each for each in listed(folder.path) if each["metric_count"] >= 3], "an incident"
        )
    assert len(found) == 1
    assert found[0]["first_mover"]["name"] == "demo.db.connections"
    assert {"demo.web.latency_ms", "demo.queue.depth"} & {each["name"] for each in found[0]["metrics"]}
