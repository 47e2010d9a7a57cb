"""Models of scalar metrics, for an application's own datasource adapters: descriptions, and the start of monitoring.

Custom metrics need nothing of this: `monitorMetric` does it. What is sent to the scheduler here may be lost, or be sent too
early, within a transaction of the caller's; the sweep says it again until the model is confirmed.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from htmengine.adapters.datasource import model_choice, model_spec
from htmengine.bus import BusUnavailable, QueueFull
from htmengine.htm import params
from htmengine.model_swapper import definition, model_input
from htmengine.repository import metrics
from htmengine.repository.factory import retryOnTransientErrors
from htmengine.repository.metrics import MetricState
from htmengine.repository.queries.transactions import joined
from htmengine.repository.status import WITH_MODEL, MetricStatus
from htmengine.service.installation import current

MODEL_CREATION_RECORD_THRESHOLD: Final = params.ROWS_FOR_RANGE
"""Rows after which a metric's range may be taken from them."""
_DEFAULT_RESOLUTION: Final = 0.001


def generateSwarmParams(
    stats: Mapping[str, float | None], classifierEnabled: bool = False
) -> dict[str, Any] | None:
    """Return the description of the original engine's model for a range; None where the range is not known.

    Parameters
    ----------
    stats : `min` and `max` and, if wanted, `minResolution`, in the metric's unit.
    classifierEnabled : whether the model predicts the next value.

    Returns
    -------
    `modelConfig`, `inferenceArgs` and `inputRecordSchema`, as plain JSON.
    """
    low, high = stats.get("min"), stats.get("max")
    if low is None or high is None:
        return None
    found = params.nupic_0_3(
        low,
        high if high > low else low + 1.0,
        min_resolution=stats.get("minResolution") or _DEFAULT_RESOLUTION,
    )
    if classifierEnabled:
        found = msgspec.structs.replace(found, classifier=params.Classifier())
    return model_choice.description(*params.to_model_config(found))


def generateSwarmParamsFromCompleteModelParams(modelSpec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the description that is in a specification's `completeModelParams`.

    Raises ValueError where it lacks a part, contradicts itself, or stands beside `modelParams`.
    """
    model_spec.check_complete_params(modelSpec)
    complete = modelSpec.get("completeModelParams")
    if not isinstance(complete, Mapping):
        raise ValueError("modelSpec: there are no completeModelParams")
    return model_choice.description(
        complete["modelConfig"],
        complete["inferenceArgs"],
        timestamp_field=complete["timestampFieldName"],
        value_field=complete["valueFieldName"],
    )


def startMonitoring(
    conn: Connection, metricId: str, swarmParams: Mapping[str, Any] | None, logger: logging.Logger
) -> bool:
    """Give a metric that is not monitored its model, or let it wait for data where there is no description yet.

    Returns
    -------
    Whether the model was started.

    Raises
    ------
    ObjectNotFoundError : there is no such metric.
    AssertionError : it is monitored already.
    MetricStatusChangedError : somebody else has begun to monitor it at the same time.
    ValueError : the description makes no model; nothing was changed.
    """
    with joined(conn, writes=True):
        state = metrics.state(conn, metricId)
        if state.status != MetricStatus.UNMONITORED:
            raise AssertionError(f"the metric {state.name} is monitored already, with status {state.status}")
        _start(conn, state, swarmParams)
    logger.info("metric %s: %s", metricId, "model started" if swarmParams else "waits for data")
    if swarmParams:
        _announce(conn, metricId)
    return bool(swarmParams)


@retryOnTransientErrors
def startModel(metricId: str, swarmParams: Mapping[str, Any], logger: logging.Logger) -> bool:
    """Start the model of a metric that has none, or waits for data; it learns all rows that are stored.

    Returns
    -------
    Whether it was started; False where it runs already.

    Raises
    ------
    ObjectNotFoundError : there is no such metric.
    ValueError : its model has failed, or the description makes no model; nothing was changed.
    """
    with current().database.write() as conn:
        state = metrics.state(conn, metricId)
        if state.status in WITH_MODEL:
            return False
        if state.status == MetricStatus.ERROR:
            raise ValueError(
                f"the model of the metric {state.name} has failed; unmonitor the metric before it is monitored again"
            )
        _start(conn, state, swarmParams)
    logger.info("metric %s: model started", metricId)
    with current().database.engine.connect() as conn:
        _announce(conn, metricId)
    return True


def sendBacklogDataToModel(conn: Connection, metricId: str, logger: logging.Logger) -> None:
    """Ask for the scores of all rows of a metric that have none; the scheduler reads them from the repository."""
    _announce(conn, metricId)
    logger.info("metric %s: scores of its stored rows were asked for", metricId)


def _start(conn: Connection, state: MetricState, described: Mapping[str, Any] | None) -> None:
    """Describe a metric's model; without a description it waits for data."""
    text = None
    if described:
        parameters = model_choice.with_likelihood(
            definition.parse(json.dumps(dict(described))), current().settings.likelihood
        )
        text = definition.render(parameters, documented=described)
    metrics.start_model(
        conn,
        state.uid,
        parameters=metrics.descriptions(conn, [state.uid])[state.uid].parameters,
        model_params=text,
        status=MetricStatus.CREATE_PENDING if text else MetricStatus.PENDING_DATA,
    )


def _announce(conn: Connection, uid: str) -> None:
    context = current()
    with joined(conn, writes=False):
        messages = model_input.requests(
            conn, [metrics.state(conn, uid)], context.shards, context.settings.model_input_queue
        )
    try:
        context.bus.publish(messages)
    except (BusUnavailable, QueueFull):
        logging.getLogger(__name__).warning("metric %s: not announced yet; the sweep will", uid)
