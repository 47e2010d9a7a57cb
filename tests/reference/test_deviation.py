"""Tails and deviations agree with their naive twins bit for bit."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine.htm import _kernels
from tests.reference.deviation import Deviation, Tail
from tests.reference.kernel_parameters import DEVIATION, TAIL
from tests.support.examples import examples


@st.composite
def tail_parameters(draw):
    """Settings so small that every rule is reached within a few hundred numbers."""
    return {
        "share": draw(st.sampled_from([0.02, 0.1, 0.5])),
        "memory": draw(st.integers(1, 200)),
        "refit": draw(st.integers(5, 30)),
        "probation": draw(st.integers(5, 60)),
        "heaviest": draw(st.sampled_from([0.0, 0.5, 0.9])),
        "outlier": draw(st.sampled_from([0.5, 5.0])),
    }


def random_numbers(rng, count):
    """Numbers from 0 to 1000 of some distribution, with outliers and constant stretches."""
    kind = rng.integers(4)
    if kind == 0:
        numbers = np.abs(rng.standard_normal(count))
    elif kind == 1:
        numbers = rng.pareto(1.0, count)
    elif kind == 2:
        numbers = rng.poisson(0.2, count).astype(float)
    else:
        numbers = np.ldexp(
            rng.choice([1.0, 1.125, 1.875], count), rng.integers(-12, 9, count)
        )  # on edges of bins
    numbers[rng.random(count) < 0.02] = 1000.0
    numbers[count // 2 : count // 2 + rng.integers(1, 100)] = rng.choice([0.0, 1.0])
    return np.minimum(numbers, 1000.0)


@examples(40)
@given(parameters=tail_parameters(), seed=st.integers(0, 2**32 - 1))
def test_a_tail_agrees_with_its_naive_twin_and_survives_saving(parameters, seed):
    numbers = random_numbers(np.random.default_rng(seed), 250).tolist()
    tail, twin = _kernels.Tail(**parameters), Tail(**parameters)
    for i, number in enumerate(numbers):
        assert tail.update(number) == twin.update(number), f"number {i}"
        if i % 60 == 40:
            restored = _kernels.Tail(**parameters)
            restored.restore_state(tail.save_state())
            tail = restored


@examples(25)
@given(tail=tail_parameters(), seed=st.integers(0, 2**32 - 1))
def test_deviations_agree_with_their_naive_twin_and_survive_saving(tail, seed):
    rng = np.random.default_rng(seed)
    choices = {
        "level_rate": [0.05, 0.5],
        "spread_rate": [0.01, 0.3],
        "forecast_rate": [0.01, 0.3],
        "recent_rate": [0.2, 1.0],
        "ridge": [0.3, 1e-6],
        "limit": [1.0, 5.0],
    }
    parameters = {
        **{name: float(rng.choice(values)) for name, values in choices.items()},
        **{f"tail_{name}": value for name, value in tail.items()},
    }
    values = np.cumsum(rng.standard_normal(300)) * rng.choice([0.0, 0.1]) + rng.standard_normal(300)
    values *= rng.choice([1e-9, 1.0, 1e9])
    if rng.random() < 0.3:
        values = np.round(values)
    for _ in range(rng.integers(0, 4)):
        first = rng.integers(0, 300)
        values[first : first + rng.integers(1, 60)] = rng.choice([0.0, 1e300, -1e300, 42.0])
    if rng.random() < 0.3:
        values[: rng.integers(1, 100)] = values[0]
    deviation, twin = _kernels.Deviation(**parameters), Deviation(**parameters)
    for i, value in enumerate(values.tolist()):
        assert deviation.forecast() == twin.forecast()
        found = deviation.update(value)
        assert found == twin.update(value), f"record {i}"
        assert all(math.isfinite(digits) for digits in found)
        if i % 60 == 40:
            restored = _kernels.Deviation(**parameters)
            restored.restore_state(deviation.save_state())
            deviation = restored


def test_a_constant_metric_is_as_usual_and_its_first_change_is_rare():
    deviation = _kernels.Deviation(**DEVIATION)
    for _ in range(300):
        assert max(deviation.update(5.0)) == 0.0
    assert max(deviation.update(6.0)) > 5.0


def test_the_first_change_of_a_metric_teaches_the_tails_nothing():
    # It has no usual size: counted as 1000 usual ones, it would hide a spike of 20 deviations for thousands of records.
    deviation = _kernels.Deviation(**DEVIATION)
    for value in np.random.default_rng(1).standard_normal(1000).tolist():
        deviation.update(value)
    assert max(deviation.update(20.0)) > 6.0


def test_digits_of_a_tail_are_those_of_the_distribution():
    # Exponential numbers exceed x with probability exp(-x): at 4 ln 10 that is 4 digits.
    rng = np.random.default_rng(2)
    tail = _kernels.Tail(**TAIL)
    for number in rng.exponential(size=20_000).tolist():
        tail.update(number)
    assert tail.update(4 * math.log(10)) == pytest.approx(4.0, abs=0.4)
    assert tail.update(2 * math.log(10)) == pytest.approx(2.0, abs=0.15)


@pytest.mark.parametrize("number", [-1.0, 1001.0, math.nan])
def test_numbers_that_a_tail_does_not_count_are_refused(number):
    with pytest.raises(ValueError, match="from 0 to 1000"):
        _kernels.Tail(**TAIL).update(number)


@pytest.mark.parametrize(
    ("kernel", "parameters", "complaint"),
    [
        (_kernels.Tail, TAIL | {"share": 1.0}, "share"),
        (_kernels.Tail, TAIL | {"memory": 0}, "memory"),
        (_kernels.Tail, TAIL | {"memory": 2**31}, "memory"),
        (_kernels.Tail, TAIL | {"heaviest": 1.0}, "heaviest"),
        (_kernels.Tail, TAIL | {"outlier": 0.0}, "outlier"),
        (_kernels.Deviation, DEVIATION | {"recent_rate": 0.0}, "recent_rate"),
        (_kernels.Deviation, DEVIATION | {"ridge": 0.0}, "ridge"),
        (_kernels.Deviation, DEVIATION | {"limit": 0.5}, "limit"),
    ],
)
def test_parameters_out_of_range_are_refused(kernel, parameters, complaint):
    with pytest.raises(ValueError, match=complaint):
        kernel(**parameters)
