"""What happens to metrics: the kinds of labelled events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.ops.signals import Signal


@dataclass(frozen=True)
class Event:
    """One thing that happened."""

    kind: str
    first: int
    """Record at which it starts."""
    last: int
    """Last record that it touches."""


@dataclass(frozen=True)
class Kind:
    """A kind of event: how long it takes and what it does to a signal."""

    share: float
    """Of all events."""
    shortest: int
    longest: int
    """In records; lengths are drawn evenly on a log scale."""
    apply: Callable[[np.random.Generator, Signal, slice], None]


def _spike(rng: np.random.Generator, signal: Signal, where: slice) -> None:
    signal.expected[where] += _push(rng, signal, 4.0, 40.0)


def _dip(rng: np.random.Generator, signal: Signal, where: slice) -> None:
    # Two in three reach zero: nothing comes in any more. The others lose part of what there was.
    if rng.random() < 2 / 3:
        signal.expected[where] = signal.nothing
        signal.noise[where] = 0.0
    else:
        signal.expected[where] -= abs(_push(rng, signal, 4.0, 20.0))


def _level_shift(rng: np.random.Generator, signal: Signal, where: slice) -> None:
    signal.expected[where] += _push(rng, signal, 3.0, 20.0)


def _leak(rng: np.random.Generator, signal: Signal, where: slice) -> None:
    ramp = np.linspace(0.0, 1.0, where.stop - where.start)
    signal.expected[where] += ramp * _push(rng, signal, 5.0, 30.0)


def _lost_season(rng: np.random.Generator, signal: Signal, where: slice) -> None:
    signal.expected[where] = np.median(signal.expected[: where.start])


def _noise_burst(rng: np.random.Generator, signal: Signal, where: slice) -> None:
    signal.noise[where] *= rng.uniform(3.0, 10.0)


def _stuck(rng: np.random.Generator, signal: Signal, where: slice) -> None:
    # An agent that repeats its last reading.
    signal.expected[where] = signal.expected[where.start - 1]
    signal.noise[where] = signal.noise[where.start - 1]


KINDS: dict[str, Kind] = {
    "spike": Kind(0.42, 1, 5, _spike),
    "dip": Kind(0.20, 1, 30, _dip),
    "level shift": Kind(0.18, 20, 300, _level_shift),
    "leak": Kind(0.04, 100, 600, _leak),
    "lost season": Kind(0.03, 200, 600, _lost_season),
    "noise burst": Kind(0.09, 10, 100, _noise_burst),
    "stuck": Kind(0.04, 30, 300, _stuck),
}
"""Kinds by name."""


def _push(rng: np.random.Generator, signal: Signal, subtle: float, obvious: float) -> float:
    """Draw how far an event pushes, between two sizes in units of the noise, evenly on a log scale."""
    size = np.exp(rng.uniform(np.log(subtle), np.log(obvious))) * signal.scale
    sign = 1.0 if rng.random() < signal.upward else -1.0
    return float(sign * min(size, signal.limit))
