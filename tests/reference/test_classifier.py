"""The SDR classifiers against their naive twins, and NuPIC's models against predictions that NuPIC recorded."""

import json

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from htmengine.htm import _kernels, params
from htmengine.htm.model import Model
from tests.reference import classifier as naive_classifiers
from tests.reference.golden import golden
from tests.support.examples import examples

CELLS = 40
KINDS = ["SoftmaxClassifier", "NupicClassifier"]
both_kinds = pytest.mark.parametrize("kind", KINDS)


def build(kind, cells=CELLS, **changes):
    options = {"steps": [1], "alpha": 0.1, "value_gain": 0.3, "max_buckets": 10} | changes
    return getattr(_kernels, kind)(cells=cells, **options), getattr(naive_classifiers, kind)(**options)


def cells(*numbers):
    return np.array(numbers, dtype=np.uint32)


samples = st.lists(
    st.tuples(
        st.sets(st.integers(0, CELLS - 1), max_size=8),
        st.integers(-3, 12),
        st.floats(-1e6, 1e6) | st.sampled_from([1.0, 2.0]),
        st.booleans(),
    ),
    max_size=40,
)


@both_kinds
@examples(150)
@given(
    samples=samples,
    steps=st.sets(st.integers(1, 7), min_size=1, max_size=3).map(sorted),
    alpha=st.sampled_from([0.0, 1e-6, 0.0358, 1.0]),
    max_buckets=st.integers(1, 9),
)
def test_every_prediction_is_that_of_the_naive_twin_also_after_a_reload(
    kind, samples, steps, alpha, max_buckets
):
    options = {"steps": steps, "alpha": alpha, "max_buckets": max_buckets}
    classifier, naive = build(kind, **options)
    for active, bucket, value, reload in samples:
        if reload:
            state = classifier.save_state()
            classifier, _ = build(kind, **options)
            classifier.restore_state(state)
            assert classifier.save_state() == state
        found = classifier.compute(cells(*active), bucket, value)
        assert found == naive.compute(active, bucket, value)


@both_kinds
def test_what_follows_is_learned_for_each_number_of_steps(kind):
    classifier, _ = build(kind, steps=[1, 3])
    for i in range(401):
        cell, value = i % 5, [10.0, 20.0, 30.0, 40.0, 50.0][i % 5]
        found = classifier.compute(cells(cell), i % 5, value)
    assert [round(value) for value, _ in found] == [20, 40]
    assert all(probability > 0.5 for _, probability in found)


@both_kinds
def test_a_value_beyond_the_last_bucket_counts_as_one_in_the_nearest(kind):
    classifier, naive = build(kind, max_buckets=2, value_gain=1.0)
    for bucket in (0, 10):
        assert classifier.compute(cells(0), bucket, float(bucket)) == naive.compute(
            [0], bucket, float(bucket)
        )
    size = len(classifier.save_state())
    for bucket in (-(2**63), 11, 2**63 - 1, 4, 5, 6):
        assert classifier.compute(cells(0), bucket, float(bucket)) == naive.compute(
            [0], bucket, float(bucket)
        )
        assert len(naive.values) == 2
    assert len(classifier.save_state()) == size


def test_buckets_that_never_came_up_take_no_memory():
    sizes = []
    for buckets in ([1, 3], [2**62, 2**63 - 1]):
        classifier, _ = build("NupicClassifier")
        for bucket in buckets:
            classifier.compute(cells(1, 2), bucket, 1.0)
        sizes.append(len(classifier.save_state()))
    assert sizes[0] == sizes[1]


@both_kinds
def test_cells_that_were_always_active_together_share_their_weights(kind):
    sizes = []
    for count in (2, 20):
        classifier, _ = build(kind)
        for bucket in range(6):
            classifier.compute(cells(*range(count)), bucket, 1.0)
        sizes.append(len(classifier.save_state()))
    assert sizes[1] - sizes[0] == 18 * 3 * 4  # their numbers: in the row and in the last two samples


def test_where_the_flawed_softmax_gives_no_numbers_a_stable_one_takes_its_place():
    before_2, before_1 = range(3900), range(3900, 7900)
    classifier, naive = build("NupicClassifier", cells=7900, alpha=1.0)
    for active, bucket in ((before_2, 2), (before_2, 2), (before_1, 2), (before_1, 1), (before_1, 1)):
        assert classifier.compute(cells(*active), bucket, float(bucket)) == naive.compute(
            active, bucket, float(bucket)
        )
    sums = [naive_classifiers.sum_of(naive.weights[1], [*before_2, *before_1], bucket) for bucket in (1, 2)]
    assert sums[0] > sums[1] > 710
    [(value, probability)] = classifier.compute(cells(*before_2, *before_1), 1, 1.0)
    assert (value, probability) == (1.0, 1.0)
    assert [(value, probability)] == naive.compute([*before_2, *before_1], 1, 1.0)


def test_a_classifier_that_forgot_is_a_new_one():
    classifier, _ = build("SoftmaxClassifier")
    new = classifier.save_state()
    classifier.compute(cells(1, 2), 3, 4.0)
    classifier.forget()
    assert classifier.save_state() == new


@both_kinds
@examples(200)
@given(data=st.data())
def test_damaged_state_is_refused_or_harmless(kind, data):
    classifier, _ = build(kind, steps=[1, 2])
    for i in range(8):
        classifier.compute(cells(i, i + 1), 2 * i % 5, float(i))
    before = classifier.save_state()
    state = bytearray(before)
    for _ in range(data.draw(st.integers(1, 3))):
        state[data.draw(st.integers(0, len(state) - 1))] = data.draw(st.integers(0, 255))
    try:
        classifier.restore_state(bytes(state))
    except ValueError:
        assert classifier.save_state() == before
    classifier.compute(cells(1, 2, 3), 1, 2.0)


@both_kinds
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
def test_a_parameter_out_of_range_is_named(kind, changes, message):
    with pytest.raises(ValueError, match=message):
        build(kind, **changes)


@pytest.mark.golden
@pytest.mark.parametrize(("run", "name"), [("cpp", "nupic"), ("tm_cpp", "nupic-tm")])
@pytest.mark.parametrize("series", ["cycle0to9", "sine20"])
def test_predictions_are_the_recorded_ones(run, name, series):
    rows = json.loads(golden("opf_predictions.json").read_text())["runs"][f"{run}/{series}"]
    values = np.array([row[0] for row in rows])
    model = Model(params.parameter_set(name, minimum=values.min(), maximum=values.max(), predict=(1, 5)))
    assert len(rows) == {"cycle0to9": 400, "sine20": 500}[series]
    for i, (value, raw, one_ahead, five_ahead, probability) in enumerate(rows):
        scores, predictions = model.score_and_predict([1420070400.0 + 300.0 * i], [value])
        assert scores.raw_anomaly_score == raw
        assert predictions[1] == pytest.approx(one_ahead, abs=1e-9)
        assert predictions[5] == pytest.approx(five_ahead, abs=1e-9)
        assert round(model.kernel.predictions()[0][1], 5) == probability
