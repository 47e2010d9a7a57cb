"""A packed model: few bytes, from which it goes on bit for bit; whatever else the bytes are is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine.htm import _kernels, params
from htmengine.htm.model import Model, UnreadableModel, is_packed

DEFAULT = params.parameter_set("default")
SETS = {
    "default": DEFAULT,
    "predicting": params.parameter_set("default", predict=(1, 5)),
    "with a range": params.parameter_set("default", minimum=0.0, maximum=1.0),
}


def series(rows, seed=1):
    """A season, noise, jumps, and a few values that are missing."""
    random = np.random.default_rng(seed)
    values = 30 + 20 * np.sin(np.arange(rows) / 20) + random.normal(size=rows)
    values[random.random(rows) < 0.01] = np.nan
    values[random.random(rows) < 0.01] += 100
    return 1.6e9 + 300.0 * np.arange(rows), values


@pytest.mark.parametrize("rows", [0, 1, 7, 400, 1500])
@pytest.mark.parametrize("parameters", SETS.values(), ids=SETS)
def test_a_packed_model_goes_on_as_if_never_stopped(parameters, rows):
    times, values = series(rows + 200)
    model = Model(parameters, generation=3)
    model.score_series(times[:rows], values[:rows])
    block = model.pack()
    assert is_packed(block)
    again = Model.load(block)
    assert (again.rows, again.generation, again.parameters) == (rows, 3, parameters)
    assert again.save() == model.save()
    explained, scored = slice(rows, rows + 50), slice(rows + 50, None)
    expected = model.score_and_explain(times[explained], values[explained], threshold=0.0)
    found = again.score_and_explain(times[explained], values[explained], threshold=0.0)
    np.testing.assert_array_equal(found[0], expected[0])
    assert repr(found[1]) == repr(expected[1])  # numbers that are not there are equal in print alone
    expected, found = (one.score_series(times[scored], values[scored]) for one in (model, again))
    np.testing.assert_array_equal(found, expected)
    assert again.save() == model.save()


def test_a_grown_model_is_packed_in_less_than_two_thirds_of_its_block():
    model = Model(DEFAULT)
    model.score_series(*series(1500))
    assert len(model.pack()) < len(model.save()) * 2 / 3


@pytest.mark.parametrize("name", ["nupic-tm"])
def test_a_model_that_cannot_be_packed_is_saved(name):
    model = Model(params.parameter_set(name, minimum=0, maximum=100))
    assert model.pack() == model.save()


def test_a_damaged_block_is_refused():
    model = Model(DEFAULT)
    model.score_series(*series(100))
    block = model.pack()
    for place in range(0, len(block), 97):
        damaged = bytearray(block)
        damaged[place] ^= 4
        with pytest.raises(UnreadableModel):
            Model.load(bytes(damaged))
    for size in range(0, len(block), 211):
        with pytest.raises(UnreadableModel):
            Model.load(block[:size])


@pytest.fixture(scope="module")
def state():
    """A packed state, without the block around it, whose checksum finds all damage."""
    model = Model(DEFAULT)
    model.score_series(*series(300))
    return model.kernel.pack()


@given(places=st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(1, 255)), min_size=1, max_size=5))
def test_whatever_a_state_says_is_refused_or_can_be_scored(state, places):
    damaged = np.frombuffer(state, dtype=np.uint8).copy()
    for place, bits in places:
        damaged[place % len(damaged)] ^= bits
    model = Model(DEFAULT)
    try:
        model.kernel.unpack(damaged)
    except _kernels.StateError:
        return
    model.kernel.score_series(*(column[-100:] for column in series(400)))
    model.kernel.pack()


@given(size=st.integers(0, 1 << 20))
def test_a_state_that_is_cut_off_is_refused(state, size):
    with pytest.raises(_kernels.StateError):
        Model(DEFAULT).kernel.unpack(np.frombuffer(state, dtype=np.uint8)[: size % len(state)].copy())


@given(
    data=st.binary(max_size=100),
    seed=st.integers(0, 2**64 - 1),
    place=st.integers(0, 1 << 10),
    bit=st.integers(0, 7),
)
def test_a_checksum_tells_any_bit(data, seed, place, bit):
    array = np.frombuffer(data, dtype=np.uint8).copy()
    before = _kernels.checksum(array, seed)
    assert before == _kernels.checksum(array, seed)
    if len(array):
        array[place % len(array)] ^= 1 << bit
        assert _kernels.checksum(array, seed) != before
    assert _kernels.checksum(np.append(array, np.uint8(0)), seed) != before
