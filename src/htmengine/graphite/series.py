"""Series on a regular grid: slots of equal length at multiples of it since the epoch; NaN where a slot has no value."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from htmengine.graphite import tags
from htmengine.graphite.target import TargetError

Floats = npt.NDArray[np.float64]


class Grid(NamedTuple):
    """Values of slots, the first of which begins at `start`."""

    start: int
    step: int
    values: Floats


class Series:
    """A series, whose values are read when they are first asked for.

    Parameters
    ----------
    load : returns the values; instead of `grid`.
    consolidation : how slots become one: a name of AGGREGATIONS.
    path : the metric or the expression that it came of.
    metric : number of the metric whose values these are; None for what was computed of series.
    """

    __slots__ = ("_grid", "_load", "consolidation", "metric", "name", "path", "tags")

    def __init__(
        self,
        name: str,
        grid: Grid | None = None,
        *,
        load: Callable[[], Grid] | None = None,
        consolidation: str = "average",
        path: str | None = None,
        metric: int | None = None,
        tags: dict[str, str] | None = None,
    ) -> None:
        self.name = name
        self._grid = grid
        self._load = load
        self.consolidation = consolidation
        self.path = name if path is None else path
        self.metric = metric
        self.tags = _tags(name) if tags is None else tags

    @property
    def grid(self) -> Grid:
        """Its values."""
        if self._grid is None:
            assert self._load is not None
            self._grid = self._load()
        return self._grid

    @property
    def start(self) -> int:
        """When its first slot begins, in seconds since the epoch."""
        return self.grid.start

    @property
    def step(self) -> int:
        """Seconds of a slot."""
        return self.grid.step

    @property
    def values(self) -> Floats:
        """One for each slot."""
        return self.grid.values

    @property
    def end(self) -> int:
        """When its last slot ends."""
        return self.start + self.step * len(self.values)

    def named(self, name: str) -> Series:
        """Return the same series under another name."""
        return self._copy(name, self._grid, self._load)

    def consolidated_by(self, how: str, name: str) -> Series:
        """Return the same series, whose slots become one in another way."""
        copy = self._copy(name, self._grid, self._load)
        copy.consolidation = how
        return copy

    def derived(
        self, name: str, values: Floats, *, start: int | None = None, step: int | None = None
    ) -> Series:
        """Return a series of values that were computed of this one's."""
        grid = Grid(self.start if start is None else start, step or self.step, values)
        copy = self._copy(name, grid, None)
        copy.metric = None
        return copy

    def _copy(self, name: str, grid: Grid | None, load: Callable[[], Grid] | None) -> Series:
        # Of a series that is not read yet the copy reads through this one, so that it is read once.
        return Series(
            name,
            grid,
            load=(lambda: self.grid) if grid is None else load,
            consolidation=self.consolidation,
            path=self.path,
            metric=self.metric,
            tags=self.tags,
        )


def _tags(name: str) -> dict[str, str]:
    return tags.tags_of(name)


# -- Many values become one


def _quietly(function: Callable[..., Floats]) -> Callable[[Floats], Floats]:
    def of(values: Floats) -> Floats:
        with warnings.catch_warnings():  # of slots without any value NaN comes out, as it should
            warnings.simplefilter("ignore", RuntimeWarning)
            result: Floats = function(values, axis=-1)
        return result

    return of


def _sum(values: Floats) -> Floats:
    return np.where(np.isnan(values).all(axis=-1), np.nan, np.nansum(values, axis=-1))


def _first(values: Floats) -> Floats:
    return _at(values, np.argmax(~np.isnan(values), axis=-1))


def _last(values: Floats) -> Floats:
    return _at(values, values.shape[-1] - 1 - np.argmax(~np.isnan(values)[..., ::-1], axis=-1))


def _at(values: Floats, places: npt.NDArray[np.intp]) -> Floats:
    found: Floats = np.take_along_axis(values, places[..., None], axis=-1)[..., 0]
    return found


