"""The short form of parameters."""

import json

import msgspec
import pytest

from htmengine.htm import params

VERSION_1 = "e116a5eb6b2feb826baf5c645faa86c5"


@pytest.mark.parametrize("name", params.NAMES)
@pytest.mark.parametrize("predict", [(), (1, 5)])
@pytest.mark.parametrize("seed", [None, 2**64 - 1])
def test_parameters_come_back_as_they_were(name, predict, seed):
    parameters = params.parameter_set(name, minimum=-0.1, maximum=1 / 3, predict=predict, seed=seed)
    assert params.from_short_form(json.loads(json.dumps(params.to_short_form(parameters)))) == parameters
    assert params.from_short_form(json.loads(parameters.to_json())) == parameters


def test_the_default_set_has_a_short_form():
    parameters = params.parameter_set("default", minimum=0.0, maximum=100.0)
    assert params.to_short_form(parameters) == {
        "kind": "default-2",
        "edition": 2,
        "scale": {"minimum": 0.0, "maximum": 100.0},
    }


def test_version_1_keeps_its_short_form():
    parameters = params.DefaultParametersV1(name="default", damping=0.3)
    described = {"kind": "default", "edition": 1, "damping": 0.3}
    assert params.to_short_form(parameters) == described
    assert params.from_short_form(described) == parameters
    assert params.from_json(parameters.to_json()) == parameters


def test_whatever_differs_is_kept():
    default = params.parameter_set("default")
    parameters = msgspec.structs.replace(
        default,
        combination=msgspec.structs.replace(default.combination, damping=0.3),
        channels=("sequence",),
        jump_likelihood=msgspec.structs.replace(default.jump_likelihood, refit=7),
    )
    assert params.from_short_form(json.loads(json.dumps(params.to_short_form(parameters)))) == parameters


def test_a_version_stays_what_it_was():
    # Where this fails, the default set was changed: raise VERSION in versions.py and keep the earlier one there.
    assert params.from_short_form({"kind": "default", "edition": 1}).digest().hex() == VERSION_1


@pytest.mark.parametrize(
    ("described", "reason"),
    [
        ({"kind": "default", "edition": 99}, "version 99 .* newer htmengine"),
        ({"kind": "default", "edition": []}, "version"),
        ({"kind": "nupic", "edition": 1}, "pooler|encoder|unknown|missing"),
        ({"kind": "default", "edition": 1, "quiet_record": 1}, "quiet_record"),
        ({"kind": "default", "edition": 1, "scale": 5}, "scale"),
        ([], "object"),
    ],
)
def test_what_is_no_set_is_refused(described, reason):
    with pytest.raises(ValueError, match=reason):
        params.from_short_form(described)
