"""Sizes of alarms, habits and seasonal deviations agree with their naive twins bit for bit."""

import math
import struct

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine.htm import _kernels, params
from tests.reference import generators
from tests.reference.alarm_size import AlarmSize
from tests.reference.habits import Habits
from tests.reference.seasonal_deviation import SeasonalDeviation
from tests.support.examples import examples

DEFAULTS = msgspec.to_builtins(params.parameter_set("default").deviation)
seeds = st.integers(0, 2**32 - 1)

# Settings so small that every rule is reached within a few hundred records.
alarm_sizes = st.fixed_dictionaries(
    {
        "common_share": st.sampled_from([0.1, 0.3]),
        "rare_share": st.sampled_from([0.02, 0.09]),
        "odds": st.sampled_from([1e-5, 1e-3]),
        "caution": st.sampled_from([0.5, 1.6]),
        "recurring_share": st.sampled_from([0.002, 0.05]),
        "recurring_support": st.sampled_from([0.5, 3.5]),
        "recurring_factor": st.sampled_from([0.5, 1.5]),
        "recurring_limit": st.sampled_from([1.0, 3.0]),
        "least": st.sampled_from([0.1, 7.0]),
        "memory": st.sampled_from([1, 40, 300, 50000]),
        "refit": st.integers(1, 100),
        "probation": st.integers(1, 60),
    }
)
habits = st.fixed_dictionaries(
    {
        "fading": st.sampled_from([0.0, 0.15, 1.0]),
        "margin": st.sampled_from([0.5, 1.5]),
        "value_margin": st.sampled_from([0.0, 0.3]),
    }
)
tails = st.fixed_dictionaries(
    {
        "share": st.sampled_from([0.02, 0.5]),
        "memory": st.sampled_from([30, 8640]),
        "refit": st.integers(5, 30),
        "probation": st.integers(5, 60),
        "heaviest": st.sampled_from([0.0, 0.5]),
        "outlier": st.sampled_from([0.5, 5.0]),
    }
)
expectations = st.fixed_dictionaries(
    {
        "level_rate": st.sampled_from([0.05, 0.5]),
        "day_rate": st.sampled_from([0.1, 0.5]),
        "week_rate": st.sampled_from([0.3, 1.0]),
        "hour_rate": st.sampled_from([0.1, 1.0]),
        "forecast_rate": st.sampled_from([0.005, 0.3]),
        "loss_rate": st.sampled_from([0.002, 0.1]),
        "ridge": st.sampled_from([0.3, 1e-6]),
    }
)
deviations = st.fixed_dictionaries(
    {
        "spread_rate": st.sampled_from([0.01, 0.3]),
        "long_rate": st.sampled_from([1e-4, 0.05]),
        "offset_rate": st.sampled_from([0.1, 1.0]),
        "recent_rate": st.sampled_from([0.2, 1.0]),
        "limit": st.sampled_from([1.0, 10.0]),
        "profile_limit": st.sampled_from([10.0, 30.0]),
        "furthest": st.sampled_from([10.0, 100.0]),
        "constant_records": st.sampled_from([1, 50, 1000]),
        "expectation": expectations,
        "alarm_size": alarm_sizes,
        "tail": tails,
        "habits": habits,
    }
)


def compiled_alarm_size(parameters):
    return _kernels.AlarmSize(_kernels.AlarmSizeParameters(**parameters))


def compiled_habits(parameters):
    return _kernels.Habits(_kernels.HabitParameters(**parameters))


def compiled_deviation(parameters):
    return _kernels.SeasonalDeviation(
        **parameters
        | {
            "expectation": _kernels.ExpectationParameters(**parameters["expectation"]),
            "alarm_size": _kernels.AlarmSizeParameters(**parameters["alarm_size"]),
            "tail": _kernels.TailParameters(**parameters["tail"]),
            "habits": _kernels.HabitParameters(**parameters["habits"]),
        }
    )


def saved_and_loaded(kernel, fresh):
    fresh.restore_state(kernel.save_state())
    return fresh


def bits(scores):
    """Return the same whatever NaN it is, and 0.0 apart from -0.0."""
    flat = [*scores[:-2], *scores[-2], float(scores[-1])]
    return [struct.pack("<d", math.nan if math.isnan(number) else number) for number in flat]


