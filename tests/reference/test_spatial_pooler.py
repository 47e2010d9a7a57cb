"""The spatial pooler agrees with its naive twin, and with a run recorded from the original."""

import csv
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine.htm import _kernels
from htmengine.htm.nupic.encoders import DateEncoder, MultiEncoder, RandomDistributedScalarEncoder
from htmengine.htm.nupic.spatial_pooler import SpatialPooler
from tests.reference import spatial_pooler as naive
from tests.reference.golden import golden, nab
from tests.support.examples import examples


@st.composite
def poolers(draw):
    columns = draw(st.integers(1, 140))
    return {
        "inputs": draw(st.integers(1, 100)),
        "columns": columns,
        "active_columns": draw(st.integers(1, columns)),
        "potential_pct": draw(st.sampled_from([0.05, 0.5, 0.8, 1.0])),
        "connected_permanence": draw(st.sampled_from([0.1, 0.2, 0.5])),
        "active_increment": draw(st.sampled_from([0.003, 0.04, 0.3])),
        "inactive_decrement": draw(st.sampled_from([0.0005, 0.006, 0.2])),
        "boost_strength": draw(st.sampled_from([0.0, 0.0, 3.0])),
        "duty_cycle_period": draw(st.sampled_from([1, 7, 1000])),
        "min_overlap_duty": draw(st.sampled_from([0.001, 0.5, 1.0])),
        "seed": draw(st.integers(1, 2**32 - 2)),
    }


def random_inputs(seed, inputs, steps):
    rng = np.random.default_rng(seed)
    shares = rng.choice([0.02, 0.1, 0.5, 0.9], steps)
    return [np.flatnonzero(rng.random(inputs) < share).astype(np.uint32) for share in shares]


def dense(pools, inputs):
    return [[pool.get(i, -1.0) for i in range(inputs)] for pool in pools]


def assert_same_state(pooler, twin):
    np.testing.assert_array_equal(pooler.permanences, dense(twin.permanences, twin.inputs))
    np.testing.assert_array_equal(pooler.active_duty_cycles, twin.active_duty_cycles)
    np.testing.assert_array_equal(pooler.overlap_duty_cycles, twin.overlap_duty_cycles)
    np.testing.assert_array_equal(pooler.boost_factors, twin.boost_factors)


@given(parameters=poolers(), seed=st.integers(0, 2**32 - 1))
@examples(40)
def test_every_step_agrees_with_the_naive_twin(parameters, seed):
    pooler, twin = SpatialPooler(**parameters), naive.SpatialPooler(**parameters)
    assert_same_state(pooler, twin)
    for step, bits in enumerate(random_inputs(seed, parameters["inputs"], 60)):
        learn = step % 7 != 3
        assert pooler.compute(bits, learn=learn).tolist() == twin.compute(bits.tolist(), learn=learn)
        assert pooler.overlaps.tolist() == twin.overlaps
    assert_same_state(pooler, twin)


@given(parameters=poolers(), seed=st.integers(0, 2**32 - 1), before=st.integers(0, 60))
@examples(30)
def test_a_restored_pooler_continues_where_the_saved_one_was(parameters, seed, before):
    saved, restored = SpatialPooler(**parameters), SpatialPooler(**parameters)
    inputs = random_inputs(seed, parameters["inputs"], before + 60)
    for bits in inputs[:before]:
        saved.compute(bits)
    restored.restore_state(saved.save_state())
    assert restored.save_state() == saved.save_state()
    for bits in inputs[before:]:
        assert restored.compute(bits).tolist() == saved.compute(bits).tolist()
    assert restored.save_state() == saved.save_state()


def test_without_learning_no_state_changes():
    pooler = SpatialPooler(40, columns=70, active_columns=5, boost_strength=2.0)
    before = pooler.save_state()
    for bits in random_inputs(3, 40, 20):
        pooler.compute(bits, learn=False)
    assert pooler.save_state() == before


def test_of_equal_overlaps_the_higher_columns_win():
    pooler = SpatialPooler(40, columns=130, active_columns=3)
    assert pooler.compute([]).tolist() == [127, 128, 129]


def test_columns_that_never_overlap_are_strengthened_until_they_do():
    pooler = SpatialPooler(60, columns=30, active_columns=2, potential_pct=0.5, inactive_decrement=0.0)
    silent = (pooler.compute([7], learn=False) * 0, pooler.overlaps == 0)[1]
    in_pool = pooler.permanences[:, 7] >= 0
    assert (silent & in_pool).any()
    for _ in range(70):
        pooler.compute([7])
    assert (pooler.overlaps[in_pool] == 1).all()


def test_boosting_lets_every_column_be_active():
    inputs = random_inputs(11, 60, 400)
    active = {}
    for boost_strength in (0.0, 10.0):
        pooler = SpatialPooler(
            60, columns=80, active_columns=4, boost_strength=boost_strength, duty_cycle_period=50
        )
        active[boost_strength] = {int(column) for bits in inputs for column in pooler.compute(bits)}
    assert len(active[0.0]) < len(active[10.0]) == 80


