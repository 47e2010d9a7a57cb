"""The documented interface between applications and models, on shards.

The original engine had one queue for each model, and a process that read it. Here the repository is the record of what
models are to score, a model belongs to the metric whose uid is its id, and a shard's queue carries the input of many. What
that leaves of each documented method, docs/reference/documented-interfaces.md lists: kept, emulated, or refused.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

from htmengine.bus import Consumer, Delivery
from htmengine.htmengineerrno import ERR, SUCCESS
from htmengine.messages import (
    CloneModel,
    CommandResult,
    DefineModel,
    DeleteModel,
    ModelFailure,
    ModelOutput,
    decode_model_output,
    shard_of,
)
from htmengine.model_swapper import definition
from htmengine.model_swapper.model_input import ModelInputBuilder, add_newest
from htmengine.model_swapper.swapper_messages import (
    ModelCommand,
    ModelCommandResult,
    ModelInferenceResult,
    ModelInputRow,
)
from htmengine.repository import metrics, samples
from htmengine.repository.metrics import MetricState
from htmengine.repository.status import WITH_MODEL, WITHOUT_MODEL, MetricStatus
from htmengine.service.installation import current
from htmengine.system.closing import Closing

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from htmengine.service.context import Context

__all__ = [
    "ModelAlreadyExists",
    "ModelCommand",
    "ModelCommandResult",
    "ModelInferenceResult",
    "ModelInputRow",
    "ModelNotFound",
    "ModelSwapperError",
    "ModelSwapperInterface",
    "ResultsBatch",
]

POLL_S: Final = 0.2
"""How often a wait without end lets signals through."""
NO_ROW: Final = 0
"""`rowID` of a result that says that the whole model failed; rows are numbered from 1."""


class ModelSwapperError(Exception):
    """Something is wrong between application and models."""


class ModelNotFound(ModelSwapperError):
    """No metric with this uid is there, or it has no model."""


class ModelAlreadyExists(ModelSwapperError):
    """The metric has a model with another definition; delete it first."""


class ModelSwapperInterface(Closing):
    """Commands to models, rows for them, and their results. Not for several threads; a context manager.

    It acts on the installation that APPLICATION_CONFIG_PATH names; see `htmengine.runtime.installation`.
    """

    def __init__(self) -> None:
        self._consumers: list[_Results] = []

    def close(self) -> None:
        """Close the consumers that nobody has closed."""
        for consumer in list(self._consumers):
            consumer.close()

    # -- Commands

    def defineModel(self, modelID: str, args: Mapping[str, Any], commandID: str) -> None:
        """Give a metric the model that NuPIC's `modelConfig`, `inferenceArgs` and `inputRecordSchema` describe.

        The metric gets the status CREATE_PENDING; saying the same again changes nothing, and is answered again.

        Raises
        ------
        ModelNotFound : there is no metric with this uid.
        ModelAlreadyExists : it has another model, or one that failed.
        ValueError : the description makes no model; nothing was changed.
        """
        described = json.dumps(dict(args))
        parameters = definition.parse(described)
        with self._context.database.write() as conn:
            state = metrics.states(conn, [modelID]).get(modelID)
            if state is None:
                raise _not_found(modelID)
            if state.status in WITHOUT_MODEL:
                metrics.start_model(
                    conn,
                    modelID,
                    parameters=json.dumps(_as_specification(state, args)),
                    model_params=described,
                    status=MetricStatus.CREATE_PENDING,
                )
            elif state.status == MetricStatus.ERROR:
                raise ModelAlreadyExists(f"the model {modelID} has failed; delete it first")
            elif definition.parse(metrics.definitions(conn, [modelID])[modelID].model_params) != parameters:
                raise ModelAlreadyExists(f"the model {modelID} has another definition")
        builder = self._builder()
        builder.command(DefineModel(command_id=commandID, uid=modelID, generation=state.generation))
        with self._context.database.read() as conn:
            add_newest(builder, conn, metrics.states(conn, [modelID]).values())
        self._context.bus.publish(builder.messages())

    def cloneModel(self, modelID: str, newModelID: str, commandID: str) -> None:
        """Let another metric, which has no model yet, begin with a copy of this model; it must be in the same shard.

        Raises
        ------
        ModelNotFound : a metric is missing, or the first has no model.
        ModelAlreadyExists : the second has a model.
        ValueError : they are of different shards, whose models may be on different machines.
        """
        context = self._context
        if shard_of(modelID, context.shards) != shard_of(newModelID, context.shards):
            raise ValueError(
                f"the models {modelID} and {newModelID} belong to different shards; monitor the second metric instead"
            )
        with context.database.write() as conn:
            source = _monitored(conn, modelID)
            target = metrics.states(conn, [newModelID]).get(newModelID)
            if target is None:
                raise _not_found(newModelID)
            if target.status != MetricStatus.UNMONITORED:
                raise ModelAlreadyExists(f"the metric {newModelID} has a model; delete it first")
            described = metrics.definitions(conn, [modelID])[modelID].model_params
            parameters = json.loads(metrics.descriptions(conn, [modelID])[modelID].parameters or "{}")
            metric = parameters.get("metricSpec", {}) | {"metric": target.name}
            metrics.start_model(
                conn,
                newModelID,
                parameters=json.dumps({**parameters, "metricSpec": metric}),
                model_params=described,
                status=MetricStatus.CREATE_PENDING,
            )
        self._command(
            CloneModel(
                command_id=commandID,
                uid=modelID,
                generation=source.generation,
                new_uid=newModelID,
                new_generation=target.generation,
            ),
            DefineModel(command_id=commandID, uid=newModelID, generation=target.generation),
        )

    def deleteModel(self, modelID: str, commandID: str) -> None:
        """Delete a metric's model, as `unmonitorMetric` does; nothing happens where there is no such metric."""
        with self._context.database.write() as conn:
            state = metrics.states(conn, [modelID]).get(modelID)
            if state is None:
                return
            ended = state.generation
            if state.status == MetricStatus.UNMONITORED:
                ended -= 1
            else:
                metrics.clear_model(conn, modelID)
        self._command(DeleteModel(command_id=commandID, uid=modelID, generation=ended))

    def submitRequests(self, modelID: str, requests: Sequence[ModelCommand | ModelInputRow]) -> str:
        """Carry out commands, and ask a model for the scores of rows; return the id of this batch.

        The rows must be stored: what the repository has under their numbers is what the model gets, and whatever rows
        the model lacks before them it gets too.

        Raises
        ------
        ModelNotFound : the metric is not there, or has no model.
        ValueError : a row is not stored, or a command is unknown.
        """
        methods: dict[str, Callable[[ModelCommand], None]] = {
            "defineModel": lambda it: self.defineModel(modelID, it.args or {}, it.commandID),
            "cloneModel": lambda it: self.cloneModel(modelID, (it.args or {})["modelID"], it.commandID),
            "deleteModel": lambda it: self.deleteModel(modelID, it.commandID),
        }
        rows: list[int] = []
        for request in requests:
            if isinstance(request, ModelInputRow):
                rows.append(request.rowID)
            elif request.method in methods:
                methods[request.method](request)
            else:
                raise ValueError(
                    f'the command "{request.method}" is not known; known are: {", ".join(methods)}'
                )
        if rows:
            self._submit_rows(modelID, rows)
        return uuid.uuid1().hex

    def _submit_rows(self, uid: str, rowids: Sequence[int]) -> None:
        context = self._context
        wanted = set(rowids)
        with context.database.read() as conn:
            state = _monitored(conn, uid)
            rows = samples.read(conn, uid, min(wanted), max(wanted), max(wanted) - min(wanted) + 1)
        if missing := wanted - set(rows.rowids):
            raise ValueError(
                f"the metric {state.name} has no row {min(missing)}: send samples to the metric-data queue, or store "
                "them with MetricStreamer"
            )
        builder = self._builder()
        for row in map(samples.Row._make, zip(*rows, strict=True)):
            if row.rowid in wanted:
                builder.add(uid, state.generation, *row)
        context.bus.publish(builder.messages())

    # -- Results

    def consumeResults(self) -> _Results:
        """Return an iterable of the results of all models, each with `.modelID`, `.objects` and `.ack()`.

        In place of the anomaly service, which reads the same queues: of both only one gets a queue's messages, and
        what is acknowledged here is not stored. Applications that want the stored scores bind a queue to the results
        exchange.
        """
        settings, shards = self._context.settings, self._context.shards
        queues = [settings.results_shard_queue(shard) for shard in range(shards)]
        results = _Results(self._context.bus.consume(queues), self._consumers.remove)
        self._consumers.append(results)
        return results

    # -- What waits

    def modelInputPending(self, modelID: str) -> bool:
        """Tell whether a metric with a model has rows without scores; False where there is no such metric."""
        with self._context.database.read() as conn:
            state = metrics.states(conn, [modelID]).get(modelID)
        return state is not None and state.is_lagging

    def getModelsWithInputPending(self) -> list[str]:
        """Return the uids of the metrics that have a model and rows without scores."""
        with self._context.database.read() as conn:
            return [state.uid for state in metrics.lagging(conn)]

    def cleanUpAfterModelDeletion(self, modelID: str) -> None:
        """Do nothing: a model has no queue of its own to be deleted."""

    # -- The sides of the scheduler and of the model's process

    def consumeRequests(self, modelID: str, blocking: bool = True) -> NoReturn:
        """Raise NotImplementedError: models have no queues of their own."""
        raise _refused(
            "consumeRequests", "a shard's queue has the input of many models, and one owner, its scheduler"
        )

    def submitResults(self, modelID: str, results: Sequence[Any]) -> NoReturn:
        """Raise NotImplementedError: scores come from the scheduler alone."""
        raise _refused(
            "submitResults", "the anomaly service takes scores with generations, from the scheduler alone"
        )

    def initSchedulerNotification(self) -> NoReturn:
        """Raise NotImplementedError: nobody is notified."""
        raise _refused("initSchedulerNotification", "the scheduler reads the queues of its shards")

    def consumeModelSchedulerNotifications(self) -> NoReturn:
        """Raise NotImplementedError: nobody is notified."""
        raise _refused("consumeModelSchedulerNotifications", "the scheduler reads the queues of its shards")

    @property
    def _context(self) -> Context:
        return current()

    def _command(self, *commands: CloneModel | DefineModel | DeleteModel) -> None:
        builder = self._builder()
        for command in commands:
            builder.command(command)
        self._context.bus.publish(builder.messages())

    def _builder(self) -> ModelInputBuilder:
        return ModelInputBuilder(self._context.shards, self._context.settings.model_input_queue)


