"""A series with its scores, for what shows all of it: the picture and the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from htmengine.htm.explanation import Explanation, SeriesScores
from htmengine.series.reader import Series


@dataclass
class ScoredSeries:
    """A series with its scores, as they come."""

    series: Series
    chunks: list[SeriesScores] = field(default_factory=list)
    why: dict[int, Explanation] = field(default_factory=dict)
    """By row, of what was unusual."""
    rows: int = 0

    def add(self, scores: SeriesScores, why: Mapping[int, Explanation]) -> None:
        """Take the scores of the next rows; `why` is by position among them."""
        self.chunks.append(scores)
        self.why.update((self.rows + position, each) for position, each in why.items())
        self.rows += len(scores.log_score)

    @property
    def name(self) -> str:
        """What the page calls the series: the file's name without its ending, and what tells it from others."""
        stem = Path(self.series.source).stem
        return f"{stem}: {self.series.label}" if self.series.label else stem

    @property
    def scores(self) -> SeriesScores:
        """Those of all rows so far, each column of shape (rows,)."""
        return SeriesScores(*(np.concatenate(column) for column in zip(*self.chunks, strict=True)))
