"""Runs one detector over many series and seeds, on many cores."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from benchmarks.detectors import Detector
from htmengine.htm.arrays import FloatArray


class Series(Protocol):
    """What a detector may see of a labelled series."""

    @property
    def timestamps(self) -> FloatArray: ...
    @property
    def values(self) -> FloatArray: ...


_Task = tuple[Detector, FloatArray, FloatArray, int]


def run(
    detector: Detector, series: Sequence[Series], seeds: Sequence[int], *, jobs: int | None = None
) -> list[list[FloatArray]]:
    """Return the scores of every series, for every seed: ``result[seed index][series index]``.

    With more than one job (as many as there are cores unless said otherwise) the detector is sent to fresh processes,
    so it must be a function of a module or an instance of a class of one. Missing scores (NaN) become 0.

    Raises
    ------
    ValueError : a detector returned scores of another shape than its series, or beyond 0 to 1.
    """
    jobs = jobs or os.cpu_count() or 1
    places = [(number, place) for number in range(len(seeds)) for place in range(len(series))]
    # Long series first, so that no core ends up alone with one.
    places.sort(key=lambda at: -len(series[at[1]].values))
    tasks: list[_Task] = [
        (detector, series[place].timestamps, series[place].values, seeds[number]) for number, place in places
    ]
    if jobs == 1:
        scores = [_score(task) for task in tasks]
    else:
        with multiprocessing.get_context("spawn").Pool(min(jobs, len(tasks))) as pool:
            scores = pool.map(_score, tasks, chunksize=1)
    found = dict(zip(places, scores, strict=True))
    return [[found[number, place] for place in range(len(series))] for number in range(len(seeds))]


def _score(task: _Task) -> FloatArray:
    detector, timestamps, values, seed = task
    scores = np.nan_to_num(detector(timestamps, values, seed), nan=0.0)
    if scores.shape != values.shape:
        raise ValueError(f"scores of shape {scores.shape} for a series of shape {values.shape}")
    if scores.size and not (scores.min() >= 0.0 and scores.max() <= 1.0):
        raise ValueError(f"scores from {scores.min()} to {scores.max()}, beyond 0 to 1")
    return scores