class ResultsBatch(NamedTuple):
    """Results of one model, in order."""

    modelID: str
    objects: list[ModelCommandResult | ModelInferenceResult]
    acknowledge: Callable[[ResultsBatch, bool], None]

    def ack(self, multiple: bool = False) -> None:
        """Say that this batch is done, and with `multiple` all before it."""
        self.acknowledge(self, multiple)


class _Results(Closing):
    """Results of all models; a message of the bus has those of several, and is acknowledged with the last of them."""

    def __init__(self, consumer: Consumer, closed: Callable[[_Results], None]) -> None:
        self._consumer = consumer
        self._closed = closed
        self._open: list[tuple[ResultsBatch, Delivery]] = []
        self._active = True

    def close(self) -> None:
        """Give back what is not acknowledged."""
        if self._active:
            self._active = False
            self._consumer.close()
            self._closed(self)

    def __iter__(self) -> Iterator[ResultsBatch]:
        while self._active:
            for delivery in self._consumer.receive(max_messages=1, timeout_s=POLL_S):
                batches = [
                    ResultsBatch(uid, objects, self._acknowledge)
                    for uid, objects in _by_model(delivery.body).items()
                ]
                self._open += [(batch, delivery) for batch in batches]
                yield from batches

    def _acknowledge(self, batch: ResultsBatch, multiple: bool) -> None:
        position = next((i for i, (other, _) in enumerate(self._open) if other is batch), None)
        if position is None:
            return
        first = 0 if multiple else position
        done = [delivery for _, delivery in self._open[first : position + 1]]
        del self._open[first : position + 1]
        self._consumer.ack([one for one in done if all(one is not left for _, left in self._open)])


