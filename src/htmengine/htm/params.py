"""Typed parameter sets of the models, and how they follow from a metric's range.

Three sets by name: ``default``, which we recommend; ``nupic`` and ``nupic-tm``, the two models of NuPIC 1.0 that the
original engine and the Numenta Anomaly Benchmark ran. ``nupic-0.3`` is what the original engine derived with the
NuPIC 0.3.4 that it pinned.

References
----------
Reference "HTM scalar anomaly models", sections 2.1 to 2.3; contract, section 5.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Final

import msgspec

from htmengine.htm import _kernels
from htmengine.htm.arrays import FloatArray

DEFAULT_SEED: Final = 42
ROWS_FOR_RANGE: Final = 288
"""Rows after which the original engine inferred a metric's range: a day of 5-minute samples."""

_RANGE_PADDING: Final = 0.2


class Parameters(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", forbid_unknown_fields=True):
    """What a model is built from, apart from its samples."""

    name: str

    def to_json(self) -> bytes:
        """Return the parameters as JSON, with every field."""
        return msgspec.json.encode(self, order="sorted")

    def digest(self) -> bytes:
        """Return 16 bytes that differ when any parameter differs."""
        return hashlib.blake2b(self.to_json(), digest_size=16).digest()


class ValueScale(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How values become steps of the encoder."""

    minimum: float | None = None
    """The metric's range, where it is known: both ends or none. Else it follows the values as they come."""
    maximum: float | None = None
    buckets: int = 80
    """Steps over the padded range."""
    padding: float = _RANGE_PADDING
    """Share of the range added at each end."""


class HashEncoder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Value and time of day, hashed to columns."""

    columns: int = 1024
    value_bits: int = 10
    """Bits for the value; also how many buckets one bit spans."""
    daytime_bits: int = 10
    """Bits for the value at this time of day."""
    day_parts: int = 8
    """Steps of the day that a daytime bit tells apart."""
    seed: int = DEFAULT_SEED


class TransitionMemory(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """First-order temporal memory. Permanences are whole numbers from 1 to 63."""

    columns: int = 1024
    max_segments: int = 1024
    """Over all columns; the least recently used makes room. Bounds the state."""
    activation_threshold: int = 7
    match_threshold: int = 5
    new_synapses: int = 12
    initial_permanence: int = 14
    connected_permanence: int = 32
    permanence_increment: int = 6
    permanence_decrement: int = 2
    seed: int = DEFAULT_SEED


class Novelty(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Jumps and new extremes of the value."""

    jump_rate: float = 0.002
    """Of the running mean of jumps, per record."""
    jump_limit: float = 4.0
    """Jumps count up to so many times their running mean."""
    range_memory: float = 4000.0
    """Records after which an extreme is mostly forgotten."""
    range_tolerance: float = 0.05
    """Share of the range by which a new extreme must stand out."""
    range_saturation: float = 1.0
    """Share of the range, outside it, at which a new extreme scores 1."""


class Likelihood(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Anomaly likelihood."""

    refit: int = 100
    learning: int = 100
    mean_floor: float = 0.03


class DefaultParameters(Parameters, frozen=True, kw_only=True, tag="default", forbid_unknown_fields=True):
    """The recommended model: hash encoder, first-order memory, novelty."""

    scale: ValueScale = ValueScale()
    encoder: HashEncoder = HashEncoder()
    memory: TransitionMemory = TransitionMemory()
    novelty: Novelty = Novelty()
    sequence_likelihood: Likelihood = Likelihood(refit=200, mean_floor=0.05)
    jump_likelihood: Likelihood = Likelihood(refit=200, mean_floor=0.05)
    quiet_records: int = 8
    """After an alarm, further ones are damped for so many records."""
    damping: float = 0.49
    """Factor on the log scale for damped records."""


def infer_range(values: Sequence[float] | FloatArray) -> tuple[float, float]:
    """Return the minimum and maximum that the original engine took from a metric's first rows.

    The range of ``values`` widened by 20 % at each end; a range of zero counts as one. The original waited for
    ``ROWS_FOR_RANGE`` rows. Raises ValueError when no value is finite.

    References
    ----------
    Contract, section 6.3 (min/max rules).
    """
    finite = [float(value) for value in values if math.isfinite(value)]
    if not finite:
        raise ValueError("no finite value to infer a range from")
    low, high = min(finite), max(finite)
    if high <= low:
        high = low + 1.0
    padding = _RANGE_PADDING * (high - low)
    return low - padding, high + padding


NAMES: Final = ("default",)


def parameter_set(
    name: str, *, minimum: float | None = None, maximum: float | None = None, seed: int | None = None
) -> Parameters:
    """Return a parameter set by name.

    Parameters
    ----------
    name : one of `NAMES`.
    minimum, maximum : the metric's range in its own unit. Optional for ``default``, which follows the values as they
        come; needed by the ``nupic`` sets (`infer_range` finds one).
    seed : 0 to 2**64 - 1; without one the set's own.

    Raises
    ------
    ValueError : no set has this name, or the range is missing or empty.
    """
    if (minimum is None) != (maximum is None):
        raise ValueError("give both minimum and maximum, or none of them")
    if name == "default":
        scale = ValueScale(minimum=minimum, maximum=maximum)
        if seed is None:
            return DefaultParameters(name=name, scale=scale)
        return DefaultParameters(
            name=name, scale=scale, encoder=HashEncoder(seed=seed), memory=TransitionMemory(seed=seed)
        )
    raise ValueError(f"{name!r} is not a parameter set; the sets are {', '.join(NAMES)}")


def from_json(encoded: bytes) -> Parameters:
    """Return the parameters that `Parameters.to_json` encoded. Raises ValueError when they are not such."""
    return msgspec.json.decode(encoded, type=DefaultParameters)


def build(parameters: Parameters) -> _kernels.Model:
    """Return a new compiled model. Raises ValueError when a parameter is out of range."""
    if isinstance(parameters, DefaultParameters):
        return _kernels.DefaultModel(msgspec.to_builtins(parameters))
    raise TypeError(f"{type(parameters).__name__} are the parameters of no model")
