import json
from datetime import datetime, timedelta

import msgspec
import pytest
from sqlalchemy import func, select, update

from htmengine import config, messages
from htmengine.adapters.datasource import CustomAdapter
from htmengine.bus import BusUnavailable
from htmengine.exceptions import (
    MetricAlreadyExists,
    MetricAlreadyMonitored,
    MetricNotMonitoredError,
    MetricStatisticsNotReadyError,
    MetricStatusChangedError,
    ObjectNotFoundError,
)
from htmengine.htm.params import (
    Classifier,
    DefaultParameters,
    NupicParameters,
    parameter_set,
    to_model_config,
)
from htmengine.messages import DefineModel, DeleteModel, Samples
from htmengine.model_swapper import definition
from htmengine.repository import metrics, samples, schema
from htmengine.repository import scores as repository_scores
from htmengine.repository.engine import reading, writing
from htmengine.repository.status import MetricStatus

START = 1_386_201_600


def spec(metric: str = "cpu.load", **more) -> dict:
    return {"datasource": "custom", "metricSpec": {"metric": metric}, **more}


def nupic_model(context, name: str = "nupic") -> CustomAdapter:
    scheduler = msgspec.structs.replace(context.settings.scheduler, model=name)
    settings = msgspec.structs.replace(context.settings, scheduler=scheduler)
    return CustomAdapter(context.engine, context.bus, settings)


def add_rows(context, uid: str, values, *, start: int = START, step: int = 300) -> None:
    with writing(context.engine) as conn:
        last = metrics.states(conn, [uid])[uid].last_rowid
        count = len(values)
        times = [start + step * (last + i) for i in range(count)]
        samples.append(conn, [uid] * count, range(last + 1, last + count + 1), times, values)
        assert samples.advance_last(conn, [(uid, last, last + count, times[-1])]) == 1


def state(context, uid: str) -> metrics.MetricState:
    with reading(context.engine) as conn:
        return metrics.states(conn, [uid])[uid]


def row(context, uid: str):
    with reading(context.engine) as conn:
        return conn.execute(select(schema.metric).where(schema.metric.c.uid == uid)).one()


def parameters(context, uid: str):
    return definition.parse(row(context, uid).model_params)


def metric_count(context) -> int:
    with reading(context.engine) as conn:
        return conn.scalar(select(func.count()).select_from(schema.metric))


def commands(context) -> list[messages.ModelInput]:
    """What the scheduler was sent since the last look."""
    queues = [context.settings.model_input_queue(shard) for shard in range(context.shards)]
    found = []
    with context.bus.consume(queues) as consumer:
        while received := consumer.receive(max_messages=100, timeout_s=0):
            found += [messages.decode_model_input(delivery.body) for delivery in received]
            consumer.ack(received)
    return found


@pytest.fixture
def adapter(context) -> CustomAdapter:
    return CustomAdapter(context.engine, context.bus, context.settings)


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
    with reading(context.engine) as conn:
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
        with writing(context.engine) as conn:
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
        with writing(context.engine) as conn:
            metrics.set_status(conn, uid, status)
        with pytest.raises(MetricAlreadyMonitored) as raised:
            adapter.monitorMetric(spec())
        assert raised.value.uid == uid


def test_a_range_is_used_by_the_default_model(context, adapter):
    uid = adapter.monitorMetric(spec(modelParams={"min": 0, "max": 100}))
    found = parameters(context, uid)
    assert isinstance(found, DefaultParameters)
    assert (found.scale.minimum, found.scale.maximum) == (0.0, 100.0)


def test_the_least_resolution_bounds_the_steps_of_the_default_model(context, adapter):
    uid = adapter.monitorMetric(spec(modelParams={"min": 0, "max": 100, "minResolution": 20}))
    assert parameters(context, uid).scale.buckets == 7  # over the padded range of 140


@pytest.mark.parametrize("wanted", [{}, {"min": 0, "max": 100}])
def test_the_default_model_makes_the_predictions_that_are_asked_for(context, adapter, wanted):
    uid = adapter.monitorMetric(spec(modelParams={**wanted, "enableClassifier": True}))
    assert state(context, uid).status == MetricStatus.CREATE_PENDING
    found = parameters(context, uid)
    assert isinstance(found, DefaultParameters)
    assert found.classifier == Classifier(steps=(1,))


