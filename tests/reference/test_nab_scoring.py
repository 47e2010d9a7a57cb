"""The vectorised NAB scorer against its naive twin and against the published scores."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.nab import corpus
from benchmarks.nab.corpus import Profile, Series, Window
from benchmarks.nab.scorer import Scorer
from tests.reference import nab_scoring
from tests.reference.golden import nab
from tests.support.examples import examples

DETECTORS = ("ARTime", "contextOSE", "null", "numenta", "numentaTM", "randomCutForest", "windowedGaussian")
PROFILES = ("standard", "reward_low_FP_rate", "reward_low_FN_rate")


@pytest.fixture(scope="module")
def benchmark():
    series = corpus.load(nab())
    return series, Scorer(series), corpus.load_profiles(nab())


@pytest.mark.golden
def test_the_corpus_has_58_files_116_windows_and_365558_records(benchmark):
    series, scorer, _ = benchmark
    assert (len(series), scorer.windows) == (58, 116)
    assert sum(len(one.values) for one in series) == 365_558
    assert all((np.diff(one.timestamps) >= 0).all() for one in series)


@pytest.mark.golden
@pytest.mark.parametrize("detector", DETECTORS)
def test_stored_results_give_the_published_scores(benchmark, detector):
    series, scorer, profiles = benchmark
    published = json.loads(nab("published_scores.json").read_text())[detector]
    thresholds = json.loads(nab("published_thresholds.json").read_text())[detector]
    with np.load(nab("reference_scores", f"{detector}.npz")) as stored:
        sweep = scorer.sweep([stored[f"{one.name}|anomaly_score"] for one in series])
    for profile in PROFILES:
        assert sweep.score_at(profiles[profile], thresholds[profile]["threshold"]) == pytest.approx(
            published[profile], abs=0.01
        )
        assert sweep.best(profiles[profile]).score >= published[profile] - 1e-9


@st.composite
def labelled_files(draw):
    """Draw a few short files with windows of at least two records, as (count, windows, probation)."""
    files = []
    for _ in range(draw(st.integers(1, 4))):
        count = draw(st.integers(8, 60))
        bounds = sorted(draw(st.sets(st.integers(count // 4, count - 1), max_size=6)))
        windows = [(a, b) for a, b in zip(bounds[0::2], bounds[1::2], strict=False)]
        files.append((count, windows, min(int(0.15 * count), 750)))
    if not any(windows for _, windows, _ in files):
        files.append((20, [(10, 14)], 3))
    return files


@examples(150)
@given(files=labelled_files(), seed=st.integers(0, 2**32 - 1), levels=st.integers(1, 30))
def test_the_sweep_agrees_with_the_naive_twin_at_every_threshold(files, seed, levels):
    rng = np.random.default_rng(seed)
    scores = [rng.integers(0, levels + 1, count) / levels for count, _, _ in files]  # with ties
    series = [
        Series(str(i), np.arange(float(count)), np.zeros(count), tuple(Window(*window) for window in windows))
        for i, (count, windows, _) in enumerate(files)
    ]
    sweep = Scorer(series).sweep(scores)
    profile = Profile(true_positive=1.0, false_positive=0.11, false_negative=2.0)
    expected = {
        threshold: nab_scoring.score(files, scores, threshold, profile)
        for threshold in [*np.arange(levels + 1) / levels, 0.123, 1.5]
    }
    for threshold, score in expected.items():
        assert sweep.score_at(profile, threshold) == pytest.approx(score, abs=1e-9)
    best = sweep.best(profile)
    assert best.score == pytest.approx(max(expected.values()), abs=1e-9)
    assert sweep.score_at(profile, best.threshold) == best.score
