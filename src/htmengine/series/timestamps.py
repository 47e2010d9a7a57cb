"""Times as people and programs write them, to seconds since the Unix epoch and back.

The format belongs to the column, not to the cell: `01/07/2014` alone is January or July, the column around it
is one of the two. `detect` therefore looks at many cells at once. Times without a zone are taken as UTC here;
`htmengine.series.zones` reads them in another zone.
"""

import re
from collections.abc import Callable, Sequence
from datetime import date
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_EARLIEST = -30_000_000_000  # seconds: the year 1019; beyond it a count is a mistake
_DAY_S = 86400
PLAUSIBLE_CLOCK = 1e8
"""Seconds, in 1973: a count of less, in a column of any name, counts from another beginning."""

# Offsets in seconds. The American names are those that RFC 2822 keeps from RFC 822; of the others those with one meaning.
_ZONES = {"": 0, "Z": 0, "UT": 0, "UTC": 0, "GMT": 0, "ETC/UTC": 0, "ETC/GMT": 0} | {
    name: round(3600 * hours)
    for name, hours in (
        ("EDT", -4),
        ("EST", -5),
        ("CDT", -5),
        ("CST", -6),
        ("MDT", -6),
        ("MST", -7),
        ("PDT", -7),
        ("PST", -8),
        ("AKDT", -8),
        ("AKST", -9),
        ("HST", -10),
        ("WET", 0),
        ("WEST", 1),
        ("BST", 1),
        ("CET", 1),
        ("CEST", 2),
        ("MEZ", 1),
        ("MESZ", 2),
        ("EET", 2),
        ("EEST", 3),
        ("SAST", 2),
        ("MSK", 3),
        ("HKT", 8),
        ("SGT", 8),
        ("AWST", 8),
        ("JST", 9),
        ("KST", 9),
        ("ACST", 9.5),
        ("ACDT", 10.5),
        ("AEST", 10),
        ("AEDT", 11),
        ("NZST", 12),
        ("NZDT", 13),
    )
}
_MONTH_ABBREVIATIONS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# How names of months begin: in English, then where German, French, Spanish, Portuguese, Italian and Dutch differ.
_MONTHS = {name: number for number, name in enumerate(_MONTH_ABBREVIATIONS, start=1)} | {
    name: number
    for number, names in (
        (1, "jän ene gen"),
        (2, "fév fev"),
        (3, "mär mrz mrt maa"),
        (4, "avr abr"),
        (5, "mai mei mag"),
        (6, "juin giu"),
        (7, "juil lug"),
        (8, "aoû aou ago"),
        (9, "set"),
        (10, "okt ott out"),
        (12, "dez déc dic"),
    )
    for name in names.split()
}

_FRACTION = r"(?:[.,:](?P<fraction>\d{1,18}))?"
_CLOCK = rf"(?P<hour>\d{{1,2}})(?P<colon>[:.h])(?P<minute>\d\d)(?:(?P=colon)(?P<second>\d\d){_FRACTION})?"
_HALF = r"(?:\s*(?P<half>[AP])\.?\s?M\.?)?(?:\s*Uhr)?"
_ZONE_NAMES = "|".join(sorted(filter(None, _ZONES), key=len, reverse=True))
# Programs name the region behind the offset, which says it all: [Europe/Berlin], (Central European Standard Time); Go
# adds the abbreviation and its clock that never goes back: +0100 CET m=+0.012.
_ZONE = (
    rf"(?:\s*\(?(?P<zone>(?:UTC|GMT)?[+-]\d\d?(?::?\d\d)?|{_ZONE_NAMES})\)?"
    r"(?:\[[\w/+-]+\]|\s*\([^()]*\)|(?<=\d)\s+[A-Z]{3,4}(?:\s+m=[+-][\d.]+)?)?)?"
)
_BETWEEN = r"(?:\s*[T,_/@]\s*|\s+|[-:](?=\d\d?:\d\d:))"
_OPTIONAL_CLOCK = rf"(?:{_BETWEEN}{_CLOCK}{_HALF}{_ZONE})?"
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+)?"
_ANY_WEEKDAY = r"(?:[a-z]{2,9}\.?,?\s+)?"  # before dates of digits, which no other word precedes
_MONTH_NAME = rf"(?P<month>{'|'.join(sorted(_MONTHS, key=len, reverse=True))})[a-z]*\.?"
_GROUPS = ("year", "month", "day", "hour", "minute", "second", "fraction", "half", "zone")
# What programs write around a time: the brackets of a log, the constructors of Python and .NET.
_SPAN = re.compile(r"(.*\d.*?)(?:\s+(?:-|–|to)\s+|(?<=.{8})/)(.*\d.*)")  # of which the beginning counts
_WRAPPED = re.compile(
    r"""\[(.+)\]|(?:\w+\.)*(?:Timestamp|datetime64)\('([^']+)'.*\)|\\?/Date\((-?\d+)\)\\?/|'([^']+)'|="([^"]+)\""""
)
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3}){3,}", re.ASCII)
_CONSTRUCTED = re.compile(r"(?:datetime\.)?datetime\((\d+(?:,\s*\d+){2,6})(?:,\s*tzinfo=.*utc.*)?\)", re.I)


