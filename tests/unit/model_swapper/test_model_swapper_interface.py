import itertools
import threading
from datetime import datetime, timedelta

import msgspec
import pytest

from htmengine import config, repository
from htmengine.adapters.datasource import createCustomDatasourceAdapter
from htmengine.bus import Outgoing
from htmengine.exceptions import ObjectNotFoundError
from htmengine.htm.params import parameter_set, to_model_config
from htmengine.htmengineerrno import ERR, SUCCESS
from htmengine.messages import ModelFailure, encode_model_output
from htmengine.model_swapper import model_scheduler_service
from htmengine.model_swapper.model_swapper_interface import (
    ModelAlreadyExists,
    ModelCommand,
    ModelCommandResult,
    ModelInferenceResult,
    ModelInputRow,
    ModelNotFound,
    ModelSwapperInterface,
)
from htmengine.model_swapper.utils import createHTMModel, deleteHTMModel
from htmengine.repository.status import MetricStatus
from htmengine.runtime.metric_streamer_util import MetricStreamer
from htmengine.runtime.model_data_feeder import sendInputRowsToModel
from htmengine.service import loop
from htmengine.service.installation import current, using

START = datetime(2013, 5, 23, 8, 13)


def arguments(**range_of_values):
    values = {"minimum": 0.0, "maximum": 100.0} | range_of_values
    model_config, inference_args = to_model_config(parameter_set("nupic", **values))
    return {
        "modelConfig": model_config,
        "inferenceArgs": inference_args,
        "inputRecordSchema": [["c0", "datetime", "T"], ["c1", "float", ""]],
    }


@pytest.fixture
def installation(tmp_path):
    settings = msgspec.structs.replace(config.embedded(tmp_path), shards=1)
    with using(settings):
        yield current()


@pytest.fixture
def swapper(installation):
    with ModelSwapperInterface() as made:
        yield made


@pytest.fixture
def uid(installation):
    return createCustomDatasourceAdapter().createMetric("m")


@pytest.fixture
def scheduler(installation, monkeypatch):
    monkeypatch.setattr("htmengine.model_swapper.scheduler.IDLE_POLL_S", 0.02)
    stop = threading.Event()
    stage = model_scheduler_service.build(installation)
    thread = threading.Thread(target=loop.run, args=(stage, installation.bus, stop))
    thread.start()
    yield
    stop.set()
    thread.join()


def stream(swapper, uid, *values, start=START):
    data = [(start + timedelta(seconds=15 * i), value) for i, value in enumerate(values)]
    MetricStreamer().streamMetricData(data, uid, swapper)


def take(swapper, count):
    """Return so many results of models, acknowledged."""
    found = []
    with swapper.consumeResults() as results:
        for batch in results:
            found += [(batch.modelID, item) for item in batch.objects]
            batch.ack()
            if len(found) >= count:
                return found
    return found


def metric(uid):
    with repository.engineFactory(current().settings).connect() as conn:
        return repository.getMetric(conn, uid)


def test_a_model_is_defined_twice_fed_and_deleted(swapper, uid, scheduler):
    swapper.defineModel(uid, arguments(), "first")
    swapper.defineModel(uid, arguments(), "second")
    assert take(swapper, 2) == [
        (uid, ModelCommandResult("first", "defineModel", SUCCESS)),
        (uid, ModelCommandResult("second", "defineModel", SUCCESS)),
    ]
    stream(swapper, uid, 5.3, 2.4)
    results = take(swapper, 2)
    assert {model for model, _ in results} == {uid}
    rows = [item for _, item in results]
    assert [row.rowID for row in rows] == [1, 2]
    assert all(isinstance(row.anomalyScore, float) for row in rows)
    swapper.deleteModel(uid, "gone")
    assert take(swapper, 1) == [(uid, ModelCommandResult("gone", "deleteModel", SUCCESS))]
    swapper.deleteModel(uid, "again")
    assert take(swapper, 1) == [(uid, ModelCommandResult("again", "deleteModel", SUCCESS))]
    assert metric(uid).status == MetricStatus.UNMONITORED


def test_a_definition_makes_the_metric_monitored_with_what_describes_it(swapper, uid):
    swapper.defineModel(uid, arguments(), "id")
    assert metric(uid).status == MetricStatus.CREATE_PENDING
    exported = createCustomDatasourceAdapter().exportModel(uid)
    assert exported["completeModelParams"]["modelConfig"] == arguments()["modelConfig"]
    assert exported["completeModelParams"]["valueFieldName"] == "c1"


