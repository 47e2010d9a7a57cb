"""How a file of delimited text is laid out: delimiter, header, and which columns hold the time and the value.

Everything is found out from the first rows, by one rule: right is what makes the most rows usable. So a few bad
rows among them change nothing.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import islice, pairwise
from typing import NamedTuple

from htmengine.errors import MisuseError
from htmengine.series import numbers, timestamps

DELIMITERS = (",", ";", "\t", "|")
_WIDTHS = 3  # numbers of fields that are tried
_EARLIEST_CLOCK = 1e8  # seconds, in 1973: what is less counts from another beginning
_SCREENED = 40  # rows that show whether a column may hold times or numbers
# In order of preference; compared in lower case without punctuation.
_TIME_NAMES = (
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
)
_VALUE_NAMES = ("value", "metricvalue", "y", "val", "values", "wert", "measurement", "reading")
_INDEX_NAMES = ("", "id", "index", "idx", "row", "rowid", "no", "nr", "unnamed0")

Line = tuple[int, str | None]  # number from 1, text; None for an overlong line


class Column(NamedTuple):
    """A column of the file."""

    number: int  # from 1
    name: str | None  # None in a file without header

    def __str__(self) -> str:
        return f"column {self.number}" if not self.name else f"{self.name!r} (column {self.number})"


class Layout(NamedTuple):
    """What there is to know in order to read a row."""

    delimiter: str
    width: int  # fields in a row
    header_line: int | None  # line number; None without header
    timestamp: Column
    time_of_day: Column | None  # where `timestamp` holds days alone
    value: Column
    timestamp_format: timestamps.TimestampFormat
    number_format: numbers.NumberFormat
    day_and_month_ambiguous: bool
    notes: tuple[str, ...]  # choices between several possibilities, as sentences for the user

    def fields(self, text: str) -> list[str]:
        """Return the fields of a row, stripped; ValueError if it is broken or has not `width` of them."""
        fields = split(text, self.delimiter)
        if len(fields) != self.width:
            while len(fields) > self.width and not fields[-1]:
                fields.pop()  # delimiters at the end of a line carry nothing
            if len(fields) != self.width:
                raise ValueError(f"{len(fields)} field{'s' * (len(fields) != 1)} instead of {self.width}")
        return fields

    def time(self, fields: Sequence[str]) -> str:
        """Return the text of a row's time."""
        return _time(fields, self.timestamp.number - 1, self.time_of_day and self.time_of_day.number - 1)


def _time(fields: Sequence[str], day: int, time_of_day: int | None) -> str:
    return fields[day] if time_of_day is None else f"{fields[day]} {fields[time_of_day]}"


def is_comment(text: str) -> bool:
    """Whether a line is none of the rows; it may be the header all the same."""
    return text.startswith("#")


def split(text: str, delimiter: str) -> list[str]:
    """Return the fields of one line, stripped; ValueError if a quoted field does not end in it."""
    if '"' not in text:
        return [field.strip() for field in text.split(delimiter)]
    try:
        rows = list(csv.reader([text], delimiter=delimiter, strict=True, skipinitialspace=True))
    except csv.Error as error:
        raise ValueError("a quoted field does not end on its line") from error
    return [field.strip() for field in rows[0]] if rows else [""]


def find_layout(
    head: Sequence[Line],
    *,
    name: str,
    timestamp: str | None = None,
    value: str | None = None,
    day_first: bool | None = None,
) -> Layout:
    """Return the layout under which the most lines of `head` are usable.

    Parameters
    ----------
    head : the first lines of the file.
    name : of the file, for messages.
    timestamp, value : the columns, by name or by number from 1; None to find them.
    day_first : the order of day and month where dates leave it open; None to find it.

    Raises
    ------
    MisuseError : no layout makes a single row usable, or a column that was named is not there.
    """
    tables = [table for delimiter in DELIMITERS for table in _tables(head, delimiter)]
    if not any(table.rows for table in tables):
        filled = sum(text is None or (not text.isspace() and text != "") for _, text in head)
        if not filled:
            complaint = "the file is empty"
        elif tables and filled == 1:
            complaint = "there is only a header line"
        elif tables:
            complaint = "no line but the header can be read, as a quoted field must end on its line"
        else:
            complaint = "there are no rows of two or more fields"
        raise MisuseError(
            f"{name}: {complaint}.",
            hint="Give a CSV file with a time and a value in each row, and , ; | or tabs between them.",
        )
    attempts, failures = [], []
    for table in tables:
        if not table.rows:
            continue
        try:
            layout = _lay_out(table, name, timestamp, value, day_first)
        except MisuseError as error:
            failures.append((len(table.rows), error))
        else:
            attempts.append((_usable(layout, table), layout))
    if not attempts:
        raise max(failures, key=lambda failure: failure[0])[1]  # a person sees what most of the rows lack
    return max(attempts, key=lambda attempt: attempt[0])[1]