class TimestampFormat(NamedTuple):
    """One way to write a time."""

    name: str
    parse: Callable[[str], float]  # seconds since the epoch, UTC; ValueError if the text is not so written
    is_absolute: Callable[[str], bool]  # whether a text that `parse` takes says its zone


class Detection(NamedTuple):
    """What `detect` found out about a column."""

    format: TimestampFormat
    parsed: int  # how many of the cells the format reads
    ambiguous: bool  # another order of day and month reads as many


def _calendar(name: str, pattern: str) -> TimestampFormat:
    """Return the format whose cells match `pattern`, whose groups are among `_GROUPS`."""
    compiled = re.compile(pattern, re.IGNORECASE | re.ASCII)
    indices = [compiled.groupindex.get(group, 0) for group in _GROUPS]

    def match(text: str) -> re.Match[str]:
        matched = compiled.fullmatch(
            text if text.isascii() else text.replace("\u202f", " ").replace("\u00a0", " ")
        )
        if matched is None:
            raise ValueError(f"not a time written as {name}")
        return matched

    def parse(text: str) -> float:
        groups: tuple[Any, ...] = (None, *match(text).groups())
        return _seconds(*[groups[index] for index in indices])

    def is_absolute(text: str) -> bool:
        return bool(match(text)["zone"]) if "zone" in compiled.groupindex else False

    return TimestampFormat(name, parse, is_absolute)


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
    months = int(month) if month.isdigit() else _MONTHS[month.lower()]
    days = _days(date(_plausible(years), months, int(day or 1)))
    return _moment(days, hour, minute, second, fraction, half, zone)


def _plausible(year: int) -> int:
    if not 1000 <= year <= 9998:  # such as 0001-01-01, which stands for no time at all
        raise ValueError(f"year {year} is not plausible")
    return year


def _days(day: date) -> int:
    return day.toordinal() - _EPOCH_ORDINAL


def _moment(
    days: int,
    hour: str | None,
    minute: str | None,
    second: str | None,
    fraction: str | None,
    half: str | None = None,
    zone: str | None = None,
) -> float:
    """Return seconds since the epoch of a time of day; ValueError if there is no such time."""
    if hour is None:
        return float(days * _DAY_S)
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
    name = zone.upper()
    if name in _ZONES:
        return _ZONES[name]
    digits = name.removeprefix("UTC").removeprefix("GMT")
    sign = -1 if digits[0] == "-" else 1
    hours_text, _, minutes_text = digits[1:].partition(":")
    if len(hours_text) > 2:
        hours_text, minutes_text = hours_text[:-2], hours_text[-2:]
    hours, minutes = int(hours_text), int(minutes_text or 0)
    if hours > 23 or minutes > 59:
        raise ValueError(f"no zone {zone}")
    return (hours * 3600 + minutes * 60) * sign


