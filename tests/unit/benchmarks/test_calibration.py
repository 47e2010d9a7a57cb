"""The reliability table counts what exceeds p among normal records."""

import numpy as np
import pytest

from benchmarks.calibration import KINDS, Calm, OddsByScore, detectors, generated, measure, shares_of_odds


def scores_are_values(timestamps, values, seed):
    return values


def odds_are_values(timestamps, values, seed):
    return 1e6 * values


def test_shares_count_normal_records_alone():
    values = np.array([0.9, 0.1, 0.2, 0.35, 0.5])
    kinds = {"one": [Calm(np.arange(5.0), values, slice(1, None))]}
    found = measure(scores_are_values, odds_are_values, kinds, jobs=1)
    digits = {"0.99": 0.75, "0.999": 0.5, "0.9999": 0.25, "0.99999": 0.25}
    assert {name: found["one"][name] for name in digits} == digits
    assert found["one"]["records"] == 4
    assert found["one"]["one_in"]["100000"] == {"share": 1.0, "times": 100_000.0}
    assert found["all"] == found["one"]


def test_kinds_are_told_apart_and_together():
    low, high = (Calm(np.arange(4.0), np.full(4, value), slice(None)) for value in (0.1, 0.2))
    found = measure(scores_are_values, odds_are_values, {"low": [low, low], "high": [high]}, jobs=1)
    assert [found[kind]["0.99"] for kind in ("low", "high", "all")] == [0.0, 1.0, pytest.approx(1 / 3)]
    assert found["all"]["records"] == 12


def test_odds_are_told_in_times_of_what_they_should_be():
    odds = np.concatenate([np.full(9980, 1.0), np.full(20, 1000.0)])
    found = shares_of_odds(odds)
    assert found["100"] == {"share": 0.002, "times": pytest.approx(0.2)}
    assert found["1000"] == {"share": 0.002, "times": pytest.approx(2.0)}
    assert found["10000"] == {"share": 0.0, "times": 0.0}


def test_by_the_log_scale_a_score_of_one_half_is_one_in_a_hundred_thousand():
    odds = OddsByScore(scores_are_values)(np.arange(3.0), np.array([0.0, 0.2, 0.5]), 1)
    assert odds == pytest.approx([1.0, 100.0, 100_000.0])


def test_scores_of_the_default_model_are_not_damped_and_its_odds_are_its_own():
    calm = generated("white", 1, 1000, 7)[0]
    calm.values[500:520] += 100.0
    score, odds = (detector(calm.timestamps, calm.values, 1) for detector in detectors("default"))
    assert (score[500:505] > 0.5).all()
    assert np.isnan(odds[:200]).all()
    assert odds[500] > 100.0
    assert odds[505] != pytest.approx(10.0 ** (10.0 * score[505]))


@pytest.mark.parametrize("kind", KINDS)
def test_generated_series_repeat_and_differ_by_number(kind):
    one, other = generated(kind, 2, 3000, 7)
    again = generated(kind, 1, 3000, 7)[0]
    np.testing.assert_array_equal(one.values, again.values)
    assert not np.array_equal(one.values, other.values)
    assert np.isfinite(one.values).all()