def test_another_definition_of_the_same_model_is_refused(swapper, uid):
    swapper.defineModel(uid, arguments(), "id")
    with pytest.raises(ModelAlreadyExists):
        swapper.defineModel(uid, arguments(maximum=5000.0), "id")


def test_a_definition_that_makes_no_model_changes_nothing(swapper, uid):
    with pytest.raises(ValueError, match="inputRecordSchema"):
        swapper.defineModel(uid, {"modelConfig": {}, "inferenceArgs": {}}, "id")
    assert metric(uid).status == MetricStatus.UNMONITORED


def test_a_model_that_has_failed_is_deleted_before_another_is_defined(swapper, uid):
    swapper.defineModel(uid, arguments(), "id")
    with repository.engineFactory(current().settings).connect() as conn:
        repository.setMetricStatus(conn, uid, MetricStatus.ERROR, "reason")
    with pytest.raises(ModelAlreadyExists, match="failed"):
        swapper.defineModel(uid, arguments(), "id")
    swapper.deleteModel(uid, "gone")
    swapper.defineModel(uid, arguments(), "id")


def test_the_helpers_define_and_delete(uid):
    createHTMModel(uid, arguments())
    assert metric(uid).status == MetricStatus.CREATE_PENDING
    deleteHTMModel(uid)
    assert metric(uid).status == MetricStatus.UNMONITORED


def test_what_is_unknown_is_not_found(swapper, uid):
    with pytest.raises(ModelNotFound):
        swapper.defineModel("unknown", arguments(), "id")
    with pytest.raises(ModelNotFound):
        swapper.submitRequests("unknown", [ModelInputRow(1, (START, 1.0))])
    with pytest.raises(ModelNotFound):
        swapper.submitRequests(uid, [ModelInputRow(1, (START, 1.0))])
    with pytest.raises(ModelNotFound):
        swapper.cloneModel(uid, "unknown", "id")
    swapper.deleteModel("unknown", "id")
    assert not swapper.modelInputPending("unknown")


def test_a_row_that_is_not_stored_is_refused(swapper, uid):
    swapper.defineModel(uid, arguments(), "id")
    with pytest.raises(ValueError, match="no row 1"):
        swapper.submitRequests(uid, [ModelInputRow(1, (START, 1.0))])


def test_commands_among_requests_are_carried_out(swapper, uid):
    batches = {
        swapper.submitRequests(uid, [ModelCommand("id", "defineModel", arguments())]),
        swapper.submitRequests(uid, [ModelCommand("id", "deleteModel")]),
    }
    assert len(batches) == 2
    assert metric(uid).status == MetricStatus.UNMONITORED
    with pytest.raises(ValueError, match="eatModel"):
        swapper.submitRequests(uid, [ModelCommand("id", "eatModel")])


def test_what_waits_is_told(swapper, uid):
    swapper.defineModel(uid, arguments(), "id")
    assert not swapper.modelInputPending(uid)
    stream(swapper, uid, 1.0)
    assert swapper.modelInputPending(uid)
    assert swapper.getModelsWithInputPending() == [uid]


def test_a_copy_goes_on_with_what_the_model_has_learned(swapper, uid, scheduler):
    other = createCustomDatasourceAdapter().createMetric("copy")
    swapper.defineModel(uid, arguments(), "defined")
    take(
        swapper, 1
    )  # else the scheduler may read rows that then come a second time, whose scores nobody stores here
    stream(swapper, uid, *itertools.islice(itertools.cycle([10.0, 50.0, 90.0]), 400))
    take(swapper, 400)
    swapper.cloneModel(uid, other, "cloned")
    assert take(swapper, 2) == [
        (uid, ModelCommandResult("cloned", "cloneModel", SUCCESS)),
        (other, ModelCommandResult("cloned", "defineModel", SUCCESS)),
    ]
    with pytest.raises(ModelAlreadyExists):
        swapper.cloneModel(uid, other, "again")
    stream(swapper, other, 50.0, 90.0, 10.0, 50.0, 90.0, start=START + timedelta(hours=3))
    scores = [item.anomalyScore for _, item in take(swapper, 5)]
    assert scores[-1] < 0.5  # a new model would know nothing and score 1


