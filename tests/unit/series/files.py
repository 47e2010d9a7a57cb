"""Series files in memory."""

import io
import math
from typing import Any

from htmengine.series import reader
from htmengine.series.options import Options
from htmengine.series.reader import Series


def stream(data: str | bytes) -> io.BufferedReader:
    """Return a file with this content."""
    raw = data.encode() if isinstance(data, str) else data
    return io.BufferedReader(io.BytesIO(raw))  # type: ignore[arg-type]


def read_all(data: str | bytes, **options: Any) -> list[Series]:
    """Return the series of a file with this content."""
    return list(reader.read(stream(data), "series.csv", Options(**options)))


def read_one(data: str | bytes, **options: Any) -> Series:
    """Return the one series of a file with this content."""
    (series,) = read_all(data, **options)
    return series


def read(data: str | bytes, **options: Any) -> list[tuple[float, float | None]]:
    """Return the (timestamp, value) rows of a file; None for a missing value."""
    return rows(read_one(data, **options))


def rows(series: Series) -> list[tuple[float, float | None]]:
    """Return the (timestamp, value) rows of a series."""
    return [
        (timestamp, None if math.isnan(value) else value)
        for timestamp, value in zip(series.timestamps.tolist(), series.values.tolist(), strict=True)
    ]


def columns(series: Series) -> tuple[str | int | None, str | int | None]:
    """Return the names, or the numbers, of the columns of time and value."""
    time = series.time and series.time.columns[0]
    return time and (time.name or time.number), series.value.column.name or series.value.column.number
