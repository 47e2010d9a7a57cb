import json

import pytest

from htmengine.htm import params
from htmengine.model_swapper import definition


@pytest.mark.parametrize("name", params.NAMES)
def test_every_parameter_set_comes_back_as_it_was_written(name):
    parameters = params.parameter_set(name, minimum=-1.5, maximum=10 / 3, seed=2**64 - 1)
    assert definition.parse(definition.render(parameters)) == parameters


def test_the_documented_keys_stand_beside_the_parameters():
    parameters = params.parameter_set("default")
    text = definition.render(parameters, documented={"modelConfig": {"model": "CLA"}})
    assert json.loads(text)["modelConfig"] == {"model": "CLA"}
    assert definition.parse(text) == parameters


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "no model_params"),
        ("", "no model_params"),
        ("[]", "not a JSON object"),
        ("{", "not a JSON object"),
        ("\ud800", "not a JSON object"),
        ("{}", "no 'parameters', only nothing"),
        ('{"other": 1}', "only other"),
        ('{"parameters": {"kind": "unheard of"}}', "of no model of this version"),
    ],
)
def test_what_defines_no_model_is_refused_with_the_reason(text, reason):
    with pytest.raises(ValueError, match=reason):
        definition.parse(text)
