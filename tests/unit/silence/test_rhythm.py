import random
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine.silence.rhythm import DAY_S, LEAST_MARGIN_S, WEEK_S, Pause, Rhythm
from tests.support.examples import examples
from tests.unit.silence.schedules import HOUR_S, MONDAY, nightly, office, regular, silences

LIVE = Rhythm(live=True)


def learned(times):
    return LIVE.learned(times)


def test_a_regular_metric_is_missed_five_minutes_after_its_next_sample_was_due():
    times = regular(60, 1)
    assert learned(times).expected_by(times[-1]) == times[-1] + 60 + LEAST_MARGIN_S


def test_a_slow_regular_metric_is_missed_half_an_interval_after_its_next_sample_was_due():
    times = regular(HOUR_S, 3)
    assert learned(times).expected_by(times[-1]) == times[-1] + 1.5 * HOUR_S


def test_an_irregular_metric_may_be_away_for_three_times_its_usual_longest_gaps():
    chance = random.Random(1)
    times = [MONDAY]
    while len(times) < 2000:
        times.append(times[-1] + 1 + int(chance.expovariate(1 / 60)))
    rhythm = learned(times)
    assert rhythm.tolerance_s == 3 * rhythm.usual_gap_s > 1000
    assert not list(silences(LIVE, times))


def test_nothing_is_known_of_few_gaps_and_of_history():
    assert not learned(regular(60, 1)[:8]).is_known
    assert learned(regular(60, 1)[:9]).is_known
    assert not Rhythm().learned(regular(60, 1)).is_known


def test_one_outage_teaches_nothing_and_three_of_one_week_do():
    times = regular(60, 5)
    outages = [(MONDAY + day * DAY_S + (5 + 4 * day) * HOUR_S) for day in range(3)]
    kept = [time for time in times if not any(at < time < at + 2 * HOUR_S for at in outages)]
    upto = [time for time in kept if time < outages[2]]
    assert learned(upto).tolerance_s == 60 + LEAST_MARGIN_S
    assert learned(kept).tolerance_s > 2 * HOUR_S


def test_a_pause_at_night_is_a_finding_once_and_an_outage_at_noon_always():
    times = nightly(60, 21)
    assert [since for since, _ in silences(LIVE, times)] == [MONDAY + 22 * HOUR_S - 60]
    noon = next(time for time in times if time >= MONDAY + 20 * DAY_S + 12 * HOUR_S)
    assert learned([time for time in times if time <= noon]).expected_by(noon) == noon + 360
    evening = [time for time in times if time < MONDAY + 20 * DAY_S + 23 * HOUR_S]
    assert learned(evening).expected_by(evening[-1]) > MONDAY + 21 * DAY_S + 7 * HOUR_S


def test_nights_and_weekends_of_an_office_are_known_after_one_week():
    found = list(silences(LIVE, office(300, 42)))
    assert [until - MONDAY < 8 * DAY_S for _, until in found] == [True] * len(found)
    assert len(found) == 2  # the first night and the first weekend


@pytest.mark.parametrize("shift_h", [-1, 1])
def test_a_pause_that_the_change_of_clocks_moves_is_no_finding(shift_h):
    times = nightly(60, 14)
    moved = [time + shift_h * HOUR_S for time in nightly(60, 28) if time >= MONDAY + 14 * DAY_S]
    assert len(list(silences(LIVE, times + moved))) == 1


def test_a_single_outage_does_not_hide_one_at_the_same_time_three_weeks_later():
    begin, length = MONDAY + 30 * HOUR_S, 5 * HOUR_S
    times = [time for time in regular(60, 30) if not begin < time < begin + length]
    again = begin + 3 * WEEK_S
    assert learned([time for time in times if time <= again]).expected_by(again) == again + 360


def test_the_interval_follows_a_new_one():
    times = regular(60, 1)
    slower = regular(300, 1, since=times[-1] + 300)
    rhythm = learned(times + slower)
    assert rhythm.interval_s == pytest.approx(300)
    assert learned(times).interval_s == 60
    found = list(silences(LIVE, times + slower))
    assert not found  # five minutes are within the margin


def test_late_data_is_awaited_and_forgotten_when_it_comes_in_time_again():
    times = regular(60, 1)
    rhythm = learned(times).heard(3000.0, late=True)
    assert rhythm.expected_by(times[-1]) == times[-1] + 360 + 3000
    later = regular(60, 21, since=times[-1])
    assert rhythm.learned(later).expected_by(later[-1]) == later[-1] + 360


def test_history_is_not_live_until_it_reaches_the_present():
    rhythm = Rhythm().learned(regular(60, 1))
    assert not rhythm.heard(400 * DAY_S, late=False).live
    assert rhythm.heard(400 * DAY_S, late=True).late_s == 0
    assert rhythm.heard(20.0, late=False).is_known
    assert not rhythm.heard(20.0, late=False).heard(2 * DAY_S, late=False).live


gaps = st.lists(st.integers(1, 3 * DAY_S) | st.integers(1, 600), min_size=1, max_size=300)


@examples(50)
@given(gaps, st.integers(1, 50))
def test_rows_give_the_same_rhythm_in_however_many_parts_they_are_read(found, part):
    times = [MONDAY]
    for gap in found:
        times.append(times[-1] + gap)
    rhythm = LIVE
    for at in range(0, len(times) - 1, part):
        rhythm = rhythm.learned(times[at : at + part + 1])
    assert rhythm == learned(times)


@examples(50)
@given(gaps)
def test_the_next_sample_is_never_expected_sooner_than_a_usual_gap_and_the_margin(found):
    times = [MONDAY]
    rhythm = LIVE
    for gap in found:
        times.append(times[-1] + gap)
        rhythm = rhythm.learned(times[-2:])
        assert rhythm.expected_by(times[-1]) >= times[-1] + rhythm.usual_gap_s + LEAST_MARGIN_S
        assert rhythm.interval_s >= 1 / 1.1
        assert len(rhythm.pauses) <= 64


@given(
    st.lists(st.one_of(st.integers(1, 400), st.integers(1, 200_000)), max_size=60),
    st.integers(0, 10**9),
)
def test_runs_of_short_gaps_are_learned_as_one_gap_after_the_other(gaps, begin):
    times = list(accumulate(gaps, initial=begin))
    one_by_one = Rhythm()
    for since, until in pairwise(times):
        one_by_one = one_by_one._with_gap(since, until)
    assert Rhythm().learned(times) == one_by_one


numbers = st.floats(0, 1e9)


@given(
    st.builds(
        Rhythm,
        interval_s=numbers,
        gaps=st.integers(0, 100),
        week=st.integers(-10, 10_000),
        in_week=st.integers(0, 10**6),
        largest=st.tuples(numbers, numbers, numbers),
        before=numbers,
        late_s=numbers,
        late_before_s=numbers,
        live=st.booleans(),
        pauses=st.lists(st.builds(Pause, st.integers(0), st.integers(0)), max_size=3).map(tuple),
    )
)
def test_a_rhythm_is_the_same_when_it_was_packed(rhythm):
    assert Rhythm.unpacked(rhythm.packed(), rhythm.pauses) == rhythm
