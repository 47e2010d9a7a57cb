"""What Graphite's render API gives as `format=raw`: a series a line, `name,start,end,step|value,value,…`."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from htmengine.series.lines import Line
from htmengine.series.tables import BadRows, Row, Table

_SERIES: Final = re.compile(
    r"(?P<target>[^|]+),(?P<start>\d{1,12}),\d{1,12},(?P<step>[1-9]\d{0,8})\|(?P<values>[^|]*)", re.ASCII
)
_NAMES: Final = ("target", "time", "value")
_HEAD_ROWS: Final = 1000


def is_raw(first: str) -> bool:
    """Whether a text whose first line that is not blank is `first` is such an answer."""
    return bool(_SERIES.fullmatch(first.strip()))


def table(lines: Iterable[Line]) -> Table:
    """Return the samples of all series as rows."""
    rows: list[Row] = []
    broken = []
    for number, text in lines:
        if text is not None and not text.strip():
            continue
        match = _SERIES.fullmatch(text.strip()) if text is not None else None
        if match is None:
            broken.append(number)
            continue
        start, step = int(match["start"]), int(match["step"])
        rows += [
            (number, [match["target"], str(start + i * step), value.strip()])
            for i, value in enumerate(match["values"].split(","))
        ]

    def read(bad: BadRows, _usable: Callable[[list[str]], bool]) -> Iterator[Row]:
        for number in broken:
            bad.add(number, "not a series of Graphite")
        yield from rows

    return Table("", _NAMES, len(_NAMES), ",", rows[:_HEAD_ROWS], read)