class _Table:
    """Lines of a file's head that have the same number of fields, and the first as header if it is one."""

    def __init__(
        self, rows: list[tuple[int, list[str]]], delimiter: str, comment: tuple[int, list[str]] | None
    ) -> None:
        """`rows` are line numbers with fields, at least one; `comment` is the line that begins with # before them."""
        self.rows = rows
        self.delimiter = delimiter
        self.width = len(rows[0][1])
        self.header_line: int | None = None
        self.names: list[str] | None = None
        if self._is_header(rows[0][1]):
            self.header_line, self.names = self.rows.pop(0)
        elif comment and len(comment[1]) == self.width and self._is_header(comment[1]):
            self.header_line, self.names = comment
            self.names[0] = self.names[0].lstrip("# ")

    def _is_header(self, fields: list[str]) -> bool:
        """Whether no field of a row could be data."""
        filled = [field for field in fields if field]
        return bool(filled) and not any(
            timestamps.detect([field])
            or numbers.count_numbers(numbers.detect([field], delimiter=self.delimiter), [field])
            for field in filled
        )

    def times(self, day: int, time_of_day: int | None, limit: int | None = None) -> list[str]:
        """Return the times in the order of the rows; those of a row without day or time of day are left out."""
        parts = (day,) if time_of_day is None else (day, time_of_day)
        filled = (
            _time(row, day, time_of_day)
            for _, row in self.rows
            if all(row[part].lower() not in numbers.MISSING for part in parts)
        )
        return list(islice(filled, limit))

    def column(self, index: int) -> Column:
        return Column(index + 1, self.names[index] if self.names else None)

    def cells(self, index: int, limit: int | None = None) -> list[str]:
        """Return the cells of a column that hold something, at most `limit`, in the order of the rows."""
        filled = (row[index] for _, row in self.rows if row[index].lower() not in numbers.MISSING)
        return list(islice(filled, limit))


def _tables(head: Sequence[Line], delimiter: str) -> list[_Table]:
    """Return the tables that the lines may be meant as: those of the most common numbers of fields above one."""
    rows: defaultdict[int, list[tuple[int, list[str]]]] = defaultdict(list)
    comment: tuple[int, list[str]] | None = None
    for number, text in head:
        if not text or text.isspace():
            continue
        try:
            fields = split(text, delimiter)
        except ValueError:
            continue
        if is_comment(text):
            comment = comment if rows else (number, fields)
        elif len(fields) > 1:
            rows[len(fields)].append((number, fields))
    commonest = sorted(rows.values(), key=len, reverse=True)[:_WIDTHS]
    return [_Table(same_width, delimiter, comment) for same_width in commonest]


