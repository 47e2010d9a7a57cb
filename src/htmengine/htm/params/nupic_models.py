"""The models of NuPIC.

``nupic`` and ``nupic-tm`` are those of NuPIC 1.0, which the original engine and the Numenta Anomaly Benchmark ran;
``nupic-0.3`` is the one that the original engine derived with the NuPIC 0.3.4 that it pinned.

References
----------
Reference "HTM scalar anomaly models", sections 2.1 to 2.3; contract, section 5.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from htmengine.htm.params.base import DEFAULT_SEED, Likelihood, Parameters


class DateEncoder(msgspec.Struct, frozen=True, kw_only=True, tag="date", forbid_unknown_fields=True):
    """The timestamp: of each part (active bits, radius); no active bits leave it out.

    Radii are in days, that of the time of day in hours.
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


POOLER: Final = SpatialPooler(connected_permanence=0.2, active_increment=0.003)
"""That of NuPIC 1.0."""

STREAMING_LIKELIHOOD: Final = Likelihood(schedule="streaming", learning=288, probation=388, refit=100)
"""That of NuPIC's class, with its defaults."""

ENGINE_LIKELIHOOD: Final = Likelihood(schedule="engine", learning=288, probation=100, refit=24)
"""That of the original engine's anomaly service."""


class NupicParameters(Parameters, frozen=True, kw_only=True, tag="nupic", forbid_unknown_fields=True):
    """A model of NuPIC: encoders, spatial pooler, temporal memory, likelihood."""

    encoders: dict[str, Encoder]
    """By field name; their bits are laid out in the order of the names."""
    pooler: SpatialPooler
    memory: TemporalMemory | BacktrackingTemporalMemory
    likelihood: Likelihood


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
        pooler=POOLER,
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