def test_a_model_of_nupic_says_where_it_is_documented_that_it_predicts(context):
    given = spec(modelParams={"min": 0, "max": 100, "enableClassifier": True})
    uid = nupic_model(context).monitorMetric(given)
    assert parameters(context, uid).classifier is not None
    assert json.loads(row(context, uid).model_params)["modelConfig"]["modelParams"]["clEnable"] is True


@pytest.mark.parametrize("name", ["nupic", "nupic-tm", "nupic-0.3"])
def test_the_settings_choose_the_set_and_its_likelihood(context, name):
    adapter = nupic_model(context, name)
    likelihood = config.Likelihood(min_sample_size=7, refresh_rate=8, sample_size=900)
    adapter._settings = msgspec.structs.replace(adapter._settings, likelihood=likelihood)
    uid = adapter.monitorMetric(spec(modelParams={"min": 0, "max": 100}))
    found = parameters(context, uid)
    assert found.name == name
    assert (found.likelihood.probation, found.likelihood.refit, found.likelihood.history) == (7, 8, 900)
    described = json.loads(row(context, uid).model_params)
    assert described["modelConfig"]["modelParams"]["clEnable"] is False
    assert described["inputRecordSchema"] == [["c0", "datetime", "T"], ["c1", "float", ""]]


def test_the_likelihood_of_the_settings_is_not_for_the_default_model(context, adapter):
    adapter._settings = msgspec.structs.replace(
        adapter._settings, likelihood=config.Likelihood(min_sample_size=7)
    )
    assert parameters(context, adapter.monitorMetric(spec())) == parameter_set("default")


def test_the_resolution_lies_within_the_documented_bounds(context):
    uid = nupic_model(context).monitorMetric(spec(modelParams={"min": 5000, "max": 10000}))
    encoders = json.loads(row(context, uid).model_params)["modelConfig"]["modelParams"]["sensorParams"][
        "encoders"
    ]
    (resolution,) = [e["resolution"] for e in encoders.values() if e and "resolution" in e]
    assert 5000 / 300 <= resolution <= 5000 / 80


def test_one_value_as_range_counts_as_one(context):
    uid = nupic_model(context).monitorMetric(spec(modelParams={"min": 3, "max": 3}))
    assert parameters(context, uid) == _with_default_likelihood(
        parameter_set("nupic", minimum=3.0, maximum=4.0)
    )


def test_the_least_resolution_is_kept_by_the_sets_of_nupic(context):
    uid = nupic_model(context).monitorMetric(spec(modelParams={"min": 0, "max": 1, "minResolution": 0.5}))
    assert parameters(context, uid).encoders["value"].resolution == 0.5


# -- Waiting for data.


def test_a_set_that_needs_a_range_waits_for_rows(context):
    adapter = nupic_model(context)
    uid = adapter.monitorMetric(spec())
    add_rows(context, uid, [0.0, 100.0])
    assert state(context, uid).status == MetricStatus.PENDING_DATA
    assert row(context, uid).model_params is None
    assert commands(context) == []


def test_a_day_of_rows_starts_it_with_their_range_widened(context):
    adapter = nupic_model(context)
    uid = adapter.createMetric("cpu.load")
    add_rows(context, uid, [5000.0] + [7000.0] * 287)
    adapter.monitorMetric(spec())
    assert state(context, uid).status == MetricStatus.CREATE_PENDING
    assert parameters(context, uid) == _with_default_likelihood(
        parameter_set("nupic", minimum=4600.0, maximum=7400.0)
    )
    assert [type(command) for command in commands(context)] == [DefineModel, Samples]


def test_activation_uses_the_rows_there_are_and_everything_the_specification_said(context):
    adapter = nupic_model(context)
    uid = adapter.monitorMetric(spec(modelParams={"minResolution": 0.5, "enableClassifier": True}))
    with pytest.raises(MetricStatisticsNotReadyError):
        adapter.activateModel(uid)
    add_rows(context, uid, [1.0, 2.0])
    adapter.activateModel(uid)
    found = parameters(context, uid)
    assert found.encoders["value"].resolution == 0.5
    assert found.classifier is not None
    assert state(context, uid).status == MetricStatus.CREATE_PENDING
    assert [type(command) for command in commands(context)] == [DefineModel, Samples]
    adapter.activateModel(uid)  # once more changes nothing
    assert commands(context) == []


