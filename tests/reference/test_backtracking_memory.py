"""The backtracking temporal memory against its naive twin and against the original's recorded runs."""

import dataclasses
import json

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from htmengine.htm.nupic.temporal_memory import BacktrackingTemporalMemory
from tests.reference.backtracking_memory import BacktrackingTemporalMemory as NaiveBacktrackingTemporalMemory
from tests.reference.backtracking_memory import Parameters
from tests.reference.golden import golden
from tests.reference.memory_contract import (
    check_a_real_metric,
    check_a_simple_sequence,
    check_damaged_state,
    check_reloading,
    reload,
    tight,
)
from tests.reference.memory_input import RELOAD, RESET, segments_of, streams
from tests.support.examples import examples

parameters = tight(
    Parameters,
    cells_per_column=st.integers(2, 5),
    initial_permanence=st.sampled_from([0.21, 0.55]),
    permanence_increment=st.sampled_from([0.1, 0.3]),
    permanence_decrement=st.sampled_from([0.02, 0.1]),
    pam_length=st.integers(1, 4),
    max_sequence_length=st.integers(4, 32),
    max_inference_backtrack=st.integers(0, 10),
    max_learning_backtrack=st.integers(0, 5),
)


def build(parameters):
    return BacktrackingTemporalMemory(**dataclasses.asdict(parameters))


@given(data=st.data(), parameters=parameters)
@examples(60)
def test_every_step_agrees_with_the_naive_twin(data, parameters):
    memory, naive = build(parameters), NaiveBacktrackingTemporalMemory(parameters)
    for event in data.draw(streams(parameters.columns, steps=data.draw(st.sampled_from([60, 120])))):
        if event == RESET:
            memory.reset()
            naive.reset()
        elif event == RELOAD:
            memory = reload(memory, lambda: build(parameters))
        else:
            assert memory.compute(event[0], learn=event[1]) == naive.compute(*event)
        assert memory.inferred_active_cells().tolist() == sorted(naive.inf_active)
        assert memory.inferred_predicted_cells().tolist() == sorted(naive.inf_predicted)
        assert memory.learned_active_cells().tolist() == sorted(naive.lrn_active)
        assert memory.learned_predicted_cells().tolist() == sorted(naive.lrn_predicted)
        assert memory.predicted_columns().tolist() == list(naive.confidences)
        assert memory.column_confidences().tolist() == list(naive.confidences.values())
        assert memory.average_learned_length == naive.average_learned_length
        assert memory.segment_count == naive.segment_count()
        assert memory.synapse_count == naive.synapse_count()
    assert segments_of(memory) == sorted(
        (
            segment.cell,
            tuple(sorted((source, float(permanence)) for source, permanence in segment.synapses.items())),
        )
        for segment in naive.segments()
    )


@pytest.mark.slow
def test_duty_cycles_agree_with_the_naive_twin_across_their_tiers():
    parameters = Parameters(columns=30, max_segments_per_cell=1)
    memory, naive = build(parameters), NaiveBacktrackingTemporalMemory(parameters)
    rng = np.random.default_rng(7)
    for i in range(1100):
        columns = [i % 5 * 6 + k for k in range(6)]
        if rng.random() < 0.1:
            columns = sorted(rng.choice(30, 6, replace=False).tolist())
        assert memory.compute(columns) == naive.compute(columns, True)
        assert memory.column_confidences().tolist() == list(naive.confidences.values())
        assert memory.synapse_count == naive.synapse_count()


@given(data=st.data(), parameters=parameters)
@examples(20)
def test_a_reloaded_memory_has_the_same_state_ever_after(data, parameters):
    check_reloading(lambda: build(parameters), data.draw(streams(parameters.columns)))


def test_a_memory_whose_segments_were_right_more_than_once_a_step_is_reloaded():
    # Every sequence is replayed from its start, which reinforces segments again: duty cycles pass 2.
    parameters = Parameters(
        columns=8,
        cells_per_column=2,
        activation_threshold=1,
        min_threshold=1,
        new_synapse_count=3,
        max_segments_per_cell=2,
        max_synapses_per_segment=4,
        pam_length=1,
        max_sequence_length=4,
        max_learning_backtrack=3,
    )
    memory, naive = build(parameters), NaiveBacktrackingTemporalMemory(parameters)
    for _ in range(60):
        memory.compute([1, 2])
        naive.compute([1, 2], True)
    assert max(float(segment.duty) * naive.decay for segment in naive.segments()) > 2.5
    assert reload(memory, lambda: build(parameters)).save_state() == memory.save_state()


@pytest.mark.golden
def test_the_small_recorded_run_is_repeated_cell_by_cell():
    recorded = json.loads(golden("backtracking_tm_small.json").read_text())
    memory = build(Parameters())
    for element, step in zip(recorded["order"], recorded["steps"], strict=True):
        assert memory.compute(recorded["patterns"][element]) == np.float32(step["raw"])
        assert memory.inferred_active_cells().tolist() == step["inf_active"]
        assert memory.inferred_predicted_cells().tolist() == step["inf_predicted"]
        assert memory.learned_active_cells().tolist() == step["learn_active"]
        assert memory.learned_predicted_cells().tolist() == step["learn_predicted"]
        assert memory.predicted_columns().tolist() == step["conf_cols"]
        assert memory.column_confidences() == pytest.approx(step["col_confidence"], abs=2e-7)
        assert memory.average_learned_length == pytest.approx(step["avg_learned_seq_length"], abs=1e-6)
        assert memory.segment_count == step["segments"]
        assert memory.synapse_count == step["synapses"]


@pytest.mark.golden
@pytest.mark.parametrize("name", ["abcde_xbcdy", "cycle10", "cycle10_then_jump", "repeat_one"])
def test_simple_sequences_are_learned_as_recorded(name):
    check_a_simple_sequence(
        BacktrackingTemporalMemory(),
        BacktrackingTemporalMemory.predicted_columns,
        f"numenta_backtracking/{name}",
    )


@pytest.mark.golden
def test_a_real_metric_at_full_size_scores_as_recorded():
    # Source of the sizes: reference "HTM scalar anomaly models", section 13.
    sizes = {500: (9_638, 219_224), 1000: (13_087, 299_788)}
    check_a_real_metric(BacktrackingTemporalMemory(), "numenta_raw", sizes)


@given(data=st.data())
@examples(200)
def test_damaged_state_is_refused_or_harmless(data):
    check_damaged_state(build(Parameters()), data)


@pytest.mark.parametrize(
    ("name", "value"), [("cells_per_column", 1), ("pam_length", 0), ("new_synapse_count", 33), ("seed", -1)]
)
def test_a_parameter_out_of_range_is_named(name, value):
    with pytest.raises(ValueError, match=name):
        BacktrackingTemporalMemory(**{name: value})
