"""The labelled files of the benchmark."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from htmengine.htm.arrays import FloatArray


class Window(NamedTuple):
    """Records ``first`` to ``last``, both included, in which a detection counts as one of the labelled anomaly."""

    first: int
    last: int


@dataclass(frozen=True)
class Series:
    """One file: its samples and where its anomalies lie."""

    name: str
    """Category and file, as in ``realKnownCause/nyc_taxi.csv``."""
    timestamps: FloatArray
    """Shape (n,). Seconds since the epoch, never decreasing; the local times of the file are read as UTC."""
    values: FloatArray
    """Shape (n,)."""
    windows: tuple[Window, ...]
    """In order, disjoint."""

    @property
    def probation(self) -> int:
        """Records at the start in which detections do not count."""
        return min(int(0.15 * len(self.values)), 750)


class Profile(NamedTuple):
    """Weights of one way to use a detector."""

    true_positive: float
    false_positive: float
    false_negative: float


def load(folder: Path) -> list[Series]:
    """Return all labelled files below ``folder``, sorted by name."""
    labels: dict[str, list[list[str]]] = json.loads((folder / "combined_windows.json").read_text())
    return [_read(folder / "data" / name, name, labels[name]) for name in sorted(labels)]


def load_profiles(folder: Path) -> dict[str, Profile]:
    """Return the scoring profiles by name."""
    profiles = json.loads((folder / "scoring_profiles.json").read_text())
    weights = {name: profile["CostMatrix"] for name, profile in profiles.items()}
    return {name: Profile(w["tpWeight"], w["fpWeight"], w["fnWeight"]) for name, w in weights.items()}


def _read(path: Path, name: str, windows: list[list[str]]) -> Series:
    with path.open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    times = np.array([row[0] for row in rows], dtype="datetime64[us]")
    # One file repeats an hour where its local clock was put back: time stands still there.
    times = np.maximum.accumulate(times)
    bounds = np.array(windows, dtype="datetime64[us]").reshape(-1, 2)
    firsts = np.searchsorted(times, bounds[:, 0], side="left")
    ends = np.searchsorted(times, bounds[:, 1], side="right")
    return Series(
        name=name,
        timestamps=times.astype(np.int64) / 1e6,
        values=np.array([float(row[1]) for row in rows]),
        windows=tuple(Window(int(first), int(end) - 1) for first, end in zip(firsts, ends, strict=True)),
    )
