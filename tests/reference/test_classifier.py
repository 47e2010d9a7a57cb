"""The SDR classifier against its naive twin, and whole models against predictions that NuPIC recorded."""

import json

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from htmengine.htm import _kernels, params
from htmengine.htm.encoders import DateEncoder, MultiEncoder, RandomDistributedScalarEncoder
from htmengine.htm.model import Model
from htmengine.htm.spatial_pooler import SpatialPooler
from tests.reference.classifier import Classifier as NaiveClassifier
from tests.reference.golden import golden

CELLS = 40


def build(**changes):
    options = {"steps": [1], "alpha": 0.1, "value_gain": 0.3, "max_buckets": 10} | changes
    return _kernels.Classifier(cells=CELLS, **options), NaiveClassifier(**options)


samples = st.lists(
    st.tuples(
        st.sets(st.integers(0, CELLS - 1), max_size=8),
        st.integers(-6, 6),
        st.floats(-1e6, 1e6),
        st.booleans(),
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=150)
@given(
    samples=samples,
    steps=st.sets(st.integers(1, 7), min_size=1, max_size=3).map(sorted),
    alpha=st.sampled_from([0.0, 0.0358, 1.0]),
    max_buckets=st.integers(1, 9),
)
def test_every_prediction_is_that_of_the_naive_twin_also_after_a_reload(samples, steps, alpha, max_buckets):
    options = {"steps": steps, "alpha": alpha, "max_buckets": max_buckets}
    classifier, naive = build(**options)
    for cells, bucket, value, reload in samples:
        if reload:
            state = classifier.save_state()
            classifier, _ = build(**options)
            classifier.restore_state(state)
            assert classifier.save_state() == state
        found = classifier.compute(np.array(list(cells), dtype=np.uint32), bucket, value)
        assert found == naive.compute(cells, bucket, value)


def test_what_follows_is_learned_for_each_number_of_steps():
    classifier, _ = build(steps=[1, 3])
    for i in range(400):
        cell, value = i % 5, [10.0, 20.0, 30.0, 40.0, 50.0][i % 5]
        found = classifier.compute(np.array([cell], dtype=np.uint32), i % 5, value)
    assert [round(value) for value, _ in found] == [10, 30]
    assert all(probability > 0.5 for _, probability in found)


def test_a_value_beyond_the_last_bucket_counts_as_one_in_the_nearest():
    classifier, naive = build(max_buckets=2, value_gain=1.0)
    cells = np.array([0], dtype=np.uint32)
    for bucket in (0, 10):
        assert classifier.compute(cells, bucket, float(bucket)) == naive.compute([0], bucket, float(bucket))
    size = len(classifier.save_state())
    for bucket in (-(2**63), 11, 2**63 - 1, 4):
        assert classifier.compute(cells, bucket, float(bucket)) == naive.compute([0], bucket, float(bucket))
        assert len(naive.values) == 2
    assert len(classifier.save_state()) == size


def test_a_classifier_that_forgot_is_a_new_one():
    classifier, _ = build()
    new = classifier.save_state()
    classifier.compute(np.array([1, 2], dtype=np.uint32), 3, 4.0)
    classifier.forget()
    assert classifier.save_state() == new


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_damaged_state_is_refused_or_harmless(data):
    classifier, _ = build(steps=[1, 2])
    for i in range(8):
        classifier.compute(np.array([i, i + 1], dtype=np.uint32), i % 3, float(i))
    before = classifier.save_state()
    state = bytearray(before)
    for _ in range(data.draw(st.integers(1, 3))):
        state[data.draw(st.integers(0, len(state) - 1))] = data.draw(st.integers(0, 255))
    try:
        classifier.restore_state(bytes(state))
    except ValueError:
        assert classifier.save_state() == before
    classifier.compute(np.array([1, 2, 3], dtype=np.uint32), 1, 2.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": []}, "1 to 16 numbers of steps"),
        ({"steps": [0]}, "steps = 0"),
        ({"steps": [101]}, "steps = 101"),
        ({"steps": [2, 1]}, "steps must ascend"),
        ({"alpha": -0.1}, "alpha = -0.1"),
        ({"value_gain": 1.5}, "value_gain = 1.5"),
        ({"max_buckets": 0}, "max_buckets = 0"),
    ],
)
def test_a_parameter_out_of_range_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        build(**changes)


