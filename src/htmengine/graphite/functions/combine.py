"""Several series become one."""

from __future__ import annotations

from typing import Final

import numpy as np

from htmengine.graphite.context import Evaluation
from htmengine.graphite.registry import SERIES, SERIES_LISTS, Param, Registry
from htmengine.graphite.series import AGGREGATIONS, Grid, Series, normalized, path_of

function: Final = Registry()
GROUP: Final = "Combine"


def _together(series: list[Series], name: str, how: str) -> list[Series]:
    if not series:
        return []
    start, step, values = normalized(series)
    path = f"{name}({path_of(series)})"
    shared = dict.items(series[0].tags) & set.intersection(*(set(one.tags.items()) for one in series))
    grid = Grid(start, step, AGGREGATIONS[how](values.T) if values.size else np.empty(0))
    consolidation = series[0].consolidation if len({one.consolidation for one in series}) == 1 else "average"
    return [
        Series(
            path, grid, consolidation=consolidation, tags={**dict(shared), "aggregatedBy": how, "name": path}
        )
    ]


@function("sumSeries", "sum", group=GROUP, params=(SERIES_LISTS,))
def sum_series(evaluation: Evaluation, series: list[Series]) -> list[Series]:
    """Add series."""
    return _together(series, "sumSeries", "sum")


@function("averageSeries", "avg", group=GROUP, params=(SERIES_LISTS,))
def average_series(evaluation: Evaluation, series: list[Series]) -> list[Series]:
    """Average series."""
    return _together(series, "averageSeries", "average")


@function("minSeries", group=GROUP, params=(SERIES_LISTS,))
def min_series(evaluation: Evaluation, series: list[Series]) -> list[Series]:
    """Take the lowest value of all series in each slot."""
    return _together(series, "minSeries", "min")


@function("maxSeries", group=GROUP, params=(SERIES_LISTS,))
def max_series(evaluation: Evaluation, series: list[Series]) -> list[Series]:
    """Take the highest value of all series in each slot."""
    return _together(series, "maxSeries", "max")


@function("group", group=GROUP, params=(SERIES_LISTS,))
def group(evaluation: Evaluation, series: list[Series]) -> list[Series]:
    """Put series of several targets into one list."""
    return series


@function("asPercent", group=GROUP, params=(SERIES, Param("total", "floatOrSeries", None)))
def as_percent(
    evaluation: Evaluation, series: list[Series], total: float | list[Series] | None
) -> list[Series]:
    """Give series as parts of a hundred: of their sum, of a number, or of another series."""
    if not series:
        return []
    if total is None or isinstance(total, list):
        summed = _together(series if total is None else total, "sumSeries", "sum")
        if not summed:
            return []
        whole = summed[0] if total is None or len(total) != 1 else total[0]
        text = whole.name
        start, step, values = normalized([*series, whole])
        totals = values[-1]
    else:
        start, step, values = normalized(series)
        totals, text = np.full(values.shape[1], float(total)), f"{total:g}"
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(totals == 0, np.nan, 100.0 * values[: len(series)] / totals)
    return [
        one.derived(f"asPercent({one.name},{text})", row, start=start, step=step)
        for one, row in zip(series, parts, strict=True)
    ]
