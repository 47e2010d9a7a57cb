"""The compiled models of NuPIC against their naive twin, whole, at a size that a naive twin can take."""

import math

import hypothesis.strategies as st
import msgspec
import numpy as np
from hypothesis import given

from htmengine.htm import params
from htmengine.htm.model import Model
from tests.reference.nupic_model import NupicModel
from tests.support.examples import examples

seeds = st.integers(1, 2**32 - 2)
dates = st.builds(
    params.DateEncoder,
    day_of_week=st.sampled_from([(0, 1.0), (3, 1.0)]),
    weekend=st.sampled_from([(0, 1.0), (5, 1.0)]),
    time_of_day=st.just((7, 4.0)),
)
values = st.one_of(
    st.builds(
        params.RandomDistributedScalarEncoder,
        resolution=st.sampled_from([0.05, 0.3]),
        w=st.just(7),
        n=st.just(60),
        seed=seeds,
    ),
    st.builds(params.AdaptiveScalarEncoder, w=st.just(7), n=st.just(40)),
    st.builds(params.DeltaEncoder, w=st.just(5), n=st.just(40)),
)
poolers = st.builds(
    params.SpatialPooler,
    columns=st.just(60),
    active_columns=st.just(6),
    connected_permanence=st.just(0.2),
    active_increment=st.sampled_from([0.003, 0.05]),
    seed=seeds,
)
sizes = {
    "cells_per_column": st.integers(2, 4),
    "activation_threshold": st.just(4),
    "min_threshold": st.just(3),
    "new_synapse_count": st.just(6),
    "max_segments_per_cell": st.integers(2, 6),
    "max_synapses_per_segment": st.just(8),
    "seed": seeds,
}
memories = st.one_of(
    st.builds(params.TemporalMemory, **sizes), st.builds(params.BacktrackingTemporalMemory, **sizes)
)
models = st.builds(
    params.NupicParameters,
    name=st.just("small"),
    encoders=st.fixed_dictionaries({"when": dates, "value": values}),
    pooler=poolers,
    memory=memories,
    likelihood=st.builds(
        params.Likelihood,
        schedule=st.sampled_from(["streaming", "engine"]),
        learning=st.just(20),
        probation=st.just(30),
        history=st.just(80),
        refit=st.just(10),
    ),
    classifier=st.just(params.Classifier(steps=(1, 3))),
)


def random_series(rng, count):
    """A sample each half hour of a noisy day, or of a flat metric, with missing values and jumps."""
    times = 1.7e9 + 1800.0 * np.cumsum(rng.random(count) < 0.95)
    values = np.sin(times / 86400 * 2 * np.pi) + 0.1 * rng.standard_normal(count)
    if rng.random() < 0.3:
        values[:] = 0.5  # flat: unlikely is nothing
    values[rng.random(count) < 0.03] = rng.choice([math.nan, math.inf, 5.0])
    return times, np.round(values, 2)


@examples(10)
@given(parameters=models, seed=seeds)
def test_scores_and_predictions_are_those_of_the_naive_twin_also_after_saving(parameters, seed):
    twin = NupicModel(msgspec.to_builtins(parameters))
    model = Model(parameters)
    times, values = random_series(np.random.default_rng(seed), 100)
    for i, (time, value) in enumerate(zip(times.tolist(), values.tolist(), strict=True)):
        scores, predictions = model.score_and_predict([time], [value])
        found = (
            [column.item() for column in scores.stored],
            [column.item() for column in predictions.values()],
        )
        assert np.isnan([scores.forecast, scores.usual_low, scores.usual_high, scores.one_in]).all()
        expected = twin.score(time, value)
        if expected is None:
            assert np.isnan(found[0]).all()
        else:
            assert found == expected, f"record {i}"
        if i % 30 == 25:
            model = Model.load(model.save())
