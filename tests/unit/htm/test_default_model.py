"""What the default model finds, and what it ignores, on generated series with the oddities of real metrics."""

import math
from itertools import product

import numpy as np
import pytest

from htmengine.htm import params
from htmengine.htm.model import Model
from tests.support.examples import some

DAY = 288  # records, one each 300 s
SEEDS = range(3)


def score(values, *, interval=300.0):
    """Return the scores of a series that begins at midnight."""
    times = 86400.0 * 19676 + interval * np.arange(len(values))
    return Model(params.parameter_set("default")).score_series(times, values)


def alarms(values, *, interval=300.0):
    return np.flatnonzero(score(values, interval=interval).log_score >= 0.5).tolist()


def noise(seed, count, *, level=0.0):
    return level + np.random.default_rng(seed).standard_normal(count)


@pytest.mark.parametrize("seed", SEEDS)
def test_pure_noise_has_few_alarms(seed):
    assert len(alarms(noise(seed, 5000))) <= 6


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("row", "value"), [(35, -1e6), (50, 1e6), (50, 30.0), (59, 1e300)])
def test_a_huge_outlier_in_a_short_file_is_found(seed, row, value):
    values = noise(seed, 60, level=5.0)
    values[row] = value
    assert alarms(values) == [row]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_sentinel_is_found_each_time(seed):
    values = 100.0 + 5.0 * noise(seed, 3000)
    values[1500:1503] = -1.0
    values[2200] = -999.0
    found = alarms(values)
    assert 1500 in found
    assert 2200 in found
    assert 1501 not in found  # one incident
    assert len(found) <= 5


@pytest.mark.parametrize("before", [100, 900, 1900])
@pytest.mark.parametrize("level", [0.0, 7.0, -1e9])
def test_a_constant_is_calm_and_its_first_change_is_found(before, level):
    values = np.full(2000, level)
    assert alarms(values) == []
    values[before:] = level + 1e-3 * max(abs(level), 1.0)
    found = alarms(values)
    if before >= 1000:
        assert found[0] == before
    assert not [row for row in found if row < before]


def nightly_job(seed, days, *, height):
    """A job runs from 2 to 3 o'clock."""
    values = noise(seed, days * DAY, level=10.0)
    hour = np.arange(len(values)) % DAY // 12
    values[hour == 2] += height
    return values


@pytest.mark.parametrize("seed", SEEDS)
def test_a_nightly_job_that_does_not_run_is_found(seed):
    values = nightly_job(seed, 24, height=60.0)
    values[20 * DAY + 24 : 20 * DAY + 36] -= 60.0
    found = [row for row in alarms(values) if row >= 4 * DAY]
    assert 20 * DAY + 24 <= found[0] <= 20 * DAY + 36
    assert len(found) <= 2


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("later", [3, 5])
def test_a_job_that_runs_some_hours_late_is_found_when_it_does_not_run_and_when_it_does(seed, later):
    values = noise(seed, 24 * 62, level=10.0)
    values[2::24] += 80.0
    missed = 24 * 60 + 2
    values[missed] -= 80.0
    values[missed + later] += 80.0
    assert {missed, missed + later} <= set(alarms(values, interval=3600.0))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_way_back_from_an_excursion_is_no_second_event(seed):
    values = noise(seed, 2500, level=50.0)
    values[2000:2012] += 40.0
    found = [row for row in alarms(values) if row >= 2000]
    assert found[0] == 2000
    assert not [row for row in found if row <= 2030 and values[row] < 60.0]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("interval", [900.0, 3600.0])
def test_a_batch_at_midnight_is_usual_after_a_few_days(seed, interval):
    a_day = int(86400 / interval)
    values = noise(seed, 21 * a_day, level=10.0)
    values[::a_day] += 80.0
    found = alarms(values, interval=interval)
    assert not [row for row in found if row >= 4 * a_day and row % a_day == 0]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_first_value_of_0_hides_nothing(seed):
    values = noise(seed, 3000, level=50.0)
    values[0] = 0.0
    values[2000] += 20.0
    assert 2000 in alarms(values)


def with_glitches(rows, size, seed):
    """Noise with spikes of 20 deviations long after glitches; return the values and the rows of the spikes."""
    values = noise(seed, 3600, level=10.0)
    values[rows] = size
    spikes = [2000, 2700, 3400]
    values[spikes] += 20.0
    return values, spikes


SIZES = [1e300, -1e300, 1e12, -1e6, 200.0]


@pytest.mark.parametrize(("row", "size"), some(product([1, 5, 8, 30, 100, 255, 999], SIZES)))
def test_a_glitch_hides_no_later_spike(row, size):
    values, spikes = with_glitches([row], size, seed=row)
    assert set(spikes) <= set(alarms(values))


@pytest.mark.parametrize(("row", "size"), some(product([40, 100, 255, 511, 990], SIZES)))
def test_a_burst_of_glitches_hides_no_later_spike(row, size):
    values, spikes = with_glitches(list(range(row, row + 5)), size, seed=row)
    assert set(spikes) <= set(alarms(values))


@pytest.mark.parametrize(("row", "size"), some(product([5, 30, 100, 255, 511, 790], SIZES)))
def test_spread_glitches_hide_no_later_spike(row, size):
    values, spikes = with_glitches([row, row + 40, row + 110, row + 200], size, seed=row)
    assert set(spikes) <= set(alarms(values))


