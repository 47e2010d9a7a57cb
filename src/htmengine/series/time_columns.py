"""Which columns of a table hold the time: dates, counts of seconds, or parts that are joined."""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

from htmengine import iso_times
from htmengine.errors import MisuseError
from htmengine.series import numbers, timestamps
from htmengine.series.columns import (
    Join,
    Time,
    Wanted,
    beginnings,
    column,
    is_named,
    named,
    parse_all,
    parses,
    quoted,
)
from htmengine.series.tables import PART_NAMES, SAMPLED, TIME_NAMES, Table

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
_FRACTION = re.compile(r"\d+\.\d+", re.ASCII)
_LEAST_ELAPSED: Final = 10
_ELAPSED_NAME = re.compile(r"time|elapsed|offset|uptime|^t$|^x?$|(?:\b|_)s(?:ec(?:ond)?s?)?\b", re.IGNORECASE)
_CLOCK_WORD = re.compile(r"\s*(?:Uhr|h|hrs)$", re.I)
_DOTTED_CLOCK = re.compile(r"\d{1,2}\.\d\d", re.ASCII)


def find_time(table: Table, name: str, wanted: Wanted, taken: set[int]) -> Time:
    """Return how the times of rows are read: from one column, or from several that are joined.

    `taken`: columns that hold something else. Raises MisuseError where no column holds times.
    """
    if wanted.timestamp is not None:  # who names the column of the time means that column alone
        index = named(table, wanted.timestamp, "--timestamp", name)
        return _time(table, name, (index,), None, wanted, [])
    excluded = {named(table, value, "--value", name) for value in wanted.values} | taken
    dates, counts = _time_columns(table, excluded)
    sure = dates + [index for index in counts if not counts_from_elsewhere(table, index)]
    candidates = sure + [index for index in counts if index not in sure]
    best = next(
        (index for known in TIME_NAMES for index in sure or candidates if is_named(table, index, (known,))),
        candidates[0] if candidates else None,
    )
    if best is None:
        for indices, join in _joined_parts(table, excluded):
            return _time(
                table, name, indices, join, wanted, [f"The time is joined from {_all(table, indices)}."]
            )
        return _without_date(table, name, wanted, excluded)
    notes = []
    by_name = is_named(table, best, TIME_NAMES)
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
        if index != day and is_named(table, index, _CLOCK_NAMES) and len(set(clocks)) > 1:
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
            if is_named(table, index, TIME_NAMES) or not _jump_about(detection.format, cells):
                dates.append(index)
        elif (
            is_named(table, index, TIME_NAMES)
            or detection.format not in timestamps.EPOCHS  # its name tells the unit
            or _is_clock(table, index, detection.format, cells)
        ):
            counts.append(index)
    return dates, counts


def _jump_about(order: timestamps.TimestampFormat, cells: Sequence[str]) -> bool:
    """Whether digits that could be dates, such as 20140701, jump about as numbers do, over decades."""
    if not all(cell.isdecimal() for cell in cells):
        return False
    times = parse_all(order, cells)
    back = sum(after < before for before, after in pairwise(times))
    forward = sum(after > before for before, after in pairwise(times))
    return 3 * min(back, forward) > len(times) and max(times) - min(times) > _DECADES_S


_DECADES_S = 20 * 366 * 86400.0


def _is_clock(table: Table, index: int, epoch: timestamps.TimestampFormat, cells: Sequence[str]) -> bool:
    """Whether a column without a telling name looks like epoch times: after 1973, one direction, and in steps that recur.

    A counter of bytes has the size of a time, too, but it grows by another step each time.
    """
    times = parse_all(epoch, cells)
    if not times or min(map(abs, times)) < timestamps.PLAUSIBLE_CLOCK:
        return False
    steps = [after - before for before, after in pairwise(times) if after != before]
    if not steps and len(times) > 1:
        return False  # a limit, or a size
    back = sum(step < 0 for step in steps)
    if (10 * min(back, len(steps) - back) > len(times) or min(times) < 0) and not _recurs(steps):
        return False
    if table.names is None or len(steps) < 3 or _TIME_LIKE_NAME.search(table.names[index]):
        return True
    return _recurs(steps) or max(map(abs, steps)) <= 1.0


