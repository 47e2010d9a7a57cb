"""Rows of cells under the names of their columns: what every kind of file is read as, before anything is guessed."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias

from htmengine.series import numbers, timestamps

HEAD_ROWS: Final = 1000
"""First rows of a table, from which it is found out what its columns hold."""
SAMPLED: Final = 40
"""Rows that show whether a column may hold times or numbers."""
TIME_NAMES: Final = (
    "timestamp",
    "datetime",
    "time",
    "ts",
    "date",
    "utctime",
    "timeutc",
    "timestamputc",
    "ds",
    "zeit",
    "datum",
    "epoch",
    "starttime",
    "intervalstarttime",
    "begintime",
    "endtime",
)
"""Names of columns of times, in the order of preference; in lower case without punctuation."""
PART_NAMES: Final = {
    "year": ("year", "yyyy", "yy", "yr", "jahr", "annee", "ano"),
    "month": ("month", "mm", "mon", "mo", "monat", "mois", "mes"),
    "day": ("day", "dd", "dayofmonth", "dom", "tag", "jour", "dia"),
    "hour": ("hour", "hh", "hr", "hours", "hourofday", "stunde", "heure", "hora", "hourending", "he"),
    "minute": ("minute", "min", "minutes", "mi", "mn", "mm"),
    "second": ("second", "sec", "seconds", "ss"),
}
"""Names of columns that hold parts of times; likewise."""

Row: TypeAlias = tuple[int, list[str]]
"""Number of the line, or of the row where a file has no lines, from 1; and the cells, stripped."""
MAX_BAD_ROWS_KEPT: Final = 100


class BadRow(NamedTuple):
    """A row that was skipped."""

    line: int  # from 1
    reason: str


class BadRows:
    """How many rows were skipped, and the first of them."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[BadRow] = []

    def add(self, line: int, reason: str) -> None:
        """Count a row that is skipped."""
        self.count += 1
        if len(self.first) < MAX_BAD_ROWS_KEPT:
            self.first.append(BadRow(line, reason))


Reader: TypeAlias = Callable[[BadRows, Callable[[list[str]], bool]], Iterator[Row]]
"""Gives the rows of a table, once. It is told where to count rows that are none, and whether cells make a usable row."""


class Table(NamedTuple):
    """Rows of equal width."""

    label: str  # tells it from others of its file: the name of a sheet; empty where it is the only one
    names: Sequence[str] | None  # None without header
    width: int
    delimiter: str  # what stands between the cells in the file, as far as it tells how numbers are written
    head: Sequence[Row]  # the first rows, at least one; what the columns hold is found out from them
    read: Reader
    day: str | None = None  # a date that stands above the rows
    notes: tuple[str, ...] = ()  # how its rows were understood, as sentences for the user

    def cells(self, index: int, limit: int | None = None) -> list[str]:
        """Return the cells of a column in the head that hold something, at most `limit`, in the order of the rows."""
        found = []
        for _, fields in self.head:
            if fields[index].lower() not in numbers.MISSING:
                found.append(fields[index])
                if len(found) == limit:
                    break
        return found


def in_memory(
    label: str,
    names: Sequence[str] | None,
    width: int,
    rows: Sequence[Row],
    broken: Iterable[tuple[int, str]] = (),
) -> Table:
    """Return a table of rows that were read already. `broken`: numbers of lines that are none, and why."""

    def read(bad: BadRows, _usable: Callable[[list[str]], bool]) -> Iterator[Row]:
        for number, reason in broken:
            bad.add(number, reason)
        yield from rows

    return Table(label, names, width, ",", rows[:HEAD_ROWS], read)


def normalised(name: str) -> str:
    """Return a column's name in lower case without punctuation."""
    return "".join(character for character in name.lower() if character.isalnum())


def is_header(first: Sequence[str], rows: Sequence[Row]) -> bool:
    """Whether the cells of the first row are names of columns, and not those of a row like the ones that follow.

    They are if none of them could be data, or if a column that holds times has none there.
    """
    filled = [cell for cell in first if cell and cell.lower() not in numbers.MISSING]
    if not filled:
        return False
    if not any(_is_data(cell) for cell in filled):
        return True
    if any(is_date(cell) for cell in filled):
        return False
    if not first[0] and _are_numbers_of_columns(filled) and _holds_dates(0, rows):
        return True  # of a table whose index has no name
    if _counts_columns(first) and any(_holds_times_of_today(index, rows) for index in range(len(first))):
        return True  # of a table whose columns have no names
    return any(_names_times(cell, index, rows) for index, cell in enumerate(first))


def _names_times(cell: str, index: int, rows: Sequence[Row]) -> bool:
    if not cell or cell.lower() in numbers.MISSING or _is_data(cell):
        return False
    name = normalised(cell)
    if name in TIME_NAMES or any(name in names for names in PART_NAMES.values()):
        return True
    return _holds_dates(index, rows)


def _are_numbers_of_columns(cells: Sequence[str]) -> bool:
    return len(set(cells)) == len(cells) and all(cell.isascii() and cell.isdecimal() for cell in cells)


def _counts_columns(cells: Sequence[str]) -> bool:
    return any(list(cells) == [str(begin + index) for index in range(len(cells))] for begin in (0, 1))


def _holds_times_of_today(index: int, rows: Sequence[Row]) -> bool:
    """Whether a column holds dates, or counts of seconds or of parts of them that lie after 1973."""
    below = [fields[index] for _, fields in rows[:SAMPLED] if fields[index]]
    detection = timestamps.detect(below)
    if detection is None or detection.parsed < len(below):
        return False
    return min(map(detection.format.parse, below)) >= timestamps.PLAUSIBLE_CLOCK


def _holds_dates(index: int, rows: Sequence[Row]) -> bool:
    below = [fields[index] for _, fields in rows[:SAMPLED] if fields[index]]
    return bool(below) and 2 * sum(map(is_date, below)) > len(below)


def _is_data(cell: str) -> bool:
    return (
        timestamps.detect([cell]) is not None
        or numbers.count_numbers(numbers.detect([cell], delimiter=","), [cell]) > 0
    )


def is_date(cell: str) -> bool:
    """Whether a cell is a time that is no count."""
    detection = timestamps.detect([cell])
    return detection is not None and detection.format not in timestamps.EPOCHS
