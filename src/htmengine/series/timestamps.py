"""Times as people and programs write them, to seconds since the Unix epoch and back.

The format belongs to the column, not to the cell: `01/07/2014` alone is January or July, the column around it
is one of the two. `detect` therefore looks at many cells at once. Times without a zone are taken as UTC.
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any, NamedTuple

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_EARLIEST = -30_000_000_000  # seconds: the year 1019; beyond it a count is a mistake

# Offsets in seconds. The American names are those that RFC 2822 keeps from RFC 822; the European ones mean one zone only.
_ZONES = {"": 0, "Z": 0, "UT": 0, "UTC": 0, "GMT": 0} | {
    name: 3600 * hours
    for name, hours in (
        ("EDT", -4),
        ("EST", -5),
        ("CDT", -5),
        ("CST", -6),
        ("MDT", -6),
        ("MST", -7),
        ("PDT", -7),
        ("PST", -8),
        ("WET", 0),
        ("WEST", 1),
        ("CET", 1),
        ("CEST", 2),
        ("EET", 2),
        ("EEST", 3),
    )
}
_MONTH_ABBREVIATIONS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: number for number, name in enumerate(_MONTH_ABBREVIATIONS, start=1)}

_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,18}))?)?"
_HALF = r"(?:\s*(?P<half>[AP])\.?M\.?)?"
# Java and others name the region behind the offset, which says it all.
_ZONE = r"(?:\s*(?P<zone>[+-]\d\d(?::?\d\d)?|Z|UTC?|GMT|[ECMP][SD]T|[WCE]ES?T)(?:\[[\w/+-]+\])?)?"
_OPTIONAL_CLOCK = rf"(?:(?:\s*[T,]\s*|\s+){_CLOCK}{_HALF}{_ZONE})?"
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,?\s+)?"
_MONTH_NAME = rf"(?P<month>{'|'.join(_MONTH_ABBREVIATIONS)})[a-z]*\.?"
_GROUPS = ("year", "month", "day", "hour", "minute", "second", "fraction", "half", "zone")


class TimestampFormat(NamedTuple):
    """One way to write a time."""

    name: str
    parse: Callable[[str], float]  # seconds since the epoch, UTC; ValueError if the text is not so written


class Detection(NamedTuple):
    """What `detect` found out about a column."""

    format: TimestampFormat
    parsed: int  # how many of the cells the format reads
    ambiguous: bool  # another order of day and month reads as many


def _calendar(name: str, pattern: str) -> TimestampFormat:
    """Return the format whose cells match `pattern`, whose groups are among `_GROUPS`."""
    compiled = re.compile(pattern, re.IGNORECASE | re.ASCII)
    indices = [compiled.groupindex.get(group, 0) for group in _GROUPS]

    def parse(text: str) -> float:
        match = compiled.fullmatch(text)
        if match is None:
            raise ValueError(f"not a time written as {name}")
        groups: tuple[Any, ...] = (None, *match.groups())
        return _seconds(*[groups[index] for index in indices])

    return TimestampFormat(name, parse)


def _seconds(
    year: str,
    month: str,
    day: str | None,
    hour: str | None,
    minute: str | None,
    second: str | None,
    fraction: str | None,
    half: str | None,
    zone: str | None,
) -> float:
    """Return seconds since the epoch; ValueError for a day or an hour that does not exist."""
    years = int(year)
    if len(year) == 2:
        years += 1900 if years >= 69 else 2000  # as POSIX strptime does
    if not 1000 <= years <= 9998:  # such as 0001-01-01, which stands for no time at all
        raise ValueError(f"year {year} is not plausible")
    months = int(month) if month.isdigit() else _MONTHS[month[:3].lower()]
    days = date(years, months, int(day or 1)).toordinal() - _EPOCH_ORDINAL
    if hour is None:
        return float(days * 86400)
    hours, minutes, seconds = int(hour), int(minute or 0), int(second or 0)
    if half is not None:
        if not 1 <= hours <= 12:
            raise ValueError(f"no hour {hours} on a twelve-hour clock")
        hours = hours % 12 + (12 if half in "Pp" else 0)
    # 24:00 is the end of the day; second 60 a leap second, which the epoch scale does not count.
    if (hours, minutes, seconds) != (24, 0, 0) and (hours > 23 or minutes > 59 or seconds > 60):
        raise ValueError("no such time of day")
    whole = ((days * 24 + hours) * 60 + minutes) * 60 + seconds - _offset(zone or "")
    if fraction is None:
        return float(whole)
    scale: int = 10 ** len(fraction)
    return (whole * scale + int(fraction)) / scale  # division of integers rounds once, correctly


def _offset(zone: str) -> int:
    """Return how many seconds a zone is ahead of UTC."""
    if zone[:1] not in ("+", "-"):
        return _ZONES[zone.upper()]
    hours, minutes = int(zone[1:3]), int(zone[3:].lstrip(":") or 0)
    if hours > 23 or minutes > 59:
        raise ValueError(f"no zone {zone}")
    return (hours * 3600 + minutes * 60) * (-1 if zone[0] == "-" else 1)


_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?", re.ASCII)


def _epoch(unit: str, per_second: int, low: float, high: float) -> TimestampFormat:
    """Return the format of a count of `unit` since the epoch whose magnitude lies in [low, high)."""
    name = f"epoch {unit}"

    def parse(text: str) -> float:
        match = _NUMBER.fullmatch(text)
        if match is None:
            raise ValueError(f"not a time written as {name}")
        # Nanoseconds need more digits than a float has: stay with integers as long as possible.
        count = int(text) if match.end(1) == match.end(2) == -1 else float(text)
        if not low <= abs(count) < high or count < _EARLIEST * per_second:
            raise ValueError(f"not a plausible count of {unit} since 1970")
        return count / per_second

    return TimestampFormat(name, parse)


def _ordered(name: str, date_pattern: str) -> TimestampFormat:
    return _calendar(name, date_pattern + _OPTIONAL_CLOCK)


_NUMERIC = r"(?P<{}>\d\d?)(?P<separator>[-/.])(?P<{}>\d\d?)(?P=separator)(?P<year>\d{{4}}|\d\d)"
DAY_FIRST = _ordered("day/month/year", _NUMERIC.format("day", "month"))
MONTH_FIRST = _ordered("month/day/year", _NUMERIC.format("month", "day"))
EPOCHS = (
    _epoch("seconds", 1, 0, 1e11),
    _epoch("milliseconds", 10**3, 1e11, 1e14),
    _epoch("microseconds", 10**6, 1e14, 1e17),
    _epoch("nanoseconds", 10**9, 1e17, 1e20),
)
TEXT_FORMATS = (
    _ordered(
        "year-month-day", r"(?P<year>\d{4})(?P<separator>[-/.])(?P<month>\d\d?)(?P=separator)(?P<day>\d\d?)"
    ),
    _calendar("year-month", r"(?P<year>\d{4})[-/](?P<month>\d\d)"),
    # Before the epochs: eight, twelve or fourteen digits that are all dates are meant as dates.
    _calendar(
        "compact year-month-day",
        r"(?P<year>(?:19|20)\d\d)(?P<month>\d\d)(?P<day>\d\d)"
        r"(?:(?:\s*T\s*|[\s_-])?(?P<hour>\d\d)(?:(?P<minute>\d\d)(?:(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,18}))?)?)?"
        rf"(?<!^\d{{10}}){_ZONE})?",
    ),
    DAY_FIRST,
    MONTH_FIRST,
    _calendar(
        "day month-name year",  # RFC 2822, and the logs of web servers
        rf"{_WEEKDAY}(?P<day>\d\d?)[\s/-]+{_MONTH_NAME}[\s/-]+(?P<year>\d{{4}})"
        rf"(?:(?:\s*[T,:]\s*|\s+){_CLOCK}{_HALF}{_ZONE})?",
    ),
    _ordered("month-name day year", rf"{_WEEKDAY}{_MONTH_NAME}\s+(?P<day>\d\d?),?\s+(?P<year>\d{{4}})"),
    _calendar(
        "month-name day clock year",  # what `date` and asctime print
        rf"{_WEEKDAY}{_MONTH_NAME}\s+(?P<day>\d\d?)\s+{_CLOCK}{_HALF}{_ZONE}\s+(?P<year>\d{{4}})",
    ),
)


def detect(cells: Sequence[str], *, day_first: bool | None = None) -> Detection | None:
    """Return the format that reads the most of `cells`; None if no format reads any.

    Parameters
    ----------
    cells : non-empty texts of one column, in the order of the rows.
    day_first : the order of day and month in dates such as 01/07/2014, if known. Otherwise it follows from
        the cells: a part above 12 is a day; failing that, the order under which time runs forward in the
        smallest steps. `ambiguous` then says that no cell was proof. With dots the day is always first.
    """
    excluded = {None: None, True: MONTH_FIRST, False: DAY_FIRST}[day_first]
    counts = {
        candidate: sum(_reads(candidate, cell) for cell in cells)
        for candidate in (*TEXT_FORMATS, *EPOCHS)
        if candidate is not excluded
    }
    best = max(counts, key=lambda candidate: counts[candidate])  # the first of equals
    if not counts[best]:
        return None
    ambiguous = (
        best is DAY_FIRST
        and counts.get(MONTH_FIRST) == counts[best]
        and any("." not in cell for cell in cells)
    )
    if ambiguous:
        best = min((MONTH_FIRST, DAY_FIRST), key=lambda order: _unevenness(order, cells))
    return Detection(best, counts[best], ambiguous)


def _reads(candidate: TimestampFormat, cell: str) -> bool:
    try:
        candidate.parse(cell)
    except (ValueError, OverflowError):
        return False
    return True


def _unevenness(order: TimestampFormat, cells: Sequence[str]) -> tuple[int, float, bool]:
    """Return how little sense the cells make under an order of day and month: steps back, the largest step."""
    times = [order.parse(cell) for cell in cells if _reads(order, cell)]
    steps = [after - before for before, after in pairwise(times)]
    # No evidence at all: custom puts the month first with slashes, as spreadsheets write, else the day.
    against_custom = (order is DAY_FIRST) == any("/" in cell for cell in cells)
    return sum(step < 0 for step in steps), max(steps, default=0.0), against_custom


def isoformat(timestamp: float) -> str:
    """Return seconds since the epoch as ISO 8601 in UTC, `2014-07-01T00:00:00Z`, to the microsecond."""
    return datetime.fromtimestamp(timestamp, UTC).isoformat()[:-6] + "Z"