def recorded(run, series, name):
    """What NuPIC recorded, the values that it was given at which times, and the parameters."""
    rows = json.loads(golden("opf_predictions.json").read_text())["runs"][f"{run}/{series}"]
    values = np.array([row[0] for row in rows])
    parameters = params.parameter_set(name, minimum=values.min(), maximum=values.max(), predict=(1, 5))
    return rows, values, 1420070400.0 + 300.0 * np.arange(len(values)), parameters


@pytest.mark.golden
@pytest.mark.parametrize(("run", "name"), [("cpp", "nupic"), ("tm_cpp", "nupic-tm")])
@pytest.mark.parametrize("series", ["cycle0to9", "sine20"])
def test_predictions_come_as_near_as_the_recorded_ones(run, name, series):
    # Not the same ones: decision 9.
    rows, values, times, parameters = recorded(run, series, name)
    scores, predictions = Model(parameters).score_and_predict(times, values)
    assert scores.raw_anomaly_score.tolist() == [row[1] for row in rows]
    for step, column in ((1, 2), (5, 3)):
        expected = np.array([row[column] for row in rows])
        assert error(predictions[step], values, step) < 1.1 * error(expected, values, step)


def error(predicted, values, step):
    """Mean distance between what was predicted and what came."""
    return np.abs(predicted[:-step] - values[step:]).mean()


@pytest.mark.golden
@pytest.mark.parametrize(("series", "count"), [("cycle0to9", 24), ("sine20", 36)])
def test_recorded_predictions_begin_with_those_of_the_flawed_softmax(series, count):
    rows, values, times, parameters = recorded("tm_cpp", series, "nupic-tm")
    assert all(
        row[1] == 1.0 for row in rows[:count]
    )  # no column was predicted: all cells of the active ones are active
    assert [row[2:] for row in recorded("cpp", series, "nupic")[0][:count]] == [
        row[2:] for row in rows[:count]
    ]
    encoder = MultiEncoder(
        {
            "time": DateEncoder(time_of_day=(21, 9.49)),
            "value": RandomDistributedScalarEncoder(parameters.encoders["value"].resolution),
        }
    )
    pooler = SpatialPooler(encoder.width)
    classifiers = [FlawedClassifier(step) for step in (1, 5)]
    for row, time, value in zip(rows[:count], times, values, strict=False):
        bits, bucket = encoder.encode_with_bucket(time, value)
        columns = pooler.compute(bits)
        found = [classifier.compute(columns, bucket, value) for classifier in classifiers]
        assert [predicted for predicted, _ in found] == pytest.approx(row[2:4], abs=1e-9)
        assert found[0][1] == pytest.approx(row[4], abs=5.001e-6)


class FlawedClassifier:
    """What the recorded predictions follow from at first: decision 9. All cells of an active column are active."""

    CELLS = 32
    ALPHA = 0.035828933612157998

    def __init__(self, step):
        self.step = step
        self.weights = np.zeros((2048, 1000))  # by column, as its cells have the same ones, and bucket
        self.buckets = 1
        self.values = {}  # by bucket
        self.past = []

    def compute(self, columns, bucket, value):
        by_value = {}
        best = None
        for known, share in enumerate(self.shares(columns)):
            predicted = self.values.get(known, value)
            by_value[predicted] = by_value.get(predicted, 0.0) + share
            if best is None or by_value[predicted] > best[1]:
                best = predicted, by_value[predicted]
        self.buckets = max(self.buckets, bucket + 1)
        self.values[bucket] = 0.7 * self.values[bucket] + 0.3 * value if bucket in self.values else value
        self.past.append(columns)
        if len(self.past) > self.step:
            before = self.past[-1 - self.step]
            errors = -self.shares(before)
            errors[bucket] += 1.0
            weights = self.weights[before, : self.buckets] + self.ALPHA * errors
            weights[np.abs(weights) <= 1e-6] = 0.0
            self.weights[before, : self.buckets] = weights
        return best

    def shares(self, columns):
        sums = self.CELLS * self.weights[columns, : self.buckets].sum(axis=0)
        largest = sums.argmax()
        sums[: largest + 1] -= sums[largest]  # the flaw: not those behind the largest
        powers = np.exp(sums)
        return powers / powers.sum()
