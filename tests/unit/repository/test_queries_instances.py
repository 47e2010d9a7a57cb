from datetime import UTC, datetime, timedelta

import pytest

from htmengine import repository

START = datetime(2026, 1, 1)


@pytest.fixture
def conn(database):
    with database.engine.connect() as conn:
        yield conn


def test_the_metrics_of_a_resource_are_counted_and_listed(conn):
    for uid, server in (("2", "s"), ("1", "s"), ("3", "t")):
        repository.addMetric(conn, uid=uid, server=server)
    assert repository.getMetricCountForServer(conn, "s") == 2
    assert repository.getMetricCountForServer(conn, "unknown") == 0
    assert repository.listMetricIDsForInstance(conn, "s") == ["1", "2"]


def test_a_resource_joins_what_its_metrics_say(conn):
    repository.addMetric(
        conn,
        uid="1",
        server="s",
        name="AWS/EC2/CPU",
        status=1,
        location="us",
        parameters='{"a": 1}',
        tag_name="t",
    )
    repository.addMetric(conn, uid="2", server="s", name="AWS/EC2/Net", status=4, message="one")
    repository.addMetric(conn, uid="3", server="s", name="AWS/EC2/Disk", status=4, message="two")
    repository.addMetric(conn, uid="4", server="plain", name="plain", parameters="no JSON")
    assert repository.getInstances(conn) == [
        {
            "server": "plain",
            "location": None,
            "namespace": "plain",
            "name": None,
            "status": 0,
            "parameters": None,
            "message": None,
        },
        {
            "server": "s",
            "location": "us",
            "namespace": "AWS/EC2",
            "name": "t",
            "status": 5,
            "parameters": {"a": 1},
            "message": "one\ntwo",
        },
    ]


def test_only_changes_of_a_status_are_noted(conn):
    for seconds, status in ((0, "up"), (1, "up"), (2, "down"), (2, "stuck"), (3, "stuck"), (4, "up")):
        repository.saveMetricInstanceStatus(conn, "s", status, START + timedelta(seconds=seconds))
    repository.saveMetricInstanceStatus(conn, "t", "up", START)
    history = repository.getInstanceStatusHistory(conn, "s")
    assert [(row.timestamp.second, row.status) for row in history] == [(0, "up"), (2, "stuck"), (4, "up")]


def test_a_change_without_a_time_is_of_now(conn):
    repository.saveMetricInstanceStatus(conn, "s", "up")
    [row] = repository.getInstanceStatusHistory(conn, "s")
    assert abs(row.timestamp.replace(tzinfo=UTC) - datetime.now(UTC)) < timedelta(minutes=1)
