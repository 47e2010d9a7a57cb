"""Which model a metric gets, and when."""

import json

import msgspec
import pytest

from htmengine import config
from htmengine.exceptions import (
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
from htmengine.messages import DefineModel, Samples
from htmengine.repository import metrics
from htmengine.repository.status import MetricStatus
from tests.unit.adapters.custom import (
    add_rows,
    commands,
    metric_count,
    nupic_model,
    parameters,
    row,
    spec,
    state,
)


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
    with context.database.write() as conn:
        metrics.set_status(conn, uid, MetricStatus.ERROR)
    with pytest.raises(MetricStatusChangedError):
        adapter.activateModel(uid)


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
