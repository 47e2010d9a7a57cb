"""Merged rows that need not be looked at one by one, since SQLite shows that nothing is wrong with them.

It puts the times of a metric's rows into one text, in a fraction of the time in which it hands out rows. Where the text does
not prove what is wanted, the rows themselves have to tell what is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Final, NamedTuple

import numpy as np
from sqlalchemy import Connection


class Wanted(NamedTuple):
    """Rows of a metric that are there without a gap, all of them with their scores or none with any."""

    uid: str
    first: int
    """Rowid, as `last`, which is one of them."""
    last: int
    are_scored: bool


class Times(NamedTuple):
    """Those of the first and the last row, in seconds since the epoch."""

    first: int
    last: int


_TIMES: Final = (
    # By the primary key alone, so that rows come in the order of their rowids. Numbers are less than that, text is not.
    "SELECT group_concat(time) FROM merged_row NOT INDEXED"
    " WHERE metric = (SELECT id FROM metric_number WHERE uid = ?) AND rowid BETWEEN ? AND ?"
    " AND time < 1000000000000 AND "
)
_SCORED: Final = "raw_anomaly_score BETWEEN 0.0 AND 1.0 AND anomaly_score BETWEEN 0.0 AND 1.0"
_UNSCORED: Final = "raw_anomaly_score IS NULL AND anomaly_score IS NULL"


def in_order(conn: Connection, wanted: Sequence[Wanted]) -> list[Times | None]:
    """Return times where merged rows are as they are wanted, each later than the one before; None for others."""
    cursor = conn.connection.cursor()  # the driver's own: SQLAlchemy takes longer than these statements
    texts: list[str] = []
    likely: list[int] = []
    for place, (uid, first, last, are_scored) in enumerate(wanted):
        statement = _TIMES + (_SCORED if are_scored else _UNSCORED)
        (text,) = cursor.execute(statement, (uid, first, last)).fetchone()
        if text is not None and text.count(",") == last - first and "." not in text:
            texts.append(text)
            likely.append(place)
    found: list[Times | None] = [None] * len(wanted)
    if not likely:
        return found
    times = np.fromstring(",".join(texts), dtype=np.int64, sep=",")
    ends = list(accumulate(wanted[place].last - wanted[place].first + 1 for place in likely))
    starts = [0, *ends[:-1]]
    is_later = np.diff(times, prepend=times[:1]) > 0
    is_later[starts] = True
    are_later = np.logical_and.reduceat(is_later, starts).tolist()
    for place, is_fine, start, end in zip(likely, are_later, starts, ends, strict=True):
        if is_fine:
            found[place] = Times(int(times[start]), int(times[end - 1]))
    return found
