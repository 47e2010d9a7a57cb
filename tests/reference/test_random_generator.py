"""The random generator agrees with its naive twin and with draws recorded from the original."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine.htm import _kernels
from tests.reference import random_generator
from tests.reference.golden import golden
from tests.support.examples import examples

seeds = st.integers(1, 2**64 - 1).filter(lambda seed: seed % (2**32 - 1) != 0)


@given(seed=seeds, bounds=st.lists(st.integers(1, 2**32 - 1), max_size=40))
@examples(50)
def test_whole_numbers_agree_with_the_naive_twin(seed, bounds):
    kernel, twin = _kernels.Random(seed), random_generator.Random(seed)
    assert [kernel.below(bound) for bound in bounds] == [twin.below(bound) for bound in bounds]


@given(seed=seeds, size=st.integers(0, 60), count=st.integers(0, 60))
@examples(50)
def test_reals_shuffles_and_samples_agree_with_the_naive_twin(seed, size, count):
    kernel, twin = _kernels.Random(seed), random_generator.Random(seed)
    items = list(range(size))
    twin.shuffle(items)
    assert kernel.shuffle(list(range(size))) == items
    assert kernel.sample(items, count) == twin.sample(items, count)
    assert kernel.real() == twin.real()


@given(seed=seeds, draws=st.integers(0, 100))
@examples(20)
def test_a_restored_generator_continues_where_the_saved_one_was(seed, draws):
    saved, restored = _kernels.Random(seed), _kernels.Random(1)
    for _ in range(draws):
        saved.below()
    restored.restore_state(saved.save_state())
    assert [restored.below() for _ in range(40)] == [saved.below() for _ in range(40)]


@pytest.mark.parametrize("seed", [0, 2**32 - 1])
def test_a_seed_that_would_give_only_zeros_is_refused(seed):
    with pytest.raises(ValueError, match="seed"):
        _kernels.Random(seed)


@pytest.mark.parametrize("fill", [b"\x00", b"\xff"])
def test_a_state_that_no_generator_has_is_refused(fill):
    generator = _kernels.Random(1)
    size = len(generator.save_state())
    with pytest.raises(_kernels.StateError):
        generator.restore_state(fill * size)


@pytest.mark.golden
@pytest.mark.parametrize("make", [_kernels.Random, random_generator.Random])
def test_draws_are_those_of_the_original(make):
    for seed, expected in json.loads(golden("random.json").read_text()).items():
        seed = int(seed)
        generator = make(seed)
        assert [generator.below() for _ in range(40)] == expected["getUInt32"]
        generator = make(seed)
        assert [generator.below(400) for _ in range(40)] == expected["getUInt32_max400"]
        generator = make(seed)
        assert [generator.real() for _ in range(20)] == [float(real) for real in expected["getReal64"]]
        shuffled = list(range(50))
        shuffled = make(seed).shuffle(shuffled) or shuffled  # the twin shuffles in place
        assert shuffled == expected["shuffle_arange50"]
        assert make(seed).sample(list(range(100)), 20) == expected["sample_20_of_arange100"]
