"""A series with its scores, for what shows all of it: the picture and the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from htmengine.htm.arrays import FloatArray
from htmengine.htm.explanation import Explanation, SeriesScores


@dataclass
class ScoredSeries:
    """A series with its scores, as chunks come."""

    name: str
    timestamps: list[FloatArray] = field(default_factory=list)
    values: list[FloatArray] = field(default_factory=list)
    scores: list[SeriesScores] = field(default_factory=list)
    why: dict[int, Explanation] = field(default_factory=dict)
    """By row, of what was unusual."""
    rows: int = 0

    def add(
        self, timestamps: FloatArray, values: FloatArray, scores: SeriesScores, why: Mapping[int, Explanation]
    ) -> None:
        """Take the next rows; `why` is by position among them."""
        self.timestamps.append(timestamps)
        self.values.append(values)
        self.scores.append(scores)
        self.why.update((self.rows + position, each) for position, each in why.items())
        self.rows += len(timestamps)

    @property
    def drawn(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Timestamps, values and log scores, each of shape (rows,)."""
        return (
            np.concatenate(self.timestamps),
            np.concatenate(self.values),
            np.concatenate([scores.log_score for scores in self.scores]),
        )
