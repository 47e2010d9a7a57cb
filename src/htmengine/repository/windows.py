"""Rows of many metrics in one time, a few columns of them: what charts of a whole fleet are drawn from. Reads only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy import (
    Connection,
    Dialect,
    Integer,
    String,
    and_,
    bindparam,
    func,
    literal_column,
    select,
    union_all,
)

from htmengine.htm import _kernels
from htmengine.repository import schema
from htmengine.repository.chunks import in_chunks
from htmengine.repository.columns import before_recent, read
from htmengine.repository.embedded.steps import steps_in
from htmengine.repository.series import first_from, number_of_step
from htmengine.repository.times import epoch_seconds

Floats = npt.NDArray[np.float64]

METRICS_IN_STATEMENT: Final = 100
"""SQLite takes no more than 500 parts of a union."""
GAPS: Final = 100
_data: Final = schema.metric_data.c
COLUMNS: Final = {
    "value": _data.metric_value,
    "anomaly_score": _data.anomaly_score,
    "log_score": _data.log_score,
    "raw": _data.raw_anomaly_score,
    "sequence": _data.sequence_score,
    "novelty": _data.novelty_score,
    "forecast": _data.forecast,
    "usual_low": _data.usual_low,
    "usual_high": _data.usual_high,
}
"""Columns of rows by their names here."""
_AGGREGATES: Final = {"value": "avg", "forecast": "avg", "usual_low": "min"}
"""The function of SQL that makes one of many rows in a step, by column; "max" for those that are not here."""


class Span(NamedTuple):
    """Rows of a metric."""

    uid: str
    first: int
    """Rowid, as `last`, which is one of them."""
    last: int


class Rows(NamedTuple):
    """Rows of a metric, ascending: arrays of shape (n,)."""

    rowids: npt.NDArray[np.int64]
    timestamps: npt.NDArray[np.int64]
    """Seconds since the epoch."""
    columns: dict[str, Floats]
    """NaN where a row has nothing."""


class _Statement(NamedTuple):
    """Compiled once: to make it takes SQLAlchemy as long as to read the rows."""

    text: str
    order: list[str] | None
    """Of its parameters, where they go by their places."""

    def parameters(self, spans: Sequence[Span]) -> Any:
        """Return what the driver is given."""
        named: dict[str, Any] = {}
        for place, span in enumerate(spans):
            named[f"uid{place}"], named[f"first{place}"], named[f"last{place}"] = span
        return named if self.order is None else tuple(named[name] for name in self.order)


@lru_cache(maxsize=256)
def _statement(dialect: Dialect, count: int, columns: tuple[str, ...]) -> _Statement:
    parts = union_all(
        *(
            select(
                literal_column(str(place)).label("place"),
                bindparam(f"uid{place}", type_=String).label("uid"),
                bindparam(f"first{place}", type_=Integer).label("first"),
                bindparam(f"last{place}", type_=Integer).label("last"),
            )
            for place in range(count)
        )
    ).subquery()
    data = (schema.recent_row if dialect.name == "sqlite" else schema.metric_data).c
    wanted = (data[COLUMNS[name].name] for name in columns)
    query = select(parts.c.place, data.rowid, epoch_seconds(data.timestamp), *wanted).join_from(
        parts,
        data.rowid.table,
        and_(data.uid == parts.c.uid, data.rowid.between(parts.c.first, parts.c.last)),
    )
    compiled = query.compile(dialect=dialect)
    return _Statement(str(compiled), list(compiled.positiontup or ()) if compiled.positional else None)


class Table(NamedTuple):
    """Rows of several metrics, one after the other, each ascending: arrays of shape (n,)."""

    ends: list[int]
    """The rows of metric i begin at the i-th of these, and end before the next."""
    rowids: npt.NDArray[np.int64]
    timestamps: npt.NDArray[np.int64]
    """Seconds since the epoch."""
    columns: dict[str, Floats]
    """NaN where a row has nothing."""


def tables_of(
    conn: Connection, spans: Sequence[Span], columns: Sequence[str], check: Callable[[], None] = lambda: None
) -> Iterator[Table]:
    """Yield the rows of the spans in their order, of many in a table.

    Parameters
    ----------
    columns : names of COLUMNS.
    check : called before each statement; what it raises ends the work.
    """
    for some in in_chunks(spans, METRICS_IN_STATEMENT):
        check()
        statement = _statement(conn.dialect, len(some), tuple(columns))
        # The driver's own rows: they become arrays in a fraction of the time that SQLAlchemy's take.
        rows = conn.exec_driver_sql(statement.text, statement.parameters(some)).cursor.fetchall()
        whole, reals = _kernels.rows_as_columns(rows, 3, len(columns), 0)
        order = np.lexsort((whole[1], whole[0]))
        places, rowids, timestamps = whole.view(np.int64)[:, order]
        numbers: list[Floats] = [*reals[:, order]]
        ends = np.searchsorted(places, np.arange(len(some) + 1)).tolist()
        before = before_recent(conn, [span.uid for span in some])
        if any(before.get(span.uid, -1) >= span.first for span in some):
            names = "time", *(COLUMNS[name].name for name in columns)
            parts = [
                tuple(column[begin:end] for column in (rowids, timestamps, *numbers))
                if before.get(span.uid, -1) < span.first
                else read(conn, span.uid, names, span.first, span.last)
                for span, begin, end in zip(some, ends[:-1], ends[1:], strict=True)
            ]
            rowids, timestamps, *numbers = map(np.concatenate, zip(*parts, strict=True))
            ends = [0, *accumulate(len(part[0]) for part in parts)]
        yield Table(ends, rowids, timestamps, dict(zip(columns, numbers, strict=True)))


def rows_of(
    conn: Connection, spans: Sequence[Span], columns: Sequence[str], check: Callable[[], None] = lambda: None
) -> Iterator[Rows]:
    """Yield the rows of each span, in their order. Parameters as of `tables_of`."""
    for table in tables_of(conn, spans, columns, check):
        for begin, end in pairwise(table.ends):
            yield Rows(
                table.rowids[begin:end],
                table.timestamps[begin:end],
                {name: numbers[begin:end] for name, numbers in table.columns.items()},
            )


def steps_of(
    conn: Connection, uid: str, since: int, until: int, step: int, columns: Sequence[str]
) -> tuple[npt.NDArray[np.int64], dict[str, Floats]]:
    """Return when the steps of a metric's rows begin, and what became of the rows in each; those without rows are left out.

    The database sums them up: values by their average, scores by the highest, the lower end of the band by the lowest.
    """
    first, end = first_from(conn, uid, since), first_from(conn, uid, until)
    if conn.dialect.name == "sqlite":
        names = "time", *(COLUMNS[name].name for name in columns)
        _, times, *found = read(conn, uid, names, first, end - 1)
        begins, starts = steps_in(times, step)
        return begins, {name: _summed(name, part, starts) for name, part in zip(columns, found, strict=True)}
    number, shift = number_of_step(step)
    wanted = [getattr(func, _AGGREGATES.get(name, "max"))(COLUMNS[name]) for name in columns]
    query = (
        select(number, *wanted)
        .where(_data.uid == uid, _data.rowid >= first, _data.rowid < end)
        .group_by("number")
        .order_by("number")
    )
    rows = conn.execute(query).cursor.fetchall()
    table = np.array(rows, dtype=np.float64).reshape(-1, 1 + len(wanted)).T
    return table[0].astype(np.int64) * step - shift, dict(zip(columns, table[1:], strict=True))


def _summed(name: str, part: Floats, starts: npt.NDArray[np.int64]) -> Floats:
    """Return what becomes of a column in steps that begin at these places, as databases do: NULL does not count."""
    if not len(starts):
        return part
    aggregate = _AGGREGATES.get(name, "max")
    if aggregate != "avg":
        extreme: Floats = (np.fmin if aggregate == "min" else np.fmax).reduceat(part, starts)
        return extreme
    there = ~np.isnan(part)
    sums, counts = (
        np.add.reduceat(some, starts) for some in (np.where(there, part, 0.0), there.astype(float))
    )
    with np.errstate(invalid="ignore"):
        mean: Floats = sums / counts
    return mean


def intervals(conn: Connection, newest: Sequence[tuple[str, int]]) -> list[float]:
    """Return the usual time from a row to the next of each metric: the median of its last gaps; NaN where there is none.

    Parameters
    ----------
    newest : uid and last rowid of each.
    """
    spans = [Span(uid, max(1, last - GAPS), last) for uid, last in newest]
    return [
        float(np.median(np.diff(rows.timestamps))) if len(rows.timestamps) > 1 else np.nan
        for rows in rows_of(conn, spans, ())
    ]
