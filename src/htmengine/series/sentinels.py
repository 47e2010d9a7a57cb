"""Values that may stand for no value, such as -999: what a logger writes when its sensor does not answer."""

import re
from typing import NamedTuple

import numpy as np

from htmengine.htm.arrays import FloatArray

_NINES = re.compile(r"-?(?:9{2,}|9{3,}\.0|9{2,}\.9+)")
_MINUS_NINES = re.compile(r"-9{2,}(?:\.9+)?")
_LIMITS = frozenset(
    (
        -1.0,
        -32768.0,
        32767.0,
        65535.0,
        2147483647.0,
        -2147483648.0,
        4294967295.0,
        -8888.0,
        -7777.0,
        1e20,
        1e30,
        -1e30,
    )
)
_LEAST = 2  # rows
_FAR = 3.0  # spans of the other values: so far off them a sentinel lies
_MOST = 0.5  # of all values


class Sentinel(NamedTuple):
    """A value that is suspected."""

    value: float
    rows: int


def suspect(values: FloatArray) -> Sentinel | None:
    """Return the value that most likely stands for none; None if there is none that looks so.

    It is one that programs use for this, stands in several rows, and lies far off all others; -1 need only be the one
    value below 0.

    Parameters
    ----------
    values : shape (n,), NaN where there is none.
    """
    known = values[~np.isnan(values)]
    if known.size < 10:
        return None
    for extreme in (float(known.min()), float(known.max())):
        rows = int((known == extreme).sum())
        others = known[known != extreme]
        if rows < _LEAST or rows > _MOST * known.size or not others.size or not _is_typical(extreme):
            continue
        low, high = float(others.min()), float(others.max())
        distance = low - extreme if extreme < low else extreme - high
        if distance > _FAR * (high - low) or (extreme == -1.0 and low >= 0.0 and np.unique(others).size > 2):
            return Sentinel(extreme, rows)
    return None


def _is_typical(value: float) -> bool:
    text = f"{value:g}"
    return (
        value in _LIMITS
        or bool(_NINES.fullmatch(text) and len(text.lstrip("-")) > 2)
        or bool(_MINUS_NINES.fullmatch(text))
    )
