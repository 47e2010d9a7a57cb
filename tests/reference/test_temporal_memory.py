"""The plain temporal memory against its naive twin and against the original's recorded runs."""

import dataclasses
import json

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from htmengine.htm.nupic.temporal_memory import TemporalMemory, raw_anomaly_score
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
from tests.reference.temporal_memory import Parameters
from tests.reference.temporal_memory import TemporalMemory as NaiveTemporalMemory
from tests.reference.temporal_memory import raw_anomaly_score as naive_raw_anomaly_score
from tests.support.examples import examples

parameters = tight(
    Parameters,
    cells_per_column=st.integers(1, 5),
    initial_permanence=st.sampled_from([0.21, 0.24, 0.55]),
    permanence_increment=st.sampled_from([0.04, 0.1]),
    permanence_decrement=st.sampled_from([0.008, 0.02, 0.15]),
    predicted_segment_decrement=st.sampled_from([0.0, 0.001, 0.1]),
)


def build(parameters):
    return TemporalMemory(**dataclasses.asdict(parameters))


def columns_predicted(memory):
    return memory.predictive_cells() // memory.cells_per_column


@given(data=st.data(), parameters=parameters)
@examples(60)
def test_every_step_agrees_with_the_naive_twin(data, parameters):
    memory, naive = build(parameters), NaiveTemporalMemory(parameters)
    for event in data.draw(streams(parameters.columns)):
        if event == RESET:
            memory.reset()
            naive.reset()
        elif event == RELOAD:
            memory = reload(memory, lambda: build(parameters))
        else:
            assert memory.compute(event[0], learn=event[1]) == naive.compute(*event)
        assert memory.active_cells().tolist() == sorted(naive.active_cells)
        assert memory.winner_cells().tolist() == sorted(naive.winner_cells)
        assert memory.predictive_cells().tolist() == naive.predictive_cells()
        assert memory.segment_count == naive.segment_count()
        assert memory.synapse_count == naive.synapse_count()
    assert segments_of(memory) == sorted(
        (cell, tuple(sorted((source, float(permanence)) for source, permanence in segment.synapses.items())))
        for cell, segments in enumerate(naive.segments)
        for segment in segments
    )


@given(data=st.data(), parameters=parameters)
@examples(20)
def test_a_reloaded_memory_has_the_same_state_ever_after(data, parameters):
    check_reloading(lambda: build(parameters), data.draw(streams(parameters.columns)))


@pytest.mark.golden
def test_the_small_recorded_run_is_repeated_cell_by_cell():
    recorded = json.loads(golden("tm_small.json").read_text())
    memory = build(Parameters())
    for element, step in zip(recorded["order"], recorded["steps"], strict=True):
        assert memory.compute(recorded["patterns"][element]) == np.float32(step["raw"])
        assert memory.active_cells().tolist() == step["active"]
        assert memory.winner_cells().tolist() == step["winner"]
        assert memory.predictive_cells().tolist() == step["predictive"]
        assert memory.segment_count == step["segments"]
        assert memory.synapse_count == step["synapses"]


@pytest.mark.golden
@pytest.mark.parametrize("name", ["abcde_xbcdy", "cycle10", "cycle10_then_jump", "repeat_one"])
def test_simple_sequences_are_learned_as_recorded(name):
    check_a_simple_sequence(TemporalMemory(), columns_predicted, f"numentaTM_plain/{name}")


@pytest.mark.golden
def test_a_real_metric_at_full_size_scores_as_recorded():
    # Source of the sizes: reference "HTM scalar anomaly models", section 13.
    sizes = {500: (862, 45_933), 1000: (869, 43_598)}
    check_a_real_metric(TemporalMemory(), "numentaTM_raw", sizes)


@pytest.mark.golden
def test_raw_scores_are_those_recorded():
    for active, predicted, score in json.loads(golden("raw_score.json").read_text())["raw"]:
        assert raw_anomaly_score(sorted(active), sorted(predicted)) == pytest.approx(score, abs=1e-7)


@given(active=st.sets(st.integers(0, 30)), predicted=st.sets(st.integers(0, 30)))
def test_raw_scores_agree_with_the_naive_twin(active, predicted):
    assert raw_anomaly_score(sorted(active), sorted(predicted)) == naive_raw_anomaly_score(active, predicted)


def test_unfit_columns_are_refused_and_change_nothing():
    memory = build(Parameters())
    memory.compute([1, 2, 3])
    before = memory.save_state()
    for columns in ([3, 2], [2, 2], [-1, 2], [1, 64], [0.5, 1.0], [[1, 2]]):
        with pytest.raises(ValueError, match="columns"):
            memory.compute(columns)
    assert memory.save_state() == before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("columns", 0),
        ("columns", -1),
        ("columns", 2.5),
        ("min_threshold", 21),
        ("max_synapses_per_segment", 256),
        ("connected_permanence", 1.5),
        ("permanence_increment", float("nan")),
    ],
)
def test_a_parameter_out_of_range_is_named(name, value):
    with pytest.raises(ValueError, match=name):
        TemporalMemory(**{name: value})


@given(data=st.data())
@examples(200)
def test_damaged_state_is_refused_or_harmless(data):
    check_damaged_state(build(Parameters()), data)


def test_a_state_of_other_parameters_is_refused():
    memory = build(Parameters())
    with pytest.raises(ValueError, match=r"block|bytes|range"):
        memory.restore_state(b"short")
    with pytest.raises(ValueError, match="bytes are left over"):
        memory.restore_state(memory.save_state() + b"x")
