"""A metric's rows as columns, and its hours: what charts are drawn from. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Label, Select, bindparam, func, select

from htmengine.repository import columns, hours, schema
from htmengine.repository.embedded import rows as runs
from htmengine.repository.embedded import steps
from htmengine.repository.embedded.steps import OfStep
from htmengine.repository.hours import HOUR_S, Hour, hour_of
from htmengine.repository.times import FIRST_SECOND, bound, epoch_seconds, whole

_data: Final = schema.metric_data.c

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Series(NamedTuple):
    """Rows of a metric, ascending: arrays of shape (n,). NaN where a row has no score, or its model no forecast."""

    rowids: Integers
    timestamps: Integers
    """Seconds since the epoch."""
    values: Floats
    anomaly_scores: Floats
    log_scores: Floats
    forecasts: Floats
    usual_lows: Floats
    """Of 100 values 99 lie between this and `usual_highs`."""
    usual_highs: Floats


CHART_COLUMNS: Final = (
    "time",
    "metric_value",
    "anomaly_score",
    "log_score",
    "forecast",
    "usual_low",
    "usual_high",
)
"""Behind the rowid, in the order of `Series`; `time` in seconds since the epoch."""
_NOT_NUMBERS: Final = ("display_value", "multi_step_best_predictions")


def rows_since(conn: Connection, uid: str, since_rowid: int, limit: int) -> Series:
    """Return the rows behind a rowid, at most `limit`; what was removed is left out."""
    return Series(*columns.read(conn, uid, CHART_COLUMNS, since_rowid + 1, limit=limit))


class ScoredRows(NamedTuple):
    """Rows of a metric with all their scores, ascending: arrays of shape (n,). NaN where there is none."""

    rowids: Integers
    timestamps: Integers
    """Seconds since the epoch."""
    values: Floats
    raw_anomaly_scores: Floats
    anomaly_scores: Floats
    log_scores: Floats
    sequence_scores: Floats
    novelty_scores: Floats
    forecasts: Floats
    usual_lows: Floats
    usual_highs: Floats
    one_in: Floats
    """Of alarms alone."""


def scored_since(conn: Connection, uid: str, since_rowid: int, limit: int) -> ScoredRows:
    """Return the rows behind a rowid with all that is stored of them, at most `limit`; what was removed is left out."""
    names = ("time", "metric_value", *(name for name in schema.SCORES if name not in _NOT_NUMBERS))
    found = columns.read(conn, uid, names, since_rowid + 1, limit=limit)
    rowids = found[0]
    one_in = np.full(len(rowids), np.nan)
    if len(rowids):
        alarm = schema.metric_alarm.c
        known = select(alarm.rowid, alarm.one_in).where(
            alarm.uid == uid, alarm.rowid.between(int(rowids[0]), int(rowids[-1])), alarm.one_in.is_not(None)
        )
        for rowid, number in conn.execute(known):
            one_in[rowids == rowid] = number
    return ScoredRows._make((*found, one_in))


def rows_between(conn: Connection, uid: str, since: float, until: float) -> Series:
    """Return the rows from one time up to another, which is left out; both in seconds since the epoch."""
    rowids = rowids_between(conn, uid, since, until)
    return Series(*columns.read(conn, uid, CHART_COLUMNS, rowids.start, rowids.stop - 1))


def rowids_between(conn: Connection, uid: str, since: float, until: float) -> range:
    """Return between which rowids the rows from one time up to another lie, which is left out."""
    return range(first_from(conn, uid, since), first_from(conn, uid, until))


def values_of(conn: Connection, uid: str, rowids: range) -> tuple[Integers, Floats, Floats]:
    """Return times in seconds since the epoch, values and log scores of rows, each of shape (n,); NaN without a score."""
    _, *found = columns.read(conn, uid, ("time", "metric_value", "log_score"), rowids.start, rowids.stop - 1)
    times, values, log_scores = found
    return times, values, log_scores


class Steps(NamedTuple):
    """Rows of a metric in steps of equal length, ascending: arrays of shape (n,). Steps without rows are left out."""

    timestamps: Integers
    """When each begins, a multiple of its length since the epoch."""
    values: Floats
    """Of its last row, as forecasts and usual values are."""
    min_values: Floats
    max_values: Floats
    anomaly_scores: Floats
    """The highest, as for `log_scores`. NaN where no row has one."""
    log_scores: Floats
    forecasts: Floats
    usual_lows: Floats
    usual_highs: Floats


_OF_STEPS: Final = (
    OfStep("metric_value", "last"),
    OfStep("metric_value", "min"),
    OfStep("metric_value", "max"),
    OfStep("anomaly_score", "max"),
    OfStep("log_score", "max"),
    OfStep("forecast", "last"),
    OfStep("usual_low", "last"),
    OfStep("usual_high", "last"),
)
"""What `Steps` have behind their times, in its order."""


def steps_between(conn: Connection, uid: str, since: float, until: float, step: int) -> Steps:
    """Return the rows from one time up to another, which is left out, in steps of so many seconds.

    Databases sum them up: that takes a tenth of the time in which servers send rows.
    """
    if conn.dialect.name == "sqlite":
        rowids = rowids_between(conn, uid, since, until)
        begins, found = steps.read(conn, uid, _OF_STEPS, rowids.start, rowids.stop - 1, step)
        return Steps(begins, *found)
    number, shift = number_of_step(step)
    of_rows = (
        select(
            number,
            func.max(_data.rowid).label("last"),
            func.min(_data.metric_value).label("least"),
            func.max(_data.metric_value).label("greatest"),
            func.max(_data.anomaly_score).label("anomaly_score"),
            func.max(_data.log_score).label("log_score"),
        )
        .where(_data.uid == uid, _data.rowid >= first_from(conn, uid, since))
        .where(_data.rowid < first_from(conn, uid, until))
        .group_by("number")
        .subquery()
    )
    last = schema.metric_data.alias()
    query = (
        select(
            of_rows.c.number,
            last.c.metric_value,
            of_rows.c.least,
            of_rows.c.greatest,
            of_rows.c.anomaly_score,
            of_rows.c.log_score,
            last.c.forecast,
            last.c.usual_low,
            last.c.usual_high,
        )
        .join_from(of_rows, last, (last.c.uid == uid) & (last.c.rowid == of_rows.c.last))
        .order_by(of_rows.c.number)
    )
    numbers, *others = _columns(conn, query, 9)
    return Steps(numbers.astype(np.int64) * step - shift, *others)


SCORE_PARTS: Final = {
    "raw": _data.raw_anomaly_score,
    "sequence": _data.sequence_score,
    "novelty": _data.novelty_score,
}
"""Scores that few charts show."""


def score_parts(
    conn: Connection, uid: str, since: float, until: float, names: Sequence[str], step: int | None = None
) -> dict[str, Floats]:
    """Return further scores, by names of SCORE_PARTS: those of the rows that `rows_between` gives in the same transaction.

    With `step` the highest of each step that `steps_between` gives.
    """
    parts = [SCORE_PARTS[name] for name in names]
    first, end = first_from(conn, uid, since), first_from(conn, uid, until)
    found: Iterable[Floats]
    if step is None:
        _, *found = columns.read(conn, uid, [part.name for part in parts], first, end - 1)
    elif conn.dialect.name == "sqlite":
        highest = [OfStep(part.name, "max") for part in parts]
        _, found = steps.read(conn, uid, highest, first, end - 1, step)
    else:
        number, _shift = number_of_step(step)
        rows = _data.uid == uid, _data.rowid >= first, _data.rowid < end
        query = select(number, *map(func.max, parts)).where(*rows).group_by("number").order_by("number")
        _places, *found = _columns(conn, query, len(names) + 1)
    return dict(zip(names, found, strict=True))


def number_of_step(step: int) -> tuple[Label[Any], int]:
    """Return the number of the step of a row, and the seconds that were added so that none is negative."""
    shift = -(FIRST_SECOND // step) * step
    return ((epoch_seconds(_data.timestamp) + shift) // step).label("number"), shift


def hours_between(conn: Connection, uid: str, since: float, until: float) -> list[Hour]:
    """Return the hours that begin from one time up to another, which is left out; those without rows are left out.

    Rows that are not summed up yet are summed up here, so that nothing is missing; rows without a score, too.
    """
    behind = hours.summed_up(conn, uid)
    found = hours.stored(conn, uid, since, until)
    since, until = (hour_of(whole(time) + HOUR_S - 1) for time in (since, until))  # whole hours
    first, end = max(behind + 1, first_from(conn, uid, since)), first_from(conn, uid, until)
    for hour in hours.of_rows(conn, uid, first, end - 1):
        if found and found[-1].hour == hour.hour:
            hour = hours.joined(found.pop(), hour)
        found.append(hour)
    return found


def first_from(conn: Connection, uid: str, time: float) -> int:
    """Return a rowid so that rows from there on are at this time or later, and rows before it are not.

    No index has a metric's times; they ascend with its rowids, so that the row is found by halves.
    """
    if conn.dialect.name == "sqlite":
        return runs.first_from(conn, uid, whole(time))
    query = select(_data.rowid, _data.timestamp).where(_data.uid == uid)
    newest = conn.execute(query.order_by(_data.rowid.desc()).limit(1)).first()
    if newest is None:
        return 0
    wanted = bound(time)
    if newest.timestamp < wanted:
        return int(newest.rowid) + 1
    query = query.where(_data.rowid >= bindparam("rowid")).order_by(_data.rowid).limit(1)
    low, high = 0, int(newest.rowid)
    while low < high:
        row = conn.execute(query, {"rowid": (low + high) // 2}).one()
        if row.timestamp >= wanted:
            high = (low + high) // 2
        else:
            low = row.rowid + 1
    return low


def _columns(conn: Connection, query: Select[Any], count: int) -> Iterator[Floats]:
    """Return the columns of a query, all of them numbers; NULL becomes NaN."""
    # The driver's own rows: they become arrays in a fraction of the time that SQLAlchemy's take.
    rows = conn.execute(query).cursor.fetchall()
    return iter(np.array(rows, dtype=np.float64).reshape(-1, count).T.copy())