def zone_offset(name: str) -> int | None:
    """Return how many seconds a zone such as `CET` or `UTC+1` is ahead of UTC; None if it is none that is known."""
    if re.fullmatch(r"(?:UTC|GMT)[+-]\d\d?(?::?\d\d)?", name, re.ASCII):
        try:
            return _offset(name)
        except ValueError:
            return None
    return _ZONES.get(name.upper()) if name else None


_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?", re.ASCII)


def _epoch(unit: str, per_second: int, low: float, high: float, *, year: int = 1970) -> TimestampFormat:
    """Return the format of a count of `unit` since the beginning of a year whose magnitude lies in [low, high)."""
    name = f"epoch {unit}" if year == 1970 else f"{unit} since {year}"
    ahead = (date(year, 1, 1).toordinal() - _EPOCH_ORDINAL) * _DAY_S * per_second

    def parse(text: str) -> float:
        match = _NUMBER.fullmatch(text)
        if match is None:
            raise ValueError(f"not a time written as {name}")
        # Nanoseconds need more digits than a float has: stay with integers as long as possible.
        count = int(text) if match.end(1) == match.end(2) == -1 else float(text)
        if not low <= abs(count) < high or count < _EARLIEST * per_second:
            raise ValueError(f"not a plausible count of {unit} since {year}")
        return (count + ahead) / per_second

    return TimestampFormat(name, parse, lambda _text: True)


def _spreadsheet_days(text: str) -> float:
    """Return the time of a count of days since the end of 1899, as spreadsheets keep dates, to the millisecond."""
    if not _NUMBER.fullmatch(text) or not 20_000 <= (days := float(text)) < 80_000:
        raise ValueError("not a plausible count of days since 1899")
    return round((days - _SPREADSHEET_DAYS) * _DAY_S, 3)


_SPREADSHEET_DAYS = 25_569  # from 1899-12-30 to 1970-01-01
SPREADSHEET = TimestampFormat("days since 1899", _spreadsheet_days, lambda _text: False)
"""What a spreadsheet shows of a date whose cell is formatted as a number."""


def _ordered(name: str, date_pattern: str) -> TimestampFormat:
    return _calendar(name, _ANY_WEEKDAY + date_pattern + _OPTIONAL_CLOCK)


def _by_date(name: str, pattern: str, day: Callable[[re.Match[str]], date]) -> TimestampFormat:
    """Return the format whose dates need more than year, month and day: `day` makes a date of a match."""
    clock = r"(?P<hour>\d\d)(?P<colon>[:.]?)(?P<minute>\d\d)" rf"(?:(?P=colon)(?P<second>\d\d){_FRACTION})?"
    compiled = re.compile(
        rf"{pattern}(?:(?:{_BETWEEN}|(?<=\d)[.:-]){clock}{_HALF}{_ZONE})?", re.IGNORECASE | re.ASCII
    )

    def match(text: str) -> re.Match[str]:
        matched = compiled.fullmatch(text)
        if matched is None:
            raise ValueError(f"not a time written as {name}")
        return matched

    def parse(text: str) -> float:
        found = match(text)
        _plausible(int(found["year"]))
        return _moment(
            _days(day(found)), *found.group("hour", "minute", "second", "fraction", "half", "zone")
        )

    return TimestampFormat(name, parse, lambda text: bool(match(text)["zone"]))


def _ordinal_date(match: re.Match[str]) -> date:
    day = date.fromordinal(date(int(match["year"]), 1, 1).toordinal() + int(match["ordinal"]) - 1)
    if day.year != int(match["year"]):
        raise ValueError("no such day of the year")
    return day


