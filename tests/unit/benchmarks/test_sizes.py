import numpy as np

from benchmarks import sizes


def test_every_series_has_a_row_and_predictions_take_room():
    head, _, *rows = sizes.table(samples=200).splitlines()
    assert head == "| Series | default | stored | predicting 1 step | predicting 1 to 5 steps |"
    assert [row.split(" | ")[0][2:] for row in rows] == list(sizes.SERIES)


def test_a_model_was_at_least_as_large_on_the_way_as_at_the_end():
    values = sizes.SERIES["random walk"](np.random.default_rng(1), 600)
    without, predicting = (sizes.size(sizes.times(600), values, steps) for steps in ((), (1, 2)))
    assert 0 < without.stored < without.last <= without.largest
    assert predicting.largest > without.largest
