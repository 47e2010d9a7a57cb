"""Fewer points than rows: each with the lowest and the highest value of its rows, so that no spike is lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np

from htmengine.htm.arrays import FloatArray

NICE_STEPS: Final = (
    *(1, 2, 5, 10, 15, 20, 30),
    *(60, 120, 300, 600, 900, 1200, 1800),
    *(3600, 7200, 10800, 14400, 21600, 43200),
    *(86400, 172800, 604800, 1209600, 2592000),
)
"""Lengths of a point, in seconds, whose multiples are easily read off an axis."""


class Points(NamedTuple):
    """A series in steps of equal length; steps without rows are left out."""

    time: FloatArray
    """Where each step begins."""
    value: FloatArray
    """Of the step's last row."""
    value_min: FloatArray
    value_max: FloatArray
    others: dict[str, FloatArray]
    """The highest, or the last, of each further column; NaN where no row has one."""


def step_for(seconds: float, points: int) -> int:
    """Return the length of a step that divides a time into no more than so many points."""
    least = seconds / max(points, 1)
    return next((step for step in NICE_STEPS if step >= least), int(np.ceil(least / 86400)) * 86400)


def downsample(
    times: FloatArray,
    values: FloatArray,
    step: float,
    *,
    highest: Mapping[str, FloatArray],
    last: Mapping[str, FloatArray],
) -> Points:
    """Return a series in steps of so many seconds, which begin at multiples of it.

    Parameters
    ----------
    times : shape (n,), seconds since the epoch, never decreasing.
    values : shape (n,).
    highest, last : further columns, shape (n,), of which a step keeps the highest or the last; NaN counts as none.
    """
    if not len(times):
        nothing = np.empty(0)
        return Points(nothing, nothing, nothing, nothing, dict.fromkeys((*highest, *last), nothing))
    cells = np.floor(times / step)
    starts = np.flatnonzero(np.r_[True, cells[1:] != cells[:-1]])
    ends = np.r_[starts[1:], len(times)] - 1
    others = {name: np.fmax.reduceat(column, starts) for name, column in highest.items()}
    others |= {name: column[ends] for name, column in last.items()}
    return Points(
        cells[starts] * step,
        values[ends],
        np.fmin.reduceat(values, starts),
        np.fmax.reduceat(values, starts),
        others,
    )
