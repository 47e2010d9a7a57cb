"""What `metric.model_params` says: the one place that writes and reads a model's definition."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from htmengine.htm import params

PARAMETERS: Final = "parameters"
"""The engine's own key, beside the documented `modelConfig`, `inferenceArgs` and `inputRecordSchema`."""

DEFINITIONS_KEPT: Final = 256
"""Most metrics of an installation have the same one."""

DOCUMENTED: Final = ("modelConfig", "inferenceArgs", "inputRecordSchema")


def render(parameters: params.Parameters, *, documented: Mapping[str, Any] | None = None) -> str:
    """Return the text of `model_params`: the parameters, which rule, and what the documented keys are to say.

    Parameters
    ----------
    documented : `modelConfig`, `inferenceArgs`, `inputRecordSchema`, as far as there are such; for applications that
        read them.
    """
    return json.dumps({**(documented or {}), PARAMETERS: params.to_short_form(parameters)}, sort_keys=True)


@lru_cache(DEFINITIONS_KEPT)
def parse(model_params: str | None) -> params.Parameters:
    """Return the parameters of the model that `model_params` defines. Raises ValueError, which says why there are none."""
    if not model_params:
        raise ValueError("the metric has no model_params; monitor it to give it a model")
    try:
        described = msgspec.json.decode(model_params, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeEncodeError) as error:
        raise ValueError(f"model_params are not a JSON object: {error}") from error
    if PARAMETERS not in described:
        return _of_the_original(described)
    try:
        return params.from_short_form(msgspec.json.decode(described[PARAMETERS]))
    except ValueError as error:
        raise ValueError(f"model_params: {PARAMETERS!r} are of no model of this version: {error}") from error


def _of_the_original(described: Mapping[str, msgspec.Raw]) -> params.Parameters:
    """Return the parameters that a definition of the original engine stands for: it has the documented keys alone."""
    missing = [name for name in DOCUMENTED if name not in described]
    if missing:
        raise ValueError(
            f"model_params have no {PARAMETERS!r}, and of the documented keys they lack {', '.join(missing)}"
        )
    try:
        config, arguments = (
            msgspec.json.decode(described[name], type=dict[str, Any]) for name in DOCUMENTED[:2]
        )
        (timestamp, *_), (value, *_) = msgspec.json.decode(described[DOCUMENTED[2]], type=list[list[str]])
        return params.from_model_config(config, arguments, value_field=value, timestamp_field=timestamp)
    except ValueError as error:
        raise ValueError(f"model_params: {error}") from error
