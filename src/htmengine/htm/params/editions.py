"""Parameters in few words: what they change of an edition of the default set.

The description of a metric's model lies in the metric's row, which is written with every batch of its samples. Nothing
costs a fleet on SQLite more than long rows there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from htmengine.htm.params.sets import DefaultParameters, Parameters, from_json

EDITION: Final = 1
"""Of the default set. Whoever changes the set raises it, and keeps the earlier edition in `_EDITIONS`, as JSON with every
field: models that began with it go on with it."""

_EDITIONS: Final[Mapping[int, bytes]] = {EDITION: DefaultParameters(name="default").to_json()}
_KEY: Final = "edition"


def to_short_json(parameters: Parameters) -> str:
    """Return JSON that `from_short_json` reads; parameters of the NuPIC models are written out."""
    whole = json.loads(parameters.to_json())
    if isinstance(parameters, DefaultParameters):
        changes = _changes(whole, json.loads(_EDITIONS[EDITION]))
        whole = {"kind": whole["kind"], _KEY: EDITION, **changes}
    return json.dumps(whole, sort_keys=True)


def from_short_json(encoded: bytes | str) -> Parameters:
    """Return the parameters that `to_short_json` or `Parameters.to_json` encoded. Raises ValueError when they are not such."""
    described = json.loads(encoded)
    if not isinstance(described, dict) or _KEY not in described:
        return from_json(encoded)
    edition = described.pop(_KEY)
    if not isinstance(edition, int) or edition not in _EDITIONS:
        raise ValueError(f"edition {edition!r} of the default set is not known; a newer version wrote it")
    return from_json(json.dumps(_changed(json.loads(_EDITIONS[edition]), described)))


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
