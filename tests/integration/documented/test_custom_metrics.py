"""Metrics that come as lines to the port."""

import socket
import time
from datetime import UTC, datetime, timedelta

import pytest

from htmengine import repository
from htmengine.adapters.datasource import createCustomDatasourceAdapter
from htmengine.repository import MetricStatus
from tests.acceptance.engine import wait_until
from tests.integration.documented.specs import DAY, FIRST, has_resolution_for, monitor, ranged, spec

pytestmark = [pytest.mark.integration, pytest.mark.acceptance]

STARTED = (MetricStatus.CREATE_PENDING, MetricStatus.ACTIVE)


def seen(rows):
    """Return what the original's tests compare, newest first."""
    return [(row.timestamp, row.metric_value, row.anomaly_score, row.rowid) for row in rows]


def moment(seconds):
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)


def every_five_minutes(name, values, first=0):
    return [f"{name} {value} {FIRST + 300 * (first + i)}" for i, value in enumerate(values)]


def test_samples_at_uneven_times(application, name):
    third = int(time.time()) - 300
    second = third - 300
    first = second - 299
    application.send(f"{name} 5.0 {first}")
    application.created(name)
    monitor(ranged(name, 0, 5))
    assert seen(application.scored(name, 1)) == [(moment(first), 5.0, 0.0, 1)]
    application.send(f"{name} 5.0 {second}", f"{name} 5.0 {third}")
    assert seen(application.scored(name, 3)) == [
        (moment(third), 5.0, 0.0, 3),
        (moment(second), 5.0, 0.0, 2),
        (moment(first), 5.0, 0.0, 1),
    ]


def test_a_metric_is_created_monitored_unmonitored_and_deleted(application, name):
    application.send(f"{name} 5.0 {FIRST}")
    uid = application.created(name).uid
    monitor({"datasource": "custom", "metricSpec": {"uid": uid}, "modelParams": {"min": 0, "max": 5}})
    metric = application.active(name)
    assert (metric.name, metric.server) == (name, name)
    application.scored(name, 1)
    adapter = createCustomDatasourceAdapter()
    adapter.unmonitorMetric(uid)
    metric = application.metric(name)
    assert (metric.status, metric.parameters, metric.model_params) == (MetricStatus.UNMONITORED, None, None)
    (row,) = application.rows(uid)
    assert (row.anomaly_score, row.raw_anomaly_score, row.display_value) == (None, None, None)
    adapter.deleteMetricByName(name)
    assert application.metric(name) is None


def test_a_deleted_metric_comes_back_with_its_next_sample(application, name):
    adapter = createCustomDatasourceAdapter()
    uids = set()
    for day in range(2):
        application.send(f"{name} 5.0 {FIRST + DAY * day}")
        uids.add(application.created(name).uid)
        monitor(ranged(name, 0, 5))
        assert seen(application.scored(name, 1)) == [(moment(FIRST + DAY * day), 5.0, 0.0, 1)]
        adapter.deleteMetricByName(name)
        wait_until(lambda: application.metric(name) is None, "its end")
    assert len(uids) == 2


def test_the_least_and_the_greatest_value_are_told(application, name):
    application.send(*(f"{name} {5 + day}.0 {FIRST + DAY * day}" for day in range(3)))
    uid = application.stored(name, 3)[0].uid
    with application.connected() as conn:
        assert repository.getMetricStats(conn, uid) == {"min": 5.0, "max": 7.0}


def test_enough_samples_give_the_range(application, name):
    application.send(*every_five_minutes(name, [5000.0] + [7000.0] * 287))
    application.stored(name, 288)
    monitor(spec(name))
    metric = application.metric(name)
    assert metric.status in STARTED
    assert has_resolution_for(metric, 0, 7000)


def test_a_model_waits_for_enough_samples(application, name):
    application.send(*every_five_minutes(name, [0.0, 100.0]))
    application.stored(name, 2)
    monitor(spec(name))
    assert application.metric(name).status == MetricStatus.PENDING_DATA
    application.send(*every_five_minutes(name, [7000.0] * 286, first=2))
    metric = application.active(name)
    assert has_resolution_for(metric, 0, 7000)
    assert len(application.scored(name, 288)) == 288


