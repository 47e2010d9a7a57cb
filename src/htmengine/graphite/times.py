"""Times as Graphite writes them: `-1h`, `now-15min`, `midnight+2h`, `20260131`, `10:30_yesterday`, epoch seconds."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, tzinfo
from typing import Final

UNITS: Final = {
    "s": 1,
    "min": 60,
    "h": 3600,
    "d": 86400,
    "w": 604800,
    "mon": 30 * 86400,
    "y": 365 * 86400,
}
"""Seconds, by how the name of a unit begins; `M` alone is none: Grafana writes it as `mon`."""
MAX_SECONDS: Final = 253_402_300_799
_PART: Final = re.compile(r"(\d+)([a-z]+)")
_OFFSET: Final = re.compile(r"([+-])((?:\d+[a-z]+)+)\Z")
_CLOCK: Final = re.compile(r"(\d{1,2}):(\d{2})(am|pm)?|(\d{1,2})(am|pm)")
_SLASHES: Final = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})\Z")
_DIGITS: Final = re.compile(r"\d{8}\Z")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH_DAY: Final = re.compile(rf"({'|'.join(_MONTHS)})[a-z]*?(\d{{1,2}})\Z")
_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEKDAY: Final = re.compile(r"(mon|tue|wed|thu|fri|sat|sun)(day|sday|nesday|rsday|urday)?\Z")
_NAMED_CLOCKS: Final = {"midnight": (0, 0), "noon": (12, 0), "teatime": (16, 0)}


def parse_time(text: str, now: float, zone: tzinfo) -> int:
    """Return a time in seconds since the epoch. Raises ValueError, which says what is wrong.

    Parameters
    ----------
    now : seconds since the epoch.
    zone : in which days and clocks are meant.
    """
    cleaned = re.sub(r"[\s,_]", "", text.strip().lower())
    if cleaned.isascii() and cleaned.isdigit() and not _is_date(cleaned):
        seconds = int(cleaned) if len(cleaned) <= 12 else MAX_SECONDS + 1
    else:
        try:
            seconds = _relative(cleaned, now, zone)
        except (OverflowError, OSError):
            seconds = MAX_SECONDS + 1
        except ValueError as error:
            raise ValueError(f"{text!r} is no time: {error}") from None
    if not -MAX_SECONDS <= seconds <= MAX_SECONDS:
        raise ValueError(f"{text!r} lies outside the years 1 to 9999")
    return seconds


def parse_interval(text: str) -> int:
    """Return the seconds of an interval such as `5min`, `-1d` or `1h30min`. Raises ValueError."""
    cleaned = text.strip().lower()
    sign = -1 if cleaned.startswith("-") else 1
    return sign * _seconds(cleaned.removeprefix("-").removeprefix("+"))


def _is_date(digits: str) -> bool:
    if not _DIGITS.match(digits):
        return False
    try:
        datetime.strptime(digits, "%Y%m%d")
    except ValueError:
        return False
    return int(digits[:4]) > 1900


def _relative(text: str, now: float, zone: tzinfo) -> int:
    offset = 0
    reference = text
    if found := _OFFSET.search(text):
        offset = _seconds(found[2]) * (1 if found[1] == "+" else -1)
        reference = text[: found.start()]
    elif "+" in text or "-" in text:
        raise ValueError("behind + or - stands a number with its unit, such as -1h")
    if reference.isascii() and reference.isdigit() and not _is_date(reference):
        return int(reference) + offset
    return int(_reference(reference, now, zone)) + offset


def _seconds(text: str) -> int:
    """Return the seconds of numbers with units."""
    total = place = 0
    while place < len(text):
        found = _PART.match(text, place)
        if found is None:
            raise ValueError(f"{text!r} is no number with its unit, such as 5min")
        total += int(found[1][:12]) * _unit(found[2])
        place = found.end()
    if not text:
        raise ValueError("the number and its unit are missing, such as 5min")
    return total


def _unit(name: str) -> int:
    for begin in ("mon", "min", "s", "h", "d", "w", "y"):
        if name.startswith(begin):
            return UNITS[begin]
    if name == "m":
        return UNITS["min"]
    raise ValueError(f"{name!r} is no unit; there are s, min, h, d, w, mon and y")


def _reference(text: str, now: float, zone: tzinfo) -> float:
    if text in ("", "now"):
        return now
    here = datetime.fromtimestamp(now, zone)
    clock: tuple[int, int] | None = None
    rest = text
    for name, named in _NAMED_CLOCKS.items():
        if rest.startswith(name):
            clock, rest = named, rest.removeprefix(name)
            break
    else:
        if found := _CLOCK.match(rest):
            clock, rest = _clock(found), rest[found.end() :]
    if clock is not None:
        here = here.replace(hour=clock[0], minute=clock[1], second=0, microsecond=0)
    elif rest:
        here = here.replace(hour=0, minute=0, second=0, microsecond=0)
    return _on_day(rest, here).timestamp()


def _clock(found: re.Match[str]) -> tuple[int, int]:
    hour, minute = int(found[1] or found[4]), int(found[2] or 0)
    half = found[3] or found[5]
    if half:
        if hour > 12:
            raise ValueError(f"{found[0]!r} is no hour of a half day")
        hour = hour % 12 + (12 if half == "pm" else 0)
    if hour > 23 or minute > 59:
        raise ValueError(f"{found[0]!r} is no time of day")
    return hour, minute


def _on_day(text: str, here: datetime) -> datetime:
    """Return the time of day that `here` has, on a day."""
    if text in ("", "today"):
        return here
    if text == "yesterday":
        return here - timedelta(days=1)
    if text == "tomorrow":
        return here + timedelta(days=1)
    if found := _SLASHES.match(text):
        month, day, year = int(found[1]), int(found[2]), int(found[3])
        if year < 100:
            year += 2000 if year < 70 else 1900
        return here.replace(year=year, month=month, day=day)
    if _DIGITS.match(text):
        return here.replace(year=int(text[:4]), month=int(text[4:6]), day=int(text[6:]))
    if found := _MONTH_DAY.match(text):
        return here.replace(month=_MONTHS.index(found[1]) + 1, day=int(found[2]))
    if found := _WEEKDAY.match(text):
        back = (here.weekday() - _WEEKDAYS.index(found[1])) % 7
        return here - timedelta(days=back)
    raise ValueError(f"{text!r} is no day, such as today, yesterday, 20260131, 01/31/26 or jan31")
