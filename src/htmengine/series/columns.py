"""What the columns of a table hold: which one is the time, which the value, and why.

A guess is made from the first rows and carries its reason; what the user names is never guessed.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple, TypeAlias

from htmengine.errors import MisuseError
from htmengine.series import numbers, timestamps
from htmengine.series.tables import PART_NAMES, SAMPLED, TIME_NAMES, Table, normalised

VALUE_NAMES: Final = (
    "value",
    "metricvalue",
    "y",
    "val",
    "values",
    "wert",
    "valeur",
    "valor",
    "measurement",
    "reading",
    "average",
    "mean",
)
_ID_NAMES: Final = ("", "id", "index", "idx", "row", "rowid", "no", "nr", "num", "unnamed0", "key", "seq", "seqno", "sequence", "offset", "record", "entry")  # fmt: skip
_ID_ENDING = re.compile(
    r"(?:^|[\W_])(?:id|uid|gid|pid|tid|uuid|guid|no|nr|idx|index|code|port|zip|zipcode|version|interval|seq)$|[a-z](?:Id|ID)$"
)
_CLOCK_NAMES: Final = (
    *TIME_NAMES,
    "clock",
    "uhrzeit",
    "hora",
    "heure",
    "ora",
    "hhmm",
    "hhmmss",
    "timeofday",
    "tijd",
    "tid",
)
_CLOCK = re.compile(
    r"\d{1,2}(?:[:h]\d\d(?::\d\d(?:[.,:]\d+)?)?|\.\d\d\.\d\d(?:[.,:]\d+)?)(?:\s*[AP]\.?\s?M\.?)?(?:Z|\s?[+-]\d\d:?\d\d)?(?:\s*(?:Uhr|h|hrs))?",
    re.I | re.ASCII,
)
_CLOCK_WORD = re.compile(r"\s*(?:Uhr|h|hrs)$", re.I)
_DOTTED_CLOCK = re.compile(r"\d{1,2}\.\d\d", re.ASCII)
_SHOWN_NAME = 60  # characters of a name in a list
_SHOWN_CELL = 40
_OTHERS = 5

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


def find(table: Table, name: str, wanted: Wanted, exclude: Sequence[Column] = ()) -> Columns:
    """Return which columns hold the time and the values.

    Parameters
    ----------
    name : of the file, for messages.
    exclude : columns that are known to hold something else, such as what tells series apart.

    Raises
    ------
    MisuseError : there are no such columns, or one that was named is not there.
    """
    taken = {column.at for column in exclude}
    time = _find_time(table, name, wanted, taken) if wanted.timed else None
    taken |= {column.at for column in time.columns} if time else set()
    notes = list(time.notes) if time else []
    if wanted.values:
        chosen = [named(table, value, "--value", name) for value in wanted.values]
        if (
            time
            and (both := next((index for index in chosen if index == time.columns[0].at), None)) is not None
        ):
            raise MisuseError(
                f"{name}: {column(table, both)} cannot be both the time and the value.",
                hint=f"Choose two of these with --timestamp and --value: {listing(table)}.",
            )
    else:
        chosen, reason, others = _find_values(table, time, taken, name)
        if wanted.every_value:
            chosen += others
        elif others:
            listed = ", ".join(str(column(table, other)) for other in others[:_OTHERS])
            more = " and more" * (len(others) > _OTHERS)
            notes.append(
                f"The value is taken from {column(table, chosen[0])}, {reason}; --value chooses another: {listed}{more}."
            )
    values = tuple(
        Value(column(table, index), numbers.detect(table.cells(index), delimiter=table.delimiter))
        for index in dict.fromkeys(chosen)
    )
    return Columns(time, values, tuple(notes))


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
    return (columns.time is None or _parses(columns.time.format.parse, columns.time.text(fields))) and any(
        _parses(value.format.parse, fields[value.column.at]) for value in columns.values
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


def _parses(parse: Callable[[str], float], cell: str) -> bool:
    try:
        parse(cell)
    except ValueError:
        return False
    return True


def _parsed(order: timestamps.TimestampFormat, cells: Iterable[str]) -> list[float]:
    return [order.parse(cell) for cell in cells if _parses(order.parse, cell)]


def _is_named(table: Table, index: int, wanted: Sequence[str]) -> bool:
    return table.names is not None and normalised(table.names[index]) in wanted


# Times


def _find_time(table: Table, name: str, wanted: Wanted, taken: set[int]) -> Time:
    if wanted.timestamp is not None:  # who names the column of the time means that column alone
        index = named(table, wanted.timestamp, "--timestamp", name)
        return _time(table, name, (index,), None, wanted, [])
    excluded = {named(table, value, "--value", name) for value in wanted.values} | taken
    dates, counts = _time_columns(table, excluded)
    sure = dates + [index for index in counts if not _counts_from_elsewhere(table, index)]
    candidates = sure + [index for index in counts if index not in sure]
    best = next(
        (index for known in TIME_NAMES for index in sure or candidates if _is_named(table, index, (known,))),
        candidates[0] if candidates else None,
    )
    if best is None:
        for indices, join in _joined_parts(table, excluded):
            return _time(
                table, name, indices, join, wanted, [f"The time is joined from {_all(table, indices)}."]
            )
        return _without_date(table, name, wanted, excluded)
    notes = []
    by_name = _is_named(table, best, TIME_NAMES)
    if len(candidates) > 1 and not by_name:
        listed = ", ".join(str(column(table, other)) for other in candidates if other != best)
        notes.append(
            f"The time is taken from {column(table, best)}, the first with times; --timestamp chooses another: {listed}."
        )
    for indices, join in _clocks(table, best, excluded):
        text = (
            f"The day is taken from {column(table, best)} and the time of day from {_all(table, indices[1:])}."
            if best in dates
            else f"The seconds are taken from {column(table, best)} and their fraction from {_all(table, indices[1:])}."
        )
        return _time(table, name, indices, join, wanted, [text])
    if best in dates:
        _refuse_unknown_clocks(table, best, name)
    return _time(table, name, (best,), None, wanted, notes)


def _refuse_unknown_clocks(table: Table, day: int, name: str) -> None:
    """Raise MisuseError if days have a time of day in another column that is not understood: else all would be at midnight."""
    days = table.cells(day, SAMPLED)
    if any(":" in cell for cell in days) or 2 * len(set(days)) > len(days):
        return
    for index in range(table.width):
        clocks = table.cells(index, SAMPLED)
        if index != day and _is_named(table, index, _CLOCK_NAMES) and len(set(clocks)) > 1:
            raise MisuseError(
                f"{name}: {column(table, index)} holds times of day that are not understood, for example {quoted(clocks[0][:60])}.",
                hint="Write them as 18:00:00, or choose the column of the days alone with --timestamp.",
            )


def _all(table: Table, indices: Sequence[int]) -> str:
    return " and ".join(str(column(table, index)) for index in indices)


def _time_columns(table: Table, excluded: set[int]) -> tuple[list[int], list[int]]:
    """Return the columns that hold dates, and those that hold counts of seconds or the like, the likelier first."""
    dates: list[int] = []
    counts: list[int] = []
    for index in range(table.width):
        cells = table.cells(index, SAMPLED)
        detection = timestamps.detect(cells, name=table.names[index] if table.names else None)
        if index in excluded or detection is None or 2 * detection.parsed < len(cells):
            continue
        if not timestamps.is_count(detection.format):
            if _is_named(table, index, TIME_NAMES) or not _jump_about(detection.format, cells):
                dates.append(index)
        elif (
            _is_named(table, index, TIME_NAMES)
            or detection.format not in timestamps.EPOCHS  # its name tells the unit
            or _is_clock(table, index, detection.format, cells)
        ):
            counts.append(index)
    return dates, counts


def _jump_about(order: timestamps.TimestampFormat, cells: Sequence[str]) -> bool:
    """Whether digits that could be dates, such as 20140701, jump about as numbers do, over decades."""
    if not all(cell.isdecimal() for cell in cells):
        return False
    times = _parsed(order, cells)
    back = sum(after < before for before, after in pairwise(times))
    forward = sum(after > before for before, after in pairwise(times))
    return 3 * min(back, forward) > len(times) and max(times) - min(times) > _DECADES_S


_DECADES_S = 20 * 366 * 86400.0


def _is_clock(table: Table, index: int, epoch: timestamps.TimestampFormat, cells: Sequence[str]) -> bool:
    """Whether a column without a telling name looks like epoch times: after 1973, one direction, and in steps that recur.

    A counter of bytes has the size of a time, too, but it grows by another step each time.
    """
    times = _parsed(epoch, cells)
    if not times or min(map(abs, times)) < timestamps.PLAUSIBLE_CLOCK:
        return False
    steps = [after - before for before, after in pairwise(times) if after != before]
    back = sum(step < 0 for step in steps)
    if (10 * min(back, len(steps) - back) > len(times) or min(times) < 0) and not _recurs(steps):
        return False
    if table.names is None or len(steps) < 3 or _TIME_LIKE_NAME.search(table.names[index]):
        return True
    return _recurs(steps) or max(map(abs, steps)) <= 1.0


_TIME_LIKE_NAME = re.compile(r"time|epoch|unix|date|stamp|utc|^t$|^x$|ts$", re.IGNORECASE)


def _counts_from_elsewhere(table: Table, index: int) -> bool:
    """Whether what could be a count of seconds is too small to be one of our time."""
    detection = timestamps.detect(table.cells(index, SAMPLED))
    return detection is not None and all(
        0 <= time < timestamps.PLAUSIBLE_CLOCK
        for time in _parsed(detection.format, table.cells(index, SAMPLED))
    )


def _recurs(steps: Sequence[float]) -> bool:
    """Whether a third of the steps, or more, have one size, to a tenth."""
    sizes = sorted(map(abs, steps))
    best, first = 0, 0
    for last, size in enumerate(sizes):
        while size > 1.1 * sizes[first]:
            first += 1
        best = max(best, last - first + 1)
    exact = max((sizes.count(size) for size in set(sizes)), default=0)
    return 3 * exact >= len(sizes) or (3 * best >= 2 * len(sizes) and sizes[0] >= 0.5)


def _time(
    table: Table, name: str, indices: tuple[int, ...], join: Join | None, wanted: Wanted, notes: list[str]
) -> Time:
    first = indices[0]
    if join is None:
        times = table.cells(first)
    else:
        filled = (
            fields
            for _, fields in table.head
            if all(fields[i].lower() not in numbers.MISSING for i in indices)
        )
        times = [join(fields) for fields in filled]
    header = table.names[first] if table.names else None
    detection = timestamps.detect(times, day_first=wanted.day_first, name=header if join is None else None)
    if (
        detection is None
        and join is None
        and times
        and all(_parses(timestamps.TIME_OF_DAY.parse, cell) for cell in times[:SAMPLED])
    ):
        return _of_clocks(table, first)
    if detection is None:
        sample = next(iter(table.cells(first)), "")
        raise MisuseError(
            f"{name}: {column(table, first)} holds no times that are understood, for example {quoted(sample[:60])}.",
            hint="Choose the column with --timestamp, or write the times as 2014-07-01T00:00:00Z or as epoch seconds; "
            "--every 5m takes rows without times.",
        )
    if detection.ambiguous:
        notes.append(
            f"The dates could be day/month or month/day; they are read as {detection.format.name}. "
            "Say --day-first or --month-first if you know."
        )
    parsed = _parsed(detection.format, times[:SAMPLED])
    if timestamps.is_count(detection.format) and parsed and 0 <= max(parsed) < timestamps.PLAUSIBLE_CLOCK:
        notes.append(
            f"The times are read as {detection.format.name.removeprefix('epoch ')} since 1970, so they begin at {timestamps.isoformat(parsed[0])}. "
            "If they count something else, such as days, write them as dates."
        )
    ahead = _zone_in_name(header)
    format_ = detection.format
    if ahead is not None and not any(
        format_.is_absolute(cell) for cell in times if _parses(format_.parse, cell)
    ):
        seconds, zone = ahead
        if seconds:
            notes.append(f"The times are read in the zone that their name tells, {zone}.")
        format_ = timestamps.shifted(format_, seconds)
    return Time(
        tuple(column(table, index) for index in indices), join, format_, detection.ambiguous, tuple(notes)
    )


_PDH = re.compile(r"\(PDH-[A-Z]+ [\d.]+\) \((?P<zone>[^()]*)\)\((?P<minutes>-?\d{1,4})\)")
_ZONE_IN_BRACKETS = re.compile(r"[(\[](?P<zone>[A-Z]{3,4}|(?:UTC|GMT)[+-]\d\d?(?::?\d\d)?)[)\]]$")


def _zone_in_name(name: str | None) -> tuple[float, str] | None:
    """Return how far a column's name says that its times are ahead of UTC, and how it says so; None if it does not.

    Windows' performance counters write `(PDH-CSV 4.0) (W. Europe Standard Time)(-60)`, vmstat the zone alone.
    """
    if not name:
        return None
    if match := _PDH.fullmatch(name):
        return -60.0 * int(match["minutes"]), match["zone"]
    bracketed = _ZONE_IN_BRACKETS.search(name)
    zone = bracketed["zone"] if bracketed else name
    seconds = timestamps.zone_offset(zone) if zone.isupper() else None
    return None if seconds is None else (float(seconds), zone)


def _clocks(table: Table, day: int, excluded: set[int]) -> Iterable[tuple[tuple[int, ...], Join]]:
    """Yield what a column of days, or of seconds, is completed by: the columns, and how their cells are joined."""
    cells = table.cells(day, SAMPLED)
    detection = timestamps.detect(cells)
    if detection is None:
        return
    others = [index for index in range(table.width) if index != day and index not in excluded]
    if timestamps.is_count(detection.format):
        yield from _fractions(table, day, others, cells)
        return
    if any(
        ":" in cell or ("T" in cell.upper() and detection.format.parse(cell) % 86400)
        for cell in cells
        if _parses(detection.format.parse, cell)
    ):
        return
    for index in others:
        clocks = table.cells(index, SAMPLED)
        named_clock = _is_named(table, index, (*_CLOCK_NAMES, *PART_NAMES["hour"]))
        if clocks and all(
            _CLOCK.fullmatch(clock) or (named_clock and _DOTTED_CLOCK.fullmatch(clock)) for clock in clocks
        ):
            join = _with_clock(day, index)
            if _reads(table, (day, index), join, len(clocks)):
                yield (day, index), join
    if len(set(cells)) == len(cells) > 1:
        return
    for index in others:
        digits = table.cells(index, SAMPLED)
        if not digits or not all(re.fullmatch(r"\d{1,6}(?:\.0+)?", cell, re.ASCII) for cell in digits):
            continue
        largest = max(int(float(cell)) for cell in digits)
        if _is_named(table, index, PART_NAMES["hour"]) and largest <= 24:
            parts = [_part(table, part, others) for part in ("minute", "second")]
            indices = (day, index, *[part for part in parts if part is not None])
            join = _with_hour(day, *indices[1:])
            if _reads(table, indices, join, len(digits)):
                yield indices, join
        elif _is_named(table, index, _CLOCK_NAMES) and largest <= 235959:
            join = _with_digits(day, index, 6 if largest > 2400 else 4 if largest > 24 else 2)
            if _reads(table, (day, index), join, len(digits)):
                yield (day, index), join


def _with_clock(day: int, clock: int) -> Join:
    return lambda fields: f"{fields[day]} {_CLOCK_WORD.sub('', fields[clock])}"


def _with_hour(day: int, *clock: int) -> Join:
    def join(fields: Sequence[str]) -> str:
        parts = [f"{int(float(fields[index])):02d}" for index in clock]
        return f"{fields[day]} {':'.join([*parts, '00'][: max(2, len(parts))])}"

    return _unless_broken(join)


def _with_digits(day: int, clock: int, digits: int) -> Join:
    def join(fields: Sequence[str]) -> str:
        text = f"{int(float(fields[clock])):0{digits}d}"
        parts = [text[i : i + 2] for i in range(0, digits, 2)]
        return f"{fields[day]} {':'.join([*parts, '00'][: max(2, len(parts))])}"

    return _unless_broken(join)


def _unless_broken(join: Join) -> Join:
    """Return the same, which makes of cells that are none a text that is no time."""

    def safe(fields: Sequence[str]) -> str:
        try:
            return join(fields)
        except (ValueError, OverflowError):
            return " ".join(fields)

    return safe


def _reads(table: Table, indices: tuple[int, ...], join: Join, cells: int) -> bool:
    filled = [
        fields
        for _, fields in table.head[: 2 * SAMPLED]
        if all(fields[i].lower() not in numbers.MISSING for i in indices)
    ]
    detection = timestamps.detect([join(fields) for fields in filled[:SAMPLED]])
    return detection is not None and 2 * detection.parsed >= cells


def _fractions(
    table: Table, seconds: int, others: Sequence[int], cells: Sequence[str]
) -> Iterable[tuple[tuple[int, ...], Join]]:
    """Yield the column of microseconds that goes with one of whole seconds, as pgbench writes them."""
    if not all(re.fullmatch(r"1\d{9}", cell) for cell in cells):
        return
    for index in others:
        if _is_named(table, index, ("timeus", "us", "usec", "usecs", "microseconds", "tvusec")):
            yield (seconds, index), lambda fields, index=index: f"{fields[seconds]}.{fields[index]:0>6}"  # type: ignore[misc]


def _part(table: Table, part: str, indices: Iterable[int]) -> int | None:
    return next((index for index in indices if _is_named(table, index, PART_NAMES[part])), None)


def _joined_parts(table: Table, excluded: set[int]) -> Iterable[tuple[tuple[int, ...], Join]]:
    """Yield the columns of year, month, day and so on, and how their cells are joined to a time."""
    free = [index for index in range(table.width) if index not in excluded]
    found: dict[str, int | None] = {}
    for part in PART_NAMES:  # MM is the month and mm the minute: the first of them is the larger one
        found[part] = _part(table, part, [index for index in free if index not in found.values()])
    if found["year"] is None:
        return
    known: list[int] = []
    for part in ("year", "month", "day", "hour", "minute", "second"):
        index = found[part]
        if index is None:
            break
        known.append(index)
    clock = next(
        (index for index in free if len(known) == 3 and index not in known and _holds_clocks(table, index)),
        None,
    )

    def join(fields: Sequence[str]) -> str:
        year, *rest = (fields[index] for index in known)
        month, day, *parts = (*rest, *("1", "1")[len(rest) :])
        if not month[:1].isdigit():
            date = f"{int(float(day))} {month} {int(float(year))}"
        else:
            date = f"{int(float(year)):04d}-{int(float(month)):02d}-{int(float(day)):02d}"
        if clock is not None:
            return f"{date} {fields[clock]}"
        if not parts:
            return date
        whole = [f"{int(float(part)):02d}" for part in parts]
        return f"{date} {':'.join([*whole, '00'][: max(2, len(whole))])}"

    safe = _unless_broken(join)
    indices = tuple(known) if clock is None else (*known, clock)
    if _reads(table, indices, safe, min(len(table.head), SAMPLED)):
        yield indices, safe


def _without_date(table: Table, name: str, wanted: Wanted, excluded: set[int]) -> Time:
    """Return the time of rows that have clocks alone. Raises MisuseError if they have none either."""
    for index in range(table.width):
        if index not in excluded and _holds_clocks(table, index):
            return _of_clocks(table, index)
    beside = ""
    if wanted.values:
        beside = (
            f" beside {column(table, named(table, wanted.values[0], '--value', name))}, which --value names,"
        )
    raise MisuseError(
        f"{name}: no column{beside} holds times that are understood.",
        hint="Write the times as 2014-07-01T00:00:00Z, as epoch seconds, or in another common way; --every 5m takes rows "
        f"without times. The columns begin with: {beginnings(table)}.",
    )


def _holds_clocks(table: Table, index: int) -> bool:
    cells = table.cells(index, SAMPLED)
    return bool(cells) and all(_CLOCK.fullmatch(cell) for cell in cells)


def _of_clocks(table: Table, index: int) -> Time:
    return Time((column(table, index),), None, timestamps.TIME_OF_DAY, False, ())


# Values


def _find_values(
    table: Table, time: Time | None, taken: set[int], name: str
) -> tuple[list[int], str, list[int]]:
    """Return the index of the value column, why it was taken, and those that might have been meant as well.

    By name; else the first with numbers that is neither an id, a running number, a constant nor a second time column.
    """
    shares = {}
    for index in range(table.width):
        cells = table.cells(index, SAMPLED)
        if index not in taken and cells:
            shares[index] = numbers.count_numbers(
                numbers.detect(cells, delimiter=table.delimiter), cells
            ) / len(cells)
    candidates = [index for index, share in shares.items() if share >= 0.5]
    if not candidates:  # so that the rows without a number are told
        candidates = [index for index, share in shares.items() if share > 0 and share == max(shares.values())]
    if not candidates:
        beside = f" beside {column(table, time.columns[0].at)}" if time else ""
        raise MisuseError(
            f"{name}: no column{beside} holds numbers.",
            hint=f"Write the values as numbers. The columns begin with: {beginnings(table)}.",
        )
    secondary = [index for index in candidates if _is_secondary(table, index, time)]
    varying = [index for index in candidates if len(set(table.cells(index))) > 1]
    for known in VALUE_NAMES:
        for index in candidates:
            if _is_named(table, index, (known,)):
                return (
                    [index],
                    "by its name",
                    [] if known == "value" else [i for i in candidates if i != index and i not in secondary],
                )
    preferred = [
        index for index in candidates if index not in secondary and (index in varying or not varying)
    ]
    first, *others = preferred or [index for index in candidates if index in varying] or candidates
    before = [index for index in candidates if index < first]
    reason = (
        "the first with numbers"
        if not before
        else "the first with numbers that are no id, counter or constant"
    )
    return [first], reason, others


def _is_secondary(table: Table, index: int, time: Time | None) -> bool:
    if table.names is not None:
        name = table.names[index]
        if _is_named(table, index, (*_ID_NAMES, *TIME_NAMES)) or _ID_ENDING.search(name.strip()):
            return True
    cells = table.cells(index, SAMPLED)
    return _counts_by_ones(cells) or (time is not None and _is_same_time(table, index, time))


def _counts_by_ones(cells: Sequence[str]) -> bool:
    return len(cells) > 2 and all(
        cell.isascii() and cell.isdecimal() and int(cell) == int(cells[0]) + i for i, cell in enumerate(cells)
    )


def _is_same_time(table: Table, index: int, time: Time) -> bool:
    """Whether a column holds times near those of its rows."""
    detection = timestamps.detect(table.cells(index, SAMPLED))
    if detection is None:
        return False
    near = seen = 0
    for _, fields in table.head[:SAMPLED]:
        text = time.text(fields)
        if _parses(time.format.parse, text) and _parses(detection.format.parse, fields[index]):
            seen += 1
            near += abs(time.format.parse(text) - detection.format.parse(fields[index])) < 2 * 86400.0
    return seen > 0 and 2 * near > seen
