"""Which series, and which of their values."""

from __future__ import annotations

from typing import Final

import numpy as np

from htmengine.graphite import patterns
from htmengine.graphite.context import Evaluation
from htmengine.graphite.registry import SERIES, Param, Registry
from htmengine.graphite.series import AGGREGATIONS, Series

function: Final = Registry()
GROUP: Final = "Filter Series"
_N: Final = Param("n", "float")
_COUNT: Final = Param("n", "integer", 1)
_PATTERN: Final = Param("pattern", "string")


def key(series: Series, how: str) -> float:
    """Return what a series is compared by; NaN where it has no value."""
    return float(AGGREGATIONS[how](series.values)) if len(series.values) else float("nan")


def highest(series: list[Series], how: str, count: int | None = None) -> list[Series]:
    """Return series by their highest, or last, values, the greatest first; those without any value come last."""
    keys = np.array([key(one, how) for one in series], dtype=np.float64)
    order = np.argsort(-np.nan_to_num(keys, nan=-np.inf), kind="stable")
    return [series[i] for i in order.tolist()][: None if count is None else max(count, 0)]


@function("limit", group=GROUP, params=(SERIES, Param("n", "integer")))
def limit(evaluation: Evaluation, series: list[Series], n: int) -> list[Series]:
    """Take the first n series."""
    return series[: max(n, 0)]


@function("sortByMaxima", group="Sorting")
def sort_by_maxima(evaluation: Evaluation, series: list[Series]) -> list[Series]:
    """Order series by their highest values, the greatest first."""
    return highest(series, "max")


@function("highestMax", group=GROUP, params=(SERIES, _COUNT))
def highest_max(evaluation: Evaluation, series: list[Series], n: int) -> list[Series]:
    """Take the n series with the highest values."""
    return highest(series, "max", n)


@function("highestCurrent", group=GROUP, params=(SERIES, _COUNT))
def highest_current(evaluation: Evaluation, series: list[Series], n: int) -> list[Series]:
    """Take the n series whose last values are the highest."""
    return highest(series, "last", n)


@function("currentAbove", group=GROUP, params=(SERIES, _N))
def current_above(evaluation: Evaluation, series: list[Series], n: float) -> list[Series]:
    """Take the series whose last value is above n."""
    return [one for one in series if key(one, "last") > n]


@function("maximumAbove", group=GROUP, params=(SERIES, _N))
def maximum_above(evaluation: Evaluation, series: list[Series], n: float) -> list[Series]:
    """Take the series whose highest value is above n."""
    return [one for one in series if key(one, "max") > n]


@function("exclude", group=GROUP, params=(SERIES, _PATTERN))
def exclude(evaluation: Evaluation, series: list[Series], pattern: str) -> list[Series]:
    """Leave out the series whose names a regular expression finds something in."""
    finds = patterns.within(pattern)
    return [one for one in series if not finds(one.name)]


@function("grep", group=GROUP, params=(SERIES, _PATTERN))
def grep(evaluation: Evaluation, series: list[Series], pattern: str) -> list[Series]:
    """Take the series whose names a regular expression finds something in."""
    finds = patterns.within(pattern)
    return [one for one in series if finds(one.name)]


@function("removeBelowValue", group="Filter Data", params=(SERIES, _N))
def remove_below_value(evaluation: Evaluation, series: list[Series], n: float) -> list[Series]:
    """Leave out the values below n."""
    return [
        one.derived(f"removeBelowValue({one.name}, {n:g})", np.where(one.values < n, np.nan, one.values))
        for one in series
    ]


@function("removeAboveValue", group="Filter Data", params=(SERIES, _N))
def remove_above_value(evaluation: Evaluation, series: list[Series], n: float) -> list[Series]:
    """Leave out the values above n."""
    return [
        one.derived(f"removeAboveValue({one.name}, {n:g})", np.where(one.values > n, np.nan, one.values))
        for one in series
    ]
