"""Heights of the bars that applications draw for anomaly scores."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

RED_BAR: Final = 1_000_000_001
YELLOW_BAR: Final = 1_000_000
GREEN_BAR: Final = 1_000


def bars(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the height of the bar of each score, NaN where there is none.

    It is the documented 1e3, 1e6 or 1e9, plus ln(1.0000000001 - score) / ln(1 - 0.9999999999), in a column of whole
    numbers. Of that only these steps are left; they need no logarithm, whose last bit differs between machines.
    """
    size = np.abs(scores)
    found = np.select(
        [size == 0.0, size > 0.99999, size >= 0.9999000001], [0.0, RED_BAR, YELLOW_BAR], GREEN_BAR
    )
    found[np.isnan(scores)] = np.nan
    return found
