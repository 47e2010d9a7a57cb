"""What counts as a number, and which numbers make a model."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine.htm import params
from htmengine.htm.model import Model
from htmengine.htm.nupic import encoders, likelihood
from tests.support.examples import examples

LARGEST = 1.7976931348623157e308
finite = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(
    [1e17, 1e300, LARGEST, -LARGEST, 5e-324]
)


ENCODERS = {
    "fixed": lambda: encoders.ScalarEncoder(0.0, 10.0, n=100, clip=True),
    "random": lambda: encoders.RandomDistributedScalarEncoder(0.5),
    "adaptive": encoders.AdaptiveScalarEncoder,
    "delta": encoders.DeltaEncoder,
    "date": lambda: encoders.DateEncoder(time_of_day=21),
}


@pytest.mark.parametrize("name", ENCODERS)
def test_encoders_take_numbers_however_large_and_nothing_else(name):
    encoder = ENCODERS[name]()
    assert len(encoder.encode(10**400)) > 0
    with pytest.raises(TypeError, match="a real number is needed, not str"):
        encoder.encode("1")


def test_likelihoods_take_numbers_however_large_and_nothing_else():
    one = likelihood.AnomalyLikelihood.for_engine()
    assert one.update(0.5, 10**400) == one.update_series([0.5], [10**400])[0]
    for wrong in ("1", b"1"):
        with pytest.raises(TypeError, match="real number"):
            one.update(0.5, wrong)
        with pytest.raises(TypeError, match="real number"):
            one.update_series([0.5], [wrong])
    with pytest.raises(ValueError, match="from 0 to 1"):
        likelihood.score_to_log(10**400)


@pytest.mark.parametrize("name", params.NAMES)
@examples(30)
@given(values=st.lists(finite, min_size=1, max_size=3))
def test_every_metric_has_a_range_that_makes_a_model(name, values):
    low, high = params.infer_range(values)
    assert -params.MAX_MAGNITUDE <= low < high <= params.MAX_MAGNITUDE
    Model(params.parameter_set(name, minimum=low, maximum=high))


def test_a_range_of_one_value_is_one_wide():
    assert params.infer_range([3.0, 3.0]) == (3.0 - 0.2, 4.0 + 0.2)
    assert params.widened(3.0, 3.0) == (3.0, 4.0)
