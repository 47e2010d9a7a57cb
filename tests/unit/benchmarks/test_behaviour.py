"""What the series of a behaviour promise, and how alarms on them are counted."""

import numpy as np
import pytest

from benchmarks.behaviour import BEHAVIOURS, Series, compare, measure, report
from benchmarks.behaviour.hours import (
    FIVE_MINUTES,
    HOURLY,
    QUARTER,
    hourly_job,
    job_at_another_hour,
    missed_job,
    unusual_day,
)
from benchmarks.behaviour.outliers import flat, glitch, sentinel


def values_as_scores(timestamps, values, seed):
    return np.clip(values, 0.0, 1.0)


def series(alarms, count=100, **fields):
    values = np.zeros(count)
    values[list(alarms)] = 0.5
    return Series(np.arange(count) * 60.0, values, **fields)


def outcome(alarms, **fields):
    one = series(alarms, **fields)
    return report.outcome([one], [one.values])


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_a_behaviour_repeats_and_its_events_lie_within_it(name):
    one, again, other = (BEHAVIOURS[name](np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.values, again.values)
    assert len(one.values) != len(other.values) or not np.array_equal(one.values, other.values)
    assert one.timestamps.shape == one.values.shape
    assert (np.diff(one.timestamps) > 0).all()
    assert all(0 <= event.start < event.stop <= len(one.values) for event in one.events)
    assert all(0 <= ignored.start < ignored.stop <= len(one.values) + 1 for ignored in one.ignored)
    if one.undisturbed is not None:
        assert one.undisturbed.shape == one.values.shape
        assert not np.array_equal(one.undisturbed, one.values)


def test_an_alarm_finds_an_event_in_its_zone_and_while_it_settles_is_a_further_one():
    found = outcome([10, 12, 16, 17, 50], events=[range(9, 13)], settling=4)
    assert (found.events, found.delays, found.further, found.false_alarms) == (1, (1,), 2, 2)
    assert (found.found, found.delay, found.further_per_event, found.false_per_1000) == (1.0, 1.0, 2.0, 20.0)


def test_an_event_with_alarms_behind_its_zone_alone_is_not_found_and_they_are_not_false():
    found = outcome([14], events=[range(9, 13)], settling=4)
    assert (found.delays, found.further, found.false_alarms) == ((), 0, 0)


def test_ignored_records_and_those_before_the_first_that_counts_are_not_looked_at():
    found = outcome([3, 20, 21, 40], ignored=[range(20, 21)], counted_from=10)
    assert (found.false_alarms, found.records) == (2, 89)


def test_what_is_found_is_compared_with_the_undisturbed_series(monkeypatch):
    def disturbed(rng):
        undisturbed = series([40, 60]).values
        return series([60, 80], events=[range(40, 41), range(60, 61)], settling=0, undisturbed=undisturbed)

    monkeypatch.setitem(BEHAVIOURS, "disturbed", disturbed)
    pair = compare(["disturbed"], range(2), values_as_scores, jobs=1)["disturbed"]
    assert (pair.disturbed.found, pair.undisturbed.found, pair.relative) == (0.5, 1.0, 0.5)
    assert (pair.disturbed.false_alarms, pair.undisturbed.false_alarms) == (2, 0)
    assert measure("disturbed", range(2), values_as_scores) == pair.disturbed


def test_a_table_and_a_report_have_a_row_for_each_behaviour():
    pairs = compare(["spike", "first value 0", "rare steps"], [1], values_as_scores, jobs=1)
    head, _, *rows = report.as_table(pairs).splitlines()
    assert len(rows) == 3
    assert {line.count("|") for line in (head, *rows)} == {head.count("|")}
    numbers = report.as_report(pairs)
    assert numbers["rare steps"]["found"] is None
    assert numbers["spike"]["undisturbed"] is None
    assert numbers["first value 0"]["undisturbed"]["found"] == 1.0


@pytest.mark.parametrize("seed", range(20))
def test_a_glitch_comes_while_young_and_is_of_the_size_that_was_asked_for(seed):
    one = glitch(flat, 20.0, 1000.0)(np.random.default_rng(seed))
    (ignored,) = one.ignored
    (place,) = np.flatnonzero(one.values != one.undisturbed)
    assert place == ignored.start < 1000 < one.events[0].start
    assert 20.0 <= abs(one.values[place] - one.undisturbed[place]) <= 1000.0


@pytest.mark.parametrize("seed", range(5))
def test_a_sentinel_comes_back_again_and_again_and_leaves_the_events_alone(seed):
    one = sentinel(np.random.default_rng(seed))
    changed = np.flatnonzero(one.values != one.undisturbed)
    assert set(one.values[changed]) == {-9999.0}
    assert 10 < len(one.ignored) < 60
    assert set(changed) < {record for ignored in one.ignored for record in ignored}
    assert all(event.start not in ignored for event in one.events for ignored in one.ignored)


@pytest.mark.parametrize("interval", [HOURLY, FIVE_MINUTES])
def test_a_job_is_missed_on_one_night_and_its_event_begins_when_it_should(interval):
    one = missed_job(interval)(np.random.default_rng(3))
    (due,) = one.events
    assert one.timestamps[due.start] % 86_400 == 2 * 3600
    assert one.timestamps[due.stop] % 86_400 == {HOURLY: 4, FIVE_MINUTES: 3.5}[interval] * 3600
    a_day = round(86_400 / interval)
    assert one.values[due.start] < 20.0
    assert all(one.values[due.start + days * a_day] > 400.0 for days in (-60, -1, 1, 4))
    assert np.count_nonzero(one.values > 400.0) == 65 * (1 if interval == HOURLY else 6)


def test_a_job_of_every_hour_is_missed_once_or_runs_at_another_minute_of_that_hour():
    missed = hourly_job(None)(np.random.default_rng(3))
    (due,) = missed.events
    assert missed.timestamps[due.start] % 3600 == 600
    assert [one for one in range(24 * 15) if missed.values[10 + 60 * one] < 20.0] == [due.start // 60]
    moved = hourly_job(35)(np.random.default_rng(3))
    (run,), (left_out,) = moved.events, moved.ignored
    assert moved.timestamps[run.start] % 3600 == 35 * 60
    assert (moved.values[run.start : run.start + 3] > 400.0).all()
    assert left_out.start == due.start
    assert np.count_nonzero(moved.values > 400.0) == np.count_nonzero(missed.values > 400.0) + 3


@pytest.mark.parametrize("seed", range(5))
def test_a_job_at_another_hour_runs_once_that_day(seed):
    one = job_at_another_hour(FIVE_MINUTES)(np.random.default_rng(seed))
    (run,), (missed,) = one.events, one.ignored
    assert len(run) == 6
    assert (one.values[run.start : run.stop] > 400.0).all()
    assert (one.values[missed.start : missed.stop] < 20.0).all()
    assert 5 <= one.timestamps[run.start] % 86_400 / 3600 <= 22


@pytest.mark.parametrize("busy", [True, False])
def test_an_unusual_day_comes_after_eight_weeks_and_is_as_long_as_a_day(busy):
    one = unusual_day(QUARTER, busy=busy)(np.random.default_rng(1))
    (that_day,) = one.events
    assert len(that_day) == 96
    assert that_day.start >= 8 * 7 * 96
    usual = one.values[that_day.start - 7 * 96 : that_day.stop - 7 * 96].mean()
    more = one.values[that_day.start : that_day.stop].mean() - usual
    assert more > 20 if busy else more < -20
