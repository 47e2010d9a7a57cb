from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine import iso_times
from htmengine.series import timestamps

MOMENTS = st.datetimes(datetime(1975, 1, 1), datetime(2099, 12, 31)).map(
    lambda moment: moment.replace(tzinfo=UTC)
)
SECONDS = MOMENTS.map(lambda moment: moment.replace(microsecond=0))
ZONES = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def parse(text, *others, **options):
    return timestamps.detect([text, *others], **options).format.parse(text)


def rfc_2822(moment):
    # Not strftime: its names of days and months follow the locale.
    day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[moment.weekday()]
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return f"{day}, {moment.day:02d} {months[moment.month - 1]} {moment:%Y %H:%M:%S %z}"


@given(MOMENTS)
@pytest.mark.parametrize("separator", ["T", " "])
@pytest.mark.parametrize("zone", ["", "Z", "+00:00", "+0000", " UTC", "-00"])
def test_iso_8601_reads_back_to_the_microsecond(separator, zone, moment):
    text = f"{moment:%Y-%m-%d}{separator}{moment:%H:%M:%S.%f}{zone}"
    assert parse(text) == moment.timestamp()


@given(moment=MOMENTS, zone=ZONES)
def test_a_zone_is_taken_off(moment, zone):
    assert parse(moment.astimezone(zone).isoformat()) == moment.timestamp()


@given(moment=SECONDS, zone=ZONES)
def test_rfc_2822_reads_back(moment, zone):
    assert parse(rfc_2822(moment.astimezone(zone))) == moment.timestamp()


@given(SECONDS)
@pytest.mark.parametrize(
    ("pattern", "day_first"),
    [
        ("%d/%m/%Y %H:%M:%S", True),
        ("%m/%d/%Y %H:%M:%S", False),
        ("%m/%d/%Y %I:%M:%S %p", False),
        ("%d.%m.%Y %H:%M:%S", None),
        ("%d-%m-%Y %H:%M:%S", True),
        ("%Y/%m/%d %H:%M:%S", None),
        ("%Y%m%dT%H%M%S", None),
        ("%Y%m%dT%H%M%SZ", None),
        ("%Y%m%d%H%M%S", None),
    ],
)
def test_calendar_formats_read_back(pattern, day_first, moment):
    assert parse(moment.strftime(pattern), day_first=day_first) == moment.timestamp()


@given(MOMENTS)
@pytest.mark.parametrize("digits", [0, 3, 6, 9])
def test_epoch_counts_are_told_apart_by_their_size(digits, moment):
    microseconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    count = microseconds * 10**digits // 10**6
    assert parse(str(count)) == count / 10**digits
    assert parse(str(count)) == pytest.approx(moment.timestamp(), abs=1.0)


@given(st.floats(-1e10, 1e10))
def test_epoch_seconds_read_back_exactly(seconds):
    assert timestamps.EPOCHS[0].parse(repr(seconds)) == seconds


@given(MOMENTS)
def test_what_is_written_reads_back(moment):
    assert parse(iso_times.text(moment.timestamp())) == moment.timestamp()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2014-07-01", datetime(2014, 7, 1)),
        ("2014-07-01 05:06", datetime(2014, 7, 1, 5, 6)),
        ("2014-7-1 5:06", datetime(2014, 7, 1, 5, 6)),
        ("2014-07-01 05:06:07,5", datetime(2014, 7, 1, 5, 6, 7, 500_000)),
        ("20140701T0000", datetime(2014, 7, 1)),
        ("20140701T05", datetime(2014, 7, 1, 5)),
        ("20140701", datetime(2014, 7, 1)),
        ("201407010506", datetime(2014, 7, 1, 5, 6)),
        ("7/21/14 5:06 pm", datetime(2014, 7, 21, 17, 6)),
        ("7/21/2014 12:06 AM", datetime(2014, 7, 21, 0, 6)),
        ("21.7.2014", datetime(2014, 7, 21)),
        ("1 Jul 2014 05:06:07 EST", datetime(2014, 7, 1, 10, 6, 7)),
        ("01/Jul/2014:05:06:07 +0100", datetime(2014, 7, 1, 4, 6, 7)),
        ("July 1, 2014 05:06", datetime(2014, 7, 1, 5, 6)),
        ("Tue Jul  1 05:06:07 UTC 2014", datetime(2014, 7, 1, 5, 6, 7)),
        ("2014-07-01 05:06 CEST", datetime(2014, 7, 1, 3, 6)),
        ("2014-07-01T05:06:07+02:00[Europe/Berlin]", datetime(2014, 7, 1, 3, 6, 7)),
        ("2014-07-01T05:06Z[Etc/GMT+1]", datetime(2014, 7, 1, 5, 6)),
        ("2014-07", datetime(2014, 7, 1)),
        ("2014-06-30T24:00", datetime(2014, 7, 1)),
        ("30.06.2014 24:00:00", datetime(2014, 7, 1)),
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1)),
        ("1404165600.25", datetime(2014, 6, 30, 22, 0, 0, 250_000)),
        ("1.4041656e9", datetime(2014, 6, 30, 22)),
    ],
)
def test_common_ways_to_write_a_time_are_understood(text, expected):
    assert parse(text) == expected.replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2014-02-30",
        "2014-07-01T25:00",
        "2014-07-01T24:01",
        "2014-07-01 24:00 PM",
        "2014-07-01 05:61",
        "12:30",
        "2014-13",
        "2014-07-01T05:06[Europe/Berlin]",
        "0001-01-01",
        "1e400",
        "nan",
    ],
)
def test_what_is_no_time_is_not_read_as_one(text):
    assert timestamps.detect([text]) is None


def test_a_day_above_twelve_anywhere_decides_the_order():
    assert parse("01/07/2014", "02/07/2014", "13/07/2014") == datetime(2014, 7, 1, tzinfo=UTC).timestamp()
    assert parse("01/07/2014", "01/08/2014", "01/13/2014") == datetime(2014, 1, 7, tzinfo=UTC).timestamp()


def test_without_proof_the_order_in_which_time_runs_evenly_is_taken():
    cells = [f"{day:02d}/07/2014 {hour:02d}:00" for day in range(1, 13) for hour in range(24)]
    detection = timestamps.detect(cells)
    assert detection.format is timestamps.DAY_FIRST
    assert detection.ambiguous


def test_the_order_can_be_given():
    assert parse("01/07/2014", day_first=True) == datetime(2014, 7, 1, tzinfo=UTC).timestamp()
    assert parse("01/07/2014", day_first=False) == datetime(2014, 1, 7, tzinfo=UTC).timestamp()
    assert not timestamps.detect(["01/07/2014"], day_first=True).ambiguous


def test_with_dots_the_day_comes_first():
    detection = timestamps.detect(["01.07.2014"])
    assert detection.format is timestamps.DAY_FIRST
    assert not detection.ambiguous


def test_a_few_broken_cells_do_not_change_the_format():
    cells = ["2014-07-01 00:00", "broken", "1404165600", "2014-07-01 00:05", "2014-07-01 00:10"]
    assert timestamps.detect(cells).format.name == "year-month-day"
    assert timestamps.detect(cells).parsed == 3
