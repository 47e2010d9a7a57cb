"""What a behaviour is, and what its series are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.ops.signals import DAY_S
from htmengine.htm.arrays import FloatArray

START = 1_700_006_400.0
"""A midnight, UTC, at which a Wednesday begins."""


@dataclass(frozen=True)
class Series:
    """A series and where it should alarm."""

    timestamps: FloatArray
    values: FloatArray
    events: Sequence[range] = ()
    """The zone in which each event is due: an alarm at one of these records finds it, and how late is told from the
    first of them. It holds the records at which something is unusual; where what should come does not, an hour more."""
    settling: int = 200
    """Records after an event's zone in which alarms are further ones of the event, not false ones."""
    ignored: Sequence[range] = ()
    """Records at which an alarm is neither right nor wrong: of disturbances whose after-effects are looked for."""
    counted_from: int = 0
    """Alarms before this record are not looked at, since there was too little to learn from."""
    undisturbed: FloatArray | None = None
    """The values without the disturbance, where its after-effects are looked for: what is found here could be found."""


Behaviour = Callable[[np.random.Generator], Series]


def times(count: int, interval: float = 300.0, start: float = START) -> FloatArray:
    """Return the timestamps of so many regular samples."""
    return start + interval * np.arange(count, dtype=np.float64)


def noise(rng: np.random.Generator, count: int, deviation: float) -> FloatArray:
    """Return Gaussian noise of this standard deviation, correlated by 0.5 from one record to the next."""
    steps = rng.standard_normal(count + 1)
    correlated: FloatArray = (steps[1:] + steps[:-1]) / 2**0.5
    return deviation * correlated


def day(at: FloatArray) -> FloatArray:
    """Return a day's wave, from -1 at 3:00 to 1 at 15:00."""
    wave: FloatArray = np.sin(2 * np.pi * (at / DAY_S - 0.375))
    return wave
