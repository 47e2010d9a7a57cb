"""Version 2 of the default model: the one that new metrics get."""

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


class ValueResolution(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How values become steps of the encoder."""

    minimum: float | None = None
    """The metric's range, where it is known: both ends or none. Else it follows the bulk of the values as they come."""
    maximum: float | None = None
    buckets: int = 60
    """Steps over the padded range."""
    padding: float = 0.2
    """Share of the range added at each end."""
    wild_share: float = 0.02
    """Of the values, at each end, may lie far from all others without stretching the range."""


class Expectation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a value is expected to be, by experts: the level, the time of day, the hour of the week, the minute of the hour."""

    level_rate: float = 0.05
    """Per record, of the metric's own level."""
    day_rate: float = 0.1
    """Per visit, of the values at a time of day."""
    week_rate: float = 0.3
    """Per visit, of the values at an hour of the week."""
    hour_rate: float = 0.1
    """Per visit, of what a minute of the hour adds."""
    forecast_rate: float = 0.005
    """Per record, of the regression from one value to the next."""
    loss_rate: float = 0.002
    """Per record, of the experts' usual errors."""
    ridge: float = 0.3
    """Weight of the prior "stays where it is", in squared spreads."""


class AlarmSize(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How large a deviation must be to be an alarm."""

    common_share: float = 0.08
    """Of the sizes, the highest: from where an exponential tail is laid,"""
    rare_share: float = 0.015
    """and to where."""
    odds: float = 1e-5
    """Of an alarm, by that tail."""
    caution: float = 1.6
    """Factor on the size that the tail gives: real tails are heavier."""
    recurring_share: float = 0.001
    """Of the sizes, the highest: what is exceeded so often recurs, and an alarm exceeds it."""
    recurring_support: float = 3.5
    """Records that must have been as large, too."""
    recurring_factor: float = 1.0
    """An alarm exceeds by so much what recurs,"""
    recurring_limit: float = 2.0
    """which raises its size at most by this factor."""
    least: float = 7.0
    """Size of an alarm at least, in usual sizes."""
    memory: int = 50_000
    """Sizes after which each counts half."""
    refit: int = 100
    probation: int = 30
    """Sizes before the first fit, without which there is no alarm."""


class Tail(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How rare a number is: a generalised Pareto tail of the highest."""

    share: float = 0.02
    """Of the numbers, the highest: to them the tail is fitted."""
    memory: int = 8640
    """Numbers after which each counts half."""
    refit: int = 100
    probation: int = 200
    """Numbers before the first fit, which get no opinion."""
    heaviest: float = 0.5
    """Greatest shape of a fitted tail."""
    outlier: float = 5.0
    """What lies further out, in scales of the tail, counts as lying there."""


class Habits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a metric does repeatedly at a time of day."""

    fading: float = 0.1
    """Share that a day without it takes away."""
    margin: float = 1.5
    """A deviation must exceed the usual ones of its time by so much to be as strong as it is."""
    value_margin: float = 0.5
    """Share of the range of values of a time that still belongs to it, on each side."""


class SeasonalDeviation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far values lie from what is expected of them at their time."""

    spread_rate: float = 0.01
    """Per record, of the recent size of errors and distances."""
    long_rate: float = 1e-4
    """Of their size in the long run."""
    offset_rate: float = 0.05
    """Of the average distance that is an offset."""
    recent_rate: float = 0.2
    """Of the averages whose rareness is asked for."""
    limit: float = 10.0
    """Errors and distances count up to so many usual ones in what follows the metric,"""
    profile_limit: float = 30.0
    """up to so many in what is remembered of a time,"""
    furthest: float = 100.0
    """and up to so many in how experts are judged."""
    constant_records: int = 30
    """Equal values after which the first other one is an alarm."""
    expectation: Expectation = Expectation()
    alarm_size: AlarmSize = AlarmSize()
    tail: Tail = Tail()
    habits: Habits = Habits()


class Combination(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the findings of the channels are combined into one score."""

    quiet_records: int = 15
    """After an alarm, further ones are damped for so many records,"""
    quiet_seconds: float = 300.0
    """and at least so long."""
    damping: float = 0.49
    """Factor on the log scale for damped records."""
    surpassing: float = 1.5
    """A deviation so many times as strong as an incident's strongest is not damped."""
    sequence_evidence: float = 0.0
    """Strength of the record's own deviation from which each of the others is an alarm; 1 is an alarm by itself."""
    jump_evidence: float = 0.05
    extreme_evidence: float = 0.0
    rareness_evidence: float = 0.35
    young_evidence: float = 0.3
    """The same for all of them, of a metric that is one day old; it falls with age, as one over it."""


class DefaultParameters(Parameters, frozen=True, kw_only=True, tag="default-2", forbid_unknown_fields=True):
    """The recommended model: hash encoder, first-order memory, novelty, deviation from what is expected at the time."""

    scale: ValueResolution = ValueResolution()
    encoder: HashEncoder = HashEncoder()
    memory: TransitionMemory = TransitionMemory(max_segments=832)
    novelty: Novelty = Novelty()
    deviation: SeasonalDeviation = SeasonalDeviation()
    sequence_likelihood: Likelihood = SEQUENCE_LIKELIHOOD
    jump_likelihood: Likelihood = JUMP_LIKELIHOOD
    odds: Tail = Tail(share=0.005, memory=50_000, outlier=1e6)
    """Of the combined strength: one in how many records is as unusual."""
    combination: Combination = Combination()
    channels: tuple[Channel, ...] = ("sequence", "jump", "extreme", "deviation")
    """Those that count; fewer show what each is worth."""
