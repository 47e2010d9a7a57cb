"""The compiled default model of version 1 against its naive twin, whole."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine.htm import params
from htmengine.htm.model import Model
from tests.reference.default_model_v1 import DefaultModel
from tests.support.examples import examples

LATER_SCORES = (math.nan,) * 4  # forecast, usual range and odds, which this version does not give
NOTHING = (math.nan,) * 5

# Short periods, so that a series of some hundred records sees refits, alarms, damping and lost segments.
QUICK = {"learning": 20, "probation": 40, "refit": 25, "history": 150}


def quick_parameters(seed):
    known = {"minimum": -1.5, "maximum": 2.0} if seed % 4 == 0 else {}
    default = params.DefaultParametersV1(name="default")
    return msgspec.structs.replace(
        default,
        scale=msgspec.structs.replace(default.scale, **known),
        encoder=msgspec.structs.replace(default.encoder, seed=seed),
        memory=msgspec.structs.replace(default.memory, max_segments=200, seed=seed),
        sequence_likelihood=msgspec.structs.replace(default.sequence_likelihood, **QUICK),
        jump_likelihood=msgspec.structs.replace(default.jump_likelihood, **QUICK),
        deviation=msgspec.structs.replace(
            default.deviation, tail_probation=30, tail_refit=20, tail_memory=100
        ),
    )


def random_series(rng, count):
    """A noisy day of some shape with jumps, constant stretches, missing values and growing range."""
    interval = rng.choice([60.0, 300.0, 3600.0])
    times = 1.7e9 + interval * np.cumsum(rng.random(count) < 0.97)
    values = np.sin(times / 86400 * 2 * np.pi) + rng.choice([0.01, 0.1, 1.0]) * rng.standard_normal(count)
    for _ in range(rng.integers(0, 6)):
        first = rng.integers(0, count)
        stretch = slice(first, first + rng.integers(1, 40))
        values[stretch] = rng.choice([0.0, values[first], 1e3 * rng.standard_normal(), 1e200 * rng.random()])
    if rng.random() < 0.5:
        values = np.round(values, 1)
    values[rng.random(count) < 0.05] = rng.choice([math.nan, math.inf])
    return times, values


def assert_same_explanation(found, expected):
    """The compiled explanation says the same as the twin's, bit for bit."""
    assert tuple(found.scores[:5]) == expected["scores"]
    assert found.strengths == list(expected["strengths"].values())
    for name in ("timestamp", "value", "pattern_decided", "damped", "alarms_before", "buckets"):
        assert getattr(found, name) == expected[name], name
    for name in ("forecast", "margin", "last_alarm"):
        np.testing.assert_array_equal(getattr(found, name), expected[name], err_msg=name)


@examples(8)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_model_agrees_with_its_naive_twin_bit_for_bit_and_survives_saving(seed):
    parameters = quick_parameters(seed)
    times, values = random_series(np.random.default_rng(seed), 300)
    model, twin = Model(parameters), DefaultModel(msgspec.to_builtins(parameters))
    for i, (time, value) in enumerate(zip(times.tolist(), values.tolist(), strict=True)):
        expected = twin.score(time, value)
        found = tuple(model.score_one(time, value))
        np.testing.assert_array_equal(found, (expected or NOTHING) + LATER_SCORES, err_msg=f"record {i}")
        if expected and (i % 10 == 0 or expected[2] >= 0.5):
            assert_same_explanation(model.kernel.explain(), twin.explain())
        if i % 70 == 50:
            model = Model.load(model.save())


@examples(4)
@given(seed=st.integers(0, 2**32 - 1))
def test_predictions_agree_with_the_naive_twin_bit_for_bit_and_survive_saving(seed):
    parameters = msgspec.structs.replace(quick_parameters(seed), classifier=params.Classifier(steps=(1, 4)))
    times, values = random_series(np.random.default_rng(seed), 200)
    values = np.clip(values, -1e300, 1e300)
    model, twin = Model(parameters), DefaultModel(msgspec.to_builtins(parameters))
    for i, (time, value) in enumerate(zip(times.tolist(), values.tolist(), strict=True)):
        _, predictions = model.score_and_predict([time], [value])
        found = [column.item() for column in predictions.values()]
        if twin.score(time, value) is None:
            assert np.isnan(found).all()
        else:
            assert found == twin.predict(), f"record {i}"
        if i % 70 == 50:
            model = Model.load(model.save())


@pytest.mark.slow
def test_a_resolution_that_grows_late_agrees_with_the_naive_twin():
    parameters = quick_parameters(5)
    rng = np.random.default_rng(5)
    values = rng.standard_normal(2100)
    values[3] = values[500] = 20.0  # learned again
    values[1500] = 400.0  # too late to learn again: begun anew
    times = 1.7e9 + 300.0 * np.arange(len(values))
    twin = DefaultModel(msgspec.to_builtins(parameters))
    expected = np.array(
        [twin.score(time, value) for time, value in zip(times.tolist(), values.tolist(), strict=True)]
    )
    found = np.array(Model(parameters).score_series(times, values)).T[:, :5]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("channel", ["sequence", "jump", "extreme", "deviation"])
def test_a_model_of_one_channel_agrees_with_the_naive_twin(channel):
    parameters = msgspec.structs.replace(quick_parameters(3), channels=(channel,))
    times, values = random_series(np.random.default_rng(3), 250)
    twin = DefaultModel(msgspec.to_builtins(parameters))
    expected = [
        twin.score(time, value) or NOTHING
        for time, value in zip(times.tolist(), values.tolist(), strict=True)
    ]
    found = np.array(Model(parameters).score_series(times, values)).T[:, :5]
    np.testing.assert_array_equal(found, np.array(expected))
