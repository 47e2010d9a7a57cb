"""Tables whose header has times, a series a row, as spreadsheets keep them: turned into a row for each time."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from htmengine.series import numbers, timestamps
from htmengine.series.tables import HEAD_ROWS, SAMPLED, BadRows, Row, Table, is_date

_TIMES: Final = 3
"""So many at least, and half of the cells."""
_NOTE: Final = "The times stand in the header: a row is a series."


def lengthened(table: Table) -> Table | None:
    """Return the same with a row for each time of each series; None if the first row has no times, or others no numbers below."""
    if table.names is not None or len(table.head) < 2:
        return None
    (_, first), *rows = table.head
    times = [at for at, cell in enumerate(first) if is_date(cell)]
    if (
        len(times) < _TIMES
        or 2 * len(times) < len(first)
        or timestamps.detect([first[at] for at in times]) is None
    ):
        return None
    cells = [
        fields[at]
        for _, fields in rows[:SAMPLED]
        for at in times
        if fields[at].lower() not in numbers.MISSING
    ]
    if not cells or 2 * numbers.count_numbers(numbers.detect(cells, delimiter=table.delimiter), cells) < len(
        cells
    ):
        return None
    others = [at for at in range(len(first)) if at not in times]
    names = [first[at] or f"column {at + 1}" for at in others]

    def longer(row: Row) -> Iterator[Row]:
        number, fields = row
        labels = [fields[at] for at in others]
        for at in times:
            yield number, [*labels, first[at], fields[at]]

    def read(bad: BadRows, _usable: Callable[[list[str]], bool]) -> Iterator[Row]:
        given = table.read(bad, lambda _fields: True)
        next(given, None)
        for row in given:
            yield from longer(row)

    head: Sequence[Row] = [one for row in rows for one in longer(row)][:HEAD_ROWS]
    return table._replace(
        names=[*names, "time", "value"],
        width=len(others) + 2,
        head=head,
        read=read,
        notes=(*table.notes, _NOTE),
    )
