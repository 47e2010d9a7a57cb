"""Functions that look at another time than the one that is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from htmengine.graphite import times
from htmengine.graphite.context import Evaluation
from htmengine.graphite.registry import SERIES, Param, Registry
from htmengine.graphite.series import AGGREGATIONS, Floats, Series
from htmengine.graphite.target import TargetError

function: Final = Registry()
Evaluated = Callable[["Evaluation"], list[Series]]
MAX_WINDOW: Final = 5000
"""Slots of a moving window."""
_WINDOW: Final = Param(
    "windowSize", "intOrInterval", suggestions=(5, 7, 10, "1min", "5min", "10min", "1hour")
)


@function("movingAverage", group="Calculate", params=(SERIES, _WINDOW), deferred=True)
def moving_average(evaluation: Evaluation, series: Evaluated, window: int | str) -> list[Series]:
    """Average the last points, or the last interval, up to each slot."""
    return _moving(evaluation, series, window, "movingAverage", "average")


@function("movingMax", group="Calculate", params=(SERIES, _WINDOW), deferred=True)
def moving_max(evaluation: Evaluation, series: Evaluated, window: int | str) -> list[Series]:
    """Take the highest of the last points, or of the last interval, up to each slot."""
    return _moving(evaluation, series, window, "movingMax", "max")


def _moving(
    evaluation: Evaluation, series: Evaluated, window: int | str, name: str, how: str
) -> list[Series]:
    shown = series(evaluation)
    if not shown:
        return []
    if isinstance(window, str):
        seconds, text = abs(times.parse_interval(window)), f'"{window}"'
    else:
        seconds, text = window * max(one.step for one in shown), str(window)
    longer = series(evaluation.at(evaluation.start - seconds, evaluation.end))
    found = []
    for one in longer:
        points = window if isinstance(window, int) else max(1, seconds // one.step)
        if points > MAX_WINDOW:
            raise TargetError(
                f"windowSize must be no more than {MAX_WINDOW:,} points; {window} are {points:,}"
            )
        first = max(0, -(-(evaluation.start + 1 - one.start) // one.step))  # the first slot that is shown
        found.append(
            one.derived(
                f"{name}({one.name},{text})",
                _windows(one.values, points, how, first),
                start=one.start + first * one.step,
            )
        )
    return found


def _windows(values: Floats, points: int, how: str, first: int) -> Floats:
    """Return what becomes of so many values up to each slot, from the slot `first` on."""
    padded = np.r_[np.full(points - 1, np.nan), values]
    if how == "average":
        known = ~np.isnan(padded)
        sums = np.r_[0.0, np.cumsum(np.where(known, padded, 0.0))]
        counts = np.r_[0, np.cumsum(known)]
        places = np.arange(first, len(values))
        number = counts[places + points] - counts[places]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(number > 0, (sums[places + points] - sums[places]) / number, np.nan)
    views = np.lib.stride_tricks.sliding_window_view(padded, points)[first : len(values)]
    return AGGREGATIONS[how](views) if len(views) else np.empty(0)


@function(
    "timeShift",
    group="Transform",
    params=(
        SERIES,
        Param("timeShift", "interval", suggestions=("1h", "6h", "12h", "1d", "2d", "7d", "14d", "30d")),
        Param("resetEnd", "boolean", True),
    ),
    deferred=True,
)
def time_shift(evaluation: Evaluation, series: Evaluated, shift: str, reset_end: bool) -> list[Series]:
    """Draw what was so long before, or with a plus sign after, at the time that is shown."""
    text = shift.strip()
    if text[:1] not in "+-":
        text = f"-{text}"
    seconds = times.parse_interval(text)
    found = []
    for one in series(evaluation.at(evaluation.start + seconds, evaluation.end + seconds)):
        # By whole slots, so that they begin at multiples of their length.
        start = (one.start - seconds) // one.step * one.step
        found.append(one.derived(f'timeShift({one.name}, "{text}")', one.values, start=start))
    return found
