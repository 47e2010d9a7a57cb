"""The date encoder agrees with its naive twin on Python's calendar, and with encodings recorded from the original."""

import json
import math
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine.htm import _kernels
from htmengine.htm.nupic.encoders import DateEncoder
from tests.reference import date_encoder as naive
from tests.reference.golden import golden
from tests.support.examples import examples

few = examples(100)
first_second, last_second = -62135596800, 253402300799
timestamps = st.one_of(
    st.integers(first_second, last_second),
    st.floats(first_second, last_second),
    st.floats(-2e9, 4e9),
    st.integers(-30, 100_000).map(lambda half_days: half_days * 43200.0),
)
parts = st.one_of(st.just(0), st.tuples(st.sampled_from([1, 3, 5, 21]), st.floats(0.5, 2.0)))
days = st.dates(date(2015, 1, 1), date(2024, 12, 31))


@given(timestamp=timestamps)
@few
def test_the_calendar_agrees_with_that_of_python(timestamp):
    time = naive.moment(timestamp)
    assert _kernels.civil_time(float(timestamp)) == (
        time.year,
        time.month,
        time.day,
        naive.season(time),
        time.weekday(),
        (time.hour * 60 + time.minute) * 60 + time.second,
    )


@pytest.mark.parametrize(
    ("timestamp", "year"), [(-1e300, 1), (first_second - 0.5, 1), (last_second + 0.5, 9999), (1e300, 9999)]
)
def test_moments_outside_the_calendar_count_as_its_ends(timestamp, year):
    inside = first_second if year == 1 else last_second
    assert _kernels.civil_time(timestamp) == _kernels.civil_time(inside)
    assert _kernels.civil_time(timestamp)[0] == year
    encoder = DateEncoder(season=3, day_of_week=3, holiday=3, time_of_day=3)
    assert encoder.encode(timestamp).tolist() == encoder.encode(inside).tolist()


@given(
    timestamp=timestamps,
    season=parts,
    day_of_week=parts,
    weekend=parts,
    custom_days=st.one_of(
        st.none(), st.tuples(st.just((3, 1.0)), st.sets(st.sampled_from(range(7)), min_size=1))
    ),
    time_of_day=st.sampled_from([0, (5, 4.0), (21, 9.49)]),
)
@few
def test_dates_agree_with_the_naive_twin(timestamp, season, day_of_week, weekend, custom_days, time_of_day):
    if not (season or day_of_week or weekend or custom_days or time_of_day):
        return
    names = ["Mon", "tue", "WED", "Thursday", "friday", "sat", "Sunday"]
    wide_season = season and (season[0], season[1] * 50)
    encoder = DateEncoder(
        season=wide_season,
        day_of_week=day_of_week,
        weekend=weekend,
        custom_days=custom_days and (custom_days[0], [names[day] for day in custom_days[1]]),
        time_of_day=time_of_day,
    )
    twin = naive.DateEncoder(
        season=wide_season,
        day_of_week=day_of_week,
        weekend=weekend,
        custom_days=custom_days and (*custom_days[0], custom_days[1]),
        time_of_day=time_of_day,
    )
    assert encoder.encode(timestamp).tolist() == twin.encode(timestamp)[0]


@given(
    timestamp=st.floats(1420070400, 1735689600),
    holidays=st.lists(
        st.tuples(days, st.booleans()).map(
            lambda d: (d[0].month, d[0].day) if d[1] else (d[0].year, d[0].month, d[0].day)
        ),
        max_size=6,
    ),
    nearby=st.lists(st.integers(-2, 2), max_size=3),
)
@few
def test_holidays_agree_with_the_naive_twin(timestamp, holidays, nearby):
    for days_off in nearby:
        day = naive.moment(timestamp) + timedelta(days=days_off)
        holidays = [*holidays, (day.year, day.month, day.day), (day.month, day.day)]
    encoder = DateEncoder(holiday=(21, 0.1), holidays=holidays)
    twin = naive.DateEncoder(holiday=(21, 0.1, holidays))
    assert encoder.encode(timestamp).tolist() == twin.encode(timestamp)[0]


def test_the_29th_of_february_is_a_holiday_in_leap_years_only():
    encoder = DateEncoder(holiday=3, holidays=[(2, 29)])
    noon = {year: datetime(year, 3, 1, tzinfo=UTC).timestamp() - 12 * 3600 for year in (2015, 2016)}
    assert encoder.encode(noon[2015]).tolist() == [0, 1, 2]
    assert encoder.encode(noon[2016]).tolist() == [3, 4, 5]


@pytest.mark.parametrize("timestamp", [math.nan, math.inf, -math.inf])
def test_a_timestamp_that_is_not_finite_has_no_bits(timestamp):
    assert DateEncoder(time_of_day=3).encode(timestamp).tolist() == []


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"time_of_day": 0}, "at least one part"),
        ({"time_of_day": 4}, "w is 4"),
        ({"time_of_day": -1}, "time_of_day is -1"),
        ({"time_of_day": (3, 0.0)}, "radius"),
        ({"time_of_day": (3, 100.0)}, "radius"),
        ({"custom_days": (3, "someday")}, "someday"),
        ({"custom_days": (3, [])}, "at least one weekday"),
        ({"holidays": [(13, 1)]}, "holiday"),
        ({"holidays": [(2015, 2, 29)]}, "holiday"),
        ({"holidays": [(0, 1, 1)]}, "year 0"),
        ({"holidays": [(10000, 1, 1)]}, "holiday"),
    ],
)
def test_date_parameters_out_of_range_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        DateEncoder(**{"time_of_day": 3, **wrong})


def encoder_of(parameters):
    names = {
        "season": "season",
        "dayOfWeek": "day_of_week",
        "weekend": "weekend",
        "customDays": "custom_days",
        "holiday": "holiday",
        "timeOfDay": "time_of_day",
    }
    return DateEncoder(
        **{names[name]: tuple(part) if isinstance(part, list) else part for name, part in parameters.items()}
    )


def twin_of(parameters):
    radii = {"season": 91.5, "dayOfWeek": 1, "weekend": 1, "holiday": 1, "timeOfDay": 4}
    parts = {
        name: tuple(parameters[name]) if isinstance(parameters[name], list) else (parameters[name], radius)
        for name, radius in radii.items()
        if name in parameters
    }
    custom = parameters.get("customDays")
    weekdays = {"wed": {2}, "sun": {5, 6}}  # by the last day listed
    return naive.DateEncoder(
        season=parts.get("season"),
        day_of_week=parts.get("dayOfWeek"),
        weekend=parts.get("weekend"),
        custom_days=custom
        and (custom[0], 1, weekdays[custom[1] if isinstance(custom[1], str) else custom[1][-1]]),
        holiday=parts.get("holiday") and (*parts["holiday"], [(12, 25)]),
        time_of_day=parts.get("timeOfDay"),
    )


@pytest.mark.golden
def test_date_encodings_are_those_of_the_original():
    expected = json.loads(golden("date.json").read_text())
    moments = [
        datetime.fromisoformat(time).replace(tzinfo=UTC).timestamp() for time in expected["timestamps"]
    ]
    assert len(expected["encoders"]) == 10
    for name, case in expected["encoders"].items():
        encoder, twin = encoder_of(case["params"]), twin_of(case["params"])
        assert encoder.width == case["width"], name
        for timestamp, (bits, values) in zip(moments, case["rows"], strict=True):
            assert encoder.encode(timestamp).tolist() == bits, name
            assert twin.encode(timestamp) == (bits, values), name