def test_activation_is_refused_where_nothing_waits(context, adapter):
    with pytest.raises(ObjectNotFoundError):
        adapter.activateModel("0" * 32)
    uid = adapter.createMetric("cpu.load")
    with pytest.raises(MetricNotMonitoredError):
        adapter.activateModel(uid)
    adapter.monitorMetric(spec())
    with writing(context.engine) as conn:
        metrics.set_status(conn, uid, MetricStatus.ERROR)
    with pytest.raises(MetricStatusChangedError):
        adapter.activateModel(uid)


def test_a_metric_of_another_datasource_is_left_alone(context, adapter):
    uid = adapter.createMetric("cpu.load")
    with writing(context.engine) as conn:
        conn.execute(update(schema.metric).values(datasource="cloudwatch"))
    for act in (adapter.activateModel, adapter.exportModel):
        with pytest.raises(TypeError, match="cloudwatch"):
            act(uid)
    with pytest.raises(TypeError, match="cloudwatch"):
        adapter.monitorMetric({"datasource": "custom", "metricSpec": {"uid": uid}})


# -- Complete parameters.


def complete(**changes) -> dict:
    model_config, inference_args = to_model_config(
        parameter_set("nupic", minimum=0.0, maximum=10.0), value_field="bar", timestamp_field="foo"
    )
    given = {
        "modelConfig": model_config,
        "inferenceArgs": {**inference_args, "predictedField": "bar"},
        "timestampFieldName": "foo",
        "valueFieldName": "bar",
    }
    return {key: value for key, value in {**given, **changes}.items() if value is not None}


def test_complete_parameters_make_the_model_they_describe(context, adapter):
    given = spec(completeModelParams=complete())
    uid = adapter.monitorMetric(given)
    expected = parameter_set("nupic", minimum=0.0, maximum=10.0)
    assert parameters(context, uid) == _with_default_likelihood(
        msgspec.structs.replace(expected, name="custom")
    )
    stored = row(context, uid)
    assert json.loads(stored.parameters) == given
    assert json.loads(stored.model_params)["inputRecordSchema"] == [
        ["foo", "datetime", "T"],
        ["bar", "float", ""],
    ]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (spec(completeModelParams=complete(), modelParams={}), "not both"),
        (spec(completeModelParams=complete(valueFieldName=None)), "valueFieldName"),
        (spec(completeModelParams=complete(timestampFieldName=None)), "timestampFieldName"),
        (spec(completeModelParams=complete(inferenceArgs=None)), "inferenceArgs"),
        (spec(completeModelParams=complete(modelConfig=None)), "modelConfig"),
        (spec(completeModelParams=complete(valueFieldName="baz")), "same field"),
        (spec(completeModelParams=complete(modelConfig={"model": "KNN"})), "modelConfig"),
        (spec(modelParams={"min": 1}), "no max"),
        (spec(modelParams={"max": 1}), "no min"),
        (spec(modelParams={"min": 2, "max": 1}), "below min"),
        (spec(modelParams={"min": 0, "max": float("inf")}), "finite"),
        (spec(modelParams={"minResolution": -1}), "negative"),
        (spec(modelParams={"minimum": 0}), "minimum"),
        (spec(modelParams={"min": "0", "max": 1}), "modelParams.min"),
        (spec(metric="two words"), "spaces"),
        ({"datasource": "custom", "metricSpec": {}}, "neither"),
        ({"datasource": "custom"}, "metricSpec"),
        ({"datasource": "cloudwatch", "metricSpec": {"metric": "m"}}, "cloudwatch"),
        ({"datasource": "custom", "metricSpec": {"metric": "m", "userInfo": {"x": {1, 2}}}}, "JSON"),
        ([], "modelSpec"),
    ],
)
def test_a_specification_that_cannot_be_used_is_refused_and_creates_nothing(context, adapter, given, message):
    with pytest.raises(ValueError, match=message):
        adapter.monitorMetric(given)
    assert metric_count(context) == 0
    assert commands(context) == []


def test_an_unknown_uid_is_no_metric(adapter):
    with pytest.raises(ObjectNotFoundError):
        adapter.monitorMetric({"datasource": "custom", "metricSpec": {"uid": "0" * 32}})


