"""The range of a metric's values, from its first rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from htmengine.htm.params.base import MAX_MAGNITUDE

if TYPE_CHECKING:
    from htmengine.htm.arrays import FloatArray

ROWS_FOR_RANGE: Final = 288
"""Rows after which the original engine inferred a metric's range: a day of 5-minute samples."""

_RANGE_PADDING: Final = 0.2


def infer_range(values: Sequence[float] | FloatArray) -> tuple[float, float]:
    """Return the minimum and maximum that the original engine took from a metric's first rows.

    The range of ``values`` widened by 20 % at each end; a range of zero counts as one. The original waited for
    ``ROWS_FOR_RANGE`` rows. Raises ValueError when no value is finite.

    References
    ----------
    Contract, section 6.3 (min/max rules).
    """
    import numpy as np  # here: parameters are needed without it, too

    from htmengine.htm.arrays import reals

    given = reals(values)
    finite = given[np.isfinite(given)]
    if not finite.size:
        raise ValueError("no finite value to infer a range from")
    low, high = widened(_within(float(finite.min())), _within(float(finite.max())))
    padding = _RANGE_PADDING * (high - low)
    return _within(low - padding), _within(high + padding)


def widened(low: float, high: float) -> tuple[float, float]:
    """Return a range as it is; that of one value is made 1 wide, or as wide as numbers lie apart there."""
    if high > low:
        return low, high
    high = low + max(1.0, math.ulp(low))
    return (low, high) if high <= MAX_MAGNITUDE else (low - math.ulp(low), low)


def _within(value: float) -> float:
    return min(max(value, -MAX_MAGNITUDE), MAX_MAGNITUDE)