def _count(values: Floats) -> Floats:
    counts = (~np.isnan(values)).sum(axis=-1).astype(np.float64)
    return np.where(counts == 0, np.nan, counts)


def _range(values: Floats) -> Floats:
    return _quietly(np.nanmax)(values) - _quietly(np.nanmin)(values)


AGGREGATIONS: Final[dict[str, Callable[[Floats], Floats]]] = {
    "average": _quietly(np.nanmean),
    "sum": _sum,
    "min": _quietly(np.nanmin),
    "max": _quietly(np.nanmax),
    "first": _first,
    "last": _last,
    "median": _quietly(np.nanmedian),
    "stddev": _quietly(np.nanstd),
    "range": _range,
    "count": _count,
}
"""By name, what becomes of the values along the last axis; NaN where none of them is a number."""
_OTHER_NAMES: Final = {
    "avg": "average",
    "total": "sum",
    "current": "last",
    "rangeOf": "range",
}


def aggregation(name: str) -> str:
    """Return the name of AGGREGATIONS that is meant. Raises TargetError."""
    found = name.removesuffix("Series")
    found = _OTHER_NAMES.get(found, found)
    if found not in AGGREGATIONS:
        raise TargetError(f"{name!r} is no way to aggregate; there are {', '.join(AGGREGATIONS)}")
    return found


def consolidate(grid: Grid, count: int, how: str) -> Grid:
    """Return a grid whose slots are so many of these together, at multiples of their length.

    A first one of which only a part is here is left out, so that it does not change with each request.
    """
    if count <= 1 or not len(grid.values):
        return grid
    step = grid.step * count
    missing = -grid.start // grid.step % count  # slots before the next multiple
    values = grid.values[missing:]
    start = grid.start + missing * grid.step
    whole = len(values) // count * count
    parts = AGGREGATIONS[how](values[:whole].reshape(-1, count)) if whole else np.empty(0)
    if whole < len(values):
        parts = np.append(parts, AGGREGATIONS[how](values[None, whole:]))
    return Grid(start, step, parts)


def in_points(grid: Grid, most: int, how: str) -> Grid:
    """Return a grid with no more than so many slots."""
    return consolidate(grid, math.ceil(len(grid.values) / most), how) if most > 0 else grid


MAX_COMMON_STEP: Final = 40 * 86400
"""Series of different steps are brought to a common one up to this."""


def normalized(series: Sequence[Series]) -> tuple[int, int, Floats]:
    """Return the start, the step and the values of series on a common grid, shape (series, slots)."""
    step = reduce(math.lcm, (one.step for one in series))
    if step > MAX_COMMON_STEP:
        step = max(one.step for one in series)
    start = min(one.start for one in series) // step * step
    end = max(one.end for one in series)
    count = max(0, -(-(end - start) // step))
    values = np.full((len(series), count), np.nan)
    for row, one in zip(values, series, strict=True):
        _enter(row, one, start, step)
    return start, step, values


def _enter(row: Floats, series: Series, start: int, step: int) -> None:
    """Put the values of a series into slots of another grid."""
    if not len(series.values):
        return
    times = series.start + series.step * np.arange(len(series.values))
    places = (times - start) // step
    begins = np.flatnonzero(np.r_[True, places[1:] != places[:-1]])
    if len(begins) == len(places):
        row[places] = series.values
        return
    widest = int(np.diff(np.r_[begins, len(places)]).max())
    padded = np.full((len(begins), widest), np.nan)
    group = np.cumsum(np.r_[True, places[1:] != places[:-1]]) - 1
    padded[group, np.arange(len(places)) - begins[group]] = series.values
    row[places[begins]] = AGGREGATIONS[series.consolidation](padded)


def path_of(series: Iterable[Series]) -> str:
    """Return the paths that series came of, each once, as names of functions have them."""
    return ",".join(sorted({one.path for one in series}))
