"""Custom metrics are made, monitored, unmonitored and deleted."""

import json

import pytest
from sqlalchemy import func, select, update

from htmengine.adapters.datasource import CustomAdapter
from htmengine.bus import BusUnavailable
from htmengine.exceptions import (
    MetricAlreadyExists,
    MetricAlreadyMonitored,
    ObjectNotFoundError,
)
from htmengine.htm.params import (
    parameter_set,
)
from htmengine.messages import DefineModel, DeleteModel, Samples
from htmengine.repository import metrics, schema
from htmengine.repository import scores as repository_scores
from htmengine.repository.status import MetricStatus
from tests.unit.adapters.custom import (
    START,
    add_rows,
    commands,
    metric_count,
    parameters,
    row,
    spec,
    state,
)
from tests.unit.repository.rows import score_rows

# -- Metrics.


def test_a_created_metric_is_not_monitored_and_has_the_documented_columns(context, adapter):
    created = row(context, adapter.createMetric("cpu.load"))
    assert (created.datasource, created.name, created.description, created.server) == (
        "custom",
        "cpu.load",
        "Custom metric cpu.load",
        "cpu.load",
    )
    assert (created.location, created.poll_interval, created.status) == ("", 300, MetricStatus.UNMONITORED)


def test_a_metric_is_not_created_twice_and_the_error_says_which_there_is(adapter):
    uid = adapter.createMetric("cpu.load")
    with pytest.raises(MetricAlreadyExists) as raised:
        adapter.createMetric("cpu.load")
    assert raised.value.uid == uid
    assert adapter.createMetric("CPU.load") != uid


@pytest.mark.parametrize("name", ["", "two words", "x" * 256, "tab\t", None])
def test_a_name_that_no_line_can_carry_is_refused(adapter, name):
    with pytest.raises(ValueError, match="name"):
        adapter.createMetric(name)


def test_a_deleted_metric_is_gone_with_its_rows_and_its_model_is_told(context, adapter):
    uid = adapter.monitorMetric(spec())
    add_rows(context, uid, [1.0] * 10)
    commands(context)
    adapter.deleteMetricByName("cpu.load")
    assert metric_count(context) == 0
    with context.database.read() as conn:
        assert conn.scalar(select(func.count()).select_from(schema.metric_data)) == 0
    (command,) = commands(context)
    assert isinstance(command, DeleteModel)
    assert (command.uid, command.generation) == (uid, 0)
    with pytest.raises(ObjectNotFoundError):
        adapter.deleteMetricByName("cpu.load")


def test_a_long_metric_is_deleted_in_small_transactions(context, adapter):
    uid = adapter.createMetric("cpu.load")
    add_rows(context, uid, [1.0] * 25)
    more = []
    for _ in range(4):
        with context.database.write() as conn:
            more.append(metrics.delete_metric(conn, uid, limit=10))
    assert more == [True, True, False, False]
    assert metric_count(context) == 0


# -- Monitoring.


def test_the_default_model_starts_at_once_without_a_range(context, adapter):
    uid = adapter.monitorMetric(spec())
    assert state(context, uid).status == MetricStatus.CREATE_PENDING
    assert parameters(context, uid) == parameter_set("default")
    assert json.loads(row(context, uid).parameters) == spec()
    (command,) = commands(context)
    assert isinstance(command, DefineModel)
    assert (command.uid, command.generation) == (uid, 0)


def test_of_a_history_only_the_last_row_goes_over_the_bus(context, adapter):
    uid = adapter.createMetric("cpu.load")
    add_rows(context, uid, [1.0, 2.0, 3.0])
    adapter.monitorMetric(spec())
    define, rows = commands(context)
    assert isinstance(define, DefineModel)
    assert rows == Samples(uids=[uid], generations=[0], rowids=[3], timestamps=[START + 600], values=[3.0])


def test_a_metric_is_monitored_by_uid_and_its_name_is_stored(context, adapter):
    uid = adapter.createMetric("cpu.load")
    given = {"datasource": "custom", "metricSpec": {"uid": uid, "unit": "%", "userInfo": {"a": [1]}}}
    assert adapter.monitorMetric(given) == uid
    assert json.loads(row(context, uid).parameters) == {
        "datasource": "custom",
        "metricSpec": {"metric": "cpu.load", "unit": "%", "userInfo": {"a": [1]}},
    }
    assert given["metricSpec"]["uid"] == uid


def test_a_resource_becomes_the_metrics_server(context, adapter):
    given = {"datasource": "custom", "metricSpec": {"metric": "cpu.load", "resource": "host 1"}}
    uid = adapter.monitorMetric(given)
    assert row(context, uid).server == "host 1"
    assert adapter.getInstanceNameForModelSpec(given) == "host 1"
    assert adapter.getInstanceNameForModelSpec(spec()) is None


