"""Series files in memory."""

import io
import math
from typing import Any

from htmengine.series.reader import SeriesReader


def open_series(data: str | bytes, **options: Any) -> SeriesReader:
    """Return a reader of a file with this content."""
    raw = data.encode() if isinstance(data, str) else data
    return SeriesReader(io.BufferedReader(io.BytesIO(raw)), "series.csv", **options)  # type: ignore[arg-type]


def read(data: str | bytes, **options: Any) -> list[tuple[float, float | None]]:
    """Return the (timestamp, value) rows of a file; None for a missing value."""
    return rows(open_series(data, **options))


def rows(reader: SeriesReader) -> list[tuple[float, float | None]]:
    """Return the (timestamp, value) rows that a reader gives."""
    return [
        (timestamp, None if math.isnan(value) else value)
        for chunk in reader.chunks()
        for timestamp, value in zip(chunk.timestamps.tolist(), chunk.values.tolist(), strict=True)
    ]
