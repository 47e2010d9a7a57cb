"""Parts that the versions of the default model share."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec

from htmengine.htm.params.base import DEFAULT_SEED, Likelihood

Channel: TypeAlias = Literal["sequence", "jump", "extreme", "deviation"]


class HashEncoder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Value and time of day, hashed to columns."""

    columns: int = 1024
    value_bits: int = 10
    """Bits for the value; also how many buckets one bit spans."""
    daytime_bits: int = 10
    """Bits for the value at this time of day."""
    day_parts: int = 12
    """Steps of the day that a daytime bit tells apart."""
    seed: int = DEFAULT_SEED


class TransitionMemory(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """First-order temporal memory. Permanences are whole numbers from 1 to 63."""

    columns: int = 1024
    max_segments: int = 960
    """Over all columns; the least recently used makes room. Bounds the state."""
    activation_threshold: int = 7
    match_threshold: int = 5
    new_synapses: int = 12
    initial_permanence: int = 14
    connected_permanence: int = 32
    permanence_increment: int = 6
    permanence_decrement: int = 1
    seed: int = DEFAULT_SEED


class Novelty(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Jumps and new extremes of the value."""

    jump_rate: float = 0.002
    """Of the running mean of jumps, per record."""
    jump_limit: float = 5.5
    """Jumps count up to so many times their running mean."""
    range_memory: float = 16000.0
    """Records after which an extreme is mostly forgotten."""
    range_tolerance: float = 0.05
    """Share of the range by which a new extreme must stand out."""
    range_settling: float = 500.0
    """Records before which it must stand out by proportionally more, as few values show little of the range."""
    range_saturation: float = 1.0
    """Share of the range, outside it, at which a new extreme scores 1."""


SEQUENCE_LIKELIHOOD: Final = Likelihood(
    schedule="streaming",
    averaging_window=15,
    learning=400,
    probation=500,
    refit=100,
    mean_floor=0.06,
    flat_variance=0.0,
    red_filter=False,
)

JUMP_LIKELIHOOD: Final = msgspec.structs.replace(
    SEQUENCE_LIKELIHOOD, averaging_window=10, learning=100, probation=200, history=4320, mean_floor=0.05
)
