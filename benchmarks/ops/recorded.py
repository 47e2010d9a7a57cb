"""Recorded operations metrics whose events people labelled: a folder of series, and how a detector is scored on it.

The folder has a `manifest.csv` with the columns file, n and probation, and the files it names: CSV, compressed or not,
with the columns timestamp (UTC), value and label (1 inside an event). The family of a series is its file's name up to the
last hyphen.

The first ``probation`` records count nowhere. An event that begins there is dropped, and so are its other records and
the 7 behind its start. At a threshold, the records that score at least as much are detections:

- an event is found when one of the records start ... start + 7 is a detection;
- its zone is the records start ... end, and no less than start ... start + 7. Detections there are never false;
- detections outside zones with at most 7 records between them are one false alarm. One that spans more than 16 records
  counts once for each 16 begun, or else an alarm that is never off would be but one.

Event F1 = 2 found / (2 found + missed + false alarms). This is not quite the measure for generated series (`scoring`):
here false alarms close together are one, and a zone ends with its event.
"""

from __future__ import annotations

import csv
import gzip
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.detectors import FIXED_THRESHOLD
from benchmarks.nab.corpus import Profile, Window
from benchmarks.nab.scorer import Scorer, Sweep
from benchmarks.ops.scoring import DELAY, NEVER
from benchmarks.summary import Report
from htmengine.htm.arrays import FloatArray

APART = DELAY + 1
"""Detections this many records apart, or less, belong to one alarm."""
HOLD = 16
"""Records after which an alarm that stays on counts again."""
STANDARD = Profile(true_positive=1.0, false_positive=0.11, false_negative=1.0)
"""The standard profile of the Numenta Anomaly Benchmark."""

_WINDOWS = 0.1  # share of a series that the windows of its events cover

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Series:
    """A recorded metric and what people saw in it."""

    name: str
    timestamps: FloatArray
    """Shape (n,). Seconds since the epoch, rising."""
    values: FloatArray
    """Shape (n,)."""
    labels: BoolArray
    """Shape (n,). True inside events."""
    probation: int
    """Records at the start that count nowhere."""

    @property
    def family(self) -> str:
        """The kind of metric."""
        return self.name.rsplit("-", 1)[0]

    @cached_property
    def events(self) -> list[Window]:
        """The events that count, in order."""
        return [event for event in self._runs if event.first >= self.probation]

    @cached_property
    def counted(self) -> BoolArray:
        """The records that count, shape (n,)."""
        counted = np.arange(len(self.values)) >= self.probation
        for first, last in self._runs:
            if first < self.probation:
                counted[first : max(last, first + DELAY) + 1] = False
            else:
                counted[first : last + 1] = True  # also where an event that was dropped has just ended
        return counted

    @cached_property
    def quiet(self) -> IntArray:
        """The records that count and lie in no zone, rising."""
        quiet = self.counted.copy()
        for event in self.events:
            quiet[event.first : max(event.last, event.first + DELAY) + 1] = False
        return np.flatnonzero(quiet)

    @cached_property
    def windows(self) -> list[Window]:
        """Windows around the events as in the Numenta Anomaly Benchmark: a tenth of the series, shared among them.

        They lie behind probation and are disjoint; those that would overlap are one.
        """
        windows: list[Window] = []
        last_record = len(self.values) - 1
        for event in self.events:
            half = _WINDOWS * len(self.values) / len(self.events) / 2
            first = max(self.probation, round(event.first - half))
            last = min(last_record, round(max(event.first + half, event.last)))
            if windows and first <= windows[-1].last:
                first, last = windows[-1].first, max(windows.pop().last, last)
            windows.append(Window(first, last))
        return windows

    @cached_property
    def _runs(self) -> list[Window]:
        steps = np.diff(self.labels.astype(np.int8), prepend=0, append=0)
        ends = zip(np.flatnonzero(steps == 1).tolist(), np.flatnonzero(steps == -1).tolist(), strict=True)
        return [Window(first, end - 1) for first, end in ends]


class Counts(NamedTuple):
    """What happens at each of some thresholds; arrays of shape (t,), one number for each threshold."""

    found: IntArray
    missed: IntArray
    false_alarms: IntArray
    false_records: IntArray

    @property
    def f1(self) -> FloatArray:
        """Event F1; 0 where nothing is found."""
        # Without an event or an alarm there is nothing to divide by, and nothing found.
        whole = np.maximum(2 * self.found + self.missed + self.false_alarms, 1)
        f1: FloatArray = 2 * self.found / whole
        return f1


def load(folder: Path) -> list[Series]:
    """Return the series of a folder in the order of its manifest."""
    with (folder / "manifest.csv").open(newline="") as manifest:
        return [_read(folder / row["file"], int(row["probation"])) for row in csv.DictReader(manifest)]


def _read(path: Path, probation: int) -> Series:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    return Series(
        name=path.name.split(".")[0],
        timestamps=np.array([row["timestamp"] for row in rows], dtype="datetime64[s]").astype(np.float64),
        values=np.array([float(row["value"]) for row in rows]),
        labels=np.array([float(row["label"]) > 0 for row in rows]),
        probation=probation,
    )


def counts(series: Series, scores: FloatArray, thresholds: FloatArray) -> Counts:
    """Return what a detector finds and raises on one series at each of the thresholds, which rise."""
    highest = _highest_in_time(series, scores)
    found = np.array([np.count_nonzero(highest >= threshold) for threshold in thresholds], dtype=np.int64)
    alarms, records = np.zeros((2, len(thresholds)), dtype=np.int64)
    left = series.quiet
    for i, threshold in enumerate(thresholds):
        left = left[scores[left] >= threshold]
        if not left.size:
            break
        alarms[i], records[i] = _alarms(left), left.size
    return Counts(found, len(highest) - found, alarms, records)


