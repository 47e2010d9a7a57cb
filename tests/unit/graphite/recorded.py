"""Series that are known in full, as the source of targets."""

from __future__ import annotations

import numpy as np

from htmengine.graphite.evaluation import Evaluator, Limits, Reader
from htmengine.graphite.globs import Tree
from htmengine.graphite.series import Grid
from htmengine.graphite.target import parse


class Recorded:
    """By name, the step and a value for each slot since the epoch; None is none. Scores are a hundredth of values."""

    branch = "_htm"

    def __init__(self, series):
        self.names = list(series)
        self.tree = Tree(self.names)
        self.fetches = 0
        self._series = series

    def fetch(self, wanted, start, end, check, max_points):
        self.fetches += 1
        return [self._grid(*one, start, end) for one in wanted]

    def _grid(self, metric, column, start, end):
        step, values = self._series[self.names[metric]]
        first, last = start // step * step + step, end // step * step + step
        slots = [
            values[slot // step] if 0 <= slot // step < len(values) else None
            for slot in range(first, last, step)
        ]
        found = np.array(slots, dtype=np.float64)
        return Grid(first, step, found if column == "value" else found / 100)


def evaluate(series, text, start=0, end=600, limits=None):
    """Return the series of a target."""
    source = series if isinstance(series, Recorded) else Recorded(series)
    evaluator = Evaluator(Reader(source, limits or Limits()), start, end)
    expression = parse(text)
    evaluator.prepare([expression])
    return evaluator.evaluate(expression)


def listed(series):
    """Return name, start, step and values of each series; None for none."""
    return [
        [one.name, one.start, one.step, [None if value != value else value for value in one.values.tolist()]]
        for one in series
    ]
