"""The scores of a sample, and their explanation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, Self, TypeAlias

from htmengine.htm import _kernels
from htmengine.htm.arrays import FloatArray
from htmengine.htm.params import Channel

ALARM: Final = 0.5
"""Log score of an alarm: an anomaly score of 0.99999."""

Cause: TypeAlias = Literal["sequence", "jump", "extreme", "distance", "error", "offset", "unrest"]
"""In what respect a sample is unusual.

- sequence: the last values do not follow each other as the memory learned, or the value stands still;
- jump: the last steps are larger than usual;
- extreme: the value lies beyond all before;
- distance: it lies far from the metric's level; error: from its forecast;
- offset: the last values stay to one side of the level; unrest: they stay far from their forecasts.
"""

_CAUSES: Final[tuple[Cause, ...]] = ("sequence", "jump", "extreme", "distance", "error", "offset", "unrest")
_PATTERN: Final = _CAUSES[:3]


class Scores(NamedTuple):
    """The scores of one sample; every score is NaN when the sample had no value."""

    raw_anomaly_score: float
    """Share of what came that the memory had not foreseen, 0 to 1."""
    anomaly_score: float
    """How unusual the sample is, as a probability, 0 to 1."""
    log_score: float
    """The same on the log scale, 0 to 1; 0.5 is an anomaly score of 0.99999."""
    sequence_score: float
    """Log scale: how unusual the last samples are as a continuation of those before them, by what the memory learned."""
    novelty_score: float
    """Log scale: how unusual the value is by itself: as a jump, as a new extreme, or by its deviation from the metric's
    level and forecast."""
    forecast: float
    """What was expected of the sample before its value came, in the metric's unit, rounded to a 32-bit float. This and
    the rest are NaN for the first sample, and with models of NuPIC or of version 1 of the default model."""
    usual_low: float
    """Of samples that are as those before them, 99 in 100 lie between this and `usual_high`; rounded like `forecast`.
    NaN for the first 30 samples, too."""
    usual_high: float
    one_in: float
    """One in how many samples of this metric is as unusual, by its own past; at least 1, at most 100 times the samples so far. NaN for the first 200 samples.
    An earlier alarm does not lower it."""


class SeriesScores(NamedTuple):
    """The scores of a series, as arrays of shape (n,); fields as in `Scores`."""

    raw_anomaly_score: FloatArray
    anomaly_score: FloatArray
    log_score: FloatArray
    sequence_score: FloatArray
    novelty_score: FloatArray
    forecast: FloatArray
    usual_low: FloatArray
    usual_high: FloatArray
    one_in: FloatArray

    @property
    def stored(self) -> tuple[FloatArray, ...]:
        """The scores that messages carry and the repository stores, in their order."""
        return (
            self.raw_anomaly_score,
            self.anomaly_score,
            self.log_score,
            self.sequence_score,
            self.novelty_score,
        )

    @property
    def expected(self) -> tuple[FloatArray, ...]:
        """Likewise what was expected: forecast, lowest and highest usual value."""
        return self.forecast, self.usual_low, self.usual_high


class Bucket(NamedTuple):
    """Values from `low` up to `high`, in the metric's unit, and how far the memory had foreseen them."""

    low: float
    high: float
    foreseen: float
    """1 minus the raw anomaly score that a value in here would have had, 0 to 1. The memory foresees a set of values,
    not one of them: several may be fully foreseen, and they do not add up to 1."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a sample got its scores: what was expected, what is unusual, how often that was so before.

    All of it is by what the model knew before the sample; but a fit of the forecast's usual errors may have seen it.
    """

    timestamp: float
    """Of the sample, in seconds since the epoch."""
    value: float
    """In the metric's own unit; beyond 1e300, that."""
    scores: Scores
    cause: Cause | None
    """What decided the score; None where nothing is unusual, as on probation."""
    strengths: dict[Cause, float]
    """How unusual the sample is in each respect, on the log scale, 0 to 1. `sequence_score` is the first of them,
    `novelty_score` the largest of the others. A sequence, jump or extreme counts for a narrow band of scores only, above
    0.5 if it is above 0.5; so the cause need not be the strongest."""
    damped: bool
    """Whether an alarm of the records just before lowered the score, as one incident is one alarm."""
    forecast: float | None
    """What the metric's level and its last value let expect; None for the first sample."""
    margin: float | None
    """How far from the forecast 99 of 100 values lie at most; None during probation, the first
    200 samples that can deviate."""
    expected: tuple[Bucket, ...]
    """What the memory had foreseen: the values around the forecast, ascending, in which the metric has been; at most
    256 buckets."""
    alarms_before: int
    """Alarms of this model before this sample: log scores from 0.5 on."""
    last_alarm: float | None
    """Timestamp of the last of them."""

    @classmethod
    def of(cls, found: _kernels.Explanation) -> Self:
        """Return what the compiled model found."""
        strengths = dict(zip(_CAUSES, found.strengths, strict=True))
        deciding = [cause for cause in _CAUSES if (cause in _PATTERN) == found.pattern_decided]
        cause = max(deciding, key=strengths.__getitem__)
        return cls(
            timestamp=found.timestamp,
            value=found.value,
            scores=Scores(*found.scores),
            cause=cause if strengths[cause] > 0.0 else None,
            strengths=strengths,
            damped=found.damped,
            forecast=_known(found.forecast),
            margin=_known(found.margin),
            expected=tuple(Bucket(*bucket) for bucket in found.buckets),
            alarms_before=found.alarms_before,
            last_alarm=_known(found.last_alarm),
        )

    @property
    def channel(self) -> Channel | None:
        """The channel of the cause, as `DefaultParameters.channels` names it."""
        if self.cause in ("sequence", "jump", "extreme", None):
            return self.cause
        return "deviation"

    @property
    def one_in(self) -> float | None:
        """One in how many samples of the metric is as unusual; None where the model does not know: see `Scores.one_in`."""
        return _known(self.scores.one_in)

    @property
    def usual(self) -> tuple[float, float] | None:
        """The lowest and the highest value that would have been usual here: forecast minus and plus the margin."""
        if math.isfinite(self.scores.usual_low):
            return self.scores.usual_low, self.scores.usual_high
        if self.forecast is None or self.margin is None:
            return None
        return self.forecast - self.margin, self.forecast + self.margin

    def foreseen(self, least: float = 0.5) -> list[tuple[float, float]]:
        """Return what the memory expected as ranges of values, lowest first: buckets foreseen by at least `least`."""
        ranges: list[tuple[float, float]] = []
        for low, high, foreseen in self.expected:
            if foreseen < least:
                continue
            if ranges and ranges[-1][1] == low:
                ranges[-1] = (ranges[-1][0], high)
            else:
                ranges.append((low, high))
        return ranges


def _known(number: float) -> float | None:
    return number if math.isfinite(number) else None