def _iso_year_month_day() -> TimestampFormat:
    """Return the commonest format, which has a short cut: a day is looked up, and its clock read off its places."""
    general = _ordered(
        "year-month-day", r"(?P<year>\d{4})(?P<separator>[-/.:])(?P<month>\d\d?)(?P=separator)(?P<day>\d\d?)"
    )
    without_colons = _calendar(  # of DB2, and of names of files
        general.name,
        r"(?P<year>\d{4})(?P<separator>[-_])(?P<month>\d\d)(?P=separator)(?P<day>\d\d)"
        rf"[-_T\s](?P<hour>\d\d)(?P<colon>[-_.])(?P<minute>\d\d)(?P=colon)(?P<second>\d\d){_FRACTION}{_ZONE}",
    )
    compact_clock = _calendar(  # and of SQL that stops at the hour
        general.name,
        r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)[T\s]"
        rf"(?P<hour>\d\d)(?:(?P<minute>\d\d)(?:(?P<second>\d\d){_FRACTION})?)?{_ZONE}",
    )
    short_cut = re.compile(r"\d{4}-\d\d-\d\d[T ][012]\d:[0-5]\d:[0-5]\dZ?", re.ASCII).fullmatch
    days: dict[str, float] = {}

    def parse(text: str) -> float:
        if short_cut(text) and text[11:13] < "24":
            day = text[:10]
            start = days.get(day)
            if start is None:
                start = general.parse(day)
                if len(days) > 10_000:  # a column that is not in order
                    days.clear()
                days[day] = start
            return start + (int(text[11:13]) * 60 + int(text[14:16])) * 60 + int(text[17:19])
        try:
            return general.parse(text)
        except ValueError:
            for other in (without_colons, compact_clock):
                try:
                    return other.parse(text)
                except ValueError:
                    continue
            raise

    def is_absolute(text: str) -> bool:
        for candidate in (general, without_colons, compact_clock):
            try:
                return candidate.is_absolute(text)
            except ValueError:
                continue
        return False

    return TimestampFormat(general.name, parse, is_absolute)