@examples(40)
@given(parameters=alarm_sizes, seed=seeds)
def test_the_size_of_an_alarm_agrees_with_its_naive_twin_and_survives_saving(parameters, seed):
    sizes = generators.random_sizes(np.random.default_rng(seed), 700)
    kernel, twin = compiled_alarm_size(parameters), AlarmSize(**parameters)
    for i, size in enumerate(sizes.tolist()):
        kernel.learn(size)
        twin.learn(size)
        assert kernel.size() == twin.size(), f"size {i}"
        assert kernel.strength(size) == twin.strength(size)
        assert kernel.typical() == twin.typical(), f"size {i}"
        np.testing.assert_equal(kernel.usual(), twin.usual())
        if i % 150 == 70:
            kernel = saved_and_loaded(kernel, compiled_alarm_size(parameters))


@examples(40)
@given(parameters=habits, seed=seeds)
def test_habits_agree_with_their_naive_twin_and_survive_saving(parameters, seed):
    rng = np.random.default_rng(seed)
    times, values = generators.random_series(rng, 600)
    strengths = rng.pareto(1.0, len(times)) * rng.choice([0.0, 1.0, 100.0], len(times))
    kernel, twin = compiled_habits(parameters), Habits(**parameters)
    records = zip(times.tolist(), values.tolist(), strengths.tolist(), strict=True)
    for i, (time, value, strength) in enumerate(records):
        kernel.visit(time)
        twin.visit(time)
        assert kernel.usual_strength() == twin.usual_strength(), f"record {i}"
        assert kernel.beyond_usual(strength) == twin.beyond_usual(strength), f"record {i}"
        assert kernel.usual_value(value) == twin.usual_value(value), f"record {i}"
        kernel.add(strength, value)
        twin.add(strength, value)
        if i % 150 == 70:
            kernel = saved_and_loaded(kernel, compiled_habits(parameters))


def assert_same_deviations(kernel, twin, times, values, *, save_every=90):
    for i, (time, value) in enumerate(zip(times.tolist(), values.tolist(), strict=True)):
        found, expected = kernel.update(time, value), twin.update(time, value)
        assert bits(found) == bits(expected), f"record {i}: {found} is not {expected}"
        if i % save_every == save_every // 2:
            kernel = saved_and_loaded(kernel, kernel.renewed(0.0, 0.0, 0.0))
    return kernel


@examples(40)
@given(parameters=deviations, seed=seeds)
def test_seasonal_deviations_agree_with_their_naive_twin_and_survive_saving(parameters, seed):
    times, values = generators.random_series(np.random.default_rng(seed), 500)
    assert_same_deviations(compiled_deviation(parameters), SeasonalDeviation(**parameters), times, values)


@examples(20)
@given(bulk=st.tuples(*[st.floats(-1e300, 1e300)], *[st.floats(0.0, 1e300)] * 2), seed=seeds)
def test_one_that_knows_its_bulk_agrees_with_the_naive_twin(bulk, seed):
    times, values = generators.random_series(np.random.default_rng(seed), 400)
    kernel, twin = compiled_deviation(DEFAULTS), SeasonalDeviation(**DEFAULTS)
    assert_same_deviations(kernel, twin, times[:100], values[:100])
    kernel, twin = kernel.renewed(*bulk), twin.renewed(*bulk)
    kernel = assert_same_deviations(kernel, twin, times, values)
    for factor in (0.0, 1.0, 20.0):
        assert kernel.exceeds(bulk[1], bulk[2], factor) == twin.exceeds(bulk[1], bulk[2], factor)


@pytest.mark.slow
@pytest.mark.parametrize("interval", [300.0, 900.0, 3600.0])
@pytest.mark.parametrize("seed", range(3))
def test_weeks_of_a_season_agree_with_the_naive_twin(interval, seed):
    times, values = generators.weekly_season(np.random.default_rng(seed), 2500, interval)
    assert_same_deviations(
        compiled_deviation(DEFAULTS), SeasonalDeviation(**DEFAULTS), times, values, save_every=700
    )
