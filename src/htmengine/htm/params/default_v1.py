"""Version 1 of the default model, for metrics that began with it."""

from __future__ import annotations

import msgspec

from htmengine.htm.params.base import Likelihood, Parameters
from htmengine.htm.params.default_parts import (
    JUMP_LIKELIHOOD,
    SEQUENCE_LIKELIHOOD,
    Channel,
    HashEncoder,
    Novelty,
    TransitionMemory,
)


class ValueScale(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How values become steps of the encoder."""

    minimum: float | None = None
    """The metric's range, where it is known: both ends or none. Else it follows the values as they come."""
    maximum: float | None = None
    buckets: int = 60
    """Steps over the padded range."""
    padding: float = 0.2
    """Share of the range added at each end."""


class Deviation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far values lie from their level and their forecast, and how rarely."""

    level_rate: float = 0.05
    """Per record, of the level."""
    spread_rate: float = 0.01
    """Of the usual size of errors."""
    forecast_rate: float = 0.01
    """Of the regression from one value to the next."""
    recent_rate: float = 0.2
    """Of the running means over the last records, which show what lasts."""
    ridge: float = 0.3
    """Weight of the prior "stays where it is", in squared spreads."""
    limit: float = 5.0
    """Errors count up to so many usual ones in all that follows the metric."""
    tail_share: float = 0.02
    """Of the errors, the largest: to them a tail is fitted."""
    tail_memory: int = 8640
    """Errors after which each counts half."""
    tail_refit: int = 100
    tail_probation: int = 200
    """Errors before the first fit, which get no opinion."""
    tail_heaviest: float = 0.5
    """Greatest shape of a fitted tail."""
    tail_outlier: float = 5.0
    """What lies further out, in scales of the tail, counts as lying there."""


class DefaultParametersV1(Parameters, frozen=True, kw_only=True, tag="default", forbid_unknown_fields=True):
    """The model: hash encoder, first-order memory, novelty, deviation."""

    scale: ValueScale = ValueScale()
    encoder: HashEncoder = HashEncoder()
    memory: TransitionMemory = TransitionMemory()
    novelty: Novelty = Novelty()
    deviation: Deviation = Deviation()
    sequence_likelihood: Likelihood = SEQUENCE_LIKELIHOOD
    jump_likelihood: Likelihood = JUMP_LIKELIHOOD
    quiet_records: int = 12
    """After an alarm, further ones are damped for so many records."""
    damping: float = 0.49
    """Factor on the log scale for damped records."""
    channels: tuple[Channel, ...] = ("sequence", "jump", "extreme", "deviation")
    """Those that count; fewer show what each is worth."""
