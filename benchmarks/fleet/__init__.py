"""A generated fleet of metrics and its lines: whole seconds, backdated, strictly increasing for each metric."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from htmengine.htm.arrays import FloatArray

FIRST_TIMESTAMP = 1_600_000_000
INTERVAL_S = 60
PERIOD = 240  # samples in a season


class Fleet(NamedTuple):
    """Values of all metrics; sample k of every metric has the timestamp FIRST_TIMESTAMP + k * INTERVAL_S."""

    names: list[str]
    values: FloatArray
    """Shape (metrics, samples)."""

    def timestamp(self, sample: int) -> int:
        """Return the timestamp of the sample with this number, the same for every metric."""
        return FIRST_TIMESTAMP + sample * INTERVAL_S

    def timestamps(self) -> FloatArray:
        """Return the timestamps of all samples of a metric, shape (samples,)."""
        return FIRST_TIMESTAMP + INTERVAL_S * np.arange(self.values.shape[1], dtype=np.float64)

    def samples_at(self, timestamps: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the numbers of the samples that have these timestamps."""
        return (timestamps - FIRST_TIMESTAMP) // INTERVAL_S

    def lines(self, sample: int, first: int = 0, last: int | None = None) -> bytes:
        """Return the lines of one sample of the metrics from `first` up to, not including, `last`."""
        timestamp = self.timestamp(sample)
        column = self.values[first:last, sample % self.values.shape[1]].tolist()
        names = self.names[first:last]
        return "".join(
            f"{name} {value!r} {timestamp}\n" for name, value in zip(names, column, strict=True)
        ).encode()


def generate(metrics: int, samples: int, *, seed: int = 1) -> Fleet:
    """Return a fleet with a season and noise of its own for each metric, and a rare jump."""
    random = np.random.default_rng(seed)
    level, season, noise = (
        random.uniform(low, high, (metrics, 1)) for low, high in ((10, 100), (1, 30), (0.1, 3))
    )
    phase = random.uniform(0, 2 * np.pi, (metrics, 1))
    turns = 2 * np.pi * np.arange(samples) / PERIOD
    values = level + season * np.sin(turns + phase) + noise * random.standard_normal((metrics, samples))
    values[random.random(values.shape) < 0.0005] *= 4
    return Fleet([f"fleet.host{i:05d}.load" for i in range(metrics)], np.round(values, 3))
