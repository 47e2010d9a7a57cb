"""The likelihood agrees with its naive twin bit for bit, and with the original's recorded results."""

import copy
import csv
import itertools
import json
import math
import struct
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from htmengine.htm import _kernels
from htmengine.htm.nupic.likelihood import (
    AnomalyLikelihood,
    continue_estimate,
    estimate,
    filter_likelihoods,
    log_likelihood,
    log_to_score,
    score_to_log,
    tail_probability,
)
from tests.reference import likelihood as twin
from tests.reference.golden import golden, nab
from tests.support.examples import examples

TOLERANCE = 1e-9


@st.composite
def small_parameters(draw):
    """Settings so small that every rule is reached within a few hundred records."""
    averaging_window = draw(st.integers(1, 6))
    learning = draw(st.integers(0, 40))
    history = draw(st.integers(max(learning + 1, averaging_window), 90))
    return {
        "schedule": draw(st.sampled_from(["streaming", "engine"])),
        "averaging_window": averaging_window,
        "learning": learning,
        "probation": draw(st.integers(1, history)),
        "history": history,
        "refit": draw(st.integers(averaging_window, 20)),
        "mean_floor": draw(st.sampled_from([0.03, 1e-6])),
        "variance_floor": draw(st.sampled_from([0.0003, 1e-9])),
        "flat_variance": draw(st.sampled_from([0.0, 1.5e-5])),
        "two_sided": draw(st.booleans()),
        "red_filter": draw(st.booleans()),
    }


