"""The compiled first-order memory and hash encoder against their naive twins."""

import copy
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine.htm import _kernels
from tests.reference import hash_encoder as naive_encoder
from tests.reference.kernel_parameters import HASH_ENCODER, TRANSITION_MEMORY
from tests.reference.transition_memory import TransitionMemory as NaiveTransitionMemory
from tests.support.examples import examples

SMALL = {
    "columns": 24,
    "max_segments": 40,
    "activation_threshold": 3,
    "match_threshold": 2,
    "new_synapses": 4,
    "initial_permanence": 13,
    "connected_permanence": 20,
    "permanence_increment": 6,
    "permanence_decrement": 5,
}


def random_steps(rng, columns, count):
    """Steps that follow a noisy cycle, so that there is something to learn and something to forget."""
    cycle = [np.flatnonzero(rng.random(columns) < 0.3) for _ in range(5)]
    steps = []
    for i in range(count):
        active = set(cycle[i % len(cycle)].tolist())
        active ^= set(rng.integers(0, columns, rng.integers(0, 3)).tolist())
        steps.append(np.array(sorted(active), dtype=np.uint32))
    return steps


@examples(30)
@given(seed=st.integers(0, 2**64 - 1), max_segments=st.sampled_from([1, 7, 40, 400]))
def test_memory_agrees_with_the_naive_twin_and_survives_saving(seed, max_segments):
    parameters = SMALL | {"max_segments": max_segments, "seed": seed}
    memory = _kernels.TransitionMemory(**parameters)
    twin = NaiveTransitionMemory(**parameters)
    for i, active in enumerate(random_steps(np.random.default_rng(seed), SMALL["columns"], 60)):
        assert memory.compute(active) == twin.compute(active.tolist())
        assert set(np.flatnonzero(memory.predicted())) == twin.predicted()
        if i % 20 == 10:
            state = memory.save_state()
            memory = _kernels.TransitionMemory(**parameters)
            memory.restore_state(state)
            assert memory.save_state() == state
            state = memory.save_compact_state()
            memory = _kernels.TransitionMemory(**parameters)
            memory.restore_compact_state(state)
            assert memory.save_compact_state() == state
    assert memory.segment_count == len(twin.places)
    assert memory.synapse_count == sum(len(segment.synapses) for segment in twin.places)


def test_a_cycle_is_predicted_once_its_synapses_are_connected():
    memory = _kernels.TransitionMemory(**TRANSITION_MEMORY)
    cycle = [np.arange(20 * i, 20 * i + 20, dtype=np.uint32) for i in range(10)]
    laps = [[memory.compute(step) for step in cycle] for _ in range(6)]
    assert laps[0] == [1.0] * 10
    assert laps[-1] == [0.0] * 10


def test_what_was_predicted_is_the_same_before_and_after_learning():
    twin = NaiveTransitionMemory(**SMALL | {"max_segments": 400}, seed=3)
    for active in random_steps(np.random.default_rng(3), SMALL["columns"], 60):
        ahead = copy.deepcopy(twin)
        ahead.compute([])  # learns nothing, and tells what was predicted before anything came
        twin.compute(active.tolist())
        assert twin.predicted() == ahead.predicted()


@pytest.mark.parametrize("layout", ["state", "compact_state"])
def test_a_state_with_a_broken_list_is_refused(layout):
    memory = _kernels.TransitionMemory(**SMALL, seed=1)
    restore = getattr(memory, f"restore_{layout}")
    for active in random_steps(np.random.default_rng(1), SMALL["columns"], 30):
        memory.compute(active)
    state = bytearray(getattr(memory, f"save_{layout}")())
    rng = np.random.default_rng(2)
    refused = 0
    for _ in range(300):
        damaged = bytearray(state)
        damaged[rng.integers(0, len(damaged))] ^= 1 << rng.integers(0, 8)
        try:
            restore(bytes(damaged))
        except _kernels.StateError:
            refused += 1
        memory.compute(np.array([1, 2, 3], dtype=np.uint32))
    assert refused > 30
    with pytest.raises(_kernels.StateError, match=r"ends inside a field|longer than the block"):
        restore(bytes(state[:-3]))
    with pytest.raises(_kernels.StateError, match="left over"):
        restore(bytes(state) + b"x")


def test_the_compact_layout_compresses_by_a_fifth_more():
    memory = _kernels.TransitionMemory(**TRANSITION_MEMORY)
    rng = np.random.default_rng(4)
    for _ in range(400):
        memory.compute(np.sort(rng.choice(1024, 20, replace=False)).astype(np.uint32))
    assert memory.segment_count == TRANSITION_MEMORY["max_segments"]
    plain, compact = zlib.compress(memory.save_state()), zlib.compress(memory.save_compact_state())
    assert len(compact) < 0.8 * len(plain)


@examples(200)
@given(
    timestamp=st.floats(-1e11, 1e11),
    buckets=st.floats(-1e18, 1e18) | st.floats(-300, 300),
    seed=st.integers(0, 2**64 - 1),
    value_bits=st.integers(1, 12),
    daytime_bits=st.integers(0, 12),
    day_parts=st.integers(1, 24),
)
def test_hash_encoder_agrees_with_the_naive_twin(
    timestamp, buckets, seed, value_bits, daytime_bits, day_parts
):
    parameters = {
        "columns": 1024,
        "value_bits": value_bits,
        "daytime_bits": daytime_bits,
        "day_parts": day_parts,
        "seed": seed,
    }
    encoder = _kernels.HashEncoder(**parameters)
    expected = naive_encoder.encode(timestamp, buckets, **parameters)
    assert encoder.encode(timestamp, buckets).tolist() == expected


def test_neighbouring_values_share_bits_and_distant_ones_do_not():
    encoder = _kernels.HashEncoder(**HASH_ENCODER)
    base = set(encoder.encode(0.0, 40.0).tolist())
    shared = [len(base & set(encoder.encode(0.0, 40.0 + d).tolist())) for d in range(12)]
    assert shared[0] == len(base)
    assert shared[1] > shared[4] > shared[8]
    assert shared[10] <= 2
