"""What applications with datasource adapters of their own start models with."""

import logging

import pytest

from htmengine import config, repository
from htmengine.adapters.datasource import createCustomDatasourceAdapter
from htmengine.exceptions import ObjectNotFoundError
from htmengine.messages import DefineModel, decode_model_input
from htmengine.model_swapper import definition
from htmengine.repository import metrics, samples
from htmengine.repository.status import MetricStatus
from htmengine.runtime import scalar_metric_utils
from htmengine.service.installation import current, using

START = 1_700_000_000
SETTINGS = config.Likelihood(min_sample_size=50, refresh_rate=12, sample_size=1000)
LOGGER = logging.getLogger(__name__)
PARAMS = scalar_metric_utils.generateSwarmParams({"min": 0.0, "max": 100.0})


@pytest.fixture
def installation(tmp_path):
    import msgspec

    with using(msgspec.structs.replace(config.embedded(tmp_path), shards=1, likelihood=SETTINGS)):
        yield current()


@pytest.fixture
def conn(installation):
    with repository.engineFactory(installation.settings).connect() as conn:
        yield conn


@pytest.fixture
def uid(installation):
    """A metric with three rows that nobody monitors."""
    uid = createCustomDatasourceAdapter().createMetric("m")
    with installation.database.write() as conn:
        samples.append(conn, [uid] * 3, [1, 2, 3], [START, START + 60, START + 120], [1.0, 2.0, 3.0])
        samples.advance_last(conn, [samples.Advance(uid, 0, 3, START + 120)])
    return uid


def announced(installation):
    """Take what the scheduler would get: kind of message, and rowids of samples."""
    with installation.bus.consume([installation.settings.model_input_queue(0)]) as consumer:
        deliveries = consumer.receive(max_messages=100, timeout_s=0)
        consumer.ack(deliveries)
    found = [message for delivery in deliveries for message in decode_model_input(delivery.body)]
    return ["define" if isinstance(message, DefineModel) else message.rowids for message in found]


def state(installation, uid):
    with installation.database.write() as conn:
        return metrics.definitions(conn, [uid])[uid]


# -- Descriptions


@pytest.mark.parametrize("stats", [{}, {"min": 1.0}, {"max": 1.0}, {"min": None, "max": 1.0}])
def test_without_a_range_there_is_no_description(stats):
    assert scalar_metric_utils.generateSwarmParams(stats) is None


@pytest.mark.parametrize(
    ("stats", "least", "greatest"),
    [
        ({"min": 0.0, "max": 100.0}, 100 / 300, 100 / 80),
        ({"min": 0.0, "max": 100.0, "minResolution": 5.0}, 5.0, 5.0),
        ({"min": 7.0, "max": 7.0}, 1 / 300, 1 / 80),
    ],
)
def test_a_description_follows_the_range(stats, least, greatest):
    found = scalar_metric_utils.generateSwarmParams(stats)
    assert found["inputRecordSchema"] == [["c0", "datetime", "T"], ["c1", "float", ""]]
    params = found["modelConfig"]["modelParams"]
    assert least <= params["sensorParams"]["encoders"]["c1"]["resolution"] <= greatest
    assert params["clEnable"] is False
    assert found["inferenceArgs"]["predictedField"] == "c1"


def test_predictions_are_asked_for():
    found = scalar_metric_utils.generateSwarmParams({"min": 0.0, "max": 1.0}, classifierEnabled=True)
    assert found["modelConfig"]["modelParams"]["clEnable"] is True


def complete(**changes):
    params = {
        "modelConfig": PARAMS["modelConfig"],
        "inferenceArgs": PARAMS["inferenceArgs"],
        "timestampFieldName": "c0",
        "valueFieldName": "c1",
    } | changes
    return {"completeModelParams": {key: value for key, value in params.items() if value is not None}}


def test_a_complete_description_is_taken_as_it_is():
    assert scalar_metric_utils.generateSwarmParamsFromCompleteModelParams(complete()) == PARAMS


@pytest.mark.parametrize(
    "spec",
    [
        {},
        complete() | {"modelParams": {}},
        complete(inferenceArgs=None),
        complete(timestampFieldName=None),
        complete(valueFieldName=None),
        complete(valueFieldName="c2"),
    ],
)
def test_a_complete_description_with_a_fault_is_refused(spec):
    with pytest.raises(ValueError, match="modelSpec"):
        scalar_metric_utils.generateSwarmParamsFromCompleteModelParams(spec)


# -- Starting


def test_monitoring_starts_the_model_and_asks_for_the_rows(installation, conn, uid):
    assert scalar_metric_utils.startMonitoring(conn, uid, PARAMS, LOGGER) is True
    found = state(installation, uid)
    assert found.status == MetricStatus.CREATE_PENDING
    likelihood = definition.parse(found.model_params).likelihood
    assert (likelihood.probation, likelihood.refit, likelihood.history) == (50, 12, 1000)
    assert announced(installation) == ["define", [3]]
    with pytest.raises(AssertionError, match="monitored already"):
        scalar_metric_utils.startMonitoring(conn, uid, PARAMS, LOGGER)


def test_monitoring_without_a_description_waits_for_data_until_the_model_is_started(installation, conn, uid):
    assert scalar_metric_utils.startMonitoring(conn, uid, None, LOGGER) is False
    assert state(installation, uid).status == MetricStatus.PENDING_DATA
    assert announced(installation) == []
    assert scalar_metric_utils.startModel(uid, PARAMS, LOGGER) is True
    assert announced(installation) == ["define", [3]]
    assert scalar_metric_utils.startModel(uid, PARAMS, LOGGER) is False
    assert announced(installation) == []


def test_what_the_caller_rolls_back_did_not_happen(installation, conn, uid):
    with conn.begin() as transaction:
        scalar_metric_utils.startMonitoring(conn, uid, PARAMS, LOGGER)
        transaction.rollback()
    assert state(installation, uid).status == MetricStatus.UNMONITORED


def test_the_backlog_is_asked_for_by_its_last_row(installation, conn, uid):
    scalar_metric_utils.startModel(uid, PARAMS, LOGGER)
    with installation.database.write() as writer:
        metrics.set_status(writer, uid, MetricStatus.ACTIVE)
    announced(installation)
    scalar_metric_utils.sendBacklogDataToModel(conn, uid, LOGGER)
    assert announced(installation) == [[3]]


def test_what_cannot_be_started_is_told(installation, conn, uid):
    for start in (
        lambda metric, described: scalar_metric_utils.startMonitoring(conn, metric, described, LOGGER),
        lambda metric, described: scalar_metric_utils.startModel(metric, described, LOGGER),
    ):
        with pytest.raises(ObjectNotFoundError):
            start("0" * 32, PARAMS)
        with pytest.raises(ValueError, match="model_params"):
            start(uid, {"modelConfig": {}})
    with installation.database.write() as writer:
        metrics.set_status(writer, uid, MetricStatus.ERROR)
    with pytest.raises(ValueError, match="has failed"):
        scalar_metric_utils.startModel(uid, PARAMS, LOGGER)


def test_a_metric_without_rows_waits_for_them(installation, conn):
    uid = createCustomDatasourceAdapter().createMetric("empty")
    scalar_metric_utils.startModel(uid, PARAMS, LOGGER)
    assert announced(installation) == ["define"]
