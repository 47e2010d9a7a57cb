"""Which model a metric gets: what its specification, the settings and its rows say."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from htmengine import config
from htmengine.adapters.datasource.model_spec import ModelParams, ModelSpec
from htmengine.htm import params
from htmengine.htm.params import (
    Classifier,
    DefaultParameters,
    NupicParameters,
    Parameters,
    RandomDistributedScalarEncoder,
)
from htmengine.model_swapper import definition


def needs_rows(spec: ModelSpec, model: config.ModelName) -> bool:
    """Tell whether the model can only be chosen once the metric's rows say what its range is."""
    if spec.complete_model_params is not None:
        return False
    wanted = spec.model_params or ModelParams()
    return wanted.min is None and model != "default"


def choose(
    spec: ModelSpec,
    model: config.ModelName,
    likelihood: config.Likelihood,
    *,
    observed: tuple[float, float] | None = None,
) -> Parameters:
    """Return the parameters of a metric's model.

    Parameters
    ----------
    model : the set for metrics whose specification does not give a model itself.
    likelihood : for the sets of NuPIC's.
    observed : least and greatest value among the metric's rows; needed where `needs_rows` says so.

    Raises
    ------
    ValueError : `completeModelParams` is a configuration that cannot be run.
    """
    complete = spec.complete_model_params
    if complete is not None:
        found: Parameters = params.from_model_config(
            complete.model_config,
            complete.inference_args,
            timestamp_field=complete.timestamp_field_name,
            value_field=complete.value_field_name,
        )
        return with_likelihood(found, likelihood)
    wanted = spec.model_params or ModelParams()
    low, high = wanted.min, wanted.max
    if low is not None and high is not None:
        low, high = params.widened(low, high)
    elif needs_rows(spec, model):
        if observed is None:
            raise ValueError("the metric's range is neither given nor observed")
        low, high = params.infer_range(observed)
    found = params.parameter_set(model, minimum=low, maximum=high)
    found = with_likelihood(_with_resolution(found, wanted.min_resolution or 0.0), likelihood)
    if wanted.enable_classifier:
        found = msgspec.structs.replace(found, classifier=Classifier())
    return found


def render(parameters: Parameters, spec: ModelSpec) -> str:
    """Return the text of `metric.model_params`, with the documented keys for models that have them."""
    complete = spec.complete_model_params
    if complete is not None:
        documented = description(
            complete.model_config,
            complete.inference_args,
            timestamp_field=complete.timestamp_field_name,
            value_field=complete.value_field_name,
        )
    elif isinstance(parameters, NupicParameters):
        documented = description(*params.to_model_config(parameters))
    else:
        documented = None
    return definition.render(parameters, documented=documented)


def description(
    model_config: dict[str, Any],
    inference_args: dict[str, Any],
    *,
    timestamp_field: str = "c0",
    value_field: str = "c1",
) -> dict[str, Any]:
    """Return the documented description of a model of NuPIC's, as plain JSON."""
    return {
        "modelConfig": model_config,
        "inferenceArgs": inference_args,
        "inputRecordSchema": [[timestamp_field, "datetime", "T"], [value_field, "float", ""]],
    }


def _with_resolution(parameters: Parameters, least: float) -> Parameters:
    """Return parameters whose encoder tells apart no values closer than `least`."""
    if isinstance(parameters, NupicParameters):
        encoders = {
            name: msgspec.structs.replace(encoder, resolution=max(encoder.resolution, least))
            if isinstance(encoder, RandomDistributedScalarEncoder)
            else encoder
            for name, encoder in parameters.encoders.items()
        }
        return msgspec.structs.replace(parameters, encoders=encoders)
    if isinstance(parameters, DefaultParameters) and least > 0:
        scale = parameters.scale
        if scale.minimum is not None and scale.maximum is not None:
            padded = (1 + 2 * scale.padding) * (scale.maximum - scale.minimum)
            buckets = max(1, math.floor(min(scale.buckets, padded / least)))
            return msgspec.structs.replace(parameters, scale=msgspec.structs.replace(scale, buckets=buckets))
    return parameters


def with_likelihood(parameters: Parameters, likelihood: config.Likelihood) -> Parameters:
    """Return parameters with the settings' likelihood; that of the default model is part of its design."""
    if not isinstance(parameters, NupicParameters):
        return parameters
    changed = msgspec.structs.replace(
        parameters.likelihood,
        probation=likelihood.min_sample_size,
        refit=likelihood.refresh_rate,
        history=likelihood.sample_size,
    )
    return msgspec.structs.replace(parameters, likelihood=changed)