_TIME_LIKE_NAME = re.compile(r"time|epoch|unix|date|stamp|utc|^t$|^x$|ts$", re.IGNORECASE)


def counts_from_elsewhere(table: Table, index: int) -> bool:
    """Whether what could be a count of seconds is too small to be one of our time."""
    detection = timestamps.detect(table.cells(index, SAMPLED))
    return detection is not None and all(
        0 <= time < timestamps.PLAUSIBLE_CLOCK
        for time in parse_all(detection.format, table.cells(index, SAMPLED))
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
        and all(parses(timestamps.TIME_OF_DAY.parse, cell) for cell in times[:SAMPLED])
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
    parsed = parse_all(detection.format, times[:SAMPLED])
    if timestamps.is_count(detection.format) and parsed and 0 <= max(parsed) < timestamps.PLAUSIBLE_CLOCK:
        notes.append(
            f"The times are read as {detection.format.name.removeprefix('epoch ')} since 1970, so they begin at {iso_times.text(parsed[0])}. "
            "If they count something else, such as days, write them as dates."
        )
    if detection.format is timestamps.SPREADSHEET or detection.format in timestamps.OTHER_EPOCHS:
        notes.append(
            f"The times are read as {detection.format.name}: they begin at {iso_times.text(parsed[0])}."
        )
    ahead = _zone_in_name(header)
    format_ = detection.format
    if ahead is not None and not any(
        format_.is_absolute(cell) for cell in times if parses(format_.parse, cell)
    ):
        seconds, zone = ahead
        if seconds:
            notes.append(f"The times are read in the zone that their name tells, {zone}.")
        format_ = timestamps.shifted(format_, seconds)
    return Time(
        tuple(column(table, index) for index in indices), join, format_, detection.ambiguous, tuple(notes)
    )


_PDH = re.compile(r"\(PDH-[A-Z]+ [\d.]+\) \((?P<zone>[^()]*)\)\((?P<minutes>-?\d{1,4})\)")
_CHANGING_ZONE = re.compile(r"\b(?P<one>[A-Z]{2,5})/(?P<other>[A-Z]{2,5})\b")
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


def changing_zone(name: str | None) -> str | None:
    """Return the two zones of a column's name such as `MTU (CET/CEST)`, whose clocks are changed; None if it has none."""
    for match in _CHANGING_ZONE.finditer(name or ""):
        offsets = {timestamps.zone_offset(match[part]) for part in ("one", "other")}
        if len(offsets) == 2 and None not in offsets:
            return match.group()
    return None


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
        if parses(detection.format.parse, cell)
    ):
        return
    for index in others:
        clocks = table.cells(index, SAMPLED)
        named_clock = is_named(table, index, (*_CLOCK_NAMES, *PART_NAMES["hour"]))
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
        if is_named(table, index, PART_NAMES["hour"]) and largest <= 24:
            parts = [_part(table, part, others) for part in ("minute", "second")]
            indices = (day, index, *[part for part in parts if part is not None])
            join = _with_hour(day, *indices[1:])
            if _reads(table, indices, join, len(digits)):
                yield indices, join
        elif is_named(table, index, _CLOCK_NAMES) and largest <= 235959:
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
    """Yield the column of micro- or nanoseconds that goes with one of whole seconds, as pgbench writes them."""
    if not all(re.fullmatch(r"1\d{9}", cell) for cell in cells):
        return
    for digits, names in _FRACTION_NAMES.items():
        for index in others:
            if is_named(table, index, names):
                yield (seconds, index), _with_fraction(seconds, index, digits)


_FRACTION_NAMES: Final = {
    6: ("timeus", "us", "usec", "usecs", "microseconds", "tvusec"),
    9: ("timens", "ns", "nsec", "nanos", "nanoseconds", "tvnsec"),
}
"""Of columns that hold what is left of a second, by how many digits it has."""


