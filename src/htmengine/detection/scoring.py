"""Scoring a series by a model of its own, and explaining any of its rows."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np

from htmengine.detection.result import Choice, Result, result_of
from htmengine.detection.scored import ScoredSeries
from htmengine.errors import MisuseError
from htmengine.htm import params
from htmengine.htm.arrays import FloatArray
from htmengine.htm.explanation import Explanation
from htmengine.htm.model import Model
from htmengine.series.incidents import IncidentFinder
from htmengine.series.reader import Series
from htmengine.series.writers import ScoreWriter

CHUNK_ROWS: Final = 2_000
LEAST_EXPLAINED: Final = 0.25
"""Log score that less than one row in a hundred reaches; of what is less unusual there is nothing to say."""
BLOCK_ROWS: Final = 10_000
"""So many rows are read again at most to explain one."""
_WEEK_S: Final = 7 * 86400.0

Show = Callable[[str, int, int], None]
"""Is told what is done, and how many rows of how many."""


def detect(
    series: Series,
    choice: Choice,
    *,
    writer: ScoreWriter | None = None,
    kept: ScoredSeries | None = None,
    show: Show = lambda _stage, _done, _total: None,
) -> Result:
    """Score a series; hand its rows on as they are scored.

    Raises MisuseError if no model can be made as chosen.
    """
    model = new_model(choice, series.values)
    finder = IncidentFinder(choice.threshold, choice.top)
    later = learn(model, series, choice.passes, show)
    for first in range(0, len(series.lines), CHUNK_ROWS):
        rows = slice(first, first + CHUNK_ROWS)
        timestamps, values = series.timestamps[rows], series.values[rows]
        scores, why = model.score_and_explain(
            timestamps + later, values, threshold=min(choice.threshold, LEAST_EXPLAINED)
        )
        if later:
            why = {place: earlier(each, later, series.timestamps[0]) for place, each in why.items()}
        finder.add(series.lines[rows], timestamps, values, scores, why)
        if writer:
            writer.write(timestamps, values, scores, series.name)
        if kept:
            kept.add(scores, why)
        show("Scoring", min(first + CHUNK_ROWS, len(series.lines)), len(series.lines))
    return result_of(series, finder, choice)


def new_model(choice: Choice, values: FloatArray) -> Model:
    """Return the model that was chosen; the first values tell what range to expect. Raises MisuseError."""
    minimum, maximum = choice.minimum, choice.maximum
    usable = values[~np.isnan(values)][: params.ROWS_FOR_RANGE]
    # The default set takes both ends or none: without them it follows the values as they come.
    follows = choice.params == "default" and minimum is None and maximum is None
    if not follows and None in (minimum, maximum) and usable.size:
        low, high = params.infer_range(usable)
        minimum = low if minimum is None else minimum
        maximum = high if maximum is None else maximum
    try:
        return Model(params.parameter_set(choice.params, minimum=minimum, maximum=maximum, seed=choice.seed))
    except ValueError as error:
        raise MisuseError(
            f"No model can be made of these options: {error}.",
            hint="Choose another parameter set, range or seed.",
        ) from error


def learn(model: Model, series: Series, passes: int, show: Show) -> float:
    """Let the model read the series once less than `passes`; return how many seconds later the last pass takes place.

    Each pass follows the one before by whole weeks, so that each row keeps its time of the day and of the week.
    """
    timestamps, values = series.timestamps, series.values
    interval = float(np.median(np.diff(timestamps))) if len(timestamps) > 1 else 0.0
    weeks = math.floor((timestamps[-1] - timestamps[0] + interval) / _WEEK_S) + 1
    for done in range(passes - 1):
        for first in range(0, len(timestamps), CHUNK_ROWS):
            rows = slice(first, first + CHUNK_ROWS)
            model.score_series(timestamps[rows] + done * weeks * _WEEK_S, values[rows])
            show("Learning", min(first + CHUNK_ROWS, len(timestamps)), len(timestamps))
    return float((passes - 1) * weeks * _WEEK_S)


def earlier(why: Explanation, seconds: float, first: float) -> Explanation:
    """Return an explanation whose times are those of the file; an alarm of an earlier pass has none."""
    last = None if why.last_alarm is None else why.last_alarm - seconds
    return replace(
        why, timestamp=why.timestamp - seconds, last_alarm=None if last is None or last < first else last
    )


class _Block(NamedTuple):
    """A model as it was before a row."""

    row: int
    content: bytes


class Explainer:
    """Explains any row of a series: the model reads the series again up to there."""

    def __init__(self, series: Series, choice: Choice) -> None:
        self._series = series
        self._choice = choice
        self._later = 0.0
        self._blocks: list[_Block] = []

    def __call__(self, row: int) -> Explanation | None:
        """Return why a row, counted from 0, got its scores; None where models of the parameter set do not tell."""
        if not self._blocks:
            model = new_model(self._choice, self._series.values)
            self._later = learn(model, self._series, self._choice.passes, lambda _stage, _done, _total: None)
            self._blocks.append(_Block(0, model.save()))
        known = max((block for block in self._blocks if block.row <= row), key=lambda block: block.row)
        model, first = Model.load(known.content), known.row
        while first <= row:
            end = min(row + 1, first + BLOCK_ROWS)
            model.score_series(
                self._series.timestamps[first:end] + self._later, self._series.values[first:end]
            )
            first = end
            if first <= row and first > self._blocks[-1].row:
                self._blocks.append(_Block(first, model.save()))
        why = model.explain()
        return earlier(why, self._later, self._series.timestamps[0]) if why and self._later else why