# -- The end of a model.


def test_an_unmonitored_metric_keeps_its_samples_and_starts_a_new_generation(context, adapter):
    uid = adapter.monitorMetric(spec())
    add_rows(context, uid, [1.0, 2.0])
    with writing(context.engine) as conn:
        _score(conn, uid, 2)
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
    with reading(context.engine) as conn:
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

    adapter = CustomAdapter(context.engine, Away(), context.settings)
    uid = adapter.monitorMetric(spec())
    with reading(context.engine) as conn:
        assert [pending.uid for pending in metrics.pending(conn)] == [uid]  # where the sweep finds it
    adapter.unmonitorMetric(uid)
    assert state(context, uid).status == MetricStatus.UNMONITORED


# -- Export and import.


def test_an_export_imported_again_is_the_same_metric(context, adapter):
    given = spec(modelParams={"min": 0, "max": 10})
    uid = adapter.monitorMetric(given)
    add_rows(context, uid, [0.1, 1e300, -2.5])
    exported = adapter.exportModel(uid, days=None)
    first = datetime(2013, 12, 5)
    assert exported == {
        **given,
        "data": [[0.1, first], [1e300, first + timedelta(minutes=5)], [-2.5, first + timedelta(minutes=10)]],
    }
    adapter.deleteMetricByName("cpu.load")
    text = json.dumps(exported, default=str)
    again = adapter.importModel(json.loads(text))
    assert adapter.exportModel(again, days=None) == exported
    assert state(context, again).tail_timestamp == START + 600
    assert adapter.importModel(exported) == again


def test_an_export_reaches_back_fourteen_days_and_says_what_it_left_out(context, adapter, caplog):
    uid = adapter.monitorMetric(spec())
    oldest = datetime.now() - timedelta(days=14)
    add_rows(context, uid, [5.0, 6.0, 7.0], start=int(oldest.timestamp()) - 300, step=600)
    assert [value for value, _ in adapter.exportModel(uid)["data"]] == [6.0, 7.0]
    assert "left_out=1" in caplog.text
    assert len(adapter.exportModel(uid, days=None)["data"]) == 3


def test_a_metric_without_a_model_has_no_export(adapter):
    with pytest.raises(MetricNotMonitoredError):
        adapter.exportModel(adapter.createMetric("cpu.load"))
    with pytest.raises(ObjectNotFoundError):
        adapter.exportModel("0" * 32)


def test_imported_samples_keep_to_the_order_of_time(context, adapter):
    data = [
        [1.0, START],
        [2.0, START + 0.9],  # the same second
        [3.0, "2013-12-05 00:05:00"],
        [4.0, START + 299],
        [5.0, "2013-12-05T00:10:00+00:00"],
        [6.0, "2999-01-01 00:00:00"],
    ]
    uid = adapter.importModel({**spec(), "data": data})
    with reading(context.engine) as conn:
        assert samples.read(conn, uid, 1, 10, 10) == samples.Rows(
            [1, 2, 3], [START, START + 300, START + 600], [1.0, 3.0, 5.0]
        )


def test_an_import_does_not_touch_samples_that_are_there(context, adapter):
    uid = adapter.createMetric("cpu.load")
    add_rows(context, uid, [1.0])
    assert adapter.importModel({**spec(), "data": [[9.0, START + 9000]]}) == uid
    assert state(context, uid).last_rowid == 1


@pytest.mark.parametrize(
    "data", [[[1.0]], [["x", START]], [[float("nan"), START]], [[1.0, "yesterday"]], [[1.0, 1e400]], [7]]
)
def test_an_import_of_what_are_no_samples_creates_nothing(context, adapter, data):
    with pytest.raises(ValueError, match=r"data\[1\]"):
        adapter.importModel({**spec(), "data": [[0.0, START], *data]})
    assert metric_count(context) == 0


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


def _with_default_likelihood(found: NupicParameters) -> NupicParameters:
    """The likelihood that the documented settings have by default is that of the sets."""
    defaults = config.Likelihood()
    changed = msgspec.structs.replace(
        found.likelihood,
        probation=defaults.min_sample_size,
        refit=defaults.refresh_rate,
        history=defaults.sample_size,
    )
    assert changed == found.likelihood
    return found
