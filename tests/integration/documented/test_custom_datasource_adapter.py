"""The adapter, on an application whose services run."""

import json
from datetime import datetime, timedelta

import pytest

from htmengine import repository
from htmengine.adapters.datasource import createCustomDatasourceAdapter
from htmengine.exceptions import MetricAlreadyExists, MetricAlreadyMonitored
from htmengine.htm.params import parameter_set, to_model_config
from htmengine.repository import MetricStatus
from htmengine.utils import jsonDecode, jsonEncode, validate
from tests.acceptance.engine import wait_until
from tests.contract.test_documented_surface import SPEC, described
from tests.integration.documented.specs import has_resolution_for, model_config, ranged, spec

pytestmark = [pytest.mark.integration, pytest.mark.acceptance]

STARTED = (MetricStatus.CREATE_PENDING, MetricStatus.ACTIVE)
BEGIN = datetime(2013, 12, 5)


@pytest.fixture
def adapter(application):
    return createCustomDatasourceAdapter()


def add_rows(application, uid, count):
    with application.connected() as conn:
        data = [(float(i), BEGIN + timedelta(minutes=5 * i)) for i in range(count)]
        repository.addMetricData(conn, uid, data)


def complete(**changes):
    config, arguments = to_model_config(
        parameter_set("nupic", minimum=0.0, maximum=100.0), value_field="bar", timestamp_field="foo"
    )
    given = {
        "modelConfig": config,
        "inferenceArgs": {**arguments, "predictedField": "bar"},
        "timestampFieldName": "foo",
        "valueFieldName": "bar",
    }
    return {key: value for key, value in {**given, **changes}.items() if value is not None}


def test_a_metric_is_created_once(application, adapter, name):
    uid = adapter.createMetric(name)
    metric = application.metric(name)
    assert (metric.uid, metric.datasource, metric.status) == (uid, "custom", MetricStatus.UNMONITORED)
    with pytest.raises(MetricAlreadyExists) as caught:
        adapter.createMetric(name)
    assert caught.value.uid == uid


@pytest.mark.parametrize("monitored", [False, True])
def test_a_metric_is_deleted_by_its_name(application, adapter, name, monitored):
    adapter.createMetric(name)
    if monitored:
        adapter.monitorMetric(ranged(name, 0, 100))
    adapter.deleteMetricByName(name)
    assert application.metric(name) is None


@pytest.mark.parametrize(
    "more", [{}, {"resource": "some-resource"}, {"userInfo": {"symbol": "A", "metricType": "t"}}]
)
def test_a_metric_without_range_waits_for_data(application, adapter, name, more):
    given = spec(name, metricSpec={"metric": name, **more})
    uid = adapter.monitorMetric(given)
    metric = application.metric(name)
    assert (metric.uid, metric.status) == (uid, MetricStatus.PENDING_DATA)
    assert metric.server == more.get("resource", name)
    assert json.loads(metric.parameters) == given
    validate(json.loads(metric.parameters), described(SPEC))
    assert adapter.getInstanceNameForModelSpec(given) == more.get("resource")


def test_a_metric_with_enough_data_is_monitored_at_once(application, adapter, name):
    uid = adapter.createMetric(name)
    add_rows(application, uid, 288)
    adapter.monitorMetric(spec(name))
    assert application.metric(name).status in STARTED
    application.active(name)
    application.scored(name, 288)


@pytest.mark.parametrize("enabled", [False, True])
def test_a_range_and_predictions_are_taken(application, adapter, name, enabled):
    more = {"enableClassifier": True} if enabled else {}
    adapter.monitorMetric(ranged(name, 0, 100, **more))
    metric = application.active(name)
    assert model_config(metric)["clEnable"] is enabled
    assert has_resolution_for(metric, 0, 100)


def test_a_smallest_resolution_is_kept(application, adapter, name):
    adapter.monitorMetric(ranged(name, 0, 1, minResolution=0.5))
    encoder = model_config(application.metric(name))["sensorParams"]["encoders"]["c1"]
    assert encoder["resolution"] >= 0.5


def test_a_complete_description_is_taken(application, adapter, name):
    given = spec(name, completeModelParams=complete())
    adapter.monitorMetric(given)
    assert json.loads(application.active(name).parameters) == given


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"completeModelParams": complete(), "modelParams": {}}, "not both"),
        ({"completeModelParams": complete(valueFieldName=None)}, "valueFieldName"),
        ({"completeModelParams": complete(timestampFieldName=None)}, "timestampFieldName"),
        ({"completeModelParams": complete(inferenceArgs=None)}, "inferenceArgs"),
        ({"completeModelParams": complete(valueFieldName="foo")}, "predictedField"),
    ],
)
def test_a_wrong_description_is_refused_and_leaves_no_metric(application, adapter, name, wrong, reason):
    with pytest.raises(ValueError, match=reason):
        adapter.monitorMetric(spec(name, **wrong))
    assert application.metric(name) is None


def test_a_metric_is_monitored_once(adapter, name):
    uid = adapter.monitorMetric(ranged(name, 0, 100))
    with pytest.raises(MetricAlreadyMonitored) as caught:
        adapter.monitorMetric(ranged(name, 0, 100))
    assert caught.value.uid == uid


@pytest.mark.parametrize("enabled", [False, True])
def test_a_waiting_model_is_activated(application, adapter, name, enabled):
    uid = adapter.monitorMetric(spec(name, modelParams={"enableClassifier": enabled}))
    add_rows(application, uid, 2)
    adapter.activateModel(uid)
    metric = application.active(name)
    assert model_config(metric)["clEnable"] is enabled


@pytest.mark.parametrize("waits", [False, True])
def test_an_unmonitored_metric_has_no_model(application, adapter, name, waits):
    uid = adapter.monitorMetric(spec(name) if waits else ranged(name, 0, 100))
    adapter.unmonitorMetric(uid)
    metric = application.metric(name)
    assert (metric.status, metric.parameters, metric.model_params) == (MetricStatus.UNMONITORED, None, None)


@pytest.mark.parametrize("more", [{}, {"completeModelParams": complete()}])
def test_an_export_is_imported_again(application, adapter, name, more):
    uid = adapter.createMetric(name)
    with application.connected() as conn:
        now = datetime.now().replace(microsecond=0) - timedelta(hours=3)
        repository.addMetricData(conn, uid, [(1.0, now), (2.0, now + timedelta(minutes=5))])
    adapter.monitorMetric(spec(name, **more))
    exported = adapter.exportModel(uid)
    assert len(exported["data"]) == 2
    adapter.deleteMetricByName(name)
    again = adapter.importModel(jsonDecode(jsonEncode(exported)))
    assert again != uid
    status = application.metric(name).status
    assert status in STARTED if more else status == MetricStatus.PENDING_DATA
    assert wait_until(lambda: adapter.exportModel(again) == exported, "the same export")
