"""From parameters to compiled models."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final, TypeVar

import msgspec

from htmengine.htm import _kernels, params

T = TypeVar("T")

POOLERS_KEPT: Final = 2
"""By default one takes 4 MB; all models with the same encoders and seed begin with the same."""

_ENCODERS: dict[type, Any] = {
    params.DateEncoder: _kernels.DateEncoder,
    params.RandomDistributedScalarEncoder: _kernels.RandomDistributedScalarEncoder,
    params.ScalarEncoder: _kernels.ScalarEncoder,
    params.AdaptiveScalarEncoder: _kernels.AdaptiveScalarEncoder,
    params.DeltaEncoder: _kernels.DeltaEncoder,
}
_CHANNELS: dict[params.Channel, int] = {"sequence": 1, "jump": 2, "extreme": 4, "deviation": 8}


def build_model(parameters: params.Parameters) -> _kernels.Model:
    """Return a new compiled model. Raises ValueError when a parameter is out of range."""
    model: _kernels.Model
    if isinstance(parameters, params.DefaultParameters):
        model = _default(parameters)
    elif isinstance(parameters, params.DefaultParametersV1):
        model = _default_v1(parameters)
    elif isinstance(parameters, params.NupicParameters):
        model = _nupic(parameters)
    else:
        raise TypeError(f"{type(parameters).__name__} are not the parameters of a model")
    if parameters.classifier is not None:
        fields = _fields(parameters.classifier)
        if isinstance(parameters, params.NupicParameters):
            # NuPIC handed the rate to its classifier as text of so many digits: decision 9.
            fields["alpha"] = float(f"{parameters.classifier.alpha:.6g}")
        _made(model.add_classifier, fields)
    return model


def _default(parameters: params.DefaultParameters) -> _kernels.DefaultModel:
    deviation = _fields(parameters.deviation)
    return _made(
        _kernels.DefaultModel,
        {
            "resolution": _made(_kernels.ValueResolution, _fields(parameters.scale)),
            "encoder": _made(_kernels.HashEncoder, _fields(parameters.encoder)),
            "memory": _made(_kernels.TransitionMemory, _fields(parameters.memory)),
            "novelty": _made(_kernels.Novelty, _fields(parameters.novelty)),
            "deviation": _made(
                _kernels.SeasonalDeviation,
                deviation
                | {
                    "expectation": _made(_kernels.ExpectationParameters, _fields(deviation["expectation"])),
                    "alarm_size": _made(_kernels.AlarmSizeParameters, _fields(deviation["alarm_size"])),
                    "tail": _made(_kernels.TailParameters, _fields(deviation["tail"])),
                    "habits": _made(_kernels.HabitParameters, _fields(deviation["habits"])),
                },
            ),
            "sequence_likelihood": _likelihood(parameters.sequence_likelihood),
            "jump_likelihood": _likelihood(parameters.jump_likelihood),
            "odds": _kernels.Odds(_made(_kernels.TailParameters, _fields(parameters.odds))),
            "channels": _channels(parameters.channels),
            **_fields(parameters.combination),
        },
    )


def _default_v1(parameters: params.DefaultParametersV1) -> _kernels.DefaultModelV1:
    return _kernels.DefaultModelV1(
        scale=_made(_kernels.ValueScale, _fields(parameters.scale)),
        encoder=_made(_kernels.HashEncoder, _fields(parameters.encoder)),
        memory=_made(_kernels.TransitionMemory, _fields(parameters.memory)),
        novelty=_made(_kernels.Novelty, _fields(parameters.novelty)),
        deviation=_made(_kernels.Deviation, _fields(parameters.deviation)),
        sequence_likelihood=_likelihood(parameters.sequence_likelihood),
        jump_likelihood=_likelihood(parameters.jump_likelihood),
        quiet_records=parameters.quiet_records,
        damping=parameters.damping,
        channels=_channels(parameters.channels),
    )


def _channels(names: tuple[params.Channel, ...]) -> int:
    return sum(_CHANNELS[name] for name in set(names))


def _nupic(parameters: params.NupicParameters) -> _kernels.NupicModel:
    encoder = _kernels.MultiEncoder(
        [
            (name, _made(_ENCODERS[type(encoder)], _fields(encoder)))
            for name, encoder in sorted(parameters.encoders.items())
        ]
    )
    pooler = _made(_pooler, _fields(parameters.pooler) | {"inputs": encoder.width})
    return _kernels.NupicModel(
        encoder=encoder,
        pooler=pooler,
        memory=_memory(parameters.memory, columns=parameters.pooler.columns),
        likelihood=_likelihood(parameters.likelihood),
    )


@lru_cache(POOLERS_KEPT)
def _pooler(**parameters: Any) -> _kernels.SpatialPooler:
    """Return a new pooler, to be copied: to draw one takes longer than all else of a model that is made or loaded."""
    return _kernels.SpatialPooler(**parameters)


def _memory(
    parameters: params.TemporalMemory | params.BacktrackingTemporalMemory, *, columns: int
) -> _kernels.TemporalMemory | _kernels.BacktrackingMemory:
    fields = _fields(parameters) | {"columns": columns}
    if isinstance(parameters, params.TemporalMemory):
        return _kernels.TemporalMemory(_filled(_kernels.TemporalMemoryParameters(), fields))
    return _kernels.BacktrackingMemory(_filled(_kernels.BacktrackingMemoryParameters(), fields))


def _likelihood(parameters: params.Likelihood) -> _kernels.Likelihood:
    fields = _fields(parameters) | {"schedule": _kernels.LikelihoodSchedule[parameters.schedule.upper()]}
    return _kernels.Likelihood(_filled(_kernels.LikelihoodParameters(), fields))


def _made(make: Callable[..., T], fields: Mapping[str, Any]) -> T:
    with _checked(fields):
        return make(**fields)


def _filled(target: T, fields: Mapping[str, Any]) -> T:
    for name, value in fields.items():
        with _checked({name: value}):
            setattr(target, name, value)
    return target


@contextmanager
def _checked(fields: Mapping[str, Any]) -> Iterator[None]:
    """A kernel checks the range of a parameter; only the binding detects a value that does not fit its type."""
    try:
        yield
    except TypeError as error:
        listing = ", ".join(f"{name}={value!r}" for name, value in fields.items())
        raise ValueError(f"a parameter is of the wrong type or beyond its range: {listing}") from error


def _fields(part: msgspec.Struct) -> dict[str, Any]:
    return msgspec.structs.asdict(part)
