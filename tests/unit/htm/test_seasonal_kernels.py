"""Parts of the default model refuse parameters out of range and states that are none of theirs."""

import math
import struct

import msgspec
import numpy as np
import pytest

from htmengine.htm import _kernels, params
from htmengine.htm.model import Model

DEFAULT = params.parameter_set("default")
HALF_HOURS = 48


def replaced(part, **fields):
    return msgspec.structs.replace(part, **fields)


@pytest.mark.parametrize(
    ("part", "fields", "complaint"),
    [
        ("alarm_size", {"rare_share": 0.5}, "rare_share"),
        ("alarm_size", {"rare_share": 0.0}, "rare_share"),
        ("alarm_size", {"common_share": 1.0}, "common_share"),
        ("alarm_size", {"odds": 0.0}, "odds"),
        ("alarm_size", {"odds": 0.5}, "odds"),
        ("alarm_size", {"caution": 0.0}, "caution"),
        ("alarm_size", {"least": math.nan}, "least"),
        ("alarm_size", {"recurring_share": 1.0}, "recurring_share"),
        ("alarm_size", {"recurring_support": 0.0}, "recurring_support"),
        ("alarm_size", {"recurring_factor": 0.0}, "recurring_factor"),
        ("alarm_size", {"recurring_limit": 0.9}, "recurring_limit"),
        ("alarm_size", {"memory": 0}, "memory"),
        ("alarm_size", {"memory": 100_000_001}, "memory"),
        ("alarm_size", {"refit": 0}, "refit"),
        ("alarm_size", {"probation": 0}, "probation"),
        ("expectation", {"level_rate": 0.0}, "each rate of an expectation"),
        ("expectation", {"day_rate": 1.1}, "each rate of an expectation"),
        ("expectation", {"week_rate": -0.1}, "each rate of an expectation"),
        ("expectation", {"hour_rate": 0.0}, "each rate of an expectation"),
        ("expectation", {"forecast_rate": math.nan}, "each rate of an expectation"),
        ("expectation", {"loss_rate": 0.0}, "each rate of an expectation"),
        ("expectation", {"ridge": 0.0}, "ridge"),
        ("habits", {"fading": -0.1}, "fading"),
        ("habits", {"fading": 1.1}, "fading"),
        ("habits", {"margin": 0.0}, "margin"),
        ("habits", {"value_margin": -0.1}, "value_margin"),
        ("tail", {"share": 1.0}, "share"),
        (None, {"spread_rate": 0.0}, "each rate of a seasonal deviation"),
        (None, {"long_rate": 1.1}, "each rate of a seasonal deviation"),
        (None, {"offset_rate": math.nan}, "each rate of a seasonal deviation"),
        (None, {"recent_rate": 0.0}, "each rate of a seasonal deviation"),
        (None, {"limit": 0.9}, "limit"),
        (None, {"profile_limit": 0.5}, "profile_limit"),
        (None, {"furthest": 0.5}, "furthest"),
        (None, {"constant_records": 0}, "constant_records"),
    ],
)
def test_parameters_of_the_deviation_out_of_range_are_refused(part, fields, complaint):
    deviation = DEFAULT.deviation
    if part is None:
        deviation = replaced(deviation, **fields)
    else:
        deviation = replaced(deviation, **{part: replaced(getattr(deviation, part), **fields)})
    with pytest.raises(ValueError, match=complaint):
        Model(replaced(DEFAULT, deviation=deviation))


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"damping": 1.1}, "damping"),
        ({"quiet_seconds": -1.0}, "quiet_seconds"),
        ({"quiet_seconds": math.nan}, "quiet_seconds"),
        ({"surpassing": 0.9}, "surpassing"),
        ({"sequence_evidence": -0.1}, "evidence"),
        ({"jump_evidence": math.nan}, "evidence"),
        ({"extreme_evidence": -0.1}, "evidence"),
        ({"rareness_evidence": -0.1}, "evidence"),
        ({"young_evidence": -0.1}, "evidence"),
    ],
)
def test_parameters_of_the_combination_out_of_range_are_refused(fields, complaint):
    with pytest.raises(ValueError, match=complaint):
        Model(replaced(DEFAULT, combination=replaced(DEFAULT.combination, **fields)))


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"buckets": 0}, "buckets"),
        ({"padding": -0.1}, "padding"),
        ({"wild_share": 0.25}, "wild_share"),
        ({"wild_share": -0.01}, "wild_share"),
        ({"minimum": 1.0}, "both minimum and maximum"),
        ({"minimum": 1.0, "maximum": 1.0}, "maximum must be above minimum"),
        ({"minimum": -1.7e308, "maximum": 1.7e308}, "finite"),
    ],
)
def test_parameters_of_the_resolution_out_of_range_are_refused(fields, complaint):
    with pytest.raises(ValueError, match=complaint):
        Model(replaced(DEFAULT, scale=replaced(DEFAULT.scale, **fields)))