_Result = ModelCommandResult | ModelInferenceResult


def _by_model(body: bytes) -> dict[str, list[_Result]]:
    found: dict[str, list[_Result]] = {}
    for output in decode_model_output(body):
        for uid, result in _results(output):
            found.setdefault(uid, []).append(result)
    return found


def _results(output: ModelOutput) -> Iterator[tuple[str, _Result]]:
    if isinstance(output, CommandResult):
        yield (
            output.uid,
            ModelCommandResult(
                output.command_id, output.method, output.status, errorMessage=output.error_message
            ),
        )
    elif isinstance(output, ModelFailure):
        yield output.uid, ModelInferenceResult(NO_ROW, ERR, errorMessage=output.error_message)
    else:
        predictions = output.predictions or [None] * len(output)
        for uid, rowid, score, prediction in zip(
            output.uids, output.rowids, output.raw_anomaly_scores, predictions, strict=True
        ):
            yield (
                uid,
                ModelInferenceResult(rowid, SUCCESS, score, multiStepBestPredictions=prediction),
            )


def _as_specification(state: MetricState, args: Mapping[str, Any]) -> dict[str, Any]:
    """Return the specification that `monitorMetric` would have got."""
    (timestamp, *_), (value, *_) = args["inputRecordSchema"]
    return {
        "datasource": state.datasource,
        "metricSpec": {"metric": state.name},
        "completeModelParams": {
            "modelConfig": args["modelConfig"],
            "inferenceArgs": args["inferenceArgs"],
            "timestampFieldName": timestamp,
            "valueFieldName": value,
        },
    }


def _monitored(conn: Connection, uid: str) -> MetricState:
    state = metrics.states(conn, [uid]).get(uid)
    if state is None or state.status not in WITH_MODEL:
        raise _not_found(uid)
    return state


def _not_found(uid: str) -> ModelNotFound:
    return ModelNotFound(f"{uid}: no metric of this uid has a model")


def _refused(method: str, reason: str) -> NotImplementedError:
    return NotImplementedError(f"{method} is not there any more: {reason}")
