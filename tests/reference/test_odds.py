"""The odds of a record agree with their naive twin bit for bit, and are true."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine.htm import _kernels
from tests.reference.kernel_parameters import TAIL
from tests.reference.odds import GROUP, Odds
from tests.reference.test_deviation import random_numbers, tail_parameters
from tests.support.examples import examples

ODDS = TAIL | {"share": 0.005, "memory": 50_000}


def odds(parameters):
    return _kernels.Odds(_kernels.TailParameters(**parameters))


def with_findings(rng, numbers):
    """Some of the numbers lie in the group of findings, on its edges too."""
    some = rng.random(len(numbers)) < rng.choice([0.0, 0.01, 0.2])
    findings = np.where(
        rng.random(len(numbers)) < 0.5, rng.uniform(1.0, 1.5, len(numbers)), rng.choice(GROUP)
    )
    return np.where(some, findings, numbers)


@examples(40)
@given(parameters=tail_parameters(), seed=st.integers(0, 2**32 - 1))
def test_odds_agree_with_their_naive_twin_and_survive_saving(parameters, seed):
    rng = np.random.default_rng(seed)
    numbers = with_findings(rng, random_numbers(rng, 600)).tolist()
    parameters["memory"] *= 3  # it exceeds the first fading at 256, or it does not
    found, twin = odds(parameters), Odds(**parameters)
    for i, number in enumerate(numbers):
        np.testing.assert_array_equal(found.update(number), twin.update(number), err_msg=f"number {i}")
        if i % 60 == 40:
            restored = odds(parameters)
            restored.restore_state(found.save_state())
            found = restored


@pytest.mark.parametrize("rate", [1e-4, 5e-4, 4e-3])
def test_odds_are_true_where_findings_are_more_frequent_than_deviations_of_their_rank(rate):
    # Squares of calm strengths fall off exponentially: one in 10,000 exceeds 0.2, and none reaches the group.
    rng = np.random.default_rng(5)
    count = 400_000
    numbers = 0.02 * rng.exponential(size=count)
    findings = rng.random(count) < rate
    numbers[findings] = np.clip(rng.normal(1.17, 0.035, findings.sum()), 1.0, 1.48)
    found = odds(ODDS)
    one_in = np.array([found.update(number) for number in numbers.tolist()])[3000:]
    for number in (100, 1000, 10_000):
        assert 0.5 <= np.mean(one_in >= number) * number <= 2.0
    assert np.mean(one_in >= 100_000) * 100_000 <= 3.0


def test_a_deviation_beyond_all_is_the_rarer_the_more_numbers_there_were():
    found = odds(ODDS)
    rarest = []
    for number in np.random.default_rng(6).exponential(0.02, (3, 4000)).tolist():
        for usual in number:
            found.update(usual)
        state = found.save_state()
        rarest.append(found.update(4.0))
        found.restore_state(state)
    assert 1e5 < rarest[0] < rarest[1] < rarest[2] < 1e7


def test_what_is_higher_is_rarer():
    rng = np.random.default_rng(7)
    found = odds(ODDS)
    for number in with_findings(rng, 0.02 * rng.exponential(size=5000)).tolist():
        found.update(number)
    state = found.save_state()
    one_in = []
    for number in np.linspace(0.0, 20.0, 2001):
        found.restore_state(state)
        one_in.append(found.update(number))
    assert (np.diff(one_in) >= 0.0).all()
    assert one_in[0] >= 1.0


def test_the_state_of_the_tail_that_gave_the_odds_before_goes_on():
    rng = np.random.default_rng(8)
    numbers = (0.02 * rng.exponential(size=3050)).tolist()
    tail, new = _kernels.Tail(**ODDS), odds(ODDS)
    for number in numbers:
        tail.update(number)
        new.update(number)
    found = odds(ODDS)
    found.restore_state(tail.save_state())
    for number in (0.05, 1.1, 4.0):
        state = found.save_state()
        one_in = found.update(number)
        assert one_in == pytest.approx(new.update(number), rel=0.5)
        found.restore_state(state)


@pytest.mark.parametrize("number", [-1.0, 1001.0, math.nan])
def test_numbers_that_odds_do_not_count_are_refused(number):
    with pytest.raises(ValueError, match="from 0 to 1000"):
        odds(ODDS).update(number)


@pytest.mark.parametrize("wrong", [{"share": 1.0}, {"memory": 0}, {"probation": 0}])
def test_parameters_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        odds(ODDS | wrong)
