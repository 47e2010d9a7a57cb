"""Parameter sets by name: ``default``, the recommended one, and the models of NuPIC."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from htmengine.htm.params.base import MAX_MAGNITUDE, Classifier, Parameters
from htmengine.htm.params.default_v2 import DefaultParameters, ValueResolution
from htmengine.htm.params.nupic_models import (
    BacktrackingTemporalMemory,
    NupicParameters,
    TemporalMemory,
    nupic,
    nupic_0_3,
)
from htmengine.htm.real_numbers import real

NAMES: Final = ("default", "nupic", "nupic-tm", "nupic-0.3")


def parameter_set(
    name: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    seed: int | None = None,
    predict: Sequence[int] = (),
) -> Parameters:
    """Return a parameter set by name.

    Parameters
    ----------
    name : one of `NAMES`.
    minimum, maximum : the metric's range in its own unit. Optional for ``default``, which follows the values as they
        come; needed by the ``nupic`` sets (`infer_range` finds one).
    seed : 0 to 2**64 - 1, in place of every seed of the set. A model of the ``nupic`` sets refuses 0 and multiples of
        2**32 - 1, as their generator cannot begin with them.
    predict : how many samples ahead the model predicts the value; none by default, which costs nothing.

    Raises
    ------
    ValueError : no set has this name, the range is missing, empty or beyond `MAX_MAGNITUDE`, or the seed is out of range.
        What else is out of range is found when a model is made.
    """
    if name not in NAMES:
        raise ValueError(f"{name!r} is not a parameter set; the sets are {', '.join(NAMES)}")
    if (minimum is None) != (maximum is None):
        raise ValueError("give both minimum and maximum, or none of them")
    if minimum is not None and maximum is not None:
        minimum, maximum = real(minimum), real(maximum)
        if not maximum > minimum:
            raise ValueError(f"maximum {maximum} is not above minimum {minimum}")
        if max(abs(minimum), abs(maximum)) > MAX_MAGNITUDE:
            raise ValueError(
                f"the range {minimum} to {maximum} must be finite, within -{MAX_MAGNITUDE:g} and {MAX_MAGNITUDE:g}"
            )
    if seed is not None and not 0 <= seed < 2**64:
        raise ValueError(f"seed {seed} is not within 0 and 2**64 - 1")
    if name == "default":
        found: DefaultParameters | NupicParameters = DefaultParameters(
            name=name, scale=ValueResolution(minimum=minimum, maximum=maximum)
        )
    elif minimum is None or maximum is None:
        raise ValueError(
            f"the set {name} needs the metric's range: give minimum and maximum, or infer_range(values)"
        )
    elif name == "nupic":
        found = nupic(minimum, maximum, BacktrackingTemporalMemory(), name=name)
    elif name == "nupic-tm":
        found = nupic(minimum, maximum, TemporalMemory(), name=name)
    else:
        found = nupic_0_3(minimum, maximum)
    if predict:
        found = msgspec.structs.replace(found, classifier=Classifier(steps=tuple(sorted(set(predict)))))
    return found if seed is None else _with_seed(found, seed)


def _with_seed(
    parameters: DefaultParameters | NupicParameters, seed: int
) -> DefaultParameters | NupicParameters:
    def replaced(part: Any) -> Any:
        if isinstance(part, dict):
            return {name: replaced(item) for name, item in part.items()}
        if isinstance(part, msgspec.Struct):
            fields = {name: replaced(getattr(part, name)) for name in part.__struct_fields__}
            if "seed" in fields:
                fields["seed"] = seed
            return msgspec.structs.replace(part, **fields)
        return part

    found: DefaultParameters | NupicParameters = replaced(parameters)
    return found
