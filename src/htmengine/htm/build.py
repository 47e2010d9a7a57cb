"""From parameters to compiled models."""

from __future__ import annotations

from typing import Any

import msgspec

from htmengine.htm import _kernels, params

_ENCODERS: dict[type, Any] = {
    params.DateEncoder: _kernels.DateEncoder,
    params.RandomDistributedScalarEncoder: _kernels.RandomDistributedScalarEncoder,
    params.ScalarEncoder: _kernels.ScalarEncoder,
    params.AdaptiveScalarEncoder: _kernels.AdaptiveScalarEncoder,
    params.DeltaEncoder: _kernels.DeltaEncoder,
}


def build_model(parameters: params.Parameters) -> _kernels.Model:
    """Return a new compiled model. Raises ValueError when a parameter is out of range."""
    if isinstance(parameters, params.DefaultParameters):
        return _default(parameters)
    raise TypeError(f"{type(parameters).__name__} are the parameters of no model")


def _default(parameters: params.DefaultParameters) -> _kernels.DefaultModel:
    return _kernels.DefaultModel(
        scale=_kernels.ValueScale(**_fields(parameters.scale)),
        encoder=_kernels.HashEncoder(**_fields(parameters.encoder)),
        memory=_kernels.TransitionMemory(**_fields(parameters.memory)),
        novelty=_kernels.Novelty(**_fields(parameters.novelty)),
        sequence_likelihood=_likelihood(parameters.sequence_likelihood),
        jump_likelihood=_likelihood(parameters.jump_likelihood),
        quiet_records=parameters.quiet_records,
        damping=parameters.damping,
    )


def _fields(part: msgspec.Struct) -> dict[str, Any]:
    return msgspec.structs.asdict(part)


def _likelihood(parameters: params.Likelihood) -> _kernels.Likelihood:
    given = _kernels.LikelihoodParameters()
    for name, value in _fields(parameters).items():
        setattr(given, name, _SCHEDULES[value] if name == "schedule" else value)
    return _kernels.Likelihood(given)


_SCHEDULES = {
    "streaming": _kernels.LikelihoodSchedule.STREAMING,
    "engine": _kernels.LikelihoodSchedule.ENGINE,
}
