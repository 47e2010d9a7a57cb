"""A finished detection, and its document for programs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from htmengine import iso_times
from htmengine.htm.explanation import Scores
from htmengine.series.columns import Column, Time
from htmengine.series.incidents import Incident, IncidentFinder, ScoredRow
from htmengine.series.reader import Series
from htmengine.series.tables import BadRows

_TIMES: Final[Mapping[int, str]] = {1: "once", 2: "twice"}


class Choice(NamedTuple):
    """How a series is scored, and what is told of it."""

    params: str = "default"
    """Parameter set of the model."""
    minimum: float | None = None
    """The lowest value to expect; without it, it follows from the rows, as `maximum` does."""
    maximum: float | None = None
    seed: int | None = None
    """Of the model's randomness; None: the parameter set's own."""
    passes: int = 1
    """2: the model has read the whole series before it scores it."""
    threshold: float = 0.5
    """Log score from which a row is an anomaly."""
    top: int = 10
    """So many incidents are told; where there is none, so many of the strongest rows."""


class Result(NamedTuple):
    """A finished detection."""

    source: str  # the file
    name: str  # the file, and what tells the series from others of it
    rows: int  # that were read, those without a value among them
    missing: int  # rows without a value
    first: float  # seconds since the epoch
    last: float
    bad: BadRows
    time: Time | None  # None where the rows have no times
    value: Column
    notes: tuple[str, ...]
    finder: IncidentFinder
    choice: Choice
    outputs: Sequence[Path] = ()  # that were written

    @property
    def scored(self) -> int:
        """Rows that have scores."""
        return self.rows - self.missing

    def shown(self, limit: int) -> tuple[list[Incident], bool]:
        """Return at most `limit` incidents, the strongest first, and whether they reach the threshold.

        If none does, each of the strongest rows stands as an incident of its own.
        """
        incidents = self.finder.incidents()
        if incidents:
            return incidents[:limit], True
        return [Incident(row, row, row, 1) for row in self.finder.strongest()], False


def result_of(series: Series, finder: IncidentFinder, choice: Choice) -> Result:
    """Return the result of a series that was scored as chosen, without its rows."""
    notes = series.notes
    if choice.passes > 1:
        notes += (
            f"The model read the whole file {_TIMES.get(choice.passes - 1, 'several times')} before it scored it: these scores "
            "look ahead, no live engine can give them.",
        )
    return Result(
        source=series.source,
        name=series.name,
        rows=len(series.lines),
        missing=series.missing,
        first=float(series.timestamps[0]),
        last=float(series.timestamps[-1]),
        bad=series.bad,
        time=series.time,
        value=series.value.column,
        notes=notes,
        finder=finder,
        choice=choice,
    )


def document(result: Result) -> dict[str, Any]:
    """Return the result as JSON types."""
    incidents, anomalous = result.shown(result.choice.top)
    return {
        "input": result.name,
        "rows": result.rows + result.bad.count,
        "scored": result.scored,
        "missing": result.missing,
        "bad": {"count": result.bad.count, "first": [row._asdict() for row in result.bad.first]},
        "from": iso_times.text(result.first),
        "to": iso_times.text(result.last),
        "parameters": result.choice.params,
        "seed": result.choice.seed,
        "passes": result.choice.passes,
        "columns": _columns(result),
        "notes": list(result.notes),
        "threshold": result.choice.threshold,
        "incidents": [
            {
                "start": iso_times.text(incident.start.timestamp),
                "end": iso_times.text(incident.end.timestamp),
                "duration_s": incident.duration_s,
                "rows": incident.rows,
                "anomalous": anomalous,
                "peak": _row(incident.peak),
            }
            for incident in incidents
        ],
        "anomalies": [_row(row) for row in result.finder.anomalies],
        "candidates": [_row(row) for row in result.finder.farthest()],
        "outputs": [str(path) for path in result.outputs],
    }


def _columns(result: Result) -> dict[str, Any]:
    time = result.time
    first, *others = time.columns if time else (None,)
    return {
        "timestamp": first and time and first._asdict() | {"format": time.format.name},
        "time_of_day": others[0]._asdict() if others else None,
        "value": result.value._asdict(),
    }


def expected(scores: Scores) -> dict[str, Any]:
    """Return what was expected of a row, and how rare it is, as JSON types."""
    usual = (scores.usual_low, scores.usual_high)
    return {
        "one_in": _known(scores.one_in),
        "forecast": _known(scores.forecast),
        "usual": None if math.isnan(scores.usual_low) else usual,
    }


def _known(number: float) -> float | None:
    return None if math.isnan(number) else number


def _row(row: ScoredRow) -> dict[str, Any]:
    why = row.why
    return {
        "timestamp": iso_times.text(row.timestamp),
        "value": row.value,
        "anomaly_score": row.scores.anomaly_score,
        "log_score": row.scores.log_score,
        **expected(row.scores),
        "line": row.line,
        "why": why
        and {
            "cause": why.cause,
            "channel": why.channel,
            "strengths": why.strengths,
            "damped": why.damped,
            "forecast": why.forecast,
            "usual": why.usual,
            "foreseen": why.foreseen(),
            "alarms_before": why.alarms_before,
            "last_alarm": None if why.last_alarm is None else iso_times.text(why.last_alarm),
        },
    }


def readable_time(timestamp: float) -> str:
    """Return seconds since the epoch as `2014-07-01 00:05:00`, in UTC."""
    return iso_times.text(timestamp).replace("T", " ").removesuffix("Z")
