"""Models of version 1 of the default model go on as they began.

The block and the digests are those of the version in which this version was the default set.
"""

import hashlib
from pathlib import Path

import msgspec
import numpy as np

from htmengine.htm import params
from htmengine.htm.model import Model

BLOCK = Path(__file__).with_name("version-1.model")
ROWS = 1100  # that the block's model has seen
DIGESTS = {  # of the scores of these rows
    (0, 1100): "6d70f8d478f2b591a9fa888a53f3f579",
    (1100, 2000): "5de31feece20257cc61824daa1eb41cd",
}
WHOLE_DIGEST = "c72da675869ac0bd917691dfa8962efc"  # with the default parameters of rows 0 to 2000


def series(first, end):
    rows = np.arange(first, end)
    values = (rows * 7919 % 997) / 500.0 + np.abs(rows % 288 - 144) / 16.0
    values[rows % 400 == 399] += 30.0
    return 1.7e9 + 300.0 * rows, values


def digest(scores):
    """Return that of the five scores that this version gives."""
    return hashlib.blake2b(np.array(scores)[:5].tobytes(), digest_size=16).hexdigest()


def test_a_block_goes_on_bit_for_bit():
    model = Model.load(BLOCK.read_bytes())
    assert model.rows == ROWS
    assert isinstance(model.parameters, params.DefaultParametersV1)
    assert digest(model.score_series(*series(ROWS, 2000))) == DIGESTS[ROWS, 2000]


def test_a_block_is_saved_as_it_was():
    assert Model.load(BLOCK.read_bytes()).save() == BLOCK.read_bytes()


def test_parameters_make_the_same_model_as_before():
    model = Model(Model.load(BLOCK.read_bytes()).parameters)
    assert digest(model.score_series(*series(0, ROWS))) == DIGESTS[0, ROWS]
    assert model.save() == BLOCK.read_bytes()


def test_the_version_scores_as_before_however_it_is_described():
    whole = msgspec.json.encode(
        msgspec.to_builtins(params.from_short_form({"kind": "default", "edition": 1}))
    )
    for parameters in (
        params.from_json(whole),
        params.from_short_form({"kind": "default", "edition": 1}),
        params.DefaultParametersV1(name="default"),
    ):
        assert digest(Model(parameters).score_series(*series(0, 2000))) == WHOLE_DIGEST


def test_it_gives_no_forecast_and_says_so():
    scores = Model.load(BLOCK.read_bytes()).score_series(*series(ROWS, ROWS + 10))
    for missing in (scores.forecast, scores.usual_low, scores.usual_high, scores.one_in):
        assert np.isnan(missing).all()


def test_an_explanation_that_was_saved_is_there():
    explanation = Model.load(BLOCK.read_bytes()).explain()
    assert explanation is not None
    assert explanation.timestamp == series(ROWS - 1, ROWS)[0][0]
