import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from htmengine.web.downsampling import downsample, step_for


@given(
    gaps=st.lists(st.integers(0, 500), min_size=1, max_size=200),
    step=st.integers(1, 1000),
    seed=st.integers(0, 2**32 - 1),
)
def test_points_agree_with_a_naive_twin(gaps, step, seed):
    times = np.cumsum(np.array(gaps, dtype=float))
    random = np.random.default_rng(seed)
    values, scores = random.normal(size=len(times)), random.random(len(times))
    low = np.where(random.random(len(times)) < 0.3, np.nan, values - 1)
    points = downsample(times, values, step, highest={"score": scores}, last={"low": low})
    cells: dict[int, list[int]] = {}
    for i, time in enumerate(times.tolist()):
        cells.setdefault(int(time // step), []).append(i)
    np.testing.assert_array_equal(points.time, [cell * step for cell in cells])
    np.testing.assert_array_equal(points.value, [values[rows[-1]] for rows in cells.values()])
    np.testing.assert_array_equal(points.value_min, [values[rows].min() for rows in cells.values()])
    np.testing.assert_array_equal(points.value_max, [values[rows].max() for rows in cells.values()])
    np.testing.assert_array_equal(points.others["score"], [scores[rows].max() for rows in cells.values()])
    np.testing.assert_array_equal(points.others["low"], [low[rows[-1]] for rows in cells.values()])


@given(seconds=st.floats(0, 4e9), points=st.integers(1, 10_000))
def test_a_step_divides_a_time_into_no_more_than_the_points(seconds, points):
    assert seconds / step_for(seconds, points) <= points


def test_nothing_gives_no_points():
    nothing = np.empty(0)
    assert len(downsample(nothing, nothing, 60, highest={}, last={}).time) == 0
