import numpy as np
import pytest

from htmengine.detection.picture import Drawn, reduce, with_gaps


def drawn(times, values, scores):
    """Return columns that are drawn, with a band around the values."""
    return Drawn(times, values, scores, values, values - 1, values + 1)


@pytest.mark.parametrize("seed", range(3))
def test_reducing_keeps_every_extreme_and_gap(seed):
    random = np.random.default_rng(seed)
    values, scores = random.normal(size=50_000), random.random(50_000)
    values[30_000] = np.nan
    series = drawn(np.arange(50_000) * 60.0, values, scores)
    reduced = reduce(series, 500, [12_345])
    assert len(reduced.timestamps) <= 5 * 500 + 2
    assert np.nanmax(reduced.values) == np.nanmax(values)
    assert np.nanmin(reduced.values) == np.nanmin(values)
    assert reduced.scores.max() == scores.max()
    known = ~np.isnan(reduced.values)
    assert (reduced.highs[known] - reduced.lows[known]).round(9).tolist() == [2.0] * int(known.sum())
    assert np.isnan(reduced.values).sum() == 1
    assert 12_345 * 60.0 in reduced.timestamps
    assert (np.diff(reduced.timestamps) > 0).all()


def test_a_short_series_is_not_reduced():
    series = drawn(*[np.arange(100.0)] * 3)
    assert reduce(series, 500) is series


def test_no_line_is_drawn_across_a_gap():
    times = np.concatenate([np.arange(50), np.arange(100, 150), [1000, 1001]]) * 60.0
    series = drawn(times, np.ones(102), np.ones(102))
    broken, moved = with_gaps(series)
    assert np.flatnonzero(np.isnan(broken.values)).tolist() == [50, 101]
    assert np.flatnonzero(np.isnan(broken.scores)).tolist() == [50, 101]
    assert np.flatnonzero(np.isnan(broken.highs)).tolist() == [50, 101]
    assert (np.diff(broken.timestamps) > 0).all()
    assert broken.timestamps[moved].tolist() == times.tolist()


@pytest.mark.parametrize("times", [[5.0], [0.0] * 20, np.arange(20.0), [0.0] * 20 + [60.0]])
def test_a_series_without_a_gap_stays_as_it_is(times):
    series = drawn(*[np.array(times)] * 3)
    assert with_gaps(series)[0] is series
