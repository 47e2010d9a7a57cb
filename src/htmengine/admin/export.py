"""A metric's rows with their scores, forecasts and usual bands, for files: as `htmengine detect --out` writes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from htmengine.htm.arrays import FloatArray
from htmengine.htm.explanation import SeriesScores
from htmengine.repository import series
from htmengine.service.context import Context

ROWS_BATCH_SIZE: Final = 5000


class Rows(NamedTuple):
    """Some rows; arrays of shape (n,), NaN where there is nothing."""

    timestamps: FloatArray
    """Seconds since the epoch."""
    values: FloatArray
    scores: SeriesScores
    """Of them `one_in` is kept for alarms alone."""


def rows_of(context: Context, uid: str, since_rowid: int = 0) -> Iterator[Rows]:
    """Yield all rows behind a rowid, in their order, some thousand at a time. Raises RepositoryUnavailable."""
    while True:
        with context.database.read() as conn:
            found = series.scored_since(conn, uid, since_rowid, ROWS_BATCH_SIZE)
        if not len(found.rowids):
            return
        scores = SeriesScores(
            found.raw_anomaly_scores,
            found.anomaly_scores,
            found.log_scores,
            found.sequence_scores,
            found.novelty_scores,
            found.forecasts,
            found.usual_lows,
            found.usual_highs,
            found.one_in,
        )
        yield Rows(found.timestamps.astype(np.float64), found.values, scores)
        since_rowid = int(found.rowids[-1])