def _with_fraction(seconds: int, fraction: int, digits: int) -> Join:
    return lambda fields: f"{fields[seconds]}.{fields[fraction].zfill(digits)}"


def _part(table: Table, part: str, indices: Iterable[int]) -> int | None:
    return next((index for index in indices if is_named(table, index, PART_NAMES[part])), None)


def _joined_parts(table: Table, excluded: set[int]) -> Iterable[tuple[tuple[int, ...], Join]]:
    """Yield the columns of year, month, day and so on, and how their cells are joined to a time."""
    free = [index for index in range(table.width) if index not in excluded]
    yield from _joined_weeks_and_days(table, free)
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


def _joined_weeks_and_days(table: Table, free: Sequence[int]) -> Iterable[tuple[tuple[int, ...], Join]]:
    """Yield the columns of the year and its week, or of the year, its day and perhaps the hour."""
    year, hour = _part(table, "year", free), _part(table, "hour", free)
    week, day = (
        next((index for index in free if is_named(table, index, names)), None)
        for names in (_WEEK_NAMES, _YEAR_DAY_NAMES)
    )
    if year is None:
        return
    if day is not None:
        indices = (year, day) if hour is None else (year, day, hour)

        def join(fields: Sequence[str]) -> str:
            date = f"{int(float(fields[year])):04d}-{int(float(fields[day])):03d}"
            return date if hour is None else f"{date} {int(float(fields[hour])):02d}:00"

    elif week is not None:
        indices = (year, week)

        def join(fields: Sequence[str]) -> str:
            return f"{int(float(fields[year])):04d}-W{int(float(fields[week])):02d}"

    else:
        return
    safe = _unless_broken(join)
    if _reads(table, indices, safe, min(len(table.head), SAMPLED)):
        yield indices, safe


_WEEK_NAMES: Final = ("week", "weekno", "weeknumber", "isoweek", "weekofyear", "kw", "semaine", "semana")
_YEAR_DAY_NAMES: Final = ("doy", "dayofyear", "yearday", "yday", "julianday", "jday")


def _without_date(table: Table, name: str, wanted: Wanted, excluded: set[int]) -> Time:
    """Return the time of rows whose dates have no year, or that have clocks alone. Raises MisuseError if they have none either."""
    for index in range(table.width):
        if index not in excluded and (
            found := timestamps.detect_without_year(table.cells(index), wanted.day_first)
        ):
            return Time((column(table, index),), None, found, False, ())
    clocks = [index for index in range(table.width) if index not in excluded and _holds_clocks(table, index)]
    # One that stands still in many rows is a duration, as of `uptime`.
    clocks = [
        index for index in clocks if len(set(table.cells(index))) > 1 or len(table.cells(index)) < SAMPLED
    ]
    if clocks:
        return _of_clocks(table, clocks[0])
    for index in range(table.width):
        if index not in excluded and _holds_elapsed_seconds(table, index):
            note = f"The times in {column(table, index)} are seconds since a beginning, which are counted from 1970-01-01."
            return Time((column(table, index),), None, timestamps.SECONDS, False, (note,))
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


def _holds_elapsed_seconds(table: Table, index: int) -> bool:
    """Whether a column has fractions of seconds that grow with each row or stay, in steps that recur: as `perf stat -I` counts.

    Whole numbers may as well number the rows.
    """
    if table.names is not None and not _ELAPSED_NAME.search(table.names[index]):
        return False
    cells = table.cells(index, SAMPLED)
    if len(cells) < _LEAST_ELAPSED or not all(_FRACTION.fullmatch(cell) for cell in cells):
        return False
    steps = [after - before for before, after in pairwise(map(float, cells))]
    return min(steps) >= 0 and any(steps) and _recurs([step for step in steps if step])


def _of_clocks(table: Table, index: int) -> Time:
    return Time((column(table, index),), None, timestamps.TIME_OF_DAY, False, ())
