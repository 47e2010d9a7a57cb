"""The scoring rules of the benchmark, for all thresholds at once.

At a threshold, the records that score at least as much are detections. With
sigma(y) = 2 / (1 + exp(5 y)) - 1, and -1 for y > 3:

- the first detection of a window, at record i of ``width`` ending at ``last``, earns
  sigma(-(last - i + 1) / width) / sigma(-1), which is 1 at the window's first record; later ones earn nothing;
- a detection outside, i records in, costs -sigma((i - last) / (width - 1)) for the nearest window before it (so a
  detection right after a window costs little), and 1 where there is none;
- a window without detection costs 1;
- each of the three is weighed by the profile. Records on probation do not exist.

The sum is scaled to 0 for no detection at all and 100 for one at every window's first record and none elsewhere.

Source: Lavin and Ahmad (2015), arXiv:1510.03336, section 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from benchmarks.nab.corpus import Profile, Window
from htmengine.htm.arrays import FloatArray

IntArray = npt.NDArray[np.int64]


class Labelled(Protocol):
    """What the rules have to know of a series."""

    @property
    def values(self) -> FloatArray: ...
    @property
    def windows(self) -> Sequence[Window]: ...
    @property
    def probation(self) -> int: ...


class Best(NamedTuple):
    """The best score that any threshold gives, and the highest threshold that gives it."""

    score: float
    threshold: float


@dataclass(frozen=True)
class Sweep:
    """What each threshold earns and costs, before weighing. Arrays of shape (t,).

    The first threshold lies above every score; the others are the distinct scores of the detector, falling.
    """

    windows: int
    thresholds: FloatArray
    gains: FloatArray
    """What first detections in windows earn."""
    costs: FloatArray
    """What detections outside windows cost."""
    found: FloatArray
    """Windows with a detection."""

    def best(self, profile: Profile) -> Best:
        """Return the best score under a profile, 0 to 100, and its threshold."""
        scores = self._scores(profile)
        place = int(np.argmax(scores))
        return Best(float(scores[place]), float(self.thresholds[place]))

    def score_at(self, profile: Profile, threshold: float) -> float:
        """Return the score under a profile at a threshold; it is negative where alarms cost more than they gain."""
        return float(self._scores(profile)[self._place(threshold)])

    def found_at(self, threshold: float) -> int:
        """Return how many windows have a detection at a threshold."""
        return int(self.found[self._place(threshold)])

    def _place(self, threshold: float) -> int:
        # The last threshold that is not below this one: it has the same detections.
        return max(int(np.searchsorted(-self.thresholds, -threshold, side="right")) - 1, 0)

    def _scores(self, profile: Profile) -> FloatArray:
        raw = (
            profile.true_positive * self.gains
            - profile.false_positive * self.costs
            - profile.false_negative * (self.windows - self.found)
        )
        worst = -profile.false_negative * self.windows
        perfect = profile.true_positive * self.windows
        return 100.0 * (raw - worst) / (perfect - worst)


class Scorer:
    """The rules laid out over the records of some files, one after the other, ready for many detectors.

    Raises
    ------
    ValueError : there is no window that could be found, so that no score can be scaled.
    """

    def __init__(self, series: Sequence[Labelled]) -> None:
        self.windows = 0
        windows, rewards, scored = [], [], []
        for one in series:
            window_of, reward = _lay_out(one)
            windows.append(np.where(window_of >= 0, window_of + self.windows, -1))
            rewards.append(reward)
            scored.append(np.arange(len(one.values)) >= one.probation)
            self.windows += len(one.windows)
        if self.windows == 0:
            raise ValueError("no labelled window in these files")
        self._lengths = [len(one.values) for one in series]
        self._scored = np.flatnonzero(np.concatenate(scored))
        self._window = np.concatenate(windows)[self._scored]
        self._reward = np.concatenate(rewards)[self._scored]
        self._inside = np.flatnonzero(self._window >= 0)

    def sweep(self, scores: Sequence[FloatArray]) -> Sweep:
        """Score a detector at every threshold. ``scores`` has one array per file, each as long as its file."""
        lengths = [len(one) for one in scores]
        if lengths != self._lengths:
            raise ValueError("every file needs as many scores as it has records")
        score = np.concatenate(scores)[self._scored]
        if np.isnan(score).any():
            raise ValueError("a score is NaN")
        gain = np.zeros(len(score))
        found = np.zeros(len(score))
        inside = self._inside
        # Within a window, in order of falling scores, only a record before all those so far moves the first detection.
        # Windows go from last to first: each then starts with records before all those of the windows done.
        order = inside[np.lexsort((-score[inside], -self._window[inside]))]
        first = np.minimum.accumulate(order)
        new_window = np.diff(self._window[order], prepend=-1) != 0
        earned = self._reward[first]
        gain[order] = np.diff(earned, prepend=0.0)
        gain[order[new_window]] = earned[new_window]
        found[order[new_window]] = 1.0
        cost = np.where(self._window < 0, -self._reward, 0.0)

        falling = np.argsort(-score)
        ranked = score[falling]
        # Records with the same score are detected together: read the sums after the last of each.
        last = np.flatnonzero(np.diff(ranked, append=-np.inf))
        return Sweep(
            windows=self.windows,
            thresholds=np.concatenate([[np.nextafter(ranked[0], np.inf)], ranked[last]]),
            gains=_running_sum(gain[falling], last),
            costs=_running_sum(cost[falling], last),
            found=_running_sum(found[falling], last),
        )

    def false_alarms(self, scores: Sequence[FloatArray], threshold: float) -> float:
        """Return the detections outside windows, per 1000 records outside windows; probation aside."""
        outside = np.concatenate(scores)[self._scored][self._window < 0]
        return 1000.0 * float(np.mean(outside >= threshold))


def sigma(position: FloatArray) -> FloatArray:
    """Scaled sigmoid: near 1 early in a window (-1), 0 at its end, -1 far behind it. Shapes are kept."""
    return np.where(position > 3.0, -1.0, 2.0 / (1.0 + np.exp(5.0 * np.minimum(position, 3.0))) - 1.0)


def _lay_out(series: Labelled) -> tuple[IntArray, FloatArray]:
    """Return per record the window it lies in (-1 for none) and the reward of a detection (negative outside)."""
    records = np.arange(len(series.values))
    window_of = np.full(len(records), -1)
    reward = np.full(len(records), -1.0)
    full = sigma(np.array(-1.0))
    for number, (first, last) in enumerate(series.windows):
        width = last - first + 1
        window_of[first : last + 1] = number
        reward[first : last + 1] = sigma(-(last - records[first : last + 1] + 1) / width) / full
        # Until the next window overwrites it.
        reward[last + 1 :] = sigma((records[last + 1 :] - last) / max(width - 1, 1))
    return window_of, reward


def _running_sum(steps: FloatArray, at: IntArray) -> FloatArray:
    return np.concatenate([[0.0], np.cumsum(steps)[at]])
