"""What a teaching does to the scores of a row. Everybody who scores a metric's rows asks here, so that all find the same.

Which teachings count is a function of the row alone: of its rowid and its timestamp. "Values" and "times" judge what the model
has found, and change nothing of it. "Forget" lets the rows be scored by a model that took the values of the span for missing,
from its first row on. So the scores of a row do not depend on what counted for earlier rows: behind an undoing, and behind an
expiry, they are those of a model that was never taught.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

import numpy as np

from htmengine.htm.arrays import FloatArray
from htmengine.htm.explanation import ALARM, Explanation, SeriesScores
from htmengine.htm.model import Model
from htmengine.htm.nupic.likelihood import log_to_score
from htmengine.repository import identity
from htmengine.repository.samples import Rows
from htmengine.repository.teachings import Teaching

Forgotten: TypeAlias = tuple[tuple[int, int], ...]
"""Spans of time that a model has not seen, both ends included, ascending."""
NOTHING: Final[Forgotten] = ()

SILENCED: Final = 0.49
"""A log score that is silenced is multiplied by this: it lies below that of an alarm, and the order is kept."""
TWICE_AN_ALARM: Final = 0.7
"""The log score of a deviation twice the size of an alarm: what an alarm needs at least at times that are normal."""
BEYOND_THE_SPAN: Final = 1.25
"""And it must be so many times as strong as the strongest of the span."""
HOUR_S: Final = 3600
HOURS_OF_WEEK: Final = 168
_MONDAY: Final = 72
"""Hours from a Monday to 1 January 1970, a Thursday."""
_BAND: Final = 0.05
"""Of the log scale, above and below the deviations that are alarms by themselves."""


def hour_of_week(timestamp: float) -> int:
    """Return the hour of the week, 0 to 167 from Monday 00:00 UTC."""
    return (int(timestamp // HOUR_S) + _MONDAY) % HOURS_OF_WEEK


def hours_of(begins: int, ends: int) -> frozenset[int]:
    """Return the hours of the week that a span touches."""
    last = min(ends // HOUR_S, begins // HOUR_S + HOURS_OF_WEEK - 1)
    return frozenset(hour_of_week(hour * HOUR_S) for hour in range(begins // HOUR_S, last + 1))


def needed_beyond(log_score: float) -> float:
    """Return the log score that an alarm needs in hours in which one of `log_score` was normal."""
    deviation = max(ALARM + (log_score - ALARM - _BAND) / (1.0 - 2.0 * _BAND), ALARM)
    strength = BEYOND_THE_SPAN * deviation / (1.0 - deviation)
    stronger = ALARM + _BAND + (1.0 - 2.0 * _BAND) * (strength / (strength + 1.0) - ALARM)
    return max(TWICE_AN_ALARM, stronger)


class Taught:
    """The teachings of a metric."""

    def __init__(self, teachings: Sequence[Teaching] = ()) -> None:
        self.teachings = tuple(teachings)
        self.ever_forgot = any(one.how == "forget" for one in teachings)
        """Whether the model was another one at some row."""

    def __bool__(self) -> bool:
        """Tell whether there is a teaching."""
        return bool(self.teachings)

    def counting(self, rowid: int, timestamp: float) -> list[Teaching]:
        """Return what counts for a row."""
        return [one for one in self.teachings if one.counts_at(rowid, timestamp)]

    def forgotten(self, rowid: int, timestamp: float) -> Forgotten:
        """Return what the model has not seen that scores a row."""
        if not self.ever_forgot:
            return NOTHING
        counting = self.counting(rowid, timestamp)
        return tuple(sorted((one.begins, one.ends) for one in counting if one.how == "forget"))

    def models(self) -> list[Forgotten]:
        """Return what models may have forgotten that score a row of the metric: each once, nothing at first."""
        forgets = [one for one in self.teachings if one.how == "forget"]
        rowids = {rowid for one in forgets for rowid in (one.effective_rowid, one.undone_rowid) if rowid}
        times = {-math.inf, *(one.expires for one in forgets)}
        found = {self.forgotten(rowid, time) for rowid in rowids for time in times}
        return [NOTHING, *sorted(found - {NOTHING})]

    def same_until(self, rows: Rows, forgotten: Forgotten, after: int = 0) -> int:
        """Return how many of these rows, from the first on, are scored by a model that has not seen these spans.

        Rows up to `after` are not scored: they only make the model.
        """
        if self.ever_forgot:
            for place, (rowid, timestamp) in enumerate(zip(rows.rowids, rows.timestamps, strict=True)):
                if rowid > after and self.forgotten(rowid, timestamp) != forgotten:
                    return place
        return len(rows.rowids)

    def judge(
        self,
        rowids: Sequence[int],
        timestamps: Sequence[float],
        values: Sequence[float],
        scores: SeriesScores,
        why: Mapping[int, Explanation],
        places: Sequence[int] | None = None,
    ) -> dict[int, int]:
        """Change the scores of rows by what counts for each, and return the labels of those that it silenced, by place.

        Parameters
        ----------
        scores : of the rows, changed in place.
        why : explanations of those that alarm, by place.
        places : of the rows in `scores`; None for all of it.
        """
        silenced: dict[int, int] = {}
        for number, (rowid, timestamp, value) in enumerate(zip(rowids, timestamps, values, strict=True)):
            place = number if places is None else places[number]
            row = _Row(timestamp, value, float(scores.log_score[place]), why.get(place))
            for teaching in self.counting(rowid, timestamp):
                if teaching.how == "values":
                    normal = _judge_value(teaching, row, scores, place)
                else:
                    normal = teaching.how == "times" and _is_normal_time(teaching, row)
                if normal and row.log_score >= ALARM:
                    silenced.setdefault(place, teaching.label)
            if place in silenced:
                scores.log_score[place] = score = SILENCED * row.log_score
                scores.anomaly_score[place] = log_to_score(score)
        return silenced


class _Row(NamedTuple):
    timestamp: float
    value: float
    log_score: float
    why: Explanation | None


def _judge_value(teaching: Teaching, row: _Row, scores: SeriesScores, place: int) -> bool:
    """Widen the usual band by the values of the span; return whether the value is usual now.

    The span's values get as much room as the band itself has: half of its width.
    """
    assert teaching.low is not None
    assert teaching.high is not None
    low, high = teaching.low, teaching.high
    usual = float(scores.usual_low[place]), float(scores.usual_high[place])
    if math.isfinite(usual[0]):
        room = (usual[1] - usual[0]) / 2.0
        low, high = min(usual[0], low - room), max(usual[1], high + room)
        scores.usual_low[place], scores.usual_high[place] = _rounded(low), _rounded(high)
    of_pattern = row.why is not None and row.why.cause == "sequence"
    return low <= row.value <= high and not of_pattern


def _is_normal_time(teaching: Teaching, row: _Row) -> bool:
    assert teaching.needed is not None
    hours = hours_of(teaching.begins, teaching.ends)
    return hour_of_week(row.timestamp) in hours and row.log_score < teaching.needed


def _rounded(number: float) -> float:
    """Return it as a 32-bit float holds it, so that every store gives it back bit for bit."""
    largest = float(np.finfo(np.float32).max)
    return float(np.float32(min(max(number, -largest), largest)))


def without(forgotten: Forgotten, timestamps: Sequence[float], values: Sequence[float]) -> Sequence[float]:
    """Return values with NaN in the place of those that are forgotten."""
    if not forgotten:
        return values
    return [
        math.nan if any(begins <= timestamp <= ends for begins, ends in forgotten) else value
        for timestamp, value in zip(timestamps, values, strict=True)
    ]


def digest_of(forgotten: Forgotten) -> int:
    """Return what tells the checkpoints of a model that has forgotten from those of others; 0 for nothing forgotten."""
    return identity.of("forgotten", *forgotten) if forgotten else identity.UNKNOWN


class ScoredRows(NamedTuple):
    """What a model says of rows."""

    scores: SeriesScores
    why: dict[int, Explanation]
    """Of those that alarm, by place."""
    silenced: dict[int, int]
    """The labels by which rows do not alarm, by place."""


class TaughtModel:
    """A metric's model that takes all its rows in their order, and is at each what it has been taught by then.

    Where what it has forgotten changes, another model takes the rows from the first on.
    """

    def __init__(
        self,
        make: Callable[[], Model],
        read: Callable[[int, int], Rows],
        taught: Taught,
        *,
        first: int,
    ) -> None:
        """`make` gives a model that takes the row `first` next; `read` gives the rows between two, all of them, or raises.

        Where a teaching forgets, the model is a new one and `first` its first row.
        """
        self.model = make()
        self._make = make
        self._read = read
        self._taught = taught
        self._first = first
        self._forgotten = NOTHING

    def score(self, rows: Rows) -> ScoredRows:
        """Score the rows that come next. Raises OutOfOrderSample, and what `read` raises."""
        parts: list[SeriesScores] = []
        why: dict[int, Explanation] = {}
        start = 0
        while start < len(rows.rowids):
            rest = rows.part(start)
            count = self._taught.same_until(rest, self._forgotten)
            if count == 0:
                self._begin_anew(rest.rowids[0], rest.timestamps[0])
                continue
            scores, found = self.model.score_and_explain(
                np.array(rest.timestamps[:count], dtype=np.float64), np.array(rest.values[:count]) + 0.0
            )
            parts.append(scores)
            why.update({start + place: explanation for place, explanation in found.items()})
            start += count
        columns: list[FloatArray] = [np.concatenate(column) for column in zip(*parts, strict=True)]
        scores = SeriesScores(*columns)
        silenced = self._taught.judge(rows.rowids, rows.timestamps, rows.values, scores, why)
        return ScoredRows(scores, {at: one for at, one in why.items() if at not in silenced}, silenced)

    def _begin_anew(self, rowid: int, timestamp: float) -> None:
        """Let another model take the rows before one, which is scored by a model that has forgotten something else."""
        self.model = self._make()
        self._forgotten = self._taught.forgotten(rowid, timestamp)
        if rowid > self._first:
            rows = self._read(self._first, rowid - 1)
            values = without(self._forgotten, rows.timestamps, rows.values)
            self.model.score_series(np.array(rows.timestamps, dtype=np.float64), np.array(values) + 0.0)
