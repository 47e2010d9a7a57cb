"""The compiled default model against its naive twin, whole."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine.htm import params
from htmengine.htm.model import Model
from tests.reference import generators
from tests.reference.default_model import DefaultModel
from tests.support.examples import examples

# Short periods, so that a series of some hundred records sees refits, alarms, damping and lost segments.
QUICK = {"learning": 20, "probation": 40, "refit": 25, "history": 150}
NOTHING = (math.nan,) * 9


def replaced(part, **fields):
    return msgspec.structs.replace(part, **fields)


def quick_parameters(seed):
    known = {"minimum": -1.5, "maximum": 2.0} if seed % 4 == 0 else {}
    default = params.parameter_set("default", seed=seed, **known)
    tail = replaced(default.odds, probation=30, refit=20, memory=100)
    return replaced(
        default,
        memory=replaced(default.memory, max_segments=200),
        sequence_likelihood=replaced(default.sequence_likelihood, **QUICK),
        jump_likelihood=replaced(default.jump_likelihood, **QUICK),
        deviation=replaced(default.deviation, tail=tail, constant_records=50),
        odds=tail,
        combination=replaced(default.combination, young_evidence=[0.0, 0.3][seed // 4 % 2]),
    )


def random_series(seed, count):
    """The same with missing values."""
    rng = np.random.default_rng(seed)
    times, values = generators.random_series(rng, count)
    values[rng.random(count) < 0.05] = rng.choice([math.nan, math.inf])
    return times.tolist(), values.tolist()


def assert_same_explanation(found, expected):
    """The compiled explanation says the same as the twin's, bit for bit."""
    np.testing.assert_array_equal(tuple(found.scores), expected["scores"])
    assert found.strengths == list(expected["strengths"].values())
    for name in ("timestamp", "value", "pattern_decided", "damped", "alarms_before", "buckets"):
        assert getattr(found, name) == expected[name], name
    for name in ("forecast", "margin", "last_alarm"):
        np.testing.assert_array_equal(getattr(found, name), expected[name], err_msg=name)


def assert_same_series(parameters, times, values):
    """Return the scores, one row per record."""
    twin = DefaultModel(msgspec.to_builtins(parameters))
    expected = [
        twin.score(time, value) or NOTHING
        for time, value in zip(times.tolist(), values.tolist(), strict=True)
    ]
    found = np.array(Model(parameters).score_series(times, values)).T
    np.testing.assert_array_equal(found, np.array(expected))
    return found


CHANNELS = ("sequence", "jump", "extreme", "deviation")


# The first test, since it is quick to fail: a failing property looks for its smallest example for minutes.
@pytest.mark.parametrize("channels", [CHANNELS, *((channel,) for channel in CHANNELS)], ids="+".join)
def test_a_model_of_these_channels_agrees_with_the_naive_twin(channels):
    times, values = random_series(3, 250)
    assert_same_series(replaced(quick_parameters(3), channels=channels), np.array(times), np.array(values))


@examples(12)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_model_agrees_with_its_naive_twin_bit_for_bit_and_survives_saving(seed):
    parameters = quick_parameters(seed)
    times, values = random_series(seed, 300)
    model, twin = Model(parameters), DefaultModel(msgspec.to_builtins(parameters))
    for i, (time, value) in enumerate(zip(times, values, strict=True)):
        expected = twin.score(time, value)
        found = tuple(model.score_one(time, value))
        np.testing.assert_array_equal(found, expected or NOTHING, err_msg=f"record {i}")
        if expected and (i % 10 == 0 or expected[2] >= 0.5):
            assert_same_explanation(model.kernel.explain(), twin.explain())
        if i % 70 == 50:
            model = Model.load(model.save())


@examples(4)
@given(seed=st.integers(0, 2**32 - 1))
def test_predictions_agree_with_the_naive_twin_bit_for_bit_and_survive_saving(seed):
    parameters = replaced(quick_parameters(seed), classifier=params.Classifier(steps=(1, 4)))
    times, values = random_series(seed, 200)
    model, twin = Model(parameters), DefaultModel(msgspec.to_builtins(parameters))
    for i, (time, value) in enumerate(zip(times, values, strict=True)):
        _, predictions = model.score_and_predict([time], [value])
        found = [column.item() for column in predictions.values()]
        if twin.score(time, value) is None:
            assert np.isnan(found).all()
        else:
            assert found == twin.predict(), f"record {i}"
        if i % 70 == 50:
            model = Model.load(model.save())


@pytest.mark.slow
def test_a_resolution_that_changes_late_agrees_with_the_naive_twin():
    rng = np.random.default_rng(5)
    values = rng.standard_normal(2100)
    values[300:] *= 3.0  # learned again
    values[1500:1600] *= 400.0  # too late to learn again: begun anew
    assert_same_series(quick_parameters(5), 1.7e9 + 300.0 * np.arange(len(values)), values)


@pytest.mark.slow
@pytest.mark.parametrize("wild", [1e4, -1e9, 1e300])
def test_a_scale_that_is_learned_again_agrees_with_the_naive_twin(wild):
    values = np.random.default_rng(6).standard_normal(600)
    values[[0, 3, 70, 200, 201, 202, 203, 204]] = wild
    assert_same_series(quick_parameters(5), 1.7e9 + 300.0 * np.arange(len(values)), values)


@pytest.mark.slow
@pytest.mark.parametrize("interval", [300.0, 3600.0])
def test_weeks_of_a_season_agree_with_the_naive_twin(interval):
    times, values = generators.weekly_season(np.random.default_rng(8), 2500, interval)
    found = assert_same_series(params.parameter_set("default"), times, values)
    assert (found[:, 2] >= 0.5).any()