def random_records(seed, count):
    """Raw scores with quiet stretches and bursts, and values that are flat for a while."""
    rng = np.random.default_rng(seed)
    level = np.repeat(rng.choice([0.0, 0.1, 0.3, 1.0], count // 20 + 1), 20)[:count]
    scores = np.floor(rng.random(count) * level * 41) / 40
    return np.minimum(scores, 1.0), np.where(np.arange(count) // 100 % 2, rng.normal(size=count), 7.0)


@examples(100)
@given(parameters=small_parameters(), seed=st.integers(0, 2**32 - 1))
def test_updates_agree_with_the_naive_twin_bit_for_bit(parameters, seed):
    scores, values = random_records(seed, 260)
    naive = twin.Likelihood(twin.Parameters(**parameters))
    expected = [naive.update(*record) for record in zip(scores.tolist(), values.tolist(), strict=True)]
    assert AnomalyLikelihood(**parameters).update_series(scores, values).tolist() == expected
    one_by_one = AnomalyLikelihood(**parameters)
    assert [one_by_one.update(*record) for record in zip(scores, values, strict=True)] == expected


@examples(100)
@given(
    parameters=small_parameters(),
    seed=st.integers(0, 2**32 - 1),
    sizes=st.lists(st.sampled_from([1, 2, 7, 30, 400]), min_size=10, max_size=30),
)
def test_batches_agree_with_the_naive_twin_bit_for_bit(parameters, seed, sizes):
    scores, values = random_records(seed, sum(sizes))
    naive = twin.Likelihood(twin.Parameters(**parameters))
    kernel = AnomalyLikelihood(**parameters)
    for end, size in zip(itertools.accumulate(sizes), sizes, strict=True):
        batch = slice(end - size, end)
        expected = naive.update_batch(scores[batch].tolist(), values[batch].tolist())
        assert kernel.update_batch(scores[batch], values[batch]).tolist() == expected


@examples(50)
@given(parameters=small_parameters(), seed=st.integers(0, 2**32 - 1), stop=st.integers(0, 200))
def test_saved_and_restored_continues_as_if_never_stopped(parameters, seed, stop):
    scores, values = random_records(seed, 260)
    undisturbed = AnomalyLikelihood(**parameters).update_series(scores, values)
    first, second = AnomalyLikelihood(**parameters), AnomalyLikelihood(**parameters)
    first.update_series(scores[:stop], values[:stop])
    second.restore_state(first.save_state())
    assert second.save_state() == first.save_state()
    assert second.update_series(scores[stop:], values[stop:]).tolist() == undisturbed[stop:].tolist()


def from_scratch(scores, values, p, start, skip):
    """Fit with numpy to the stored records from `start` on, as the original does."""
    window, metric = scores[start:], values[start:]
    averages = np.array(
        [window[max(0, i - p.averaging_window + 1) : i + 1].mean() for i in range(window.size)]
    )
    if averages.size <= skip or metric[skip:].var() < p.flat_variance:
        return 0.5, 1000.0
    return max(averages[skip:].mean(), p.mean_floor), max(averages[skip:].std(), p.variance_floor**0.5)


@examples(60)
@given(parameters=small_parameters(), seed=st.integers(0, 2**32 - 1))
def test_every_scheduled_fit_is_that_of_the_stored_window(parameters, seed):
    scores, values = random_records(seed, 260)
    kernel = AnomalyLikelihood(**parameters)
    p = twin.Parameters(**parameters)
    for n in range(260):
        scheduled = (n - p.probation) % p.refit == 0 if p.schedule == "engine" else n % p.refit == 0
        kernel.update(scores[n], values[n])
        if n >= p.probation and (scheduled or n == p.probation):
            start = max(0, n - p.history)
            skip = p.learning if p.schedule == "engine" else max(0, p.learning - start)
            expected = from_scratch(scores[:n], values[:n], p, start, skip)
            assert kernel.distribution == pytest.approx(expected, rel=0, abs=TOLERANCE)


@settings(deadline=None)
@given(st.floats(0, 1), st.floats(0, 1), st.floats(1e-6, 1), st.booleans())
def test_tails_and_logarithms_agree_with_the_twin_bit_for_bit(x, mean, deviation, two_sided):
    expected = twin.tail_probability(x, mean, deviation, two_sided)
    assert tail_probability([x], mean, deviation, two_sided=two_sided)[0] == expected
    assert log_likelihood([x])[0] == twin.log_likelihood(x)


@settings(deadline=None)
@given(st.lists(st.sampled_from([0.5, 1e-5, 1.1e-5, twin.RED, 1e-6, 0.0])))
def test_the_red_filter_agrees_with_the_twin(tails):
    assert filter_likelihoods(tails).tolist() == twin.filter_tails(tails)


def test_the_first_of_a_run_of_red_tails_stays_red():
    assert filter_likelihoods([0.5, 1e-6, 1e-6, 0.5, 1e-6]) == pytest.approx([0.5, 1e-6, 1e-3, 0.5, 1e-6])


@given(st.floats(1e-9, 1))
def test_the_logarithmic_scale_can_be_inverted(score):
    assert log_to_score(score_to_log(score)) == pytest.approx(score, abs=1e-14)


def test_impossible_and_certain_lie_at_the_ends_of_the_logarithmic_scale():
    assert (score_to_log(0.0), score_to_log(1.0), log_to_score(1.0)) == (0.0, 1.0, 1.0)


def test_the_state_is_bounded():
    kernel = AnomalyLikelihood.for_engine()
    scores, values = random_records(1, 40_000)
    sizes = []
    for batch in range(0, 40_000, 1000):
        kernel.update_series(scores[batch : batch + 1000], values[batch : batch + 1000])
        sizes.append(len(kernel.save_state()))
    assert max(sizes) == max(sizes[:10]) < 20_000


def test_values_too_large_for_a_variance_are_not_flat():
    kernel = AnomalyLikelihood(learning=0, probation=50)
    kernel.update_series(np.full(60, 0.2), np.resize([1e200, -1e200], 60))
    assert kernel.distribution == pytest.approx((0.2, math.sqrt(0.0003)))


def test_a_copy_is_independent_of_its_original():
    kernel = AnomalyLikelihood()._kernel
    kernel.update(0.5, 1.0)
    twin_kernel = copy.copy(kernel)
    twin_kernel.update(0.5, 1.0)
    assert (kernel.records, twin_kernel.records) == (1, 2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"averaging_window": 0},
        {"refit": 9},
        {"learning": 8640},
        {"probation": 0},
        {"probation": 8641},
        {"variance_floor": 0.0},
        {"mean_floor": math.nan},
        {"flat_variance": -1.0},
        {"learning": -1},
        {"schedule": "daily"},
    ],
)
def test_impossible_parameters_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        AnomalyLikelihood(**wrong)


@pytest.mark.parametrize(("raw", "value"), [(math.nan, 1.0), (0.5, math.nan), (0.5, math.inf)])
def test_a_record_that_is_not_finite_is_refused_and_changes_nothing(raw, value):
    kernel = AnomalyLikelihood()
    with pytest.raises(ValueError, match="finite"):
        kernel.update(raw, value)
    with pytest.raises(ValueError, match="finite"):
        kernel.update_series([0.1, raw], [1.0, value])
    assert kernel.records == 0


def test_arrays_of_different_length_are_refused():
    with pytest.raises(ValueError, match="2 numbers, but values has 1"):
        AnomalyLikelihood().update_series([0.1, 0.2], [1.0])


def test_state_of_other_parameters_is_refused():
    kernel = AnomalyLikelihood()
    kernel.update_series(*random_records(1, 500))
    state = kernel.save_state()
    for other in (AnomalyLikelihood(averaging_window=9), AnomalyLikelihood(refit=50)):
        with pytest.raises(_kernels.StateError):
            other.restore_state(state)
    with pytest.raises(_kernels.StateError):
        kernel.restore_state(state[:-1])


@pytest.mark.golden
def test_the_streaming_schedule_agrees_with_the_original():
    parameters = json.loads(golden("likelihood_batch.json").read_text())["stream_params"]
    with golden("likelihood_stream.csv").open() as file:
        cases = itertools.groupby(csv.DictReader(file), key=lambda row: row["case"])
        for case, rows in cases:
            given_parameters = parameters[case]
            learning = int(given_parameters.get("learningPeriod", 288))
            kernel = AnomalyLikelihood(
                learning=learning,
                probation=learning + int(given_parameters.get("estimationSamples", 100)),
                history=given_parameters.get("historicWindowSize", 8640),
                refit=given_parameters.get("reestimationPeriod", 100),
                two_sided=True,
            )
            for row in rows:
                likelihood = kernel.update(float(row["raw_score"]), float(row["value"]))
                assert likelihood == pytest.approx(float(row["likelihood"]), abs=TOLERANCE)
                assert score_to_log(likelihood) == pytest.approx(float(row["log_likelihood"]), abs=TOLERANCE)
                if row["dist_mean"]:
                    expected = (float(row["dist_mean"]), float(row["dist_stdev"]))
                    assert kernel.distribution == pytest.approx(expected, abs=TOLERANCE)
                else:
                    assert kernel.distribution is None


@pytest.mark.golden
@pytest.mark.parametrize("name", ["htmengine_likelihood_live.csv", "htmengine_likelihood_batches.csv"])
def test_the_engine_schedule_agrees_with_the_original(name):
    rows = np.genfromtxt(golden(name), delimiter=",", names=True)
    kernel = AnomalyLikelihood(schedule="engine", probation=100, refit=24, two_sided=True)
    begin = 0
    while begin < rows.size:
        batch = rows[begin : begin + int(rows["batch_size"][begin])]
        likelihoods = kernel.update_batch(batch["raw_score"], batch["value"])
        np.testing.assert_allclose(likelihoods, batch["anomaly_score"], rtol=0, atol=TOLERANCE)
        begin += batch.size


@cache
def gauss_default():
    with golden("likelihood_stream.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["case"] == "gauss_default"]
    return tuple(np.array([float(row[column]) for row in rows]) for column in ("raw_score", "value"))


@pytest.mark.golden
@pytest.mark.parametrize("case", range(4))
def test_batch_estimates_agree_with_the_original(case):
    expected = json.loads(golden("likelihood_batch.json").read_text())["batch"][case]
    scores, values = gauss_default()
    used = slice(expected["first"], expected["last"])
    likelihoods, distribution = estimate(
        scores[used],
        values[used],
        averaging_window=expected["averagingWindow"],
        skip=expected["skipRecords"],
        two_sided=True,
    )
    state = expected["params"]
    np.testing.assert_allclose(1 - likelihoods, expected["estimate_likelihoods"], rtol=0, atol=TOLERANCE)
    assert (distribution.mean, distribution.deviation) == pytest.approx(
        (state["mean"], state["stdev"]), abs=TOLERANCE
    )
    assert list(distribution.recent_scores) == state["historicalValues"]
    assert distribution.last_tail == pytest.approx(state["historicalLikelihoods"][-1], abs=TOLERANCE)

    following, distribution = continue_estimate(scores[used.stop : used.stop + 150], distribution)
    np.testing.assert_allclose(1 - following, expected["update_likelihoods"], rtol=0, atol=TOLERANCE)
    assert distribution.last_tail == pytest.approx(
        expected["update_historicalLikelihoods"][-1], abs=TOLERANCE
    )


@pytest.mark.golden
def test_tables_of_the_original_are_met():
    tables = json.loads(golden("likelihood_batch.json").read_text())
    for x, mean, deviation, expected in tables["tailProbability"]:
        assert tail_probability([x], mean, deviation, two_sided=True)[0] == pytest.approx(expected, rel=1e-12)
    for likelihood, expected in tables["logLikelihood"]:
        assert score_to_log(likelihood) == pytest.approx(expected, abs=TOLERANCE)
    for tails, expected in tables["filterLikelihoods"]:
        assert filter_likelihoods(tails).tolist() == expected


def spatial_anomalies(values):
    """Mark each value that lies outside the range of all before it by more than a twentieth of that range.

    Source: reference "HTM scalar anomaly models", section 11.1.
    """
    low, high = np.minimum.accumulate(values)[:-1], np.maximum.accumulate(values)[:-1]
    margin = 0.05 * (high - low)
    outside = (low != high) & ((values[1:] > high + margin) | (values[1:] < low - margin))
    return np.concatenate([[False], outside])


@pytest.mark.golden
@pytest.mark.parametrize("detector", ["numenta", "numentaTM"])
def test_published_benchmark_scores_follow_from_their_raw_scores(detector):
    published = np.load(nab("reference_scores", f"{detector}.npz"))
    files = sorted({key.split("|")[0] for key in published.files})
    assert len(files) == 58
    for name in files:
        values = np.loadtxt(nab("data", name), delimiter=",", skiprows=1, usecols=1)
        likelihoods = AnomalyLikelihood.for_benchmark(values.size).update_series(
            published[f"{name}|raw_score"], values
        )
        final = np.where(spatial_anomalies(values), 1.0, log_likelihood(likelihoods))
        np.testing.assert_allclose(
            final, published[f"{name}|anomaly_score"], rtol=0, atol=TOLERANCE, err_msg=name
        )


@pytest.mark.parametrize("wild", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("flat_variance", [0.0, 0.0003])
def test_a_state_with_a_number_that_is_not_finite_is_refused(wild, flat_variance):
    parameters = {"flat_variance": flat_variance, "learning": 5, "probation": 10, "history": 60, "refit": 20}
    likelihood = AnomalyLikelihood(**parameters)
    rng = np.random.default_rng(0)
    likelihood.update_series(rng.random(80), rng.random(80))
    state = likelihood.save_state()
    refused = 0
    for place in range(0, len(state) - 7, 4):
        damaged = state[:place] + struct.pack("<d", wild) + state[place + 8 :]
        other = AnomalyLikelihood(**parameters)
        try:
            other.restore_state(damaged)
        except _kernels.StateError:
            refused += 1
            continue
        found = other.update_series(rng.random(40), rng.random(40))
        assert ((found >= 0.0) & (found <= 1.0)).all(), place
    assert refused > 20
