"""What `monitorMetric` is given: checked as a whole before anything is created."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from htmengine.foreign import has_unseen
from htmengine.htm.params import MAX_MAGNITUDE
from htmengine.repository.metrics import CUSTOM, MAX_NAME

MAX_RESOURCE: Final = 100
MAX_CHARACTERS: Final = 65_535
"""Characters of a whole specification, as JSON in ASCII: so much every database stores."""
MAX_DEPTH: Final = 64
"""How deep objects and lists may be nested."""

_UNSEEN: Final = "control characters or others that cannot be seen"


class MetricSpec(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Which metric, and what the application keeps with it."""

    metric: str | None = None
    """Its name."""
    uid: str | None = None
    """In place of the name."""
    unit: str | None = None
    resource: str | None = None
    user_info: dict[str, Any] | None = None


class ModelParams(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What is known of the metric's values, and what its model is to do."""

    min: float | None = None
    max: float | None = None
    min_resolution: float | None = None
    """Smallest difference of values that the model tells apart, in the metric's unit."""
    enable_classifier: bool = False
    """Whether the model predicts the next values."""


class CompleteModelParams(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True
):
    """A model configuration of NuPIC's."""

    model_config: dict[str, Any]
    inference_args: dict[str, Any]
    timestamp_field_name: str
    value_field_name: str


class ModelSpec(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A metric and the model that it is to have."""

    datasource: str
    metric_spec: MetricSpec
    model_params: ModelParams | None = None
    complete_model_params: CompleteModelParams | None = None


def parse(spec: Mapping[str, Any]) -> ModelSpec:
    """Return a specification, checked.

    Raises
    ------
    ValueError : it says neither or wrongly what to monitor, or its parameters contradict each other.
    """
    if isinstance(spec, Mapping):
        check_complete_params(spec)
    try:
        found = msgspec.convert(spec, ModelSpec)
    except msgspec.ValidationError as error:
        raise ValueError(f"modelSpec: {error}") from error
    if found.datasource != CUSTOM:
        raise ValueError(f'modelSpec: datasource is "{found.datasource}"; this adapter takes "{CUSTOM}"')
    metric = found.metric_spec
    if metric.uid is None and metric.metric is None:
        raise ValueError("modelSpec: metricSpec has neither metric (a name) nor uid")
    if metric.metric is not None:
        check_name(metric.metric)
    if metric.resource is not None and len(metric.resource) > MAX_RESOURCE:
        raise ValueError(f"modelSpec: metricSpec.resource is longer than {MAX_RESOURCE} characters")
    for name, text in (("uid", metric.uid), ("resource", metric.resource)):
        if text is not None and has_unseen(text):
            raise ValueError(f"modelSpec: metricSpec.{name} has {_UNSEEN}: {text!a}")
    if found.model_params:
        _check_range(found.model_params)
    _check_json(spec)
    return found


def check_name(name: str) -> None:
    """Raise ValueError where a metric cannot have this name."""
    if not isinstance(name, str) or not name or len(name) > MAX_NAME:
        raise ValueError(f"a metric's name has 1 to {MAX_NAME} characters: {name!r}")
    if name.split() != [name]:
        raise ValueError(f"a metric's name has no spaces: {name!r}")
    if has_unseen(name):
        raise ValueError(f"a metric's name has no {_UNSEEN}: {name!a}")


def _check_json(spec: Mapping[str, Any]) -> None:
    """Raise ValueError for what cannot be stored as JSON and read back by all who get it."""
    if not _no_deeper(spec, MAX_DEPTH):
        raise ValueError(f"modelSpec: objects are nested more than {MAX_DEPTH} deep")
    try:
        text = json.dumps(spec, allow_nan=False)
        msgspec.json.decode(text)  # also strict about halves of surrogate pairs, and numbers
    except (TypeError, ValueError) as error:
        raise ValueError(f"modelSpec cannot be written as JSON: {error}") from error
    if len(text) > MAX_CHARACTERS:
        raise ValueError(
            f"modelSpec: has {len(text)} characters as JSON; at most {MAX_CHARACTERS} can be stored"
        )


def _no_deeper(part: Any, levels: int) -> bool:
    inner = part.values() if isinstance(part, Mapping) else part if isinstance(part, list | tuple) else ()
    return levels > 0 and all(_no_deeper(one, levels - 1) for one in inner)


def check_complete_params(spec: Mapping[str, Any]) -> None:
    """Raise ValueError for the mistakes that applications make most often, with a message for each."""
    complete = spec.get("completeModelParams")
    if not isinstance(complete, Mapping):
        return
    if "modelParams" in spec:
        raise ValueError("modelSpec: give modelParams or completeModelParams, not both")
    for key in ("modelConfig", "inferenceArgs", "timestampFieldName", "valueFieldName"):
        if key not in complete:
            raise ValueError(f"modelSpec: completeModelParams has no {key}")
    arguments, field = complete["inferenceArgs"], complete["valueFieldName"]
    if isinstance(arguments, Mapping) and arguments.get("predictedField") != field:
        raise ValueError(
            f"modelSpec: completeModelParams.inferenceArgs.predictedField is {arguments.get('predictedField')!r}, "
            f"but valueFieldName is {field!r}; both must name the same field"
        )


def _check_range(params: ModelParams) -> None:
    if (params.min is None) != (params.max is None):
        given, missing = ("min", "max") if params.max is None else ("max", "min")
        raise ValueError(f"modelSpec: modelParams has {given} but no {missing}; give both or none")
    for name, number in (("min", params.min), ("max", params.max), ("minResolution", params.min_resolution)):
        if number is not None and not -MAX_MAGNITUDE <= number <= MAX_MAGNITUDE:
            raise ValueError(
                f"modelSpec: modelParams.{name} is not a finite number within -{MAX_MAGNITUDE:g} and {MAX_MAGNITUDE:g}"
            )
    if params.min is not None and params.max is not None and params.max < params.min:
        raise ValueError(f"modelSpec: modelParams.max {params.max} is below min {params.min}")
    if params.min_resolution is not None and params.min_resolution < 0:
        raise ValueError("modelSpec: modelParams.minResolution is negative")