@pytest.mark.parametrize(
    "wrong",
    [
        {"inputs": 0},
        {"inputs": 2**17},
        {"columns": -1},
        {"active_columns": 31},
        {"potential_pct": 0.0},
        {"potential_pct": math.nan},
        {"connected_permanence": 1.0},
        {"active_increment": -0.1},
        {"inactive_decrement": 2.0},
        {"boost_strength": 100.0},
        {"duty_cycle_period": 2**30},
        {"min_overlap_duty": 1.5},
        {"seed": 0},
    ],
)
def test_parameters_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SpatialPooler(**{"inputs": 20, "columns": 30, "active_columns": 2, **wrong})


@pytest.mark.parametrize("bits", [[3, 2], [2, 2], [20], [-1], [[1]]])
def test_input_bits_that_do_not_ascend_or_exist_are_refused(bits):
    with pytest.raises(ValueError, match="active bits"):
        SpatialPooler(20, columns=30, active_columns=2).compute(bits)


def test_input_bits_that_are_no_whole_numbers_are_refused():
    with pytest.raises(TypeError, match="whole numbers"):
        SpatialPooler(20, columns=30, active_columns=2).compute([0.5])


@given(data=st.data())
@examples(50)
def test_no_bytes_break_a_pooler(data):
    pooler = SpatialPooler(20, columns=30, active_columns=2)
    pooler.compute([3, 4, 5])
    before = pooler.save_state()
    state = bytearray(before)
    for _ in range(data.draw(st.integers(1, 4))):
        state[data.draw(st.integers(0, len(state) - 1))] = data.draw(st.integers(0, 255))
    try:
        pooler.restore_state(bytes(state))
    except _kernels.StateError:
        assert pooler.save_state() == before
    assert len(pooler.compute([1, 2, 19])) == 2


@pytest.mark.parametrize("other", [{"columns": 31}, {"inputs": 21}, {"potential_pct": 0.5}])
def test_the_state_of_another_pooler_is_refused(other):
    parameters = {"inputs": 20, "columns": 30, "active_columns": 2}
    with pytest.raises(_kernels.StateError):
        SpatialPooler(**parameters).restore_state(SpatialPooler(**{**parameters, **other}).save_state())


def nyc_taxi_bits():
    encoder = MultiEncoder(
        {
            "time": DateEncoder(time_of_day=(21, 9.49)),
            "value": RandomDistributedScalarEncoder(422.03538461538466),
        }
    )
    with nab("data", "realKnownCause", "nyc_taxi.csv").open() as file:
        for row in csv.DictReader(file):
            timestamp = np.datetime64(row["timestamp"], "s").astype(int)
            yield encoder.encode(timestamp, float(row["value"]))


def connected_counts(pooler):
    return (pooler.permanences >= np.float32(0.2) - np.float32(1e-6)).sum(axis=1)


@pytest.mark.golden
def test_the_initial_state_is_that_of_the_original():
    expected = json.loads(golden("sp_nab_init.json").read_text())
    pooler = SpatialPooler(454)
    assert connected_counts(pooler).tolist() == expected["init_connected_counts"]
    for column, synapses in expected["init_columns"].items():
        permanences = pooler.permanences[int(column)]
        assert np.flatnonzero(permanences >= 0).tolist() == synapses["potential"]
        assert permanences[permanences >= 0] == pytest.approx(synapses["permanence"], abs=6e-7)


@pytest.mark.golden
def test_active_columns_and_statistics_are_those_of_the_original():
    statistics = {row["i"]: row for row in json.loads(golden("sp_nab_init.json").read_text())["stats"]}
    lines = golden("sp_nab_nyc_taxi_active_columns.csv").read_text().splitlines()
    pooler = SpatialPooler(454)
    checked = 0
    for row, bits in zip(csv.DictReader(lines), nyc_taxi_bits(), strict=False):
        assert pooler.compute(bits).tolist() == [int(column) for column in row["active_columns"].split()]
        checked += 1
        if expected := statistics.pop(int(row["i"]), None):
            permanences = pooler.permanences.astype(np.float64)
            duty_cycles = pooler.active_duty_cycles.astype(np.float64)
            assert connected_counts(pooler).sum() == expected["connected_total"]
            assert permanences[permanences >= 0].sum() == pytest.approx(
                expected["permanence_total"], abs=6e-4
            )
            assert duty_cycles.sum() == pytest.approx(expected["active_duty_sum"], abs=1e-4)
            assert pooler.overlap_duty_cycles.sum() == expected["overlap_duty_sum"]
            assert pooler.overlaps[:16].tolist() == expected["overlaps_first"]
    assert checked == 1000
    assert not statistics
