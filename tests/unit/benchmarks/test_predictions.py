import numpy as np
import pytest

from benchmarks import predictions
from htmengine.htm import params


def test_a_learned_pattern_is_predicted_better_than_by_the_current_value():
    values = np.tile([1.0, 9.0, 5.0, 3.0], 250)
    parameters = params.parameter_set("default", predict=(1, 2))
    found = predictions.errors(parameters, 60.0 * np.arange(len(values)), values, first=800)
    assert list(found) == [1, 2]
    assert found[1]["current value"] == pytest.approx(4.0, abs=0.1)  # of steps of 8, 4, 2 and 2
    assert found[1]["model"] < 1.0


def test_what_is_missing_does_not_count():
    values = np.tile([1.0, 2.0], 60)
    values[100] = np.nan
    parameters = params.parameter_set("default", predict=(1,))
    found = predictions.errors(parameters, 60.0 * np.arange(len(values)), values, first=10)
    assert np.isfinite([*found[1].values()]).all()
