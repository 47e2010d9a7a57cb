"""What is written back: columns of scored rows, metric by metric."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from htmengine.repository.schema import ALARM_LOG_SCORE
from htmengine.repository.windows import Table

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


class MetricRows(NamedTuple):
    """Rows of a metric, in their order."""

    name: str
    timestamps: list[int]
    """Seconds since the epoch."""
    columns: dict[str, list[float]]
    """By the name of a series; NaN where a row has nothing."""

    def series(self) -> Iterator[tuple[str, list[tuple[int, float]]]]:
        """Yield each series that has something, with its times and numbers."""
        for name, numbers in self.columns.items():
            points = [
                (at, number) for at, number in zip(self.timestamps, numbers, strict=True) if number == number
            ]
            if points:
                yield name, points


def of_table(names: Sequence[str], table: Table, wanted: Sequence[str]) -> Iterator[MetricRows]:
    """Yield the rows of each metric of a table as they are written back."""
    timestamps = table.timestamps.tolist()
    columns = {series: _numbers(series, table) for series in wanted}
    for name, (begin, end) in zip(names, pairwise(table.ends), strict=True):
        of_metric = {series: numbers[begin:end] for series, numbers in columns.items()}
        yield MetricRows(name, timestamps[begin:end], of_metric)


def _numbers(series: str, table: Table) -> list[float]:
    column = table.columns[COLUMNS[series]]
    if series == ALARM:
        column = np.where(np.isnan(column), np.nan, column >= ALARM_LOG_SCORE)
    found: list[float] = np.where(np.isfinite(column), column, np.nan).tolist()
    return found
