from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from htmengine.alerts.windows import CalendarWindow, CronWindow, Span

BERLIN = ZoneInfo("Europe/Berlin")
HOUR_S = 3600
CALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//example//EN
BEGIN:VEVENT
UID:1@example
DTSTAMP:20260101T000000Z
DTSTART;TZID=Europe/Berlin:20260301T020000
DTEND;TZID=Europe/Berlin:20260301T040000
RRULE:FREQ=WEEKLY;BYDAY=SU
EXDATE;TZID=Europe/Berlin:20260308T020000
SUMMARY:Patching
END:VEVENT
BEGIN:VEVENT
UID:1@example
RECURRENCE-ID;TZID=Europe/Berlin:20260315T020000
DTSTAMP:20260101T000000Z
DTSTART;TZID=Europe/Berlin:20260316T050000
DTEND;TZID=Europe/Berlin:20260316T060000
SUMMARY:Moved
END:VEVENT
BEGIN:VEVENT
UID:2@example
DTSTAMP:20260101T000000Z
DTSTART;VALUE=DATE:20260310
SUMMARY:All day
END:VEVENT
BEGIN:VEVENT
UID:3@example
DTSTAMP:20260101T000000Z
DTSTART:20260311T100000
DURATION:PT2H
STATUS:CANCELLED
SUMMARY:Cancelled
END:VEVENT
END:VCALENDAR
"""


def at(text, zone=UTC):
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


def test_a_span_has_its_beginning_and_not_its_end():
    span = Span("once", 10, 20)
    assert [span.covers(time) for time in (9, 10, 19, 20)] == [False, True, True, False]


@pytest.mark.parametrize(
    ("time", "covered"),
    [
        ("2026-01-05 07:59:59", False),  # a Monday
        ("2026-01-05 08:00:00", True),
        ("2026-01-05 17:59:59", True),
        ("2026-01-05 18:00:00", False),
        ("2026-01-03 12:00:00", False),
        ("2026-07-06 08:00:00", True),  # by the clock of the summer
        ("2026-07-06 18:00:00", False),
    ],
)
def test_office_hours_follow_the_local_clock(time, covered):
    assert CronWindow("office", "0 8 * * mon-fri", 10 * HOUR_S, BERLIN).covers(at(time, BERLIN)) == covered


def test_a_start_that_the_clock_skips_is_when_it_is_changed():
    window = CronWindow("night", "30 2 * * *", HOUR_S, BERLIN)
    # On 29 March 2026 the clock goes from 02:00 to 03:00, at 01:00 UTC.
    assert [
        window.covers(at(f"2026-03-29 {time}")) for time in ("00:59:59", "01:00:00", "01:59:59", "02:00:00")
    ] == [
        False,
        True,
        True,
        False,
    ]


def test_a_start_that_comes_twice_counts_once():
    window = CronWindow("night", "30 2 * * *", 600, BERLIN)
    # On 25 October 2026 02:30 is at 00:30 UTC, and again at 01:30 UTC.
    assert [
        window.covers(at(f"2026-10-25 {time}")) for time in ("00:30:00", "00:39:59", "00:40:00", "01:30:00")
    ] == [
        True,
        True,
        False,
        False,
    ]


def test_windows_longer_than_the_time_between_their_starts_cover_everything():
    window = CronWindow("often", "*/10 * * * *", 601, ZoneInfo("UTC"))
    assert all(window.covers(1_700_000_000 + second) for second in range(1, 2000, 7))


@pytest.mark.parametrize("expression", ["", "61 * * * *", "* * * *", "0 8 * * mon-fri extra more"])
def test_what_is_no_cron_expression_is_refused(expression):
    with pytest.raises(ValueError, match=r"."):
        CronWindow("bad", expression, 60, ZoneInfo("UTC"))


@pytest.fixture
def calendar(tmp_path):
    def make(text=CALENDAR):
        path = tmp_path / "calendar.ics"
        path.write_text(text, encoding="utf-8")
        return CalendarWindow("patching", path, BERLIN)

    return make


@pytest.mark.parametrize(
    ("time", "covered"),
    [
        ("2026-03-01 01:59", False),
        ("2026-03-01 02:00", True),
        ("2026-03-01 04:00", False),
        ("2026-03-08 02:30", False),  # left out
        ("2026-03-15 02:30", False),  # moved
        ("2026-03-16 05:30", True),
        ("2026-03-29 03:30", True),  # one hour long, that night
        ("2026-03-29 04:00", False),
        ("2026-04-05 02:00", True),
        ("2036-06-01 03:59", True),  # for ever
        ("2026-03-10 00:00", True),
        ("2026-03-10 23:59", True),
        ("2026-03-11 00:00", False),
        ("2026-03-11 11:00", False),  # cancelled
    ],
)
def test_events_of_a_calendar_follow_the_local_clock(calendar, time, covered):
    assert calendar().covers(at(time, BERLIN)) == covered


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", "BEGIN:VCALENDAR\nEND:VCALENDAR\n", CALENDAR.replace("FREQ=WEEKLY", "FREQ=SOMETIMES")],
)
def test_what_is_no_calendar_is_refused(calendar, text):
    with pytest.raises(ValueError, match=r"."):
        calendar(text)


def test_windows_say_when_they_are_and_when_next():
    office = CronWindow("office", "0 8 * * mon-fri", 10 * HOUR_S, BERLIN)
    assert office.words == "At 08:00 on Monday through Friday, for 10 h (Europe/Berlin)"
    friday = datetime(2026, 3, 6, 12, tzinfo=BERLIN).timestamp()
    assert office.at_or_after(friday) == Span("office", friday - 4 * HOUR_S, friday + 6 * HOUR_S)
    monday = datetime(2026, 3, 9, 8, tzinfo=BERLIN).timestamp()
    assert office.at_or_after(friday + 6 * HOUR_S).begin == monday
    once = Span("move", 1_700_000_000, 1_700_007_200)
    assert once.words == "Once, from 2023-11-14 22:13 to 2023-11-15 00:13 UTC"
    assert once.at_or_after(1_700_000_000) == once.at_or_after(0) == once
    assert once.at_or_after(1_700_007_200) is None
