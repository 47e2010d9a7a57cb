"""The columns of a table: their names, and which of them hold the time and the values.

A guess is made from the first rows and carries its reason; what the user names is never guessed.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeAlias

from htmengine.errors import MisuseError
from htmengine.series import numbers, timestamps
from htmengine.series.tables import Table, normalised

_SHOWN_NAME = 60  # characters of a name in a list
_SHOWN_CELL = 40

Join: TypeAlias = Callable[[Sequence[str]], str]


class Column(NamedTuple):
    """A column of the file."""

    number: int  # from 1
    name: str | None  # None in a file without header

    def __str__(self) -> str:
        return f"column {self.number}" if not self.name else f"{quoted(self.name)} (column {self.number})"

    @property
    def at(self) -> int:
        """Position from 0."""
        return self.number - 1


class Time(NamedTuple):
    """How the time of a row is read."""

    columns: tuple[Column, ...]
    join: Join | None  # makes one text of a row's cells; None where `columns` is one that is taken as it is
    format: timestamps.TimestampFormat
    ambiguous: bool  # the order of day and month is a guess
    notes: tuple[str, ...]

    def text(self, fields: Sequence[str]) -> str:
        """Return the text of a row's time."""
        return self.join(fields) if self.join else fields[self.columns[0].at]


class Value(NamedTuple):
    """How the value of a row is read."""

    column: Column
    format: numbers.NumberFormat


class Wanted(NamedTuple):
    """What the user says about the columns; each by name or by number from 1. Nothing: find out."""

    timestamp: str | None = None
    values: tuple[str, ...] = ()
    every_value: bool = False  # each column of numbers, not one
    day_first: bool | None = None
    timed: bool = True  # False: the rows have no times, or they are not to be read


class Columns(NamedTuple):
    """The columns that are read."""

    time: Time | None
    values: tuple[Value, ...]
    notes: tuple[str, ...]  # choices between several possibilities, as sentences for the user


def quoted(name: str) -> str:
    """Return a name between quotes, otherwise as it is, so that it can be pasted into an option."""
    return f'"{name}"' if "'" in name else f"'{name}'"


def column(table: Table, index: int) -> Column:
    """Return the column at a position from 0."""
    return Column(index + 1, table.names[index] if table.names else None)


def named(table: Table, wanted: str, option: str, name: str) -> int:
    """Return the index of the column that the user named; an exact name goes before case, a name before a number.

    Raises MisuseError if there is none.
    """
    names = [text.strip() for text in table.names or ()]
    for candidates, key in (
        (names, wanted.strip()),
        ([text.lower() for text in names], wanted.strip().lower()),
    ):
        if candidates.count(key) == 1:
            return candidates.index(key)
    if names.count(unescaped := wanted.strip().replace("\\\\", "\\")) == 1:
        return names.index(unescaped)  # as a shell or JSON shows it
    if wanted.isascii() and wanted.isdecimal() and 1 <= int(wanted) <= table.width:
        return int(wanted) - 1
    if wanted.strip() in names:
        raise MisuseError(
            f"{name}: {option} {quoted(wanted)} is the name of several columns.",
            hint=f"Give the number of one of these: {listing(table)}.",
        )
    raise MisuseError(
        f"{name}: {option} {quoted(wanted)} is not a column of this file.",
        hint=f"Give one of these, by name or number: {listing(table)}.",
    )


def usable(columns: Columns, fields: Sequence[str]) -> bool:
    """Whether a row has a time and a number."""
    return (columns.time is None or parses(columns.time.format.parse, columns.time.text(fields))) and any(
        parses(value.format.parse, fields[value.column.at]) for value in columns.values
    )


def listing(table: Table) -> str:
    """Return all columns, for a person who chooses."""
    if table.names is None:
        return "1" if table.width == 1 else f"1 to {table.width}"
    shown = ", ".join(
        f"{number} {quoted(_shortened(text))}" for number, text in enumerate(table.names[:20], start=1)
    )
    return shown + " and more" * (table.width > 20)


def _shortened(text: str) -> str:
    """Return a long text without its middle: names that begin alike differ at their ends."""
    if len(text) <= _SHOWN_NAME:
        return text
    return f"{text[: _SHOWN_NAME // 2]}…{text[-_SHOWN_NAME // 2 :]}"


def beginnings(table: Table) -> str:
    """Return the columns with a cell of each, for a person who looks for the fault."""
    shown = [
        f"{number} {quoted(_shortened(name))}: {next(iter(table.cells(number - 1, 1)), '')[:_SHOWN_CELL]}"
        for number, name in enumerate((table.names or [""] * table.width)[:10], start=1)
    ]
    return ", ".join(shown).replace(" '':", ":") + " and more" * (table.width > 10)


def parses(parse: Callable[[str], float], cell: str) -> bool:
    """Whether a cell is a time or a number of a format."""
    try:
        parse(cell)
    except ValueError:
        return False
    return True


def parse_all(order: timestamps.TimestampFormat, cells: Iterable[str]) -> list[float]:
    """Return the times of those cells that are times of a format."""
    return [order.parse(cell) for cell in cells if parses(order.parse, cell)]


def is_named(table: Table, index: int, wanted: Sequence[str]) -> bool:
    """Whether a column has one of these names, which are normalised."""
    return table.names is not None and normalised(table.names[index]) in wanted
