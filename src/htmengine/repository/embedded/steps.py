"""Rows of a metric in steps of time; those that are merged are summed up by SQLite, a step at a time.

SQLite looks at a row in a fraction of the time in which Python makes its items.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from htmengine.repository.embedded import reading
from htmengine.repository.times import FIRST_SECOND

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

MIN_ROWS_OF_STEP: Final = 8
"""A step's statements take as long as it takes to read so many rows."""


class OfStep(NamedTuple):
    """What a step has of its rows."""

    column: str
    """Of `metric_data`, a real number."""
    how: Literal["last", "min", "max"]
    """What the last row has; or the least or the greatest of all, NaN where none has any."""


def read(
    conn: Connection, uid: str, wanted: Sequence[OfStep], first: int, last: int, step: int
) -> tuple[Integers, list[Floats]]:
    """Return when the steps begin of a metric's rows from one rowid to another, and what was wanted of each of them.

    Steps without rows are left out. The times of rows ascend with their rowids.
    """
    behind_blocks = max(first, reading.last_in_blocks(conn, [uid]).get(uid, 0) + 1)
    in_runs = max(behind_blocks, _first_in_runs(conn, uid, behind_blocks, last))
    parts = [
        _rows(conn, uid, wanted, first, min(last, behind_blocks - 1)),
        _merged(conn, uid, wanted, behind_blocks, in_runs - 1, step),
        _rows(conn, uid, wanted, in_runs, last),
    ]
    times, *found = (np.concatenate(column) for column in zip(*parts, strict=True))
    begins, starts = steps_in(times.astype(np.int64), step)
    if not len(starts):
        return begins, found
    ends = np.append(starts[1:], len(times)) - 1
    return begins, [
        column[ends] if of_step.how == "last" else _EXTREMES[of_step.how].reduceat(column, starts)
        for of_step, column in zip(wanted, found, strict=True)
    ]


def steps_in(timestamps: Integers, step: int) -> tuple[Integers, Integers]:
    """Return when the steps of rows begin whose times ascend, and the place of the first row of each."""
    numbers = timestamps // step
    starts = np.flatnonzero(np.diff(numbers, prepend=numbers[:1] - 1))
    return numbers[starts] * step, starts


_EXTREMES: Final = {"min": np.fmin, "max": np.fmax}


def _first_in_runs(conn: Connection, uid: str, first: int, last: int) -> int:
    """Return the first of these rowids that is in a run; the one behind the last where none is."""
    found = conn.exec_driver_sql(
        "SELECT min(sample.rowid) FROM metric_number AS number CROSS JOIN sample_run AS run"
        " CROSS JOIN run_sample AS sample ON sample.run = run.id AND sample.metric = number.id"
        " AND sample.rowid BETWEEN ? AND ? WHERE number.uid = ?",
        (first, last, uid),
    ).scalar()
    return last + 1 if found is None else int(found)


def _rows(conn: Connection, uid: str, wanted: Sequence[OfStep], first: int, last: int) -> list[Any]:
    """Return times and columns of rows."""
    names = list(dict.fromkeys(of_step.column for of_step in wanted))
    _, times, *found = reading.columns(conn, uid, ["time", *names], first, last)
    return [times, *(found[names.index(of_step.column)] for of_step in wanted)]


def _merged(
    conn: Connection, uid: str, wanted: Sequence[OfStep], first: int, last: int, step: int
) -> list[Any]:
    """Return times and columns of merged rows. Those of a step are one, unless they are few."""
    metric = conn.exec_driver_sql("SELECT id FROM metric_number WHERE uid = ?", (uid,)).scalar()
    cursor = conn.connection.cursor()  # the driver's own: SQLAlchemy takes longer than these statements
    row = cursor.execute(_FIRST_FROM, (metric, first, last, FIRST_SECOND)).fetchone()
    newest = cursor.execute(_NEWEST, (metric, first, last)).fetchone()
    if row is None or newest[0] - row[0] < MIN_ROWS_OF_STEP * ((newest[1] - row[1]) // step + 1):
        return _rows(conn, uid, wanted, first, last)
    extremes = [of_step for of_step in wanted if of_step.how != "last"]
    names = ["max(rowid)", *(f"{how}({_own(column)})" for column, how in extremes)]
    sums = f"SELECT {', '.join(names)} FROM merged_row WHERE metric = ? AND rowid BETWEEN ? AND ?"
    found = []
    while row is not None:
        begin, time = row
        row = cursor.execute(_FIRST_FROM, (metric, begin + 1, last, (time // step + 1) * step)).fetchone()
        found.append(cursor.execute(sums, (metric, begin, last if row is None else row[0] - 1)).fetchone())
    rowids, *others = np.array(found, np.float64).T
    by_step = dict(zip(extremes, others, strict=True))
    lasts = [of_step for of_step in wanted if of_step.how == "last"]
    names = ["row.time", *(f"row.{_own(of_step.column)}" for of_step in lasts)]
    rows = cursor.execute(
        f"SELECT {', '.join(names)} FROM json_each(?) AS given CROSS JOIN merged_row AS row"
        " ON row.metric = ? AND row.rowid = given.value ORDER BY row.rowid",
        (json.dumps(rowids.astype(int).tolist()), metric),
    ).fetchall()
    times, *others = np.array(rows, np.float64).T
    by_step |= zip(lasts, others, strict=True)
    return [times, *map(by_step.__getitem__, wanted)]


_FIRST_FROM: Final = "SELECT rowid, time FROM merged_row WHERE metric = ? AND rowid BETWEEN ? AND ? AND time >= ? ORDER BY rowid LIMIT 1"
_NEWEST: Final = "SELECT rowid, time FROM merged_row WHERE metric = ? AND rowid BETWEEN ? AND ? ORDER BY rowid DESC LIMIT 1"


def _own(name: str) -> str:
    """Return the name that a column of `metric_data` has in the table."""
    return "value" if name == "metric_value" else name
