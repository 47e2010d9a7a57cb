"""The resolution of values against its naive twin, value by value."""

import hypothesis.strategies as st
import numpy as np
from hypothesis import given

from htmengine.htm import _kernels
from tests.reference import generators
from tests.reference.value_resolution import VALUES_TO_SETTLE, ValueResolution
from tests.support.examples import examples

seeds = st.integers(0, 2**32 - 1)
PLAIN = {"buckets": 60, "padding": 0.2, "wild_share": 0.02}


def assert_same_resolutions(parameters, values):
    """Return at how many values, counted from 1, the resolution changed."""
    kernel, twin = _kernels.ValueResolution(**parameters), ValueResolution(**parameters)
    young, changes = [], []
    for i, value in enumerate(values.tolist(), start=1):
        young = [*young, (float(i), value)] if i <= VALUES_TO_SETTLE else []
        changed = kernel.observe(value, young)
        assert changed == twin.observe(value), f"value {i}"
        assert kernel.steps(value) == twin.steps(value), f"value {i}"
        assert kernel.value_at(2.5) == twin.value_at(2.5), f"value {i}"
        if changed:
            changes.append(i)
        if i % 300 == 200:
            restored = _kernels.ValueResolution(**parameters)
            restored.restore_state(kernel.save_state())
            kernel = restored
    return changes


@examples(40)
@given(
    bounds=st.sampled_from([{}, {"minimum": 0.0, "maximum": 1.0}, {"minimum": -1e9, "maximum": 1e-9}]),
    buckets=st.sampled_from([1, 60]),
    padding=st.sampled_from([0.0, 0.2]),
    wild_share=st.sampled_from([0.0, 0.02, 0.24]),
    seed=seeds,
)
def test_the_resolution_agrees_with_its_naive_twin_and_survives_saving(
    bounds, buckets, padding, wild_share, seed
):
    parameters = {**bounds, "buckets": buckets, "padding": padding, "wild_share": wild_share}
    _, values = generators.random_series(np.random.default_rng(seed), 300)
    assert_same_resolutions(parameters, values)


@examples(15)
@given(
    first=st.integers(1, 1100),
    young=st.sampled_from([0.1, 0.5, 1.3, 2.0, 1e6]),
    settled=st.sampled_from([0.01, 1.5, 8.0, 50.0, 1e6]),
    share=st.sampled_from([0.005, 0.05, 1.0]),
    seed=seeds,
)
def test_a_range_that_changes_agrees_with_the_naive_twin(first, young, settled, share, seed):
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(2100)
    values[:first] = values[0]
    values[200:1000] *= young
    values[1100:][rng.random(1000) < share] *= settled
    assert_same_resolutions(PLAIN, values)


def test_a_settled_resolution_grows_when_more_than_a_few_values_lie_outside():
    values = np.random.default_rng(3).random(2100)
    values[1100:1115] = 100.0  # one in a hundred is not enough
    assert assert_same_resolutions(PLAIN, values)[-1] <= VALUES_TO_SETTLE
    values[1100:1200] = 100.0
    assert assert_same_resolutions(PLAIN, values)[-1] == 2048


def test_wild_values_stretch_no_range():
    values = np.random.default_rng(4).random(600)
    calm = _kernels.ValueResolution(**PLAIN)
    wild = _kernels.ValueResolution(**PLAIN)
    glitches = values.copy()
    glitches[[60, 200, 350]] = [1e300, -1e9, 1e4]
    for i in range(len(values)):
        calm.observe(values[i], list(enumerate(values[: i + 1].tolist())))
        wild.observe(glitches[i], list(enumerate(glitches[: i + 1].tolist())))
    assert wild.steps(1.0) == calm.steps(1.0)