def evaluate(series: Sequence[Series], scores: Sequence[FloatArray]) -> Report:
    """Return the numbers of one detector by group: each family, the odd and the even series, and all of them.

    ``scores`` has one array per series. For each group

    - ``ev_f1``: event F1 at the best threshold of each series, mean over the series with events;
    - ``ev_f1_1thr``: events and alarms of all series counted together, at the one threshold that is best for the group;
    - ``nab_std``: score of the Numenta Anomaly Benchmark, standard profile, at the one threshold that is best for all
      series;
    - ``ev_f1_fix``, ``ev_f1_pool_fix``, ``nab_std_fix``: at the fixed threshold, with the mean over series and pooled;
    - ``fa_rec``, ``fa_run``, ``found``: at the fixed threshold false records and false alarms per 1000 records that
      count, and the share of events found in time.
    """
    thresholds = _common_thresholds(series, scores)
    together = [counts(one, own, thresholds) for one, own in zip(series, scores, strict=True)]
    own_f1 = [_own_f1(one, own) for one, own in zip(series, scores, strict=True)]
    groups = _groups(series)
    masked = [
        np.where(one.counted | _in_windows(one), own, -1.0) for one, own in zip(series, scores, strict=True)
    ]
    sweeps = {
        name: Scorer([series[i] for i in places]).sweep([masked[i] for i in places])
        for name, places in groups.items()
        if any(series[i].windows for i in places)
    }
    best = float(thresholds[np.argmax([sweeps["all"].score_at(STANDARD, one) for one in thresholds])])
    report: Report = {}
    for name, places in groups.items():
        pooled = Counts(
            *(np.sum(column, axis=0) for column in zip(*(together[i] for i in places), strict=True))
        )
        fixed = int(np.flatnonzero(thresholds == FIXED_THRESHOLD)[0])
        records = sum(int(series[i].counted.sum()) for i in places)
        events = sum(len(series[i].events) for i in places)
        eventful = [i for i in places if series[i].events]
        report[name] = {
            "series": len(places),
            "records": records,
            "events": events,
            "ev_f1": _mean([own_f1[i] for i in eventful]),
            "ev_f1_1thr": float(pooled.f1.max()),
            "nab_std": _nab(sweeps.get(name), best),
            "ev_f1_fix": _mean([float(together[i].f1[fixed]) for i in eventful]),
            "ev_f1_pool_fix": float(pooled.f1[fixed]),
            "nab_std_fix": _nab(sweeps.get(name), FIXED_THRESHOLD),
            "fa_rec": 1000.0 * int(pooled.false_records[fixed]) / records,
            "fa_run": 1000.0 * int(pooled.false_alarms[fixed]) / records,
            "found": int(pooled.found[fixed]) / events if events else float("nan"),
        }
    return report


def _groups(series: Sequence[Series]) -> dict[str, list[int]]:
    places = range(len(series))
    families = dict.fromkeys(one.family for one in series)
    groups = {family: [i for i in places if series[i].family == family] for family in families}
    groups |= {"odd": list(places[0::2]), "even": list(places[1::2]), "all": list(places)}
    return {name: group for name, group in groups.items() if group}


def _alarms(records: IntArray) -> int:
    """Count the alarms that rising places of detections make."""
    breaks = np.flatnonzero(np.diff(records) > APART)
    firsts = records[np.concatenate([[0], breaks + 1])]
    lasts = records[np.concatenate([breaks, [len(records) - 1]])]
    return int(((lasts - firsts) // HOLD + 1).sum())


def _highest_in_time(series: Series, scores: FloatArray) -> FloatArray:
    return np.array([scores[event.first : event.first + DELAY + 1].max() for event in series.events])


def _own_f1(series: Series, scores: FloatArray) -> float:
    """Return event F1 at the best threshold of the series; 0 if it has no event.

    Alarms that break up can become more with a higher threshold: so many scores are tried, not only those of events.
    """
    if not series.events:
        return 0.0
    falling = np.sort(scores[series.counted])[::-1]
    every = np.arange(1, min(len(falling), 200) + 1)
    wide = np.geomspace(1, len(falling), 300).round().astype(int)
    tried = np.concatenate([falling[np.union1d(every, wide) - 1], _highest_in_time(series, scores)])
    return float(counts(series, scores, np.unique(tried)).f1.max())


def _common_thresholds(series: Sequence[Series], scores: Sequence[FloatArray]) -> FloatArray:
    """Return up to 700 thresholds, rising: scores of all series by rank and of events, the fixed one, and never."""
    falling = np.sort(np.concatenate([own[one.counted] for one, own in zip(series, scores, strict=True)]))[
        ::-1
    ]
    ranks = np.unique(np.geomspace(1, len(falling), 400).astype(int))
    of_events = [_highest_in_time(one, own) for one, own in zip(series, scores, strict=True) if one.events]
    tried = np.unique(np.concatenate([falling[ranks - 1], *of_events, [FIXED_THRESHOLD]]))
    if len(tried) > 700:
        tried = np.union1d(tried[np.linspace(0, len(tried) - 1, 700).astype(int)], [FIXED_THRESHOLD])
    return np.append(tried, NEVER)


def _in_windows(series: Series) -> BoolArray:
    inside = np.zeros(len(series.values), dtype=np.bool_)
    for window in series.windows:
        inside[window.first : window.last + 1] = True
    return inside


def _nab(sweep: Sweep | None, threshold: float) -> float:
    return sweep.score_at(STANDARD, threshold) if sweep else float("nan")


def _mean(numbers: Sequence[float]) -> float:
    return statistics.fmean(numbers) if numbers else float("nan")
