"""Values far outside: what comes after them, what they hide, and how soon they are seen.

A deviation is the standard deviation of the noise. Unless said otherwise the noise is white, samples come every five minutes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.behaviour.series import Behaviour, Series, day, noise, times
from htmengine.htm.arrays import FloatArray

_SPIKES = range(1400, 5000, 397)  # no fraction of a day
_YOUNG = 1000  # records

Shape = Callable[[FloatArray], FloatArray]
"""From timestamps to the values that a metric with a deviation of 1 has without noise."""


def flat(at: FloatArray) -> FloatArray:
    """One level."""
    return np.full(len(at), 50.0)


def wave(at: FloatArray) -> FloatArray:
    """A day's wave between 30 and 70."""
    return 50.0 + 20.0 * day(at)


def _with_spikes(rng: np.random.Generator, shape: Shape) -> FloatArray:
    at = times(5000)
    values = shape(at) + rng.standard_normal(len(at))
    values[_SPIKES] += 20.0
    return values


def _found_later(disturbed: FloatArray, undisturbed: FloatArray, disturbances: list[range]) -> Series:
    return Series(
        times(len(disturbed)),
        disturbed,
        [range(place, place + 1) for place in _SPIKES],
        settling=10,
        # What comes back from a disturbance may alarm, too.
        ignored=[range(one.start, one.stop + 1) for one in disturbances],
        undisturbed=undisturbed,
    )


def glitch(shape: Shape, smallest: float, largest: float, longest: int = 1) -> Behaviour:
    """Return spikes of 20 deviations after a glitch that is so many deviations high or low, within the first 1000 samples.

    Most glitches come early: half of them before record 250.
    """

    def behaviour(rng: np.random.Generator) -> Series:
        undisturbed = _with_spikes(rng, shape)
        size = _log_uniform(rng, smallest, largest) * rng.choice([-1.0, 1.0])
        first = int(_YOUNG * rng.random() ** 2)
        length = int(rng.integers(2, longest + 1)) if longest > 1 else 1
        disturbed = undisturbed.copy()
        disturbed[first : first + length] += size
        return _found_later(disturbed, undisturbed, [range(first, first + length)])

    behaviour.__doc__ = f"A glitch of {smallest:g} to {largest:g} deviations while young, then spikes of 20."
    return behaviour


def first_value_zero(rng: np.random.Generator) -> Series:
    """A first value of 0 where all others lie near 5000; then spikes of 20 deviations."""
    undisturbed = 4950.0 + _with_spikes(rng, flat)
    disturbed = undisturbed.copy()
    disturbed[0] = 0.0
    return _found_later(disturbed, undisturbed, [range(1)])


def sentinel(rng: np.random.Generator) -> Series:
    """A day's wave in which -9999 stands for a missing value, for one to three records about once in 200; spikes of 20."""
    undisturbed = _with_spikes(rng, wave)
    disturbed = undisturbed.copy()
    disturbances = []
    first = int(rng.geometric(1 / 100)) - 1
    while first < len(disturbed):
        one = range(first, min(first + int(rng.integers(1, 4)), len(disturbed)))
        if not any(one.start - 2 <= spike <= one.stop + 1 for spike in _SPIKES):
            disturbed[one.start : one.stop] = -9999.0
            disturbances.append(one)
        first += 4 + int(rng.geometric(1 / 200))
    return _found_later(disturbed, undisturbed, disturbances)


def second_peak(rng: np.random.Generator) -> Series:
    """A value 10 deviations high, and one to ten records later one that is 40 high: this one is the event."""
    undisturbed = 100.0 + noise(rng, 3000, 3.0)
    small = int(rng.integers(1500, 2500))
    great = small + int(rng.integers(1, 11))
    undisturbed[great] += 120.0
    disturbed = undisturbed.copy()
    disturbed[small] += 30.0
    return Series(
        times(3000),
        disturbed,
        [range(great, great + 1)],
        ignored=[range(small, great)],
        undisturbed=undisturbed,
    )


def short_file(count: int) -> Behaviour:
    """Return so many samples of noise with one that is 20 to 1000 deviations high or low, after 30 others or more."""

    def behaviour(rng: np.random.Generator) -> Series:
        values = 100.0 + 3.0 * rng.standard_normal(count)
        place = int(rng.integers(30, count))
        values[place] += 3.0 * _log_uniform(rng, 20.0, 1000.0) * rng.choice([-1.0, 1.0])
        return Series(times(count), values, [range(place, place + 1)])

    behaviour.__doc__ = f"{count} samples with one outlier of 20 deviations or more."
    return behaviour


def frozen(shape: Shape) -> Behaviour:
    """Return noise that stands still at its last value for six hours."""

    def behaviour(rng: np.random.Generator) -> Series:
        at = times(4000)
        values = shape(at) + rng.standard_normal(len(at))
        first = int(rng.integers(2500, 3500))
        values[first : first + 72] = values[first - 1]
        return Series(at, values, [range(first, first + 72)])

    behaviour.__doc__ = "A metric that varies and then freezes for 72 records."
    return behaviour


def pure_noise(rng: np.random.Generator) -> Series:
    """Gaussian noise and nothing else, 20,000 records."""
    return Series(times(20_000), 100.0 + 3.0 * rng.standard_normal(20_000))


def first_day(rng: np.random.Generator) -> Series:
    """The first day of a wave that is sampled every minute."""
    at = times(1440, 60.0)
    return Series(at, 100.0 + 30.0 * day(at) + noise(rng, len(at), 3.0))


SHAPES: dict[str, Shape] = {"flat": flat, "daily wave": wave}

BEHAVIOURS: dict[str, Behaviour] = {
    **{
        f"glitch while young, {low:g} to {high:g} deviations, {name}": glitch(shape, low, high)
        for name, shape in SHAPES.items()
        for low, high in ((2.0, 20.0), (20.0, 1000.0), (1e3, 1e6))
    },
    **{
        f"burst of 2 to 10 glitches while young, {name}": glitch(shape, 20.0, 1e6, longest=10)
        for name, shape in SHAPES.items()
    },
    "first value 0": first_value_zero,
    "sentinel that comes back": sentinel,
    "second peak after a small one": second_peak,
    "short file, 60 samples": short_file(60),
    "short file, 240 samples": short_file(240),
    **{f"frozen value, {name}": frozen(shape) for name, shape in SHAPES.items()},
    "pure noise, 20,000 samples": pure_noise,
    "first day, every 60 s": first_day,
}
"""Series by what happens to them."""


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
