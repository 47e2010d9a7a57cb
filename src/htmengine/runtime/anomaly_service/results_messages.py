"""What applications get to see of scores and commands: the documented messages, and batches beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite, nan
from typing import Any, Final, NamedTuple

import msgspec

from htmengine import htmengineerrno
from htmengine.messages import (
    BatchRow,
    CommandResult,
    ModelInfo,
    PublishedCommandResult,
    ResultMetric,
    ResultRow,
    Results,
    ResultsBatch,
    Scores,
)
from htmengine.repository.metrics import Description

DEFINE_MODEL: Final = "defineModel"
DELETE_MODEL: Final = "deleteModel"
DOCUMENTED_METHODS: Final = frozenset((DEFINE_MODEL, DELETE_MODEL))
"""Results of other commands are not published: applications do not expect them."""


class Described(NamedTuple):
    """A metric as applications know it."""

    metric: ResultMetric
    model_spec: dict[str, Any]
    """As it was given to `monitorMetric`; empty for a metric that is not monitored."""


def described(description: Description) -> Described:
    """Return what messages say of a metric."""
    spec = msgspec.json.decode(description.parameters or "{}", type=dict[str, Any])
    metric = ResultMetric(
        uid=description.uid,
        name=description.name,
        description=description.description,
        resource=description.server,
        location=description.location,
        datasource=description.datasource,
        spec=spec.get("metricSpec", {}),
    )
    return Described(metric, spec)


def by_metric(scores: Scores, metrics: Mapping[str, Described]) -> Iterator[Results]:
    """Return the documented messages: one for each metric, in the order in which the metrics come."""
    rows: dict[str, list[ResultRow]] = {}
    predictions = scores.predictions or [None] * len(scores)
    for uid, rowid, timestamp, value, raw, anomaly, prediction in zip(
        scores.uids,
        scores.rowids,
        scores.timestamps,
        scores.values,
        scores.raw_anomaly_scores,
        scores.anomaly_scores,
        predictions,
        strict=True,
    ):
        rows.setdefault(uid, []).append(
            ResultRow(
                rowid=rowid,
                ts=timestamp,
                value=value,
                raw_anomaly=raw,
                anomaly=anomaly,
                multi_step_best_predictions=prediction,
            )
        )
    for uid, results in rows.items():
        yield Results(metric=metrics[uid].metric, results=results)


def batch(scores: Scores, metrics: Mapping[str, Described]) -> ResultsBatch:
    """Return all scores in one message."""
    unknown, none = [nan] * len(scores), [None] * len(scores)
    return ResultsBatch(
        rows=[
            BatchRow(
                uid=uid,
                name=metrics[uid].metric.name,
                rowid=rowid,
                ts=timestamp,
                value=value,
                raw_anomaly=raw,
                anomaly=anomaly,
                log_score=log_score,
                sequence_score=sequence,
                novelty_score=novelty,
                forecast=known(forecast),
                usual=(low, high) if isfinite(low) and isfinite(high) else None,
                one_in=known(one_in),
                multi_step_best_predictions=prediction,
                why=why or msgspec.UNSET,
            )
            for (
                uid,
                rowid,
                timestamp,
                value,
                raw,
                anomaly,
                log_score,
                sequence,
                novelty,
                forecast,
                low,
                high,
                one_in,
                prediction,
                why,
            ) in zip(
                scores.uids,
                scores.rowids,
                scores.timestamps,
                scores.values,
                scores.raw_anomaly_scores,
                scores.anomaly_scores,
                scores.log_scores,
                scores.sequence_scores,
                scores.novelty_scores,
                scores.forecasts or unknown,
                scores.usual_lows or unknown,
                scores.usual_highs or unknown,
                scores.one_in or unknown,
                scores.predictions or none,
                scores.why or none,
                strict=True,
            )
        ]
    )


def known(number: float) -> float | None:
    """Return a number, or None for one that is not finite."""
    return number if isfinite(number) else None


def command_result(result: CommandResult, metric: Described | None) -> PublishedCommandResult | None:
    """Return the documented message of a command's result, or None where there is nothing to say.

    `metric` is the metric that the command was for, None where it is not monitored any more.
    """
    if result.method not in DOCUMENTED_METHODS:
        return None
    defined = result.method == DEFINE_MODEL and result.status == htmengineerrno.SUCCESS
    if defined and not (metric and metric.model_spec):
        return None  # unmonitored meanwhile: nobody has the model that this speaks of
    info = None
    if defined and metric is not None:
        info = ModelInfo(
            metric_name=metric.metric.name, resource=metric.metric.resource, model_spec=metric.model_spec
        )
    return PublishedCommandResult(
        method=result.method,
        model_id=result.uid,
        command_id=result.command_id,
        status=result.status,
        error_message=result.error_message,
        model_info=info,
    )
