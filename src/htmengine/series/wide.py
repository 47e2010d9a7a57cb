"""Tables whose header has times, a series or a day a row, as spreadsheets keep them: turned into a row for each time."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from htmengine.series import numbers, timestamps
from htmengine.series.tables import HEAD_ROWS, SAMPLED, BadRows, Row, Table, is_date

_TIMES: Final = 3
"""So many at least, and half of the cells."""
_CLOCK: Final = re.compile(r"([01]?\d|2[0-4]):[0-5]\d(?::[0-5]\d)?", re.ASCII)
_YEAR: Final = re.compile(r"(?:1[5-9]|20)\d\d", re.ASCII)
_HOURS: Final = 24
_A_SERIES: Final = "The times stand in the header: a row is a series."
_A_PART: Final = "The times are joined from {} and the header: a row has several values."


class _Times(NamedTuple):
    """Where the times of a table stand."""

    header: Mapping[int, str]
    """By column, its time; `{}` in it is for what stands in the row."""
    part: int | None
    """The column of days or of years that go with the header; None where that has whole times."""
    note: str


def lengthened(table: Table) -> Table | None:
    """Return the same with a row for each time; None if the header has no times, or there are no numbers below."""
    found = _parts_in_names(table) if table.names is not None else _times_in_first_row(table)
    if found is None:
        return None
    times, part, note = found
    rows = table.head if table.names is not None else table.head[1:]
    if not _hold_numbers(table, rows, list(times)):
        return None
    first = table.names or table.head[0][1]
    others = [at for at in range(table.width) if at not in times and at != part]
    names = [first[at] or f"column {at + 1}" for at in others]

    def longer(row: Row) -> Iterator[Row]:
        number, fields = row
        labels = [fields[at] for at in others]
        own = "" if part is None else fields[part]
        for at, time in times.items():
            yield number, [*labels, time.replace("{}", own), fields[at]]

    def read(bad: BadRows, _usable: Callable[[list[str]], bool]) -> Iterator[Row]:
        given = table.read(bad, lambda _fields: True)
        if table.names is None:
            next(given, None)
        for row in given:
            yield from longer(row)

    head: Sequence[Row] = [one for row in rows for one in longer(row)][:HEAD_ROWS]
    return table._replace(
        names=[*names, "time", "value"],
        width=len(others) + 2,
        head=head,
        read=read,
        notes=(*table.notes, note),
    )


def _times_in_first_row(table: Table) -> _Times | None:
    """Return whole times, which make the first row look as if it were no header."""
    if len(table.head) < 2:
        return None
    first = table.head[0][1]
    times = {at: cell for at, cell in enumerate(first) if is_date(cell)}
    if len(times) < max(_TIMES, len(first) / 2) or timestamps.detect(list(times.values())) is None:
        return None
    return _Times(times, None, _A_SERIES)


def _parts_in_names(table: Table) -> _Times | None:
    """Return clocks, hours or months in the header that go with a column of days or of years."""
    for header, holds in ((_clocks(table), is_date), (_months(table), _YEAR.fullmatch)):
        if len(header) < max(_TIMES, table.width / 2):
            continue
        for at in range(table.width):
            cells = table.cells(at, SAMPLED)
            if at not in header and cells and all(map(holds, cells)) and len(set(cells)) > len(cells) / 2:
                assert table.names is not None
                return _Times(header, at, _A_PART.format(repr(table.names[at]) or f"column {at + 1}"))
    return None


def _clocks(table: Table) -> dict[int, str]:
    names = dict(enumerate(table.names or ()))
    found = {at: f"{{}} {name}" for at, name in names.items() if _CLOCK.fullmatch(name)}
    for begin in (0, 1):  # hours of the day, or, as electricity is counted, which one of the day it is
        hours = {at: name for at, name in names.items() if name.isascii() and name.isdecimal()}
        if [int(name) for name in hours.values()] == list(range(begin, begin + _HOURS)):
            found = {at: f"{{}} {int(name) - begin:02d}:00" for at, name in hours.items()}
    return found


def _months(table: Table) -> dict[int, str]:
    return {
        at: f"{name} {{}}"
        for at, name in enumerate(table.names or ())
        if name.isalpha() and is_date(f"{name} 2000")
    }


def _hold_numbers(table: Table, rows: Sequence[Row], columns: Sequence[int]) -> bool:
    cells = [
        fields[at]
        for _, fields in rows[:SAMPLED]
        for at in columns
        if fields[at].lower() not in numbers.MISSING
    ]
    found = numbers.detect(cells, delimiter=table.delimiter)
    return bool(cells) and 2 * numbers.count_numbers(found, cells) >= len(cells)
