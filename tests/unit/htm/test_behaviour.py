"""How the default model behaves on awkward metrics; docs/explanation/detection.md has the results over more seeds."""

from typing import NamedTuple

import numpy as np
import pytest

from benchmarks.behaviour import BEHAVIOURS, measure
from htmengine.htm import params
from htmengine.htm.model import Model

SEEDS = range(3)


class Bounds(NamedTuple):
    """Bounds on the cost of a behaviour; a trend and rare steps cost most."""

    false_per_1000: float
    found: float = 1.0
    delay: float = 0.0
    further_per_event: float = 0.7


BOUNDS = {
    "spike": Bounds(0.8),
    "level shift": Bounds(0.8),
    "trend": Bounds(2.4),
    "slow leak": Bounds(0.8, delay=100.0, further_per_event=10.0),
    "daily season, afternoon at night": Bounds(0.6),
    "weekly season, end of summer time": Bounds(1.0),
    "missing samples and gaps": Bounds(0.5),
    "counter that is reset": Bounds(0.2),
    "counter that stalls": Bounds(0.6, further_per_event=1.2),
    "quantised": Bounds(0.8),
    "long constant": Bounds(0.0, further_per_event=1.5),
    "rare steps": Bounds(2.6),
    "sparse counts": Bounds(2.0),
    "heavy-tailed latency": Bounds(2.0, delay=10.0),
    "every 1 s": Bounds(0.1),
    "every 10 s": Bounds(0.1),
    "every 60 s": Bounds(0.2),
    "every 300 s": Bounds(0.6),
    "every 3600 s": Bounds(1.0),
    "missed job of every hour": Bounds(0.1),
    "job of every hour at another minute": Bounds(0.1),
    "after 50 samples": Bounds(1.0, found=0.0),
    "after 100 samples": Bounds(0.6, found=0.6),
    "after 210 samples": Bounds(0.6),
    "after 400 samples": Bounds(1.0),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BOUNDS)
def test_false_alarms_and_delays_stay_within_bounds(name):
    bounds, outcome = BOUNDS[name], measure(name, SEEDS)
    assert outcome.false_per_1000 <= bounds.false_per_1000
    if outcome.events and bounds.found:
        assert outcome.found >= bounds.found
        assert outcome.delay <= bounds.delay
        assert outcome.further_per_event <= bounds.further_per_event


def test_of_the_first_31_samples_nothing_alarms_and_then_what_is_very_large():
    for seed in SEEDS:
        series = BEHAVIOURS["after 50 samples"](np.random.default_rng(seed))
        for place, alarms in ((20, []), (30, []), (31, [31]), (40, [40])):
            values = series.values[:45].copy()
            values[place] += 1e4
            scores = Model(params.parameter_set("default")).score_series(series.timestamps[:45], values)
            assert np.flatnonzero(scores.log_score >= 0.5).tolist() == alarms


def test_an_hour_more_or_less_of_summer_time_alarms_no_more_than_another_week():
    false = dict.fromkeys((True, False), 0)
    for seed in SEEDS:
        series = BEHAVIOURS["weekly season, end of summer time"](np.random.default_rng(seed))
        scores = Model(params.parameter_set("default")).score_series(series.timestamps, series.values)
        change = 28 * 96 + 4  # the clocks change after four weeks, at 1:00 UTC
        for before, week in ((True, slice(change - 672, change)), (False, slice(change, change + 672))):
            false[before] += int((scores.log_score[week] >= 0.5).sum())
    assert false[False] <= false[True] + 1


def test_a_level_that_has_moved_is_the_usual_one_after_a_day():
    for seed in SEEDS:
        series = BEHAVIOURS["level shift"](np.random.default_rng(seed))
        model = Model(params.parameter_set("default"))
        scores = model.score_series(series.timestamps, series.values)
        assert scores.log_score[2500] >= 0.5
        assert (scores.log_score[2788:] >= 0.5).sum() <= 3  # of 1212 records
        low, high = model.explain().usual
        assert low < 130.0 < high


@pytest.mark.parametrize("seed", SEEDS)
def test_what_came_on_one_day_alone_need_not_come_again(seed):
    rng = np.random.default_rng(seed)
    a_day, length = 1440, 5
    times = 1.7e9 + 60.0 * np.arange(3 * a_day)
    values = rng.poisson(3.0, 3 * a_day).astype(float)
    incident = int(rng.integers(a_day // 4, a_day))
    values[incident : incident + length] += 60.0
    alarms = Model(params.parameter_set("default")).score_series(times, values).log_score >= 0.5
    assert alarms[incident]
    for days in (1, 2):
        at = incident + days * a_day
        assert not alarms[at - 10 : at + length + 10].any()


@pytest.mark.parametrize("seed", SEEDS)
def test_nor_need_what_came_once_come_again_a_week_later(seed):
    rng = np.random.default_rng(seed)
    a_day, length = 288, 36
    values = 100.0 + rng.standard_normal(16 * a_day)
    incident = int(rng.integers(4 * a_day, 6 * a_day))
    values[incident : incident + length] += 60.0
    times = 1.7e9 + 300.0 * np.arange(16 * a_day)
    alarms = Model(params.parameter_set("default")).score_series(times, values).log_score >= 0.5
    assert alarms[incident]
    for days in (1, 7):
        at = incident + days * a_day
        assert not alarms[at - 2 : at + length + 2].any()
