"""Windows of time: from a start of a cron expression for so long, the events of a calendar, or from one time to another.

Local times are read in the window's time zone. A start that a change of the clock skips is at the moment of the change, as
Debian's cron has it; one that comes twice counts once. Durations are elapsed time.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from cronsim import CronSim, CronSimError

from htmengine import extras

_DAY_S: Final = 86_400
_DAYS_AHEAD: Final = 60
_REMEMBERED: Final = 4096


class Window(Protocol):
    """A stretch of time, or many."""

    @property
    def name(self) -> str:
        """As it is configured."""

    @property
    def words(self) -> str:
        """Say when it is."""

    def covers(self, time: float) -> bool:
        """Tell whether a time lies within; seconds since the epoch."""

    def at_or_after(self, time: float) -> Span | None:
        """Return the stretch that a time lies within, or else the next one; None if there is none any more."""


class Span(NamedTuple):
    """Once, from one time up to another, which is left out."""

    name: str
    begin: float
    end: float

    @property
    def words(self) -> str:
        """Say when it is."""
        begin, end = (datetime.fromtimestamp(time, UTC) for time in (self.begin, self.end))
        return f"Once, from {begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"

    def at_or_after(self, time: float) -> Span | None:
        """Return itself unless it is over."""
        return self if time < self.end else None

    def covers(self, time: float) -> bool:
        """Tell whether a time lies within."""
        return self.begin <= time < self.end


class CronWindow:
    """From each time that a cron expression names, for so long."""

    def __init__(self, name: str, expression: str, duration_s: float, zone: tzinfo) -> None:
        """Raises ValueError for what is no expression of five fields."""
        self.name = name
        self._expression = expression
        self._duration_s = duration_s
        self._zone = zone
        try:
            next(CronSim(expression, datetime.now(zone)), None)
        except CronSimError as error:
            raise ValueError(str(error)) from None
        self._next_start: Callable[[int], float | None] = lru_cache(_REMEMBERED)(self._start_after)

    @property
    def words(self) -> str:
        """Say when it is."""
        said = CronSim(self._expression, datetime.now(self._zone)).explain()
        return f"{said}, for {duration_in_words(self._duration_s)} ({self._zone})"

    def covers(self, time: float) -> bool:
        """Tell whether a time lies within."""
        found = self.at_or_after(time)
        return found is not None and found.covers(time)

    def at_or_after(self, time: float) -> Span | None:
        """Return the stretch that a time lies within, or else the next one."""
        # Starts are at whole minutes: the first one behind the minute in which a window that ends now would have begun.
        start = self._next_start(int((time - self._duration_s) // 60))
        return None if start is None else Span(self.name, start, start + self._duration_s)

    def _start_after(self, minute: int) -> float | None:
        found = next(CronSim(self._expression, datetime.fromtimestamp(60 * minute, self._zone)), None)
        return None if found is None else found.timestamp()


class CalendarWindow:
    """The events of a calendar file (iCalendar, RFC 5545), with those that recur. What is cancelled is left out."""

    def __init__(self, name: str, path: Path, zone: tzinfo) -> None:
        """`zone` is that of days, and of times without one.

        Raises
        ------
        PackageMissing : calendars need a package that is not installed.
        OSError : the file cannot be read.
        ValueError : it is no calendar, or has no event.
        """
        extras.require("ical", f"{path}: a calendar")
        from ical.calendar_stream import IcsCalendarStream
        from ical.exceptions import CalendarParseError

        self.name = name
        self._path = path
        self._zone = zone
        try:
            calendar = IcsCalendarStream.calendar_from_ics(path.read_text(encoding="utf-8-sig"))
        except CalendarParseError as error:
            raise ValueError(str(error)) from None
        if not calendar.events:
            raise ValueError("it has no event")
        self._timeline = calendar.timeline_tz(zone)
        self._spans: Callable[[int], list[Span]] = lru_cache(_REMEMBERED)(self._spans_of_day)
        self._spans(int(datetime.now(UTC).timestamp() // _DAY_S))  # what cannot be read is known at once

    @property
    def words(self) -> str:
        """Say when it is."""
        return f"During the events of the calendar {self._path} ({self._zone})"

    def at_or_after(self, time: float) -> Span | None:
        """Return the stretch that a time lies within, or else the next one of the next sixty days."""
        first = int(time // _DAY_S)
        for day in range(first, first + _DAYS_AHEAD):
            spans = [span for span in self._spans_of_day(day) if time < span.end]
            if spans:
                return min(spans, key=lambda span: span.begin)
        return None

    def covers(self, time: float) -> bool:
        """Tell whether a time lies within."""
        return any(span.covers(time) for span in self._spans(int(time // _DAY_S)))

    def _spans_of_day(self, day: int) -> list[Span]:
        """Return what overlaps with a day of UTC."""
        begin = datetime.fromtimestamp(day * _DAY_S, UTC)
        spans = (
            event.timespan_of(self._zone)
            for event in self._timeline.overlapping(begin, begin + timedelta(days=1))
            if event.status != "CANCELLED"
        )
        return [Span(self.name, span.start.timestamp(), span.end.timestamp()) for span in spans]


def duration_in_words(seconds: float) -> str:
    """Return a duration in the largest unit that it is a whole number of: `2 h`."""
    for unit, length in (("days", _DAY_S), ("h", 3600), ("min", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:g} {unit if seconds > length else unit.removesuffix('s')}"
    return f"{seconds:g} s"
