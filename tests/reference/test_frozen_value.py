import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from htmengine.htm import _kernels
from tests.reference.frozen_value import FrozenValue
from tests.support.examples import examples


@examples(40)
@given(
    seed=st.integers(0, 2**32 - 1),
    values=st.sampled_from([2, 10, 10**6]),
    usual=st.sampled_from([1.0, 0.5, 0.1]),
)
def test_it_agrees_with_its_naive_twin_and_survives_saving(seed, values, usual):
    rng = np.random.default_rng(seed)
    lengths = rng.geometric(usual, 700)
    lengths[500::40] *= rng.integers(1, 60, 5)
    series = np.repeat(rng.integers(0, values, 700).astype(float), lengths)
    kernel, twin = _kernels.FrozenValue(), FrozenValue()
    for i, value in enumerate(series.tolist()):
        assert kernel.update(value) == twin.update(value), f"record {i}"
        if i % 150 == 70:
            state = kernel.save_state()
            kernel = _kernels.FrozenValue()
            kernel.restore_state(state)


def test_what_stands_still_longer_than_usual_is_found_until_it_is_a_new_state():
    frozen = FrozenValue()
    for value in range(501):
        assert frozen.update(float(value)) == 0.0
    found = [frozen.update(7.0) for _ in range(40)]
    assert [i for i, score in enumerate(found) if score >= 0.5] == list(range(5, 23))