@pytest.mark.parametrize(
    ("row", "size", "wave"), some(product([30, 100, 255, 511, 990], [1e12, -1e6, 5000.0], [0.0, 20.0]))
)
def test_a_burst_of_ten_unlike_glitches_hides_no_later_spike(row, size, wave):
    values, spikes = with_glitches([], 0.0, seed=row)
    values += wave * np.sin(np.arange(len(values)) * 2 * np.pi / DAY)
    values[row : row + 10] += size * np.linspace(1.0, 1.5, 10)
    assert set(spikes) <= set(alarms(values))


@pytest.mark.parametrize(
    ("sentinel", "share", "wave"), some(product([-9999.0, 65535.0, 1e30], [0.005, 0.02, 0.1], [0.0, 20.0]))
)
def test_a_sentinel_that_comes_back_hides_nothing_and_is_usual_when_it_comes_often(sentinel, share, wave):
    values, spikes = with_glitches([], 0.0, seed=7)
    values += wave * np.sin(np.arange(len(values)) * 2 * np.pi / DAY)
    missing = np.random.default_rng(8).random(len(values)) < share
    missing[[spike + near for spike in spikes for near in (-1, 0, 1)]] = False
    values[missing] = sentinel
    found = set(alarms(values))
    assert set(spikes) <= found
    if share >= 0.02:
        assert len(found & set(np.flatnonzero(missing))) <= 25


@pytest.mark.parametrize("seed", SEEDS)
def test_a_level_that_is_one_far_value_is_followed(seed):
    values = noise(seed, 3000, level=10.0)
    values[1000:1002] = values[1500:1502] = 500.0
    values[2000:] = 500.0  # what was a stand-in stays
    scores = score(values)
    assert abs(scores.forecast[2400] - 500.0) < 5.0
    assert not np.any(scores.log_score[2100:] >= 0.5)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_forecast_and_the_usual_range_come_before_the_value(seed):
    values = noise(seed, 2000, level=10.0)
    scores = score(values)
    assert math.isnan(scores.forecast[0])
    values[1500] = 1e6
    again = score(values)
    for name in ("forecast", "usual_low", "usual_high"):
        column = getattr(again, name)
        np.testing.assert_array_equal(column[:1501], getattr(scores, name)[:1501])
        np.testing.assert_array_equal(column, column.astype(np.float32))  # a store may keep floats
    settled = slice(300, None)
    inside = (scores.usual_low <= values) & (values <= scores.usual_high)
    inside[1500] = True
    assert 0.96 <= inside[settled].mean() <= 1.0


@pytest.mark.parametrize("seed", SEEDS)
def test_one_in_how_many_is_about_how_often_it_happens(seed):
    one_in = score(noise(seed, 6000)).one_in
    assert np.isnan(one_in[:200]).all()
    known = one_in[1000:]
    assert ((known >= 1.0) & (known <= 1e10)).all()
    for rarity in (10.0, 100.0):
        assert 0.4 <= (known >= rarity).mean() * rarity <= 2.5


@pytest.mark.parametrize(("rows", "size"), some(product([[0], [0, 40, 110, 200], [2, 42, 112, 202]], SIZES)))
def test_glitches_in_the_first_rows_hide_no_later_spike(rows, size):
    values, spikes = with_glitches(rows, size, seed=rows[0])
    assert set(spikes) <= set(alarms(values))


@pytest.mark.parametrize("records", [31, 100, 350, 1000])
@pytest.mark.parametrize(("constant", "other"), [(1.0, 0.0), (0.0, 1.0), (100.0, 101.0)])
def test_one_other_value_of_a_constant_alarms_at_itself_and_not_on_the_way_back(records, constant, other):
    values = np.full(records + 300, constant)
    values[records] = other
    assert alarms(values) == [records]


@pytest.mark.parametrize("wild", [1e6, 1e12, 1e300, -1e300])
def test_a_wild_first_value_of_a_constant_hides_nothing(wild):
    values = np.full(3000, 5.0)
    values[0] = wild
    values[2000] += 20.0
    scores = score(values)
    assert scores.forecast[1999] == 5.0
    assert scores.log_score[2000] >= 0.5


@pytest.mark.parametrize("seed", SEEDS)
def test_a_first_value_unlike_the_rest_alarms_on_no_later_day(seed):
    values = noise(seed, 2000, level=50.0)
    values[0] = 0.0
    assert not [row for row in alarms(values) if row % DAY == 0]


@pytest.mark.parametrize("second", [1e16, 1e20, 1e24, 1e30, 1e60, 1e200, 1e300, -1e30, -1e300])
def test_times_beyond_all_calendars_are_taken(second):
    model = Model(params.parameter_set("default"))
    times = np.sort(second * (1.0 + 1e-15 * np.arange(50)))
    model.score_series(times, noise(0, 50))
    assert Model.load(model.save()).rows == 50


@pytest.mark.parametrize("seed", SEEDS)
def test_the_larger_of_two_events_ranks_higher_whatever_was_an_alarm_at_its_time(seed):
    values = noise(seed, 6000, level=50.0)
    values[1000] += 40.0
    values[2000:5000:250] += 35.0  # recurring spikes make the size of an alarm larger
    values[5500] += 60.0
    scores = score(values).log_score
    assert scores[5500] > scores[1000] >= 0.5


@pytest.mark.parametrize("seed", SEEDS)
def test_a_value_that_freezes_is_found_once(seed):
    values = noise(seed, 3000, level=50.0)
    values[2000:2072] = values[2000]
    found = [row for row in alarms(values) if 2000 <= row < 2072]
    assert found == [2005]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_metric_that_often_stands_still_does_not_alarm_when_it_does(seed):
    values = np.repeat(noise(seed, 700, level=50.0), np.random.default_rng(seed).integers(1, 12, 700))
    values[-15:] = values[-16]
    assert [row for row in alarms(values) if row >= len(values) - 15] == []