def _lay_out(
    table: _Table, name: str, timestamp: str | None, value: str | None, day_first: bool | None
) -> Layout:
    notes: list[str] = []
    if timestamp is not None:
        time_index = _named(table, timestamp, "--timestamp", name)
    else:
        time_index, others = _find_time(table, name, exclude=value)
        if others:
            notes.append(_choice(table, "time", time_index, others, "--timestamp"))
    if value is not None:
        value_index = _named(table, value, "--value", name)
    else:
        value_index, others = _find_value(table, time_index, name)
        if others:
            notes.append(_choice(table, "value", value_index, others, "--value"))
    if time_index == value_index:
        raise MisuseError(
            f"{name}: {table.column(time_index)} cannot be both the time and the value.",
            hint=f"Choose two of these with --timestamp and --value: {_listing(table)}.",
        )
    # Who names the column of the time means that column alone.
    clock_index = _find_time_of_day(table, time_index, value_index) if timestamp is None else None
    if clock_index is not None:
        notes.append(
            f"The day is taken from {table.column(time_index)} and the time of day from {table.column(clock_index)}."
        )
    times = table.times(time_index, clock_index)
    detection = timestamps.detect(times, day_first=day_first)
    if detection is None:
        sample = next(iter(table.cells(time_index)), "")
        raise MisuseError(
            f"{name}: {table.column(time_index)} holds no times that are understood, for example {sample[:60]!r}.",
            hint="Choose the column with --timestamp, or write the times as 2014-07-01T00:00:00Z or as epoch seconds.",
        )
    if detection.ambiguous:
        notes.append(
            f"The dates could be day/month or month/day; they are read as {detection.format.name}. "
            "Say --day-first or --month-first if you know."
        )
    first = _parsed(detection.format, times[:_SCREENED])
    if detection.format in timestamps.EPOCHS and first and max(first) < _EARLIEST_CLOCK:
        notes.append(
            f"The times are read as seconds since 1970, so they begin at {timestamps.isoformat(first[0])}. "
            "If they count something else, such as days, write them as dates."
        )
    _refuse_newest_first(detection.format, times, name)
    return Layout(
        delimiter=table.delimiter,
        width=table.width,
        header_line=table.header_line,
        timestamp=table.column(time_index),
        time_of_day=None if clock_index is None else table.column(clock_index),
        value=table.column(value_index),
        timestamp_format=detection.format,
        number_format=numbers.detect(table.cells(value_index), delimiter=table.delimiter),
        day_and_month_ambiguous=detection.ambiguous,
        notes=tuple(notes),
    )


def _usable(layout: Layout, table: _Table) -> int:
    """Return how many rows of `table` have both a time and a number."""
    return sum(
        _parses(layout.timestamp_format.parse, layout.time(row))
        and _parses(layout.number_format.parse, row[layout.value.number - 1])
        for _, row in table.rows
    )


def _parsed(order: timestamps.TimestampFormat, cells: Iterable[str]) -> list[float]:
    return [order.parse(cell) for cell in cells if _parses(order.parse, cell)]


def _parses(parse: Callable[[str], float], cell: str) -> bool:
    try:
        parse(cell)
    except ValueError:
        return False
    return True


def _named(table: _Table, wanted: str, option: str, name: str) -> int:
    """Return the index of the column that the user named; an exact name goes before case, a name before a number."""
    names = table.names or []
    for candidates, key in ((names, wanted), ([text.lower() for text in names], wanted.lower())):
        if candidates.count(key) == 1:
            return candidates.index(key)
    if wanted.isascii() and wanted.isdecimal() and 1 <= int(wanted) <= table.width:
        return int(wanted) - 1
    raise MisuseError(
        f"{name}: {option} {wanted!r} is not a column of this file.",
        hint=f"Give one of these, by name or number: {_listing(table)}.",
    )


def _find_time(table: _Table, name: str, *, exclude: str | None) -> tuple[int, list[int]]:
    """Return the index of the time column, and those that might have been meant as well.

    By name; else the first that reads as dates; else the first that counts upwards like epoch seconds.
    """
    dates: list[int] = []
    counts: list[int] = []
    for index in range(table.width):
        cells = table.cells(index, _SCREENED)
        detection = timestamps.detect(cells)
        if detection is None or 2 * detection.parsed < len(cells):
            continue
        if detection.format not in timestamps.EPOCHS:
            dates.append(index)
        elif _is_named(table, index, _TIME_NAMES) or _counts_upwards(detection.format, cells):
            counts.append(index)
    candidates = dates + counts
    beside = ""
    if exclude is not None:
        excluded = _named(table, exclude, "--value", name)
        if excluded in candidates:
            candidates.remove(excluded)
            beside = f" beside {table.column(excluded)}, which --value names,"
    for wanted in _TIME_NAMES:
        for index in candidates:
            if _is_named(table, index, (wanted,)):
                return index, []
    if candidates:
        return candidates[0], candidates[1:]
    raise MisuseError(
        f"{name}: no column{beside} holds times that are understood.",
        hint="Write the times as 2014-07-01T00:00:00Z, as epoch seconds, or in another common way. "
        f"The columns begin with: {_beginnings(table)}.",
    )


