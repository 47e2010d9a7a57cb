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
from typing import Any, Final, Literal, TypeAlias

import msgspec
import numpy as np

from htmengine.htm.arrays import FloatArray, real, reals

DEFAULT_SEED: Final = 42
ROWS_FOR_RANGE: Final = 288
"""Rows after which the original engine inferred a metric's range: a day of 5-minute samples."""

_RANGE_PADDING: Final = 0.2
FARTHEST: Final = 1e300
"""Models take values up to so far from zero; those beyond count as this."""


class Classifier(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """SDR classifier: best predictions several steps ahead. Decision 9: the models of NuPIC have one with its faults."""

    steps: tuple[int, ...] = (1,)
    """Samples ahead, ascending, 1 to 100; at most 16 of them."""
    alpha: float = 0.035828933612157998
    """Rate of learning; the models of NuPIC round it to six digits, as NuPIC did."""
    value_gain: float = 0.3
    """Share of a new value in the moving average of its bucket."""
    max_buckets: int = 128
    """A value in a further bucket counts as one in the nearest. Bounds the state."""


class Parameters(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", forbid_unknown_fields=True):
    """What a model is built from, apart from its samples."""

    name: str
    classifier: Classifier | None = None
    """Without one there are no predictions."""

    def to_json(self) -> bytes:
        """Return the parameters as JSON, with every field."""
        return msgspec.json.encode(self, order="sorted")

    def digest(self) -> bytes:
        """Return 16 bytes that differ when any parameter differs."""
        return hashlib.blake2b(self.to_json(), digest_size=16).digest()


class ValueResolution(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How values become steps of the encoder."""

    minimum: float | None = None
    """The metric's range, where it is known: both ends or none. Else it follows the bulk of the values as they come."""
    maximum: float | None = None
    buckets: int = 60
    """Steps over the padded range."""
    padding: float = _RANGE_PADDING
    """Share of the range added at each end."""
    wild_share: float = 0.02
    """Of the values, at each end, may lie far from all others without stretching the range."""


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


class Expectation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a value is expected to be, by experts: the metric's level, the time of day, the hour of the week."""

    level_rate: float = 0.05
    """Per record, of the metric's own level."""
    day_rate: float = 0.1
    """Per visit, of the values at a time of day."""
    week_rate: float = 0.3
    """Per visit, of the values at an hour of the week."""
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
    """What a metric does at a time of day again and again."""

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
    constant_records: int = 1000
    """Equal values after which the first other one is an alarm."""
    expectation: Expectation = Expectation()
    alarm_size: AlarmSize = AlarmSize()
    tail: Tail = Tail()
    habits: Habits = Habits()


class Combination(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How what the channels find becomes one score."""

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


class Likelihood(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Anomaly likelihood: how the raw score's running average compares with its history."""

    schedule: Literal["streaming", "engine"]
    """When the distribution is fitted: as NuPIC's class does, or as the original engine did."""
    averaging_window: int = 10
    """Raw scores in an average."""
    learning: int
    """Records that no fit uses, as the model is still learning."""
    probation: int
    """Records before the first fit, which get no real score."""
    history: int = 8640
    """Records in the window that is fitted."""
    refit: int
    """Records between two fits."""
    mean_floor: float = 0.03
    variance_floor: float = 0.0003
    flat_variance: float = 1.5e-5
    """A metric of less variance is flat: nothing about it is unusual. 0 switches the rule off."""
    two_sided: bool = False
    """Whether an average far below its mean is unusual, too."""
    red_filter: bool = True
    """Whether all but the first of a run of extreme scores are lowered."""


class DateEncoder(msgspec.Struct, frozen=True, kw_only=True, tag="date", forbid_unknown_fields=True):
    """The timestamp. Each part is (active bits, radius); no active bits leave it out. Radii in days, of the time of day
    in hours.
    """

    season: tuple[int, float] = (0, 91.5)
    day_of_week: tuple[int, float] = (0, 1.0)
    weekend: tuple[int, float] = (0, 1.0)
    custom_days: tuple[int, float] = (0, 1.0)
    holiday: tuple[int, float] = (0, 1.0)
    time_of_day: tuple[int, float] = (0, 4.0)
    custom_weekdays: tuple[int, ...] = ()
    """0 (Monday) to 6."""
    holidays: tuple[tuple[int, int, int], ...] = ((0, 12, 25),)
    """(year, month, day); year 0 is every year."""


class RandomDistributedScalarEncoder(
    msgspec.Struct, frozen=True, kw_only=True, tag="random distributed", forbid_unknown_fields=True
):
    """The value, in buckets whose bits are random but overlap with those of their neighbours."""

    resolution: float
    """Size of a bucket in the metric's unit."""
    w: int = 21
    n: int = 400
    seed: int = DEFAULT_SEED
    offset: float | None = None
    """Centre of the middle bucket; else the first value."""


class ScalarEncoder(msgspec.Struct, frozen=True, kw_only=True, tag="scalar", forbid_unknown_fields=True):
    """The value in equal steps of a fixed range; exactly one of n, radius, resolution is given."""

    w: int = 21
    minimum: float
    maximum: float
    periodic: bool = False
    clip: bool = False
    n: int | None = None
    radius: float | None = None
    resolution: float | None = None


class AdaptiveScalarEncoder(
    msgspec.Struct, frozen=True, kw_only=True, tag="adaptive scalar", forbid_unknown_fields=True
):
    """The value in equal steps of a range that grows with it."""

    w: int = 21
    n: int = 400
    minimum: float | None = None
    maximum: float | None = None


class DeltaEncoder(msgspec.Struct, frozen=True, kw_only=True, tag="delta", forbid_unknown_fields=True):
    """The difference from the last value, by an adaptive encoder."""

    w: int = 21
    n: int = 400
    minimum: float | None = None
    maximum: float | None = None


Encoder: TypeAlias = (
    DateEncoder | RandomDistributedScalarEncoder | ScalarEncoder | AdaptiveScalarEncoder | DeltaEncoder
)


class SpatialPooler(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Spatial pooler with global inhibition."""

    columns: int = 2048
    active_columns: int = 40
    potential_pct: float = 0.8
    connected_permanence: float
    active_increment: float
    inactive_decrement: float = 0.0005
    boost_strength: float = 0.0
    duty_cycle_period: int = 1000
    min_overlap_duty: float = 0.001
    seed: int = 1956


class TemporalMemory(msgspec.Struct, frozen=True, kw_only=True, tag="plain", forbid_unknown_fields=True):
    """Plain temporal memory."""

    cells_per_column: int = 32
    activation_threshold: int = 20
    min_threshold: int = 13
    initial_permanence: float = 0.24
    connected_permanence: float = 0.5
    permanence_increment: float = 0.04
    permanence_decrement: float = 0.008
    predicted_segment_decrement: float = 0.001
    new_synapse_count: int = 31
    max_segments_per_cell: int = 128
    max_synapses_per_segment: int = 128
    seed: int = 1960


class BacktrackingTemporalMemory(
    msgspec.Struct, frozen=True, kw_only=True, tag="backtracking", forbid_unknown_fields=True
):
    """NuPIC's backtracking temporal memory."""

    cells_per_column: int = 32
    activation_threshold: int = 13
    min_threshold: int = 10
    initial_permanence: float = 0.21
    connected_permanence: float = 0.5
    permanence_increment: float = 0.1
    permanence_decrement: float = 0.1
    new_synapse_count: int = 20
    max_segments_per_cell: int = 128
    max_synapses_per_segment: int = 32
    pam_length: int = 3
    max_sequence_length: int = 32
    max_inference_backtrack: int = 10
    max_learning_backtrack: int = 5
    seed: int = 1960


DEFAULT_LIKELIHOOD: Final = Likelihood(
    schedule="streaming",
    averaging_window=15,
    learning=400,
    probation=500,
    refit=100,
    mean_floor=0.06,
    flat_variance=0.0,
    red_filter=False,
)
DEFAULT_JUMP_LIKELIHOOD: Final = msgspec.structs.replace(
    DEFAULT_LIKELIHOOD, averaging_window=10, learning=100, probation=200, history=4320, mean_floor=0.05
)

Channel: TypeAlias = Literal["sequence", "jump", "extreme", "deviation"]


class DefaultParameters(Parameters, frozen=True, kw_only=True, tag="default-2", forbid_unknown_fields=True):
    """The recommended model: hash encoder, first-order memory, novelty, deviation from what is expected at the time."""

    scale: ValueResolution = ValueResolution()
    encoder: HashEncoder = HashEncoder()
    memory: TransitionMemory = TransitionMemory(max_segments=832)
    novelty: Novelty = Novelty()
    deviation: SeasonalDeviation = SeasonalDeviation()
    sequence_likelihood: Likelihood = DEFAULT_LIKELIHOOD
    jump_likelihood: Likelihood = DEFAULT_JUMP_LIKELIHOOD
    odds: Tail = Tail(share=0.005, memory=50_000, outlier=1e6)
    """Of the combined strength: one in how many records is as unusual."""
    combination: Combination = Combination()
    channels: tuple[Channel, ...] = ("sequence", "jump", "extreme", "deviation")
    """Those that count; fewer show what each is worth."""


class NupicParameters(Parameters, frozen=True, kw_only=True, tag="nupic", forbid_unknown_fields=True):
    """A model of NuPIC: encoders, spatial pooler, temporal memory, likelihood."""

    encoders: dict[str, Encoder]
    """By field name; their bits are laid out in the order of the names."""
    pooler: SpatialPooler
    memory: TemporalMemory | BacktrackingTemporalMemory
    likelihood: Likelihood


def infer_range(values: Sequence[float] | FloatArray) -> tuple[float, float]:
    """Return the minimum and maximum that the original engine took from a metric's first rows.

    The range of ``values`` widened by 20 % at each end; a range of zero counts as one. The original waited for
    ``ROWS_FOR_RANGE`` rows. Raises ValueError when no value is finite.

    References
    ----------
    Contract, section 6.3 (min/max rules).
    """
    given = reals(values)
    finite = given[np.isfinite(given)]
    if not finite.size:
        raise ValueError("no finite value to infer a range from")
    low, high = widened(_within(float(finite.min())), _within(float(finite.max())))
    padding = _RANGE_PADDING * (high - low)
    return _within(low - padding), _within(high + padding)


def widened(low: float, high: float) -> tuple[float, float]:
    """Return a range as it is; that of one value is made 1 wide, or as wide as numbers lie apart there."""
    if high > low:
        return low, high
    high = low + max(1.0, math.ulp(low))
    return (low, high) if high <= FARTHEST else (low - math.ulp(low), low)


def _within(value: float) -> float:
    return min(max(value, -FARTHEST), FARTHEST)


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
    ValueError : no set has this name, the range is missing, empty or beyond `FARTHEST`, or the seed is out of range.
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
        if max(abs(minimum), abs(maximum)) > FARTHEST:
            raise ValueError(
                f"the range {minimum} to {maximum} must be finite, within -{FARTHEST:g} and {FARTHEST:g}"
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


def nupic(
    minimum: float,
    maximum: float,
    memory: TemporalMemory | BacktrackingTemporalMemory,
    *,
    name: str,
    min_resolution: float = 0.001,
) -> NupicParameters:
    """Return the parameters of NuPIC 1.0 for a metric of this range (which `infer_range` has widened, if it is a guess).

    References
    ----------
    Reference "HTM scalar anomaly models", sections 2.1 and 2.2.
    """
    return NupicParameters(
        name=name,
        encoders={
            "timestamp_timeOfDay": DateEncoder(time_of_day=(21, 9.49)),
            "value": RandomDistributedScalarEncoder(
                resolution=max(min_resolution, (maximum - minimum) / 130)
            ),
        },
        pooler=SpatialPooler(connected_permanence=0.2, active_increment=0.003),
        memory=memory,
        likelihood=ENGINE_LIKELIHOOD,
    )


def nupic_0_3(minimum: float, maximum: float, *, min_resolution: float = 0.001) -> NupicParameters:
    """Return what the original engine derived with NuPIC 0.3.4 for a metric of this range.

    References
    ----------
    Contract, section 5.
    """
    return NupicParameters(
        name="nupic-0.3",
        encoders={
            "c0_timeOfDay": DateEncoder(time_of_day=(21, 9.4912233474773693)),
            "c1": RandomDistributedScalarEncoder(resolution=max(min_resolution, (maximum - minimum) / 114)),
        },
        pooler=SpatialPooler(connected_permanence=0.1, active_increment=0.0015),
        memory=BacktrackingTemporalMemory(),
        likelihood=ENGINE_LIKELIHOOD,
    )


ENGINE_LIKELIHOOD: Final = Likelihood(schedule="engine", learning=288, probation=100, refit=24)


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