_NUMERIC = r"(?P<{}>\d\d?)(?P<separator>[-/.])(?P<{}>\d\d?)(?P=separator)(?P<year>\d{{4}}|\d\d)"
_DOTTED_DATE = re.compile(r"(?:\D+\s)?\d\d?\.\d\d?\.\d", re.ASCII)
_NAMED_DAY = rf"{_WEEKDAY}(?P<day>\d\d?)(?:st|nd|rd|th|\.)?[\s/-]*(?:de\s+)?{_MONTH_NAME},?[\s/-]*(?:de\s+)?(?P<year>\d{{4}}|\d\d)"
DAY_FIRST = _ordered("day/month/year", _NUMERIC.format("day", "month"))
MONTH_FIRST = _ordered("month/day/year", _NUMERIC.format("month", "day"))
OTHER_EPOCHS = (  # of sizes that seconds since 1970, and their parts, have in years of which nobody keeps series
    _epoch("tenths of microseconds", 10**7, 1.2e17, 1.5e17, year=1601),  # of Windows' files
    _epoch("tenths of microseconds", 10**7, 6.2e17, 6.6e17, year=1),  # of .NET
)
SECONDS = _epoch("seconds", 1, 0, 1e11)
EPOCHS = (
    SECONDS,
    _epoch("milliseconds", 10**3, 1e11, 1e14),
    _epoch("microseconds", 10**6, 1e14, 1e17),
    _epoch("nanoseconds", 10**9, 1e17, 1e20),
    *OTHER_EPOCHS,
)
# Where the column's name tells the unit, counts may be as small as they like.
_NAMED_EPOCHS = {
    unit: _epoch(name, per_second, 0, 1e11 * per_second)
    for unit, name, per_second in (
        ("s", "seconds", 1),
        ("ms", "milliseconds", 10**3),
        ("us", "microseconds", 10**6),
        ("ns", "nanoseconds", 10**9),
    )
}
_UNIT_IN_NAME = re.compile(
    r"(?:unix|epoch|utc|event|start|end)?[\W_]*(?:time|timestamp|date|ts|epoch|unix|utc)[\W_]*(?:in[\W_]*)?"
    r"(?:(?P<ms>ms|millis|milliseconds?|msecs?)|(?P<us>us|µs|micros|microseconds?|usecs?)|(?P<ns>ns|nanos|nanoseconds?|nsecs?))"
    r"\W*",
    re.IGNORECASE,
)
TEXT_FORMATS = (
    _iso_year_month_day(),
    _calendar("year-month", r"(?P<year>\d{4})[-/M](?P<month>\d\d)"),
    _calendar("month/year", r"(?P<month>\d\d?)[-/](?P<year>\d{4})"),
    _calendar("month-name year", rf"{_MONTH_NAME}(?:,?\s+|-)(?P<year>\d{{4}}|(?<=-)\d\d)"),
    # Before the epochs: eight, twelve or fourteen digits that are all dates are meant as dates.
    _calendar(
        "compact year-month-day",
        r"(?P<year>(?:19|20)\d\d)(?P<month>\d\d)(?P<day>\d\d)"
        r"(?:(?:\s*T\s*|[\s_-])?(?P<hour>\d\d)(?:(?P<minute>\d\d)(?:(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,18}))?)?)?"
        rf"{_ZONE})?",
    ),
    _calendar(
        "compact year-month-day without century",
        r"(?P<year>\d\d)(?P<month>\d\d)(?P<day>\d\d)[\sT_-]?(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)",
    ),
    _ordered("compact year-month-day", r"(?P<year>(?:19|20)\d\d)(?P<month>\d\d)(?P<day>\d\d)"),
    DAY_FIRST,
    MONTH_FIRST,
    _calendar(
        "day month-name year",  # RFC 2822, the logs of web servers, and Oracle
        rf"{_NAMED_DAY}(?:(?:\s*[T,:]\s*|\s+){_CLOCK}{_HALF}{_ZONE})?",
    ),
    _ordered("year month-name day", rf"(?P<year>\d{{4}})[\s/-]*{_MONTH_NAME}[\s/-]*(?P<day>\d\d?)"),
    _calendar(
        "month-name day year",
        rf"{_WEEKDAY}{_MONTH_NAME}\s+(?P<day>\d\d?)(?:st|nd|rd|th)?,?\s+(?P<year>\d{{4}})"
        rf"(?:(?:\s*[T,]\s*|\s+(?:(?:at|@)\s+)?){_CLOCK}{_HALF}{_ZONE})?",
    ),
    _calendar(
        "month-name day clock year",  # what `date`, asctime and Apache's errors print
        rf"{_WEEKDAY}{_MONTH_NAME}\s+(?P<day>\d\d?)\s+{_CLOCK}{_HALF}{_ZONE}\s+(?P<year>\d{{4}})",
    ),
    _by_date(
        "year-week",
        r"(?P<year>\d{4})-?W(?P<week>\d\d)(?:-?(?P<weekday>[1-7]))?",
        lambda match: date.fromisocalendar(
            int(match["year"]), int(match["week"]), int(match["weekday"] or 1)
        ),
    ),
    _by_date("year-day", r"(?P<year>\d{4})(?:[-.:]|(?=\d{3}T))(?P<ordinal>\d{3})", _ordinal_date),
    _by_date(
        "year-quarter",
        r"(?P<year>\d{4})[\s-]?Q(?P<quarter>[1-4])",
        lambda match: date(int(match["year"]), 3 * int(match["quarter"]) - 2, 1),
    ),
    _calendar(
        "year 年 month 月 day 日",
        r"(?P<year>\d{4})年\s*(?P<month>\d\d?)月\s*(?P<day>\d\d?)日"
        r"(?:\s*(?P<hour>\d\d?)[:时時点](?P<minute>\d\d?)(?:[:分](?P<second>\d\d?))?[分秒]?)?",
    ),
)
YEAR_UNKNOWN = 1972
"""Of dates without one: a leap year, so that each day exists."""


def _without_year(name: str, pattern: str) -> TimestampFormat:
    plain = _calendar(
        name,
        rf"(?P<year>\d{{4}}) {_WEEKDAY}{pattern}(?:(?:\s*[T,]\s*|\s+(?:(?:at|@)\s+)?){_CLOCK}{_HALF}{_ZONE})",
    )
    return TimestampFormat(
        name,
        lambda text: plain.parse(f"{YEAR_UNKNOWN} {text}"),
        lambda text: plain.is_absolute(f"{YEAR_UNKNOWN} {text}"),
    )