def test_a_monitored_metric_is_not_monitored_again_whatever_became_of_its_model(context, adapter):
    uid = adapter.monitorMetric(spec())
    for status in (MetricStatus.CREATE_PENDING, MetricStatus.ACTIVE, MetricStatus.ERROR):
        with context.database.write() as conn:
            metrics.set_status(conn, uid, status)
        with pytest.raises(MetricAlreadyMonitored) as raised:
            adapter.monitorMetric(spec())
        assert raised.value.uid == uid


def test_a_metric_of_another_datasource_is_left_alone(context, adapter):
    uid = adapter.createMetric("cpu.load")
    with context.database.write() as conn:
        conn.execute(update(schema.metric).values(datasource="cloudwatch"))
    for act in (adapter.activateModel, adapter.exportModel):
        with pytest.raises(TypeError, match="cloudwatch"):
            act(uid)
    with pytest.raises(TypeError, match="cloudwatch"):
        adapter.monitorMetric({"datasource": "custom", "metricSpec": {"uid": uid}})


def test_an_unknown_uid_is_no_metric(adapter):
    with pytest.raises(ObjectNotFoundError):
        adapter.monitorMetric({"datasource": "custom", "metricSpec": {"uid": "0" * 32}})


# -- The end of a model.


def test_an_unmonitored_metric_keeps_its_samples_and_starts_a_new_generation(context, adapter):
    uid = adapter.monitorMetric(spec())
    add_rows(context, uid, [1.0, 2.0])
    with context.database.write() as conn:
        score_rows(conn, uid, 1, 2)
    commands(context)
    adapter.unmonitorMetric(uid)
    after = state(context, uid)
    assert (after.status, after.generation, after.scored_rowid, after.last_rowid) == (
        MetricStatus.UNMONITORED,
        1,
        0,
        2,
    )
    assert row(context, uid).parameters is None
    with context.database.read() as conn:
        assert repository_scores.stored(conn, uid, 1, 2) == []
    adapter.monitorMetric(spec())
    delete, define, _ = commands(context)
    assert (type(delete), delete.generation) == (DeleteModel, 0)
    assert (type(define), define.generation) == (DefineModel, 1)


def test_a_metric_that_never_was_cannot_be_unmonitored(adapter):
    with pytest.raises(ObjectNotFoundError):
        adapter.unmonitorMetric("0" * 32)


def test_a_bus_that_is_away_costs_a_command_and_nothing_else(context):
    class Away:
        def publish(self, outgoing):
            raise BusUnavailable("disk is full")

    adapter = CustomAdapter(context.database, Away(), context.settings)
    uid = adapter.monitorMetric(spec())
    with context.database.read() as conn:
        assert [pending.uid for pending in metrics.pending(conn)] == [uid]  # where the sweep finds it
    adapter.unmonitorMetric(uid)
    assert state(context, uid).status == MetricStatus.UNMONITORED


def test_custom_metrics_have_no_resources_to_match(adapter):
    with pytest.raises(NotImplementedError):
        adapter.getMatchingResources({})


def _score(conn, uid: str, rows: int) -> None:
    column = [0.5] * rows
    repository_scores.store(
        conn,
        uids=[uid] * rows,
        rowids=range(1, rows + 1),
        raw_anomaly_scores=column,
        anomaly_scores=column,
        log_scores=column,
        sequence_scores=column,
        novelty_scores=column,
    )
    assert repository_scores.advance_watermarks(conn, [(uid, 0, 0, rows)]) == 1


# -- Many at a time.


def test_a_fleet_is_monitored_at_once_and_asked_for_in_one_message_of_each_shard(context, adapter):
    existing = adapter.createMetric("old")
    add_rows(context, existing, [1.0, 2.0])
    by_uid = {"datasource": "custom", "metricSpec": {"uid": existing, "resource": "host"}}
    uids = adapter.monitorMetrics([spec("new.a"), by_uid, spec("new.b")])
    assert uids[1] == existing
    assert [state(context, uid).status for uid in uids] == [MetricStatus.CREATE_PENDING] * 3
    assert row(context, existing).server == "host"
    assert row(context, uids[0]).server == "new.a"
    asked = commands(context)
    assert {one.uid for one in asked if isinstance(one, DefineModel)} == set(uids)
    assert [one.rowids for one in asked if isinstance(one, Samples)] == [[2]]


def test_of_a_fleet_all_are_monitored_or_none(context, adapter):
    known = adapter.monitorMetric(spec("known"))
    commands(context)
    with pytest.raises(MetricAlreadyMonitored) as raised:
        adapter.monitorMetrics([spec("new"), spec("known")])
    assert raised.value.uid == known
    with pytest.raises(ValueError, match="metricSpec"):
        adapter.monitorMetrics([spec("new"), {"datasource": "custom"}])
    assert metric_count(context) == 1
    assert commands(context) == []
    assert adapter.monitorMetrics([]) == []


def test_without_a_bus_nobody_is_asked(context):
    silent = CustomAdapter(context.database, None, context.settings)
    uid = silent.monitorMetric(spec())
    assert state(context, uid).status == MetricStatus.CREATE_PENDING
    silent.unmonitorMetric(uid)
    assert commands(context) == []
