"""The bars of anomaly scores."""

import math

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from htmengine.repository import display


@given(score=st.floats(-1, 1) | st.floats(0.9998, 1.0))
def test_the_bar_is_as_high_as_documented(score):
    size = abs(score)
    level = 1.0 if size > 0.99999 else math.log(1.0000000001 - size) / math.log(1.0 - 0.9999999999)
    assume(abs(level - 0.4) > 1e-12)
    documented = 0 if score == 0 else round(level + (1e9 if level >= 0.5 else 1e6 if level >= 0.4 else 1e3))
    assert display.bars(np.array([score])).tolist() == [documented]


def test_a_row_without_a_score_has_no_bar():
    assert math.isnan(display.bars(np.array([math.nan]))[0])
