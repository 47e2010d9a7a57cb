import io

import numpy as np
import pytest

from htmengine.detection import scoring
from htmengine.detection.result import Choice
from htmengine.detection.scored import ScoredSeries
from htmengine.series.reader import read


@pytest.fixture
def series():
    rows = [f"{1_700_000_000 + 60 * i},{'' if i == 321 else 5 + np.sin(i / 5)}" for i in range(900)]
    rows[650] = f"{1_700_000_000 + 60 * 650},40"
    (found,) = read(io.BufferedReader(io.BytesIO("\n".join(["time,value", *rows]).encode())), "file.csv")
    return found


@pytest.mark.parametrize("passes", [1, 2])
def test_any_row_is_explained_as_it_was_scored(series, passes, monkeypatch):
    monkeypatch.setattr(scoring, "BLOCK_ROWS", 200)
    kept = ScoredSeries(series)
    scoring.detect(series, Choice(passes=passes), kept=kept)
    explain = scoring.Explainer(series, Choice(passes=passes))
    for row in (700, 650, 0, 200, 199, 899, 450):
        why = explain(row)
        assert why.scores.log_score == kept.scores.log_score[row]
        assert why.timestamp == series.timestamps[row]
        assert row not in kept.why or why == kept.why[row]
    assert 650 in kept.why


def test_models_that_do_not_explain_say_nothing(series):
    assert scoring.Explainer(series, Choice(params="nupic"))(50) is None
