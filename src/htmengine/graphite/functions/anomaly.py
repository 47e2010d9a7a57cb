"""What the models say of metrics: scores, the usual band, forecasts, alarms."""

from __future__ import annotations

from typing import Final

import numpy as np

from htmengine.graphite.context import Evaluation
from htmengine.graphite.functions.filters import highest
from htmengine.graphite.registry import SERIES, Param, Registry
from htmengine.graphite.series import Series
from htmengine.graphite.target import TargetError
from htmengine.htm.explanation import ALARM

function: Final = Registry()
GROUP: Final = "Anomaly"


def _column(evaluation: Evaluation, series: list[Series], column: str, name: str) -> list[Series]:
    found = []
    for one in series:
        if one.metric is None:
            raise TargetError(f"only metrics have it, and {one.name[:100]!r} was computed of some")
        found.append(evaluation.metric(one.metric, column, f"{name}({one.name})"))
    return found


@function("anomalyScore", group=GROUP, column="anomaly_score")
def anomaly_score(evaluation: Evaluation, series: list[Series]) -> list[Series]:
    """Give the anomaly score of metrics, from 0 to 1: the share of rows that are less unusual."""
    return _column(evaluation, series, "anomaly_score", "anomalyScore")


@function("logScore", group=GROUP, column="log_score")
def log_score(evaluation: Evaluation, series: list[Series]) -> list[Series]:
    """Give the log score of metrics, from 0 to 1: the anomaly score on a scale that tells rare rows apart; 0.5 alarms."""
    return _column(evaluation, series, "log_score", "logScore")


@function("rawScore", group=GROUP, column="raw")
def raw_score(evaluation: Evaluation, series: list[Series]) -> list[Series]:
    """Give the raw score of metrics, from 0 to 1: how much the models failed to foresee."""
    return _column(evaluation, series, "raw", "rawScore")


@function("sequenceScore", group=GROUP, column="sequence")
def sequence_score(evaluation: Evaluation, series: list[Series]) -> list[Series]:
    """Give the sequence score of metrics: how unusual the order of the values is."""
    return _column(evaluation, series, "sequence", "sequenceScore")


@function("noveltyScore", group=GROUP, column="novelty")
def novelty_score(evaluation: Evaluation, series: list[Series]) -> list[Series]:
    """Give the novelty score of metrics: how unusual a value is by itself."""
    return _column(evaluation, series, "novelty", "noveltyScore")


@function("usualLow", group=GROUP, column="usual_low")
def usual_low(evaluation: Evaluation, series: list[Series]) -> list[Series]:
    """Give the lower end of what is usual: of 100 values 99 lie between usualLow and usualHigh."""
    return _column(evaluation, series, "usual_low", "usualLow")


@function("usualHigh", group=GROUP, column="usual_high")
def usual_high(evaluation: Evaluation, series: list[Series]) -> list[Series]:
    """Give the upper end of what is usual: of 100 values 99 lie between usualLow and usualHigh."""
    return _column(evaluation, series, "usual_high", "usualHigh")


@function("forecast", group=GROUP, column="forecast")
def forecast(evaluation: Evaluation, series: list[Series]) -> list[Series]:
    """Give what the models expected of each row."""
    return _column(evaluation, series, "forecast", "forecast")


@function("alarms", group=GROUP, column="log_score")
def alarms(evaluation: Evaluation, series: list[Series]) -> list[Series]:
    """Give 1 at each alarm and nothing elsewhere, for annotations."""
    return [
        one.derived(one.name, np.where(one.values >= ALARM, 1.0, np.nan))
        for one in _column(evaluation, series, "log_score", "alarms")
    ]


@function("mostAnomalous", group=GROUP, params=(SERIES, Param("n", "integer", 10)), column="log_score")
def most_anomalous(evaluation: Evaluation, series: list[Series], n: int) -> list[Series]:
    """Take the n metrics that were most unusual in the time that is shown, the most unusual first."""
    scores = _column(evaluation, series, "log_score", "logScore")
    place = {id(score): one for score, one in zip(scores, series, strict=True)}
    chosen = [place[id(score)] for score in highest(scores, "max", n) if not np.isnan(score.values).all()]
    return [evaluation.metric(one.metric, "value", one.name) for one in chosen if one.metric is not None]
