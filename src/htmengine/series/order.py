"""The rows of one series in the order of time."""

from bisect import bisect_right
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from htmengine.htm.arrays import FloatArray

_MOSTLY = 0.8  # of the rows must be in order for others to be out of it
_REVERSED = 4  # so many steps back for each step forward make a file that runs from the newest to the oldest


class Order(NamedTuple):
    """How the rows of a series come into the order of time."""

    rows: npt.NDArray[np.intp]  # (n,) the positions of the rows that are kept, in the order of time
    reversed: bool  # the rows ran from the newest to the oldest
    moved: int  # how many rows were out of order besides
    strays: npt.NDArray[
        np.intp
    ]  # positions of rows whose time lies far off all others and out of order: left out
    copies: int  # how many rows repeat time and value of another one, out of order: left out
    repeated: int  # of the rows that are kept, how many have the time of the row before


def put_in_order(timestamps: FloatArray, values: FloatArray) -> Order:
    """Return how to put rows in the order of time; rows of the same time stay in the order of the file.

    A row that is out of order is moved to its place, unless its time lies further outside the others' span than
    this span is long: that is a broken clock or a wrong year. Where rows are moved, those that repeat time and value
    of another one are copies, as of exports that overlap.

    Parameters
    ----------
    timestamps, values : shape (n,), in the order of the file.
    """
    positions = np.arange(len(timestamps))
    steps = np.diff(timestamps)
    nothing = positions[:0]
    if not (steps < 0).any():
        return Order(positions, False, 0, nothing, 0, int((steps == 0).sum()))
    is_reversed = int((steps < 0).sum()) > max(2, _REVERSED * int((steps > 0).sum()))
    if is_reversed:
        positions = positions[::-1]
    in_order = _longest_ordered(timestamps[positions])
    first, last = timestamps[positions[in_order[0]]], timestamps[positions[in_order[-1]]]
    out = np.ones(len(positions), dtype=bool)
    out[in_order] = False
    ordered = timestamps[positions]
    span = last - first
    stray = out & ((ordered < first - span) | (ordered > last + span))
    if len(in_order) < _MOSTLY * len(positions):
        stray[:] = False  # of rows in no order none is out of it
    kept = positions[~stray]
    moved = int((out & ~stray).sum())
    kept = kept[np.argsort(timestamps[kept], kind="stable")]
    copies = 0
    if moved:
        # By time, then by value, in the order of the file: the first of each pair stays.
        by_value = kept[np.lexsort((values[kept], timestamps[kept]))]
        same = np.zeros(len(kept), dtype=bool)
        same[1:] = (np.diff(timestamps[by_value]) == 0) & (np.diff(values[by_value]) == 0)
        copies = int(same.sum())
        kept = kept[~np.isin(kept, by_value[same])]
    repeated = int((np.diff(timestamps[kept]) == 0).sum())
    return Order(kept, is_reversed, moved, np.sort(positions[stray]), copies, repeated)


def _longest_ordered(timestamps: FloatArray) -> npt.NDArray[np.intp]:
    """Return the positions of the longest part of the rows that never goes back, n log n."""
    tails: list[float] = []  # the smallest time in which an ordered part of each length can end
    ends: list[int] = []  # the row in which it ends
    before = np.full(len(timestamps), -1, dtype=np.intp)
    for position, time in enumerate(timestamps.tolist()):
        length = bisect_right(tails, time)
        if length:
            before[position] = ends[length - 1]
        if length == len(tails):
            tails.append(time)
            ends.append(position)
        else:
            tails[length], ends[length] = time, position
    row = ends[-1]
    chain = []
    while row >= 0:
        chain.append(row)
        row = int(before[row])
    return np.array(chain[::-1], dtype=np.intp)
