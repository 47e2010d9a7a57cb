"""InfluxDB's line protocol in a file, as `influx query --raw`, `influxd inspect export-lp` and Telegraf's file output write it."""

import re
from collections.abc import Iterable
from typing import Final

from htmengine.doors import influx
from htmengine.doors.limits import Limits
from htmengine.series import tables
from htmengine.series.lines import Line
from htmengine.series.tables import Row, Table

_LINE: Final = re.compile(
    r'[^#\s,=](?:\\.|[^\\, =])*(?:,(?:\\.|[^\\,= ])+=(?:\\.|[^\\,= ])+)* +(?:\\.|[^\\,= ])+=(?:"[^"]*"|[^" ])+ +(?P<time>-?\d{9,19})'
)
_PRECISIONS: Final = {"ns": 17, "us": 14, "ms": 11, "s": 1}
"""Digits that a time has at least, by its precision: in nanoseconds since 1970 it has 19."""
_NAMES: Final = ("series", "time", "value")


def is_line(first: str) -> bool:
    """Whether a text whose first line that is not blank is `first` has such lines."""
    return bool(_LINE.fullmatch(first.strip()))


def table(lines: Iterable[Line]) -> Table:
    """Return the numeric fields of all lines as rows."""
    rows: list[Row] = []
    refused: list[tuple[int, str]] = []
    unit = None
    for number, text in lines:
        if text is None or not text.strip() or text.startswith("#"):
            continue
        match = _LINE.fullmatch(text.strip())
        if match is None:
            refused.append((number, "not a line of InfluxDB with a time"))
            continue
        if unit is None:
            digits = len(match["time"].lstrip("-"))
            unit = influx.precision(next(name for name, least in _PRECISIONS.items() if digits >= least))
        found = influx.parse(text.encode(), unit, 0.0, _LIMITS)
        samples = found.samples
        rows += [
            (number, [name, repr(time), repr(value)])
            for name, time, value in zip(samples.names, samples.timestamps, samples.values, strict=True)
        ]
        if not samples.names:
            refused.append((number, "has no numeric field"))

    return tables.in_memory("", _NAMES, len(_NAMES), rows, refused)


_LIMITS: Final = Limits()
