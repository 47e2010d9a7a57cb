"""What every temporal memory with segments keeps: the checks that the tests of each one run."""

import csv
import json

import hypothesis.strategies as st
import pytest

from tests.reference.golden import golden
from tests.reference.memory_input import RELOAD, RESET


def tight(parameters, **rest):
    """Draw parameters whose thresholds and limits are low, so that segments compete for cells and synapses for room."""
    return st.builds(
        lambda activation, margin, synapses, **rest: parameters(
            activation_threshold=activation,
            min_threshold=max(1, activation - margin),
            new_synapse_count=min(activation + 2, synapses),
            max_synapses_per_segment=synapses,
            **rest,
        ),
        activation=st.integers(1, 4),
        margin=st.integers(0, 2),
        synapses=st.integers(4, 9),
        columns=st.integers(10, 70),
        max_segments_per_cell=st.integers(1, 3),
        seed=st.integers(1, 2**32 - 2),
        **rest,
    )


def reload(memory, build):
    """Return a memory that `build` makes with the state of another."""
    copy = build()
    copy.restore_state(memory.save_state())
    return copy


def check_reloading(build, stream):
    """A memory that is saved and restored now and then has the same state as one that never stops."""
    memory = stopped = build()
    for event in stream:
        if event == RELOAD:
            stopped = reload(stopped, build)
        elif event != RESET:
            assert memory.compute(event[0], learn=event[1]) == stopped.compute(event[0], learn=event[1])
            if stopped is memory:
                stopped = reload(memory, build)
        assert stopped.save_state() == memory.save_state()


def check_a_simple_sequence(memory, predicted_columns, run):
    """A memory learns a sequence of few patterns as the original did."""
    recorded = json.loads(golden("tm_simple_sequences.json").read_text())
    patterns = [set(pattern) for pattern in recorded["patterns"]]
    for element, raw, predicted_count, predicted_patterns, segments, synapses in recorded["runs"][run]:
        predicted = set(predicted_columns(memory).tolist())
        assert len(predicted) == predicted_count
        overlaps = [[i, len(pattern & predicted)] for i, pattern in enumerate(patterns)]
        assert [overlap for overlap in overlaps if overlap[1] >= 20] == predicted_patterns
        assert memory.compute(recorded["patterns"][element]) == pytest.approx(raw, abs=1e-6)
        assert (memory.segment_count, memory.synapse_count) == (segments, synapses)


def check_a_real_metric(memory, score, sizes):
    """A memory scores a recorded metric as the original did; `sizes` are its segments and synapses after so many rows."""
    with (
        golden("sp_nab_nyc_taxi_active_columns.csv").open() as inputs,
        golden("run_nyc_taxi.csv").open() as outputs,
    ):
        for i, (step, row) in enumerate(
            zip(csv.DictReader(inputs), csv.DictReader(outputs), strict=False), 1
        ):
            columns = [int(column) for column in step["active_columns"].split()]
            assert memory.compute(columns) == pytest.approx(float(row[score]), abs=1e-6), i
            if i in sizes:
                assert (memory.segment_count, memory.synapse_count) == sizes[i]
    assert i >= max(sizes)


def check_damaged_state(memory, data):
    """Damaged state is refused, and then nothing changes, or it does no harm."""
    _feed_a_cycle(memory, 60)
    state = bytearray(memory.save_state())
    for _ in range(data.draw(st.integers(1, 3))):
        state[data.draw(st.integers(0, len(state) - 1))] = data.draw(st.integers(0, 255))
    before = memory.save_state()
    try:
        memory.restore_state(bytes(state))
    except ValueError:
        assert memory.save_state() == before
    _feed_a_cycle(memory, 20)


def _feed_a_cycle(memory, steps):
    for i in range(steps):
        memory.compute([i % 6 * 5 + k for k in range(5)])