def test_results_that_nobody_acknowledged_come_again(swapper, installation):
    for text in ("first", "second"):
        failure = ModelFailure(uid="m", generation=0, error_message=text)
        installation.bus.publish(
            [Outgoing(installation.settings.results_shard_queue(0), encode_model_output([failure]))]
        )
    results = swapper.consumeResults()
    first = next(iter(results))
    assert first.objects == [ModelInferenceResult(0, ERR, errorMessage="first")]
    swapper.close()
    assert [item.errorMessage for _, item in take(swapper, 2)] == ["first", "second"]


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("consumeRequests", ["m"]),
        ("submitResults", ["m", []]),
        ("initSchedulerNotification", []),
        ("consumeModelSchedulerNotifications", []),
    ],
)
def test_what_cannot_exist_with_shards_is_refused(swapper, method, arguments):
    with pytest.raises(NotImplementedError, match=method):
        getattr(swapper, method)(*arguments)


def test_samples_are_stored_in_order_and_once(swapper, uid, caplog):
    stream(swapper, uid, 1.0, 2.0)
    stream(swapper, uid, 3.0, 4.0, 5.0)
    with repository.engineFactory(current().settings).connect() as conn:
        rows = [(row.rowid, row.metric_value) for row in repository.getMetricData(conn, uid)]
    assert rows == [(1, 1.0), (2, 2.0), (3, 5.0)]
    assert "2 samples were refused" in caplog.text
    with pytest.raises(ObjectNotFoundError):
        stream(swapper, "unknown", 1.0)
    with pytest.raises(ValueError, match="finite"):
        stream(swapper, uid, float("nan"), start=START + timedelta(days=1))


def test_a_metric_that_waits_for_data_gets_its_model_with_enough_rows(swapper, installation):
    scheduler = msgspec.structs.replace(installation.settings.scheduler, model="nupic")
    with using(msgspec.structs.replace(installation.settings, scheduler=scheduler)):
        uid = createCustomDatasourceAdapter().monitorMetric(
            {"datasource": "custom", "metricSpec": {"metric": "waits"}}
        )
        stream(swapper, uid, *range(287))
        assert metric(uid).status == MetricStatus.PENDING_DATA
        stream(swapper, uid, 287.0, start=START + timedelta(days=1))
        assert metric(uid).status == MetricStatus.CREATE_PENDING


def test_rows_are_submitted_in_slices_until_the_model_is_gone():
    class Swapper:
        def __init__(self, *errors):
            self.errors = list(errors)
            self.submitted = []

        def submitRequests(self, modelID, requests):  # noqa: N802, N803
            self.submitted.append(len(requests))
            if self.errors:
                raise self.errors.pop()

    def send(swapper, count):
        rows = [ModelInputRow(i, (START, 1.0)) for i in range(count)]
        import logging

        sendInputRowsToModel("m", rows, 10, swapper, logging.getLogger("test"))

    whole, gone, broken = Swapper(), Swapper(ModelNotFound("m")), Swapper(OSError("away"))
    send(whole, 25)
    assert whole.submitted == [10, 10, 5]
    send(gone, 25)
    assert gone.submitted == [10]
    with pytest.raises(OSError, match="away"):
        send(broken, 25)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ModelCommand("id", 1),
        lambda: ModelCommand("id", "defineModel", ["args"]),
        lambda: ModelCommandResult("id", "defineModel", "0"),
        lambda: ModelCommandResult("id", "defineModel", SUCCESS, errorMessage="failed"),
        lambda: ModelCommandResult("id", "defineModel", ERR),
        lambda: ModelCommandResult("id", "defineModel", ERR, args={}, errorMessage="failed"),
        lambda: ModelInputRow(1, []),
        lambda: ModelInputRow(1, "ab"),
        lambda: ModelInferenceResult(1, SUCCESS, "0.5"),
        lambda: ModelInferenceResult(1, SUCCESS, 0.5, multiStepBestPredictions=[1]),
        lambda: ModelInferenceResult(1, SUCCESS, 0.5, errorMessage="failed"),
        lambda: ModelInferenceResult(1, ERR),
        lambda: ModelInferenceResult(1, ERR, 0.5, "failed"),
    ],
)
def test_an_object_that_contradicts_itself_is_refused(make):
    with pytest.raises(AssertionError):
        make()
