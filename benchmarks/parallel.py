"""Runs one detector over many series and seeds, on many cores."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple, Protocol

import numpy as np

from benchmarks.detectors import Detector
from htmengine.htm.arrays import FloatArray


class Series(Protocol):
    """What a detector may see of a labelled series."""

    @property
    def timestamps(self) -> FloatArray: ...
    @property
    def values(self) -> FloatArray: ...


class Samples(NamedTuple):
    """A series to score, and the seed to do it with."""

    timestamps: FloatArray
    values: FloatArray
    seed: int


def run(
    detector: Detector,
    series: Sequence[Series],
    seeds: Sequence[int],
    *,
    jobs: int | None = None,
    highest: float = 1.0,
) -> list[list[FloatArray]]:
    """Return the scores of every series, for every seed: ``result[seed index][series index]``; else as `scores_of`."""
    tasks = [Samples(one.timestamps, one.values, seed) for seed in seeds for one in series]
    scores = scores_of(detector, tasks, jobs=jobs, highest=highest)
    return [scores[first : first + len(series)] for first in range(0, len(tasks), len(series))]


def scores_of(
    detector: Detector, tasks: Sequence[Samples], *, jobs: int | None = None, highest: float = 1.0
) -> list[FloatArray]:
    """Return the scores of every task.

    With more than one job (as many as there are cores unless said otherwise) the detector is sent to fresh processes,
    so it must be a function of a module or an instance of a class of one. Missing scores (NaN) become 0.

    Raises
    ------
    ValueError : a detector returned scores of another shape than its series, or beyond 0 to ``highest``.
    """
    jobs = jobs or os.cpu_count() or 1
    if jobs == 1:
        return [_score(detector, highest, task) for task in tasks]
    # Long series first, so that no core ends up alone with one.
    order = sorted(range(len(tasks)), key=lambda place: -len(tasks[place].values))
    with multiprocessing.get_context("spawn").Pool(min(jobs, len(tasks))) as pool:
        found = pool.map(partial(_score, detector, highest), [tasks[place] for place in order], chunksize=1)
    by_place = dict(zip(order, found, strict=True))
    return [by_place[place] for place in range(len(tasks))]


def _score(detector: Detector, highest: float, task: Samples) -> FloatArray:
    scores = np.nan_to_num(detector(*task), nan=0.0)
    if scores.shape != task.values.shape:
        raise ValueError(f"scores of shape {scores.shape} for a series of shape {task.values.shape}")
    if scores.size and not (scores.min() >= 0.0 and scores.max() <= highest):
        raise ValueError(f"scores from {scores.min()} to {scores.max()}, beyond 0 to {highest:g}")
    return scores
