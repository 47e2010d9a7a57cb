"""The reliability table counts what exceeds p among normal records."""

import numpy as np
import pytest

from benchmarks.calibration import KINDS, Calm, generated, shares


def scores_are_values(timestamps, values, seed):
    return values


def test_shares_count_normal_records_alone():
    values = np.array([0.9, 0.1, 0.2, 0.35, 0.5])
    found = shares(scores_are_values, [Calm(np.arange(5.0), values, slice(1, None))], jobs=1)
    assert found == {"0.99": 0.75, "0.999": 0.5, "0.9999": 0.25, "0.99999": 0.25, "records": 4}


@pytest.mark.parametrize("kind", KINDS)
def test_generated_series_repeat_and_differ_by_number(kind):
    one, other = generated(kind, 2, 3000, 7)
    again = generated(kind, 1, 3000, 7)[0]
    np.testing.assert_array_equal(one.values, again.values)
    assert not np.array_equal(one.values, other.values)
    assert np.isfinite(one.values).all()