def test_no_sample_is_lost_while_the_model_starts(application, name):
    application.send(*every_five_minutes(name, [0.0]))
    application.created(name)
    monitor(spec(name))
    application.send(*every_five_minutes(name, [7000.0] * 987, first=1))
    application.active(name)
    rows = application.scored(name, 988)
    assert [row.rowid for row in rows] == list(range(988, 0, -1))


def test_a_least_value_alone_is_refused(application, name):
    application.send(f"{name} 5.0 {FIRST}")
    application.created(name)
    with pytest.raises(ValueError, match="max"):
        monitor(spec(name, modelParams={"min": 5}))
    assert application.metric(name).status == MetricStatus.UNMONITORED


def test_a_given_range_is_taken(application, name):
    application.send(f"{name} 5000.0 {FIRST}")
    application.created(name)
    monitor(ranged(name, 5000, 10000))
    assert has_resolution_for(application.metric(name), 5000, 10000)


def test_samples_on_one_connection_and_on_three(application, name):
    samples = [(5.0, FIRST), (6.0, FIRST + DAY), (7.0, FIRST + 2 * DAY)]
    application.send(*(f"{name} {value} {at}" for value, at in samples))
    for value, at in samples:
        application.send(f"{name}.single {value} {at}")
        wait_until(lambda at=at: _has(application, f"{name}.single", at), "the sample")
    for metric in (name, f"{name}.single"):
        application.stored(metric, 3)
        monitor(ranged(metric, 0, 10))
        assert seen(application.scored(metric, 3)) == [
            (datetime(2013, 12, 7), 7.0, 0.0, 3),
            (datetime(2013, 12, 6), 6.0, 0.0, 2),
            (datetime(2013, 12, 5), 5.0, 0.0, 1),
        ]


def _has(application, name, at):
    metric = application.metric(name)
    return metric is not None and moment(at) in [row.timestamp for row in application.rows(metric.uid)]


def test_fractions_of_seconds_are_cut_off(application, name):
    application.send(*(f"{name} 5.0 {at}" for at in ("1386201600.0", "1386288000.021", "1386374400.0")))
    assert [row.timestamp for row in application.stored(name, 3)] == [
        datetime(2013, 12, 7),
        datetime(2013, 12, 6),
        datetime(2013, 12, 5),
    ]


def test_connections_at_the_same_time(application, name):
    one, other = f"{name}.one", f"{name}.other"
    address = ("127.0.0.1", application.port)
    with socket.create_connection(address) as first, socket.create_connection(address) as second:
        first.sendall(f"{one} 5.0 {FIRST}\n".encode())
        second.sendall(f"{other} 5.0 {FIRST}\n".encode())
        first.sendall(f"{one} 6.0 {FIRST + DAY}\n".encode())
    for metric, count in ((one, 2), (other, 1)):
        application.stored(metric, count)
        monitor(ranged(metric, 0, 10))
        assert [row.anomaly_score for row in application.scored(metric, count)] == [0.0] * count


def test_bad_lines_do_not_cost_the_good_one(application, name):
    application.send("these", "are", "no", "samples", f"{name} 5.0 {FIRST}")
    assert len(application.stored(name, 1)) == 1


def test_an_export_has_two_weeks(application, name):
    begin = datetime.now(UTC).replace(microsecond=0, tzinfo=None) - timedelta(days=14)
    times = [begin + timedelta(minutes=minutes) for minutes in (-5, 5, 10)]
    application.send(
        *(f"{name} {5 + i}.0 {int(at.replace(tzinfo=UTC).timestamp())}" for i, at in enumerate(times))
    )
    uid = application.stored(name, 3)[0].uid
    monitor(ranged(name, 0, 10))
    exported = createCustomDatasourceAdapter().exportModel(uid)
    assert exported["data"] == [[6.0, times[1]], [7.0, times[2]]]
    assert (exported["datasource"], exported["metricSpec"]["metric"]) == ("custom", name)