def _counts_upwards(epoch: timestamps.TimestampFormat, cells: Iterable[str]) -> bool:
    """Whether a column without a telling name looks like epoch times: after 1973, and seldom going back."""
    times = _parsed(epoch, cells)
    back = sum(after < before for before, after in pairwise(times))
    return min(times) >= _EARLIEST_CLOCK and 10 * back <= len(times)


def _find_value(table: _Table, time_index: int, name: str) -> tuple[int, list[int]]:
    """Return the index of the value column, and those that might have been meant as well.

    By name; else the first with numbers that is neither a running number nor a second time column.
    """
    candidates = []
    for index in range(table.width):
        cells = table.cells(index, _SCREENED)
        parse = numbers.detect(cells, delimiter=table.delimiter)
        if index != time_index and cells and 2 * numbers.count_numbers(parse, cells) >= len(cells):
            candidates.append(index)
    for wanted in _VALUE_NAMES:
        for index in candidates:
            if _is_named(table, index, (wanted,)):
                return index, []
    secondary = (*_INDEX_NAMES, *_TIME_NAMES)
    preferred = [
        index
        for index in candidates
        if not _is_named(table, index, secondary) and not _counts_by_ones(table.cells(index, _SCREENED))
    ]
    if candidates:
        first, *others = preferred or candidates
        return first, others
    raise MisuseError(
        f"{name}: no column beside {table.column(time_index)} holds numbers.",
        hint=f"Write the values as plain numbers, without units. The columns begin with: {_beginnings(table)}.",
    )


def _counts_by_ones(cells: Sequence[str]) -> bool:
    return len(cells) > 2 and all(
        cell.isascii() and cell.isdecimal() and int(cell) == int(cells[0]) + i for i, cell in enumerate(cells)
    )


def _find_time_of_day(table: _Table, day_index: int, value_index: int) -> int | None:
    """Return the index of the column whose times of day go with the days of another; None if there is none."""
    if any(":" in day for day in table.cells(day_index, _SCREENED)):
        return None
    for index in range(table.width):
        clocks = table.cells(index, _SCREENED)
        if index in (day_index, value_index) or not clocks or not all(":" in clock for clock in clocks):
            continue
        detection = timestamps.detect(table.times(day_index, index, _SCREENED))
        if detection is not None and 2 * detection.parsed >= len(clocks):
            return index
    return None


def _is_named(table: _Table, index: int, wanted: Sequence[str]) -> bool:
    if table.names is None:
        return False
    return re.sub(r"[\W_]+", "", table.names[index].lower()) in wanted


def _refuse_newest_first(order: timestamps.TimestampFormat, cells: Sequence[str], name: str) -> None:
    times = _parsed(order, cells)
    back = sum(after < before for before, after in pairwise(times))
    forward = sum(after > before for before, after in pairwise(times))
    if back > 2 and back > 4 * forward:
        raise MisuseError(
            f"{name}: the rows run from the newest to the oldest, but a model learns forward in time.",
            hint="Reverse them first: keep the header line where it is and pass the others through `tac`.",
        )


def _choice(table: _Table, what: str, index: int, others: Sequence[int], option: str) -> str:
    rest = ", ".join(str(table.column(other)) for other in others[:5]) + " and more" * (len(others) > 5)
    return f"The {what} is taken from {table.column(index)}; {option} chooses another: {rest}."


def _listing(table: _Table) -> str:
    if table.names is None:
        return "1" if table.width == 1 else f"1 to {table.width}"
    shown = ", ".join(f"{number} {text[:30]!r}" for number, text in enumerate(table.names[:20], start=1))
    return shown + " and more" * (table.width > 20)


def _beginnings(table: _Table) -> str:
    """Return the columns with a cell of each, for a person who looks for the fault."""
    shown = [
        f"{number} {name[:30]!r}: {next(iter(table.cells(number - 1, 1)), '')[:30]}"
        for number, name in enumerate((table.names or [""] * table.width)[:10], start=1)
    ]
    return ", ".join(shown).replace(" '':", ":") + " and more" * (table.width > 10)
