"""Detectors by name. A detector is a plain function from a series to scores, so anything can be benchmarked.

    detector(timestamps, values, seed) -> log_scores

timestamps : shape (n,). Seconds since the Unix epoch, UTC, never decreasing.
values : shape (n,), in the metric's own unit.
seed : for detectors that draw random numbers.
log_scores : shape (n,), 0 to 1; 0.5 stands for a likelihood of 0.99999 and is the fixed threshold of every benchmark.
    NaN, where a detector has no opinion, counts as 0. Score i may depend on the samples 0 to i only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from htmengine.htm.arrays import FloatArray

Detector = Callable[[FloatArray, FloatArray, int], FloatArray]

FIXED_THRESHOLD = 0.5
"""Log score at which a user who tunes nothing is alarmed: a likelihood of 0.99999."""


@dataclass(frozen=True)
class ModelDetector:
    """A model of htmengine under one of its parameter sets.

    ``default`` follows the range of the metric by itself. The other sets need a range: that of the first rows, as the
    original engine took it, or with ``look_ahead`` that of the whole series, as the published results did. These also
    score 1 wherever the range rule does: ``range_rule``.
    """

    parameters: str
    look_ahead: bool = False
    range_rule: bool = False
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Parameters that differ from those of the set."""
    score: str = "log_score"
    """Which of the model's scores, by the names of `htmengine.htm.model.SeriesScores`."""

    def __call__(self, timestamps: FloatArray, values: FloatArray, seed: int) -> FloatArray:
        # Imported here: the baselines and the scoring need no compiled module.
        from htmengine.htm import params
        from htmengine.htm.model import Model

        minimum: float | None = None
        maximum: float | None = None
        if self.parameters != "default":
            seen = values if self.look_ahead else values[: params.ROWS_FOR_RANGE]
            minimum, maximum = params.infer_range(seen)
        chosen = params.parameter_set(self.parameters, minimum=minimum, maximum=maximum, seed=seed)
        chosen = msgspec.structs.replace(chosen, **self.changes)
        scores: FloatArray = getattr(Model(chosen).score_series(timestamps, values), self.score)
        return np.fmax(scores, range_rule(values)) if self.range_rule else scores


def range_rule(values: FloatArray) -> FloatArray:
    """Return 1 for a new extreme that stands out by more than 5 % of the range so far, else 0.

    Source: reference "HTM scalar anomaly models", section 11.1 (spatial check).
    """
    highest = np.fmax.accumulate(values)[:-1]
    lowest = np.fmin.accumulate(values)[:-1]
    tolerance = 0.05 * (highest - lowest)
    outside = (values[1:] > highest + tolerance) | (values[1:] < lowest - tolerance)
    return np.concatenate([[0.0], np.where(outside & (highest > lowest), 1.0, 0.0)])