_MONTH_DAY = _without_year("month-day", r"(?P<month>\d\d)[-/](?P<day>\d\d)")  # of Android's log
_DAY_MONTH = _without_year("day-month", r"(?P<day>\d\d)[-/](?P<month>\d\d)")  # of dstat
WITHOUT_YEAR = (
    _without_year("month-name day", rf"{_MONTH_NAME}[\s-]+(?P<day>\d\d?)(?:st|nd|rd|th)?"),  # of syslog
    _without_year("day month-name", rf"(?P<day>\d\d?)(?:st|nd|rd|th|\.)?[\s/-]+{_MONTH_NAME}"),
    _without_year("day.month.", r"(?P<day>\d\d?)\.(?P<month>\d\d?)\.?"),
    _MONTH_DAY,
    _DAY_MONTH,
    _without_year("level month day", r"[DIWEF](?P<month>\d\d)(?P<day>\d\d)"),  # of glog and klog
)
"""Dates without a year, with a time of day. `detect` does not look for them."""


def detect_without_year(cells: Sequence[str], day_first: bool | None = None) -> TimestampFormat | None:
    """Return the format of WITHOUT_YEAR that reads all of `cells`, which are of one column; None if there is none."""
    found = [one for one in WITHOUT_YEAR if cells and all(_reads(one, cell) for cell in cells)]
    if len(found) < 2:
        return found[0] if found else None
    if day_first is not None:
        return _DAY_MONTH if day_first else _MONTH_DAY
    return min(found, key=lambda order: _unevenness(order, cells)[:2])


_CLOCK_ALONE = re.compile(
    rf"(?P<hour>\d{{1,3}})(?P<colon>[:.])(?P<minute>[0-5]\d)(?:(?P=colon)(?P<second>[0-5]\d){_FRACTION})?{_HALF}{_ZONE}",
    re.IGNORECASE | re.ASCII,
)


def _seconds_of_day(text: str) -> float:
    match = _CLOCK_ALONE.fullmatch(text.replace("\u202f", " "))
    if match is None:
        raise ValueError("not a time of day")
    hour, minute, second, fraction, half, zone = match.group(
        "hour", "minute", "second", "fraction", "half", "zone"
    )
    whole, rest = (0, hour) if half else divmod(int(hour), 24)  # a stopwatch runs beyond a day
    return _moment(whole, str(rest), minute, second, fraction, half, zone)


TIME_OF_DAY = TimestampFormat("time of day", _seconds_of_day, lambda _text: False)
"""A clock without a date: seconds since midnight. `detect` does not look for it."""


def detect(
    cells: Sequence[str], *, day_first: bool | None = None, name: str | None = None
) -> Detection | None:
    """Return the format that reads the most of `cells`; None if no format reads any.

    Parameters
    ----------
    cells : non-empty texts of one column, in the order of the rows.
    day_first : the order of day and month in dates such as 01/07/2014, if known. Otherwise it follows from
        the cells: a part above 12 is a day; failing that, the order under which time runs forward in the
        smallest steps. `ambiguous` then says that no cell was proof. With dots the day is always first.
    name : of the column, which may tell the unit of a count: `time_ms`.
    """
    detect_ = _remembered if len(cells) <= _REMEMBERED_CELLS else _detect
    found = detect_(tuple(cells), day_first, name)
    if found is None and any(map(unwrapped, cells)):
        bare = [unwrapped(cell) or cell for cell in cells]
        found = detect_(tuple(bare), day_first, name)
        if found is not None:
            return found._replace(format=_wrapped(found.format))
    return found


def unwrapped(text: str) -> str | None:
    """Return the time within what a program wrote around it, such as brackets; None if there is nothing around."""
    if match := _WRAPPED.fullmatch(text):
        return str(next(filter(None, match.groups())))
    if match := _CONSTRUCTED.fullmatch(text):
        year, month, day, *clock = (int(part) for part in match[1].split(","))
        hour, minute, second, microsecond = (*clock, 0, 0, 0, 0)[:4]
        return f"{year:04d}-{month:02d}-{day:02d} {hour:02d}:{minute:02d}:{second:02d}.{microsecond:06d}"
    if match := _SPAN.fullmatch(text):
        return match[1].strip()
    return text.replace(",", "") if _GROUPED.fullmatch(text) else None


