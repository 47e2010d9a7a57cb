"""Each value becomes another one."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from htmengine.graphite import times
from htmengine.graphite.context import Evaluation
from htmengine.graphite.registry import SERIES, Param, Registry
from htmengine.graphite.series import AGGREGATIONS, Floats, Series, aggregation
from htmengine.graphite.target import TargetError

function: Final = Registry()
GROUP: Final = "Transform"
_MAX_VALUE: Final = Param("maxValue", "float", None)
_MIN_VALUE: Final = Param("minValue", "float", None)


@function("scale", group=GROUP, params=(SERIES, Param("factor", "float")))
def scale(evaluation: Evaluation, series: list[Series], factor: float) -> list[Series]:
    """Multiply values by a factor."""
    return [one.derived(f"scale({one.name},{factor:g})", one.values * factor) for one in series]


@function("offset", group=GROUP, params=(SERIES, Param("factor", "float")))
def offset(evaluation: Evaluation, series: list[Series], factor: float) -> list[Series]:
    """Add a number to values."""
    return [one.derived(f"offset({one.name},{factor:g})", one.values + factor) for one in series]


@function("absolute", group=GROUP)
def absolute(evaluation: Evaluation, series: list[Series]) -> list[Series]:
    """Take values without their signs."""
    return [one.derived(f"absolute({one.name})", np.abs(one.values)) for one in series]


@function("invert", group=GROUP)
def invert(evaluation: Evaluation, series: list[Series]) -> list[Series]:
    """Divide one by each value."""
    with np.errstate(divide="ignore"):
        return [
            one.derived(f"invert({one.name})", np.where(one.values == 0, np.nan, 1.0 / one.values))
            for one in series
        ]


@function("transformNull", group=GROUP, params=(SERIES, Param("default", "float", 0)))
def transform_null(evaluation: Evaluation, series: list[Series], default: float) -> list[Series]:
    """Give slots without a value a number."""
    return [
        one.derived(
            f"transformNull({one.name},{default:g})", np.where(np.isnan(one.values), default, one.values)
        )
        for one in series
    ]


@function("keepLastValue", group=GROUP, params=(SERIES, Param("limit", "intOrInf", math.inf)))
def keep_last_value(evaluation: Evaluation, series: list[Series], limit: float) -> list[Series]:
    """Fill gaps of no more than `limit` slots with the value before them."""
    return [one.derived(f"keepLastValue({one.name})", _filled(one.values, limit)) for one in series]


def _filled(values: Floats, limit: float) -> Floats:
    missing = np.isnan(values)
    if not missing.any() or missing.all():
        return values
    places = np.arange(len(values))
    known = np.where(missing, -1, places)
    before = np.maximum.accumulate(known)
    following = np.where(missing, len(values), places)[::-1]
    after = np.minimum.accumulate(following)[::-1]
    fills = missing & (before >= 0) & (after - before - 1 <= limit)
    filled: Floats = np.where(fills, values[np.maximum(before, 0)], values)
    return filled


@function("derivative", group=GROUP)
def derivative(evaluation: Evaluation, series: list[Series]) -> list[Series]:
    """Take by how much each value is greater than the one before."""
    return [one.derived(f"derivative({one.name})", _differences(one.values)) for one in series]


def _differences(values: Floats) -> Floats:
    return np.r_[np.nan, np.diff(values)] if len(values) else values


def _growth(values: Floats, greatest: float | None, least: float | None) -> Floats:
    """Return by how much a counter grew; where it fell, it began anew, at `least`, or behind `greatest`."""
    if not len(values):
        return values
    values = values.copy()
    if greatest is not None:
        values[values > greatest] = np.nan
    if least is not None:
        values[values < least] = np.nan
    grown = _differences(values)
    fell = grown < 0
    if greatest is not None:
        before = np.r_[np.nan, values[:-1]]
        grown[fell] = ((greatest - before) + values - (least or 0.0) + 1.0)[fell]
    elif least is not None:
        grown[fell] = (values - least)[fell]
    else:
        grown[fell] = np.nan
    return grown


@function("nonNegativeDerivative", group=GROUP, params=(SERIES, _MAX_VALUE, _MIN_VALUE))
def non_negative_derivative(
    evaluation: Evaluation, series: list[Series], greatest: float | None, least: float | None
) -> list[Series]:
    """Take by how much a counter grew; where it began anew, nothing, or what `maxValue` and `minValue` tell."""
    return [
        one.derived(f"nonNegativeDerivative({one.name})", _growth(one.values, greatest, least))
        for one in series
    ]


@function("perSecond", group=GROUP, params=(SERIES, _MAX_VALUE, _MIN_VALUE))
def per_second(
    evaluation: Evaluation, series: list[Series], greatest: float | None, least: float | None
) -> list[Series]:
    """Take by how much a counter grew each second."""
    return [
        one.derived(f"perSecond({one.name})", _growth(one.values, greatest, least) / one.step)
        for one in series
    ]


@function(
    "summarize",
    group=GROUP,
    params=(
        SERIES,
        Param("intervalString", "interval", suggestions=("10min", "1h", "1d")),
        Param("func", "aggFunc", "sum", options=tuple(AGGREGATIONS)),
        Param("alignToFrom", "boolean", False),
    ),
)
def summarize(
    evaluation: Evaluation, series: list[Series], interval: str, how: str, align_to_from: bool
) -> list[Series]:
    """Sum the values of each interval up, or aggregate them in another way."""
    seconds = times.parse_interval(interval)
    if seconds <= 0:
        raise TargetError(f"intervalString must be longer than nothing, such as '10min', not {interval!r}")
    aggregate = AGGREGATIONS[aggregation(how)]
    rest = ", true" if align_to_from else ""
    return [
        _summarized(
            one, f'summarize({one.name}, "{interval}", "{how}"{rest})', seconds, aggregate, align_to_from
        )
        for one in series
    ]


def _summarized(one: Series, name: str, seconds: int, aggregate: object, align_to_from: bool) -> Series:
    start = one.start if align_to_from else one.start // seconds * seconds
    if not len(one.values):
        return one.derived(name, one.values, start=start, step=seconds)
    places = (one.start + one.step * np.arange(len(one.values)) - start) // seconds
    count = int(places[-1]) + 1
    begins = np.searchsorted(places, np.arange(count))
    widths = np.diff(np.r_[begins, len(places)])
    padded = np.full((count, max(1, int(widths.max()))), np.nan)
    padded[places, np.arange(len(places)) - begins[places]] = one.values
    return one.derived(name, aggregate(padded), start=start, step=seconds)  # type: ignore[operator]