def alarm_size():
    return _kernels.AlarmSize(
        _kernels.AlarmSizeParameters(**msgspec.structs.asdict(DEFAULT.deviation.alarm_size))
    )


def habits():
    return _kernels.Habits(_kernels.HabitParameters(**msgspec.structs.asdict(DEFAULT.deviation.habits)))


def resolution():
    return _kernels.ValueResolution(**msgspec.structs.asdict(DEFAULT.scale))


def changed(state, place, part):
    return state[:place] + part + state[place + len(part) :]


def refuse(kernel, state, complaint):
    """The kernel refuses the state and stays as it was."""
    before = kernel.save_state()
    with pytest.raises(_kernels.StateError, match=complaint):
        kernel.restore_state(state)
    assert kernel.save_state() == before


@pytest.mark.parametrize("kernel", [alarm_size, habits, resolution])
def test_a_state_that_is_cut_or_longer_is_refused(kernel):
    state = kernel().save_state()
    for size in (0, 1, len(state) // 2, len(state) - 1):
        refuse(kernel(), state[:size], "block|field")
    refuse(kernel(), state + b"\0", "left over")


def test_damaged_sizes_of_alarms_are_refused():
    kernel = alarm_size()
    for size in np.random.default_rng(0).exponential(size=300).tolist():
        kernel.learn(size)
    state = kernel.save_state()
    (bins,) = struct.unpack_from("<Q", state)
    refuse(kernel, changed(state, 8, struct.pack("<I", 5)), "add up")
    refuse(kernel, struct.pack("<Q", bins - 1) + state[12:], "another size")
    place = 8 + 4 * bins + 16
    assert struct.unpack_from("<d", state, place) == (kernel.size(),)
    for size in (-1.0, math.nan, math.inf):
        refuse(kernel, changed(state, place, struct.pack("<d", size)), "size of an alarm")
    refuse(kernel, state[:-1] + b"\x05", "longer than runs are counted")


def test_alarms_in_a_row_are_one_event_for_the_size_of_the_next():
    def size_after(apart):
        kernel = alarm_size()
        sizes = np.random.default_rng(1).exponential(size=600)
        for i, size in enumerate(sizes.tolist()):
            kernel.learn(500.0 if i >= 300 and (i - 300) % apart == 0 and i < 300 + 10 * apart else size)
        return kernel.size()

    usual = size_after(apart=1000)  # one of them
    assert size_after(apart=1) < 1.5 * usual
    assert size_after(apart=20) > 10.0 * usual


def test_alarms_in_a_row_all_count_where_a_metric_mostly_stands_still():
    def size_after(still):
        kernel = alarm_size()
        for size in [*[still] * 500, *[100.0] * 10, *[still] * 90]:
            kernel.learn(size)
        return kernel.size()

    assert size_after(0.0) > 5.0 * size_after(1.0)


def test_damaged_habits_are_refused():
    kernel = habits()
    kernel.visit(0.0)
    state = kernel.save_state()
    assert struct.unpack_from("<Q", state) == (HALF_HOURS,)
    refuse(kernel, struct.pack("<Q", HALF_HOURS - 1) + state[9:], "half-hours")
    peaks = 8 + HALF_HOURS
    fewer = state[:peaks] + struct.pack("<Q", HALF_HOURS - 1) + state[peaks + 12 :]
    refuse(kernel, fewer, "half-hours")
    now = len(state) - 3 * 8 - 4
    refuse(kernel, changed(state, now, struct.pack("<I", HALF_HOURS + 1)), "does not exist")


def test_a_damaged_resolution_is_refused():
    kernel = resolution()
    kernel.observe(1.0, [(0.0, 1.0)])
    kernel.observe(2.0, [(0.0, 1.0), (1.0, 2.0)])
    state = kernel.save_state()
    for number in (-1.0, math.nan, math.inf):
        refuse(kernel, state[:-8] + struct.pack("<d", number), "resolution")


@pytest.mark.parametrize("size", [-1.0, math.nan])
def test_what_is_no_size_of_a_deviation_is_refused(size):
    with pytest.raises(ValueError, match="size"):
        alarm_size().learn(size)
