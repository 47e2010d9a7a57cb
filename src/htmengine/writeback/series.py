"""What is written back: columns of scored rows, of many metrics at once."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from htmengine.repository.schema import ALARM_LOG_SCORE
from htmengine.repository.windows import Floats, Table

Times = npt.NDArray[np.int64]

ALARM: Final = "alarm"
COLUMNS: Final = {
    "value": "value",
    "log_score": "log_score",
    "anomaly_score": "anomaly_score",
    "forecast": "forecast",
    "usual_low": "usual_low",
    "usual_high": "usual_high",
    ALARM: "log_score",
}
"""By the name of a series, the column of rows that it is made of."""


class Points(NamedTuple):
    """The points of one series, of all metrics of a batch."""

    name: str
    ends: list[int]
    """Those of metric i begin at the i-th of these, and end before the next."""
    timestamps: Times
    numbers: Floats


class Batch(NamedTuple):
    """Rows of metrics, one after the other, each ascending: arrays of shape (n,)."""

    names: Sequence[str]
    ends: list[int]
    """The rows of metric i begin at the i-th of these, and end before the next."""
    timestamps: Times
    """Seconds since the epoch."""
    columns: dict[str, Floats]
    """By the name of a series; not finite where a row has nothing."""

    def series(self) -> Iterator[Points]:
        """Yield each series, without the rows in which it has nothing."""
        for name, numbers in self.columns.items():
            finite = np.isfinite(numbers)
            if finite.all():
                yield Points(name, self.ends, self.timestamps, numbers)
            elif finite.any():
                count = np.concatenate([[0], np.cumsum(finite)])
                yield Points(name, count[self.ends].tolist(), self.timestamps[finite], numbers[finite])


def batches(
    names: Sequence[str], tables: Sequence[Table], wanted: Sequence[str], size: int
) -> Iterator[Batch]:
    """Yield what is written back of the metrics of some tables: all rows of a metric together, and `size` rows or a few more."""
    ends = [0]
    for table in tables:
        ends += [ends[-1] + end for end in table.ends[1:]]
    timestamps = np.concatenate([table.timestamps for table in tables])
    columns = {series: _numbers(series, tables) for series in wanted}
    first = 0
    while first < len(names):
        last = min(bisect_left(ends, ends[first] + size, first + 1), len(names))
        rows = slice(ends[first], ends[last])
        yield Batch(
            names[first:last],
            [end - rows.start for end in ends[first : last + 1]],
            timestamps[rows],
            {series: numbers[rows] for series, numbers in columns.items()},
        )
        first = last


def _numbers(series: str, tables: Sequence[Table]) -> Floats:
    column = np.concatenate([table.columns[COLUMNS[series]] for table in tables])
    return np.where(np.isnan(column), np.nan, column >= ALARM_LOG_SCORE) if series == ALARM else column
