"""Event F1: how many events are found in time, against how many alarms are raised over nothing.

At a threshold, the records that score at least as much are detections. For an event that starts at record ``first``
and ends at record ``last``:

- TP: it is found when one of the records first ... first + 7 is a detection; FN: it is missed when none is;
- its zone is the records first ... last + 7. Detections there, in time or late, are never false: the metric is
  unusual all along, and its return to normal is a change as well.

Outside all zones, and behind the probation at the start of the series, every maximal run of detections is a false
alarm (FP); one that stays on is counted anew in every block of 60 records (counted from the start of the series), or
else an alarm that is never off would be but one. A run that a zone or the end of probation cuts counts for its parts
outside. Then

    F1 = 2 TP / (2 TP + FP + FN).

The thresholds that are tried are the scores above 0 that find an event, and one above all scores. A series is judged at the
threshold that is best for it, at one that is best for a whole collection (events and alarms of all series counted
together), and at the fixed threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from benchmarks.ops.generator import Series
from htmengine.htm.arrays import FloatArray

DELAY = 7
"""Samples after its start in which an event must be found."""

BLOCK = 60
"""Records after which an alarm that stays on counts again."""

NEVER = 2.0
"""A threshold above any score: nothing is detected."""


class Counts(NamedTuple):
    """Events found and missed, and false alarms."""

    found: int
    missed: int
    false_alarms: int

    @property
    def f1(self) -> float:
        """Event F1; 0 where nothing was found."""
        return 2 * self.found / (2 * self.found + self.missed + self.false_alarms) if self.found else 0.0

    def margin(self, f1: float) -> float:
        """Return by how much the counts beat a given F1: 0 where they just reach it."""
        return 2 * self.found - f1 * (2 * self.found + self.missed + self.false_alarms)


@dataclass(frozen=True)
class Outcome:
    """All that the measure has to know of one detector on one series, or on several together."""

    in_time: FloatArray
    """Per event the highest score in time to find it."""
    at_all: FloatArray
    """Per event the highest score in its zone."""
    quiet: FloatArray
    """Scores of the records outside zones, rising."""
    pairs: FloatArray
    """The lower score of every two neighbouring records outside zones and of one block, rising."""

    def at(self, threshold: float) -> Counts:
        """Return what is found and missed at a threshold."""
        found = int(np.count_nonzero(self.in_time >= threshold))
        # A run of k detections has k - 1 pairs of neighbours in it.
        alarms = _at_least(self.quiet, threshold) - _at_least(self.pairs, threshold)
        return Counts(found, len(self.in_time) - found, alarms)

    def candidates(self) -> list[tuple[float, Counts]]:
        """Return the thresholds to try, falling, with the counts at each; the first detects nothing."""
        finding = np.unique(self.in_time[self.in_time > 0.0])
        thresholds = [NEVER, *finding[::-1].tolist()]
        return [(threshold, self.at(threshold)) for threshold in thresholds]

    def best(self) -> tuple[float, Counts]:
        """Return the threshold with the best F1, the highest of several, and the counts there."""
        return max(self.candidates(), key=lambda candidate: candidate[1].f1)

    def quiet_detections(self, threshold: float) -> int:
        """Return the detections outside zones."""
        return _at_least(self.quiet, threshold)


def outcome(series: Series, scores: FloatArray) -> Outcome:
    """Return the outcome of one series. ``scores`` has one score for each of its records."""
    if len(scores) != len(series.values):
        raise ValueError(f"{len(scores)} scores for a series of {len(series.values)} records")
    quiet = np.arange(len(scores)) >= series.probation
    for event in series.events:
        quiet[event.first : event.last + DELAY + 1] = False
    blocks = np.arange(len(scores)) // BLOCK
    neighbours = quiet[1:] & quiet[:-1] & (blocks[1:] == blocks[:-1])
    return Outcome(
        in_time=np.array([scores[event.first : event.first + DELAY + 1].max() for event in series.events]),
        at_all=np.array([scores[event.first : event.last + DELAY + 1].max() for event in series.events]),
        quiet=np.sort(scores[quiet]),
        pairs=np.sort(np.minimum(scores[1:], scores[:-1])[neighbours]),
    )


def pooled(outcomes: Sequence[Outcome]) -> Outcome:
    """Return several series as one: events and alarms are counted together."""
    return Outcome(
        in_time=np.concatenate([one.in_time for one in outcomes]),
        at_all=np.concatenate([one.at_all for one in outcomes]),
        quiet=np.sort(np.concatenate([one.quiet for one in outcomes])),
        pairs=np.sort(np.concatenate([one.pairs for one in outcomes])),
    )


def best_for_each(outcomes: Sequence[Outcome]) -> list[tuple[float, Counts]]:
    """Return a threshold for each series, so that F1 is best when events and alarms of all are counted together.

    The best threshold of a series by itself is not the same: where little can be found at any price, it buys one
    event with a hundred alarms.
    """
    candidates = [one.candidates() for one in outcomes]
    # Dinkelbach's method: F1 is a ratio of sums, maximal where no choice has 2 TP > F1 (2 TP + FP + FN).
    best = 0.0
    while True:
        chosen = [max(some, key=lambda candidate: candidate[1].margin(best)) for some in candidates]
        f1 = total([counts for _, counts in chosen]).f1
        if f1 <= best:
            return chosen
        best = f1


def total(counts: Sequence[Counts]) -> Counts:
    """Return the sums."""
    return Counts(*(sum(column) for column in zip(*counts, strict=True)))


def _at_least(rising: FloatArray, threshold: float) -> int:
    return len(rising) - int(np.searchsorted(rising, threshold, side="left"))
