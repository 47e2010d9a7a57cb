"""What is drawn of a scored series: columns that a screen can show, and the incidents in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from htmengine import readable
from htmengine.detection.result import Result, expected, readable_time
from htmengine.detection.scored import ScoredSeries
from htmengine.htm.arrays import FloatArray
from htmengine.incidents import sentences
from htmengine.model_swapper.score_batch import why_of
from htmengine.runtime.anomaly_service.alarms import direction_of
from htmengine.series.incidents import Incident

LISTED: Final = 200
"""Incidents that are marked, whatever the terminal shows."""
GAP_INTERVALS: Final = 10
"""Irregular rows leave a few of their usual intervals out."""
BUCKETS: Final = 4_000
"""More than a wide screen has pixels: zooming in shows more before it shows the reduction."""
COLUMNS: Final = ("time", "value", "log_score", "forecast", "low", "high")
"""What the page calls the columns of `Drawn`."""


class Drawn(NamedTuple):
    """What is drawn; arrays of shape (n,), NaN where there is nothing."""

    timestamps: FloatArray
    """Seconds since the epoch, UTC, never decreasing."""
    values: FloatArray
    scores: FloatArray
    """Log scores."""
    forecasts: FloatArray
    lows: FloatArray
    """Of the usual band."""
    highs: FloatArray


class Picture(NamedTuple):
    """A scored series as it is drawn."""

    drawn: Drawn
    incidents: list[Incident]
    """The strongest first; if `anomalous` is false the strongest rows."""
    anomalous: bool


def picture(result: Result, scored: ScoredSeries) -> Picture:
    """Return what is drawn of a series."""
    incidents, anomalous = result.shown(max(result.choice.top, LISTED))
    always = [row.position for incident in incidents for row in (incident.start, incident.peak, incident.end)]
    series, scores = scored.series, scored.scores
    whole = Drawn(
        series.timestamps,
        series.values,
        scores.log_score,
        scores.forecast,
        scores.usual_low,
        scores.usual_high,
    )
    broken, moved = with_gaps(whole)
    return Picture(
        reduce(broken, BUCKETS, [int(moved[position]) for position in always]), incidents, anomalous
    )


def document(result: Result, scored: ScoredSeries) -> dict[str, Any]:
    """Return what the page draws, as JSON types; times in seconds since the epoch."""
    shown = picture(result, scored)
    return {
        "title": title(result),
        "summary": summary(result, len(shown.incidents)),
        "notes": list(result.notes),
        "value": value_name(result),
        "threshold": result.choice.threshold,
        "anomalous": shown.anomalous,
        "columns": {
            name: [_json_number(number) for number in column.tolist()]
            for name, column in zip(COLUMNS, shown.drawn, strict=True)
        },
        "incidents": [_incident(incident) for incident in shown.incidents],
    }


def _incident(incident: Incident) -> dict[str, Any]:
    peak = incident.peak
    why = why_of(peak.why)
    known = expected(peak.scores)
    return {
        "start": incident.start.timestamp,
        "end": incident.end.timestamp,
        "peak": peak.timestamp,
        "rows": incident.rows,
        "line": peak.line,
        "value": peak.value,
        "log_score": peak.scores.log_score,
        "one_in": known["one_in"],
        "usual": known["usual"],
        "forecast": known["forecast"],
        "cause": peak.why.cause if peak.why else None,
        "direction": direction_of(why, peak.value, peak.scores.forecast),
        "reason": sentences.reason(peak.why, peak.value) if peak.why and peak.why.cause else None,
        "sentence": sentences.sentence(why, peak.value) if why else None,
    }


def title(result: Result) -> str:
    """Return what stands above the picture."""
    return f"{Path(result.name).name}: {value_name(result)}"


def value_name(result: Result) -> str:
    """Return what the values are called."""
    return result.value.name or "value"


def summary(result: Result, shown: int) -> str:
    """Return in a sentence or two what was found; `shown` incidents are listed."""
    rows = (
        f"{readable.counted(result.scored, 'row')}, {readable_time(result.first)} to "
        f"{readable_time(result.last)} UTC. "
    )
    limit = f"log score {result.choice.threshold:g}"
    total = len(result.finder.incidents())
    if not total:
        return f"{rows}No row reaches {limit}; the strongest rows are listed below."
    counted = f"{readable.counted(total, 'incident')} at or above {limit}"
    return rows + counted + (f"; the {shown} strongest are listed." if shown < total else ".")


def with_gaps(drawn: Drawn) -> tuple[Drawn, npt.NDArray[np.intp]]:
    """Return the columns with a row without value in each gap, so that no line is drawn across it, and each row's new position.

    A gap is an interval of more than GAP_INTERVALS median ones.
    """
    intervals = np.diff(drawn.timestamps)
    positions = np.arange(len(drawn.timestamps))
    usual = float(np.median(intervals)) if intervals.size else 0.0
    before = np.flatnonzero(intervals > GAP_INTERVALS * usual) + 1 if usual > 0 else positions[:0]
    if not before.size:
        return drawn, positions
    middles = (drawn.timestamps[before - 1] + drawn.timestamps[before]) / 2
    broken = Drawn(
        np.insert(drawn.timestamps, before, middles),
        *(np.insert(column, before, np.nan) for column in drawn[1:]),
    )
    return broken, positions + np.searchsorted(before, positions, side="right")


def reduce(drawn: Drawn, buckets: int, always: Sequence[int] = ()) -> Drawn:
    """Return the rows that a picture `buckets` pixels wide cannot do without.

    Of each bucket: the first row, the lowest and the highest value, the highest score, and a row without value
    if there is one, so that a gap stays a gap; and the rows at the positions `always`.
    """
    n = len(drawn.timestamps)
    if n <= 4 * buckets:
        return drawn
    span = drawn.timestamps[-1] - drawn.timestamps[0]
    fraction = (drawn.timestamps - drawn.timestamps[0]) / (span or 1.0)
    bucket = np.minimum((fraction * buckets).astype(np.int64), buckets - 1)
    firsts = np.flatnonzero(np.diff(bucket, prepend=-1))
    missing = np.isnan(drawn.values)
    kept = [np.array(always, dtype=np.int64), firsts, np.array([n - 1])]
    for column in (
        np.where(missing, np.inf, drawn.values),
        np.where(missing, np.inf, -drawn.values),
        np.where(np.isnan(drawn.scores), np.inf, -drawn.scores),
        -missing.astype(np.float64),
    ):
        # Sorted by bucket, then by what is sought: each bucket's first is its extreme.
        order = np.lexsort((column, bucket))
        kept.append(order[firsts])
    rows = np.unique(np.concatenate(kept))
    return Drawn(*(column[rows] for column in drawn))


def _json_number(number: float) -> float | int | None:
    if math.isnan(number):
        return None
    return int(number) if number.is_integer() else float(f"{number:.10g}") if abs(number) < 1e9 else number
