"""Baselines, and how detectors are run."""

import multiprocessing

import numpy as np
import pytest

from benchmarks.baselines import (
    BASELINES,
    autoregression,
    first_difference,
    moving_z_score,
    new_extreme,
    random_scores,
    windowed_gaussian,
)
from benchmarks.ops.generator import generate
from benchmarks.parallel import run

TIMES = np.arange(1000) * 60.0


@pytest.fixture(scope="module")
def values():
    return np.random.default_rng(7).normal(50.0, 2.0, 1000)


@pytest.mark.parametrize("name", [name for name in BASELINES if name != "random"])
def test_a_score_depends_on_the_samples_so_far_only(name, values):
    whole = BASELINES[name](TIMES, values, 1)
    np.testing.assert_array_equal(BASELINES[name](TIMES[:400], values[:400], 1), whole[:400])


@pytest.mark.parametrize("name", BASELINES)
def test_scores_lie_between_0_and_1(name, values):
    scores = BASELINES[name](TIMES, values, 1)
    assert scores.shape == values.shape
    assert scores.min() >= 0.0
    assert scores.max() <= 1.0


@pytest.mark.parametrize(("detector", "window"), [(moving_z_score, 200), (windowed_gaussian, 6400)])
def test_half_stands_for_the_two_sided_gaussian_tail_of_a_hundred_thousandth(detector, window, values):
    before = values[max(0, 900 - window) : 900]
    series = values.copy()
    series[900] = before.mean() + 4.417 * before.std()
    assert detector(TIMES, series, 1)[900] == pytest.approx(0.5, abs=1e-9)
    series[900] = before.mean() - 40 * before.std()
    assert 0.89 < detector(TIMES, series, 1)[900] < 0.91


def test_a_flat_series_is_never_unusual_until_it_moves():
    series = np.full(1000, 20.3)
    series[600] = 20.4
    scores = moving_z_score(TIMES, series, 1)
    assert not scores[:600].any()
    assert scores[600] > 0.999


def test_half_stands_for_a_step_of_so_many_usual_ones():
    series = np.cumsum(np.resize([2.0, -2.0], 1000))
    series[900] = series[899] + 2.0 * 4.417 / (2 / np.pi) ** 0.5
    assert first_difference(TIMES, series, 1)[900] == pytest.approx(0.5, abs=1e-3)


def test_an_autoregression_foresees_a_wave_and_not_what_breaks_it():
    series = np.sin(TIMES / 700.0) + np.random.default_rng(1).normal(0.0, 0.01, 1000)
    series[900] += 0.3
    scores = autoregression(TIMES, series, 1)
    assert scores[900] > 0.8
    assert np.median(scores[300:]) < 0.25
    assert first_difference(TIMES, series, 1)[900] < 0.5


def test_an_autoregression_is_the_same_in_another_unit_and_at_another_level(values):
    scores = autoregression(TIMES, values, 1)
    np.testing.assert_allclose(autoregression(TIMES, 7e6 + 1e3 * values, 1), scores, rtol=1e-4, atol=1e-6)


def test_the_range_rule_wants_a_new_extreme_by_five_per_cent():
    scores = new_extreme(TIMES[:6], np.array([0.0, 10.0, 10.4, 11.0, -2.0, 5.0]), 1)
    assert scores.tolist() == [0.0, 0.0, 0.0, 1.0, 1.0, 0.0]


def test_random_scores_reach_half_as_often_as_their_likelihood_says():
    count = 2_000_000
    scores = random_scores(np.arange(count), np.zeros(count), 3)
    assert 5 <= np.count_nonzero(scores >= 0.5) <= 40
    assert np.mean(scores >= 0.2857) == pytest.approx(0.01, rel=0.05)


def test_two_processes_give_what_one_gives():
    try:
        multiprocessing.get_context("spawn").Lock()
    except OSError as error:
        pytest.skip(f"no semaphores can be made here: {error.strerror}")
    series = generate(3, seed=5)
    alone = run(random_scores, series, [1, 2], jobs=1)
    shared = run(random_scores, series, [1, 2], jobs=2)
    assert all(
        np.array_equal(a, b) for x, y in zip(alone, shared, strict=True) for a, b in zip(x, y, strict=True)
    )
    assert not np.array_equal(alone[0][0], alone[1][0])


def test_scores_beyond_0_to_1_are_refused():
    with pytest.raises(ValueError, match="beyond 0 to 1"):
        run(lambda timestamps, values, seed: values + 2.0, generate(1, seed=5), [1], jobs=1)


def test_a_missing_score_counts_as_0():
    def silent(timestamps, values, seed):
        return np.full(len(values), np.nan)

    assert not run(silent, generate(1, seed=5), [1], jobs=1)[0][0].any()
