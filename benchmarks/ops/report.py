"""What a detector reaches on a collection of operations series, in numbers."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import numpy as np

from benchmarks.detectors import FIXED_THRESHOLD
from benchmarks.ops.generator import Series
from benchmarks.ops.scoring import Outcome, best_for_each, outcome, pooled, total
from benchmarks.summary import Report
from htmengine.htm.arrays import FloatArray


def evaluate(series: Sequence[Series], scores: Sequence[FloatArray]) -> Report:
    """Return the numbers of one detector. ``scores`` has one array per series.

    - ``f1_own_threshold``: event F1 at the best threshold of each series, mean over series;
      ``f1_own_threshold_pooled``: events and alarms of all series counted together, each series at the threshold
      that is best for this sum;
    - ``f1_one_threshold``: all counted together at the ``threshold`` that is best for all;
    - ``fixed``: at the fixed threshold, counted together: ``f1``; ``false_alarms_per_1000`` detections outside
      zones per 1000 records there; ``found``, the share of events found in time;
    - ``kinds``: per kind of event how many there are and the share found in time at the thresholds of
      ``f1_own_threshold_pooled`` and at the fixed one; ``at_all`` the share found anywhere in its zone at the latter.
    """
    outcomes = [outcome(one, own) for one, own in zip(series, scores, strict=True)]
    together = pooled(outcomes)
    own = best_for_each(outcomes)
    threshold, one_threshold = together.best()
    fixed = together.at(FIXED_THRESHOLD)
    return {
        "f1_own_threshold": statistics.fmean(one.best()[1].f1 for one in outcomes),
        "f1_own_threshold_pooled": total([counts for _, counts in own]).f1,
        "f1_one_threshold": one_threshold.f1,
        "threshold": threshold,
        "fixed": {
            "f1": fixed.f1,
            "false_alarms_per_1000": 1000 * together.quiet_detections(FIXED_THRESHOLD) / len(together.quiet),
            "found": fixed.found / (fixed.found + fixed.missed),
        },
        "kinds": _by_kind(series, outcomes, [threshold for threshold, _ in own]),
    }


def _by_kind(series: Sequence[Series], outcomes: Sequence[Outcome], thresholds: Sequence[float]) -> Report:
    kinds = np.array([event.kind for one in series for event in one.events])
    together = pooled(outcomes)
    own = np.concatenate([np.full(len(one.in_time), t) for one, t in zip(outcomes, thresholds, strict=True)])
    report: Report = {}
    for kind in sorted(set(kinds.tolist())):
        chosen = kinds == kind
        in_time = together.in_time[chosen]
        report[kind] = {
            "events": int(np.count_nonzero(chosen)),
            "own_threshold": float(np.mean(in_time >= own[chosen])),
            "fixed": float(np.mean(in_time >= FIXED_THRESHOLD)),
            "at_all": float(np.mean(together.at_all[chosen] >= FIXED_THRESHOLD)),
        }
    return report
