"""The value scale and the novelty channel against their naive twins, value by value."""

import hypothesis.strategies as st
import numpy as np
from hypothesis import given

from htmengine.htm import _kernels
from tests.reference.novelty import Novelty, ValueScale
from tests.support.examples import examples

seeds = st.integers(0, 2**32 - 1)


def random_values(rng, count):
    """Noise of any size about any level, which grows, stands still, and leaves its range by a little or by far."""
    values = rng.standard_normal(count) * 10.0 ** rng.integers(-9, 9) + rng.choice([0.0, 1e6, -3.0])
    if rng.random() < 0.3:
        values = np.cumsum(values)
    width = np.ptp(values) or 1.0
    beyond = rng.random(count) < 0.05
    values[beyond] = values.max() + width * rng.uniform(-0.1, 3.0, beyond.sum())
    for _ in range(rng.integers(0, 4)):
        first = rng.integers(0, count)
        values[first : first + rng.integers(1, 60)] = rng.choice([0.0, values[first], 1e300, -1e300])
    if rng.random() < 0.3:
        values[: rng.integers(1, 100)] = values[0]
    return values


novelties = st.fixed_dictionaries(
    {
        "jump_rate": st.sampled_from([0.002, 0.2, 1.0]),
        "jump_limit": st.sampled_from([1.0, 5.5]),
        "range_memory": st.sampled_from([1.0, 50.0, 16000.0]),
        "range_tolerance": st.sampled_from([0.0, 0.05, 0.4]),
        "range_settling": st.sampled_from([0.0, 500.0, 5000.0]),
        "range_saturation": st.sampled_from([0.5, 1.0]),
    }
)


@examples(60)
@given(parameters=novelties, seed=seeds)
def test_jumps_and_extremes_agree_with_the_naive_twin_and_survive_saving(parameters, seed):
    novelty, twin = _kernels.Novelty(**parameters), Novelty(**parameters)
    for i, value in enumerate(random_values(np.random.default_rng(seed), 400).tolist()):
        assert novelty.update(value) == twin.update(value), f"value {i}"
        if i % 90 == 60:
            restored = _kernels.Novelty(**parameters)
            restored.restore_state(novelty.save_state())
            novelty = restored


def assert_same_scales(parameters, values):
    scale, twin = _kernels.ValueScale(**parameters), ValueScale(**parameters)
    for i, value in enumerate(values.tolist()):
        assert scale.observe(value) == twin.observe(value), f"value {i}"
        assert scale.steps(value) == twin.steps(value), f"value {i}"
        if i % 300 == 200:
            restored = _kernels.ValueScale(**parameters)
            restored.restore_state(scale.save_state())
            scale = restored


@examples(40)
@given(
    bounds=st.sampled_from([(None, None), (0.0, 1.0), (-1e9, 1e-9)]),
    buckets=st.sampled_from([1, 60]),
    padding=st.sampled_from([0.0, 0.2]),
    seed=seeds,
)
def test_the_resolution_agrees_with_the_naive_twin_and_survives_saving(bounds, buckets, padding, seed):
    parameters = {"minimum": bounds[0], "maximum": bounds[1], "buckets": buckets, "padding": padding}
    assert_same_scales(parameters, random_values(np.random.default_rng(seed), 300))


@examples(40)
@given(young=st.floats(1.0, 2.0), settled=st.floats(1.0, 8.0), seed=seeds)
def test_a_range_that_grows_agrees_with_the_naive_twin(young, settled, seed):
    values = np.random.default_rng(seed).random(2100)
    values[200:] *= young  # looked at after 256, 512 and 1024 values
    values[1100:] *= settled  # after 2048: settled, so that small growth does not count
    assert_same_scales({"minimum": None, "maximum": None, "buckets": 60, "padding": 0.2}, values)