def _wrapped(inner: TimestampFormat) -> TimestampFormat:
    return TimestampFormat(
        inner.name,
        lambda text: inner.parse(unwrapped(text) or text),
        lambda text: inner.is_absolute(unwrapped(text) or text),
    )


def _detect(cells: Sequence[str], day_first: bool | None, name: str | None) -> Detection | None:
    if (named := _named_epoch(name)) and cells and all(_reads(named, cell) for cell in cells):
        return Detection(named, len(cells), False)
    if _are_days_of_a_spreadsheet(cells, name):
        return Detection(SPREADSHEET, len(cells), False)
    excluded = {None: None, True: MONTH_FIRST, False: DAY_FIRST}[day_first]
    counts: dict[TimestampFormat, int] = {}
    for candidate in (*TEXT_FORMATS, *OTHER_EPOCHS, *EPOCHS):
        if candidate is not excluded:
            counts[candidate] = sum(_reads(candidate, cell) for cell in cells)
            if counts[candidate] == len(cells) and candidate is not DAY_FIRST:
                break  # no later one reads more
    best = max(counts, key=lambda candidate: counts[candidate])  # the first of equals
    if not counts[best]:
        return None
    ambiguous = (
        best is DAY_FIRST
        and counts.get(MONTH_FIRST) == counts[best]
        and not all(_DOTTED_DATE.match(cell) for cell in cells)
    )
    if ambiguous:
        best = min((MONTH_FIRST, DAY_FIRST), key=lambda order: _unevenness(order, cells))
    return Detection(best, counts[best], ambiguous)


def _are_days_of_a_spreadsheet(cells: Sequence[str], name: str | None) -> bool:
    """Whether numbers count days: such that lie less than a day apart, or days that a name tells. Others may be seconds."""
    if not cells or not all(_reads(SPREADSHEET, cell) for cell in cells):
        return False
    days = [float(cell) for cell in cells]
    if all(map(float.is_integer, days)):
        return re.search(r"date|datum|fecha|day|tag", name or "", re.IGNORECASE) is not None
    return sum(0 < abs(after - before) < 1 for before, after in pairwise(days)) > len(days) // 2


# A column is looked at again for each question that is asked of it: is it a header's, a time, the same time?
_remembered = lru_cache(maxsize=256)(_detect)
_REMEMBERED_CELLS = 100  # more are of the column that is taken, which is looked at once


def is_count(candidate: TimestampFormat) -> bool:
    """Whether a format counts seconds, or parts of them, since 1970."""
    return candidate in EPOCHS or candidate in _NAMED_EPOCHS.values()


def _named_epoch(name: str | None) -> TimestampFormat | None:
    match = _UNIT_IN_NAME.fullmatch(name.strip()) if name else None
    return _NAMED_EPOCHS[str(match.lastgroup)] if match else None


def _reads(candidate: TimestampFormat, cell: str) -> bool:
    try:
        candidate.parse(cell)
    except (ValueError, OverflowError):
        return False
    return True


def _unevenness(order: TimestampFormat, cells: Sequence[str]) -> tuple[int, float, bool]:
    """Return how little sense the cells make under an order of day and month: changes of direction, the largest step."""
    times = [order.parse(cell) for cell in cells if _reads(order, cell)]
    steps = [after - before for before, after in pairwise(times)]
    against = min(
        sum(step < 0 for step in steps), sum(step > 0 for step in steps)
    )  # newest first is an order, too
    # No evidence at all: custom puts the month first with slashes, as spreadsheets write, else the day.
    against_custom = (order is DAY_FIRST) == any("/" in cell for cell in cells)
    return against, max(map(abs, steps), default=0.0), against_custom


def shifted(plain: TimestampFormat, ahead_s: float) -> TimestampFormat:
    """Return a format whose times are of a zone that is so many seconds ahead of UTC."""
    return TimestampFormat(plain.name, lambda text: plain.parse(text) - ahead_s, lambda _text: True)
