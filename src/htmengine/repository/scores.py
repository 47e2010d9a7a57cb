"""Scores of the rows, and the watermark that says how far they reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from sqlalchemy import Connection

from htmengine.repository import bulk, columns, display, schema, watermarks
from htmengine.repository.embedded import rows as runs

_data: Final = schema.metric_data.c


class ScoredSample(NamedTuple):
    """A row with its scores."""

    rowid: int
    timestamp: int
    """Seconds since the epoch."""
    value: float
    raw_anomaly_score: float
    anomaly_score: float
    log_score: float | None
    sequence_score: float | None
    novelty_score: float | None
    forecast: float | None
    """What the model expected; this and the usual values are None where it has no forecast yet, or makes none."""
    usual_low: float | None
    usual_high: float | None
    predictions: dict[str, float] | None
    """Best prediction by number of steps ahead, for models that make them."""


SCORE_COLUMNS: Final = (
    _data.raw_anomaly_score,
    _data.anomaly_score,
    _data.log_score,
    _data.sequence_score,
    _data.novelty_score,
)
"""Of a row, in the order of `ScoredSample`, and of `htmengine.htm.explanation.SeriesScores.stored`."""
EXPECTED_COLUMNS: Final = (_data.forecast, _data.usual_low, _data.usual_high)
"""Likewise, and in the order of its `expected`."""


class WatermarkAdvance(NamedTuple):
    """Scores of the rows `from_rowid` + 1 … `to_rowid` were stored."""

    uid: str
    generation: int
    from_rowid: int
    to_rowid: int


def store(
    conn: Connection,
    *,
    uids: Sequence[str],
    rowids: Sequence[int],
    digests: Sequence[int] | None = None,
    raw_anomaly_scores: Sequence[float],
    anomaly_scores: Sequence[float],
    log_scores: Sequence[float],
    sequence_scores: Sequence[float],
    novelty_scores: Sequence[float],
    predictions: Sequence[Mapping[str, float] | None] | None = None,
    forecasts: Sequence[float] | None = None,
    usual_lows: Sequence[float] | None = None,
    usual_highs: Sequence[float] | None = None,
) -> int:
    """Store the scores of rows of any number of metrics; `advance_watermarks` belongs into the same transaction.

    Parameters
    ----------
    digests : that the rows must have; None takes them as they are.
    forecasts, usual_lows, usual_highs : rounded to 32-bit floats; a number that is not finite is stored as NULL. None
        leaves the columns as they are.

    Returns
    -------
    The number of rows that were there to take scores.
    """
    if predictions is None:
        best = ["null"] * len(uids)
    else:
        best = [msgspec.json.encode(prediction).decode() for prediction in predictions]
    expected = {"forecast": forecasts, "usual_low": usual_lows, "usual_high": usual_highs}
    scored: dict[str, Sequence[Any]] = {
        "raw_anomaly_score": raw_anomaly_scores,
        "anomaly_score": anomaly_scores,
        "display_value": display.bars(np.array(anomaly_scores, np.float64)).astype(np.int64).tolist(),
        "multi_step_best_predictions": best,
        "log_score": log_scores,
        "sequence_score": sequence_scores,
        "novelty_score": novelty_scores,
    }
    scored |= {name: finite(column) for name, column in expected.items() if column is not None}
    if conn.dialect.name == "sqlite":
        return runs.store_scores(conn, uids, rowids, digests, scored)
    rows: dict[str, Sequence[Any]] = {"uid": uids, "rowid": rowids}
    return bulk.update(
        conn, schema.metric_data, rows if digests is None else rows | {"digest": digests}, scored
    )


def advance_watermarks(
    conn: Connection, advances: Sequence[WatermarkAdvance | tuple[str, int, int, int]]
) -> int:
    """Move watermarks, each only if it stands at `from_rowid` and the model's generation is the metric's.

    They are locked by uid, so that writers do not wait for each other in a circle.

    Returns
    -------
    How many were moved. Fewer than given: somebody else stored these scores, or a model was deleted; roll back.
    """
    if not advances:
        return 0
    uids, generations, before, after = zip(*advances, strict=True)
    return watermarks.advance(
        conn, {"uid": uids, "generation": generations, "scored_rowid": before}, {"scored_rowid": after}
    )


def stored(conn: Connection, uid: str, first: int, last: int) -> list[ScoredSample]:
    """Return the rows `first` … `last` of a metric that have scores, by rowid."""
    names = [column.name for column in (_data.metric_value, *SCORE_COLUMNS, *EXPECTED_COLUMNS)]
    *found, predictions = columns.read(
        conn, uid, ("time", *names, "multi_step_best_predictions"), first, last
    )
    rows = zip(*map(columns.items, found), map(_decoded, predictions), strict=True)
    return [sample for sample in map(ScoredSample._make, rows) if sample.anomaly_score is not None]


def finite(column: Sequence[float]) -> list[float | None]:
    """Return numbers as they are stored: those that are not finite as None."""
    return [number if isfinite(number) else None for number in column]


def _decoded(text: str | None) -> dict[str, float] | None:
    if text is None or text == "null":
        return None
    return msgspec.json.decode(text, type=dict[str, float])
