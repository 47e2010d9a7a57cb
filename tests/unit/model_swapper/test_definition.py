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
        ("{}", "lack modelConfig, inferenceArgs, inputRecordSchema"),
        ('{"other": 1}', "no 'parameters'"),
        ('{"modelConfig": {}, "inferenceArgs": {}, "inputRecordSchema": []}', "model_params"),
        ('{"parameters": {"kind": "unheard of"}}', "of no model of this version"),
    ],
)
def test_what_defines_no_model_is_refused_with_the_reason(text, reason):
    with pytest.raises(ValueError, match=reason):
        definition.parse(text)


def test_a_definition_of_the_original_engine_is_read_by_its_documented_keys():
    parameters = params.parameter_set("nupic-0.3", minimum=0.0, maximum=100.0)
    config, arguments = params.to_model_config(parameters)
    schema = [["c0", "datetime", "T"], ["c1", "float", ""]]
    text = json.dumps({"modelConfig": config, "inferenceArgs": arguments, "inputRecordSchema": schema})
    expected = params.from_model_config(config, arguments, value_field="c1", timestamp_field="c0")
    assert definition.parse(text) == expected
