"""The short form of parameters: the differences from a version of the default model.

The description of a metric's model lies in the metric's row, which is written with every batch of its samples, and in each
of its checkpoints. Long rows are the largest cost of a fleet on SQLite.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from htmengine.htm.params.base import Parameters
from htmengine.htm.params.default_v1 import DefaultParametersV1
from htmengine.htm.params.default_v2 import DefaultParameters
from htmengine.htm.params.nupic_models import NupicParameters

VERSION: Final = 2
"""Of the default model. A change of its defaults raises it and keeps the earlier version in `_VERSIONS`, with every field:
models that began with it go on with it."""

_VERSIONS: Final[Mapping[int, Mapping[str, Any]]] = {
    1: msgspec.to_builtins(DefaultParametersV1(name="default")),
    VERSION: msgspec.to_builtins(DefaultParameters(name="default")),
}
_VERSION_OF: Final[Mapping[type[Parameters], int]] = {DefaultParametersV1: 1, DefaultParameters: VERSION}
_KEY: Final = "edition"  # as the tables of metrics name it
_ANY: Final = DefaultParameters | DefaultParametersV1 | NupicParameters


def from_json(encoded: bytes | str) -> Parameters:
    """Return the parameters that `Parameters.to_json` encoded. Raises ValueError when they are not such."""
    found: Parameters = msgspec.json.decode(encoded, type=_ANY)
    return found


def to_short_form(parameters: Parameters) -> dict[str, Any]:
    """Return what `from_short_form` reads, for JSON; parameters of the NuPIC models are written out."""
    whole: dict[str, Any] = msgspec.to_builtins(parameters)
    version = _VERSION_OF.get(type(parameters))
    if version is None:
        return whole
    return {"kind": whole["kind"], _KEY: version, **_changes(whole, _VERSIONS[version])}


def from_short_form(described: Any) -> Parameters:
    """Return the parameters that `to_short_form` described, or that JSON of `Parameters.to_json` does once it is decoded.

    Raises ValueError when they are not such.
    """
    if isinstance(described, dict) and _KEY in described:
        version = described[_KEY]
        if not isinstance(version, int) or version not in _VERSIONS:
            raise ValueError(
                f"version {version!r} of the default model is not known; a newer htmengine wrote it"
            )
        changes = {name: item for name, item in described.items() if name != _KEY}
        described = _changed(_VERSIONS[version], changes)
    return msgspec.convert(described, _ANY)


def _changes(whole: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """Return the items of `whole` that differ from `base`."""
    return {
        name: _changes(item, base[name]) if isinstance(item, dict) and base[name] else item
        for name, item in whole.items()
        if item != base[name]
    }


def _changed(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with the changes."""
    found = dict(base)
    for name, item in changes.items():
        below = found.get(name)
        found[name] = _changed(below, item) if isinstance(item, dict) and isinstance(below, dict) else item
    return found
