"""What Graphite's render API gives as `format=raw`: a series a line, `name,start,end,step|value,value,…`."""

import re
from collections.abc import Iterable
from typing import Final

from htmengine.series import tables
from htmengine.series.lines import Line
from htmengine.series.tables import Row, Table

_SERIES: Final = re.compile(
    r"(?P<target>[^|]+),(?P<start>\d{1,12}),\d{1,12},(?P<step>[1-9]\d{0,8})\|(?P<values>[^|]*)", re.ASCII
)
_NAMES: Final = ("target", "time", "value")


def is_raw(first: str) -> bool:
    """Whether a text whose first line that is not blank is `first` is such an answer."""
    return bool(_SERIES.fullmatch(first.strip()))


def table(lines: Iterable[Line]) -> Table:
    """Return the samples of all series as rows."""
    rows: list[Row] = []
    broken: list[tuple[int, str]] = []
    for number, text in lines:
        if text is not None and not text.strip():
            continue
        match = _SERIES.fullmatch(text.strip()) if text is not None else None
        if match is None:
            broken.append((number, "not a series of Graphite"))
            continue
        start, step = int(match["start"]), int(match["step"])
        rows += [
            (number, [match["target"], str(start + i * step), value.strip()])
            for i, value in enumerate(match["values"].split(","))
        ]

    return tables.in_memory("", _NAMES, len(_NAMES), rows, broken)
