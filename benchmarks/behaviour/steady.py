"""What happens to a metric that goes on as it is: events, trends, and kinds of values that are awkward."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from benchmarks.behaviour.series import Behaviour, Series, day, noise, times
from benchmarks.ops.signals import DAY_S
from htmengine.htm.arrays import FloatArray


def level_shift(rng: np.random.Generator) -> Series:
    """A level that moves by 10 standard deviations and stays."""
    values = 100.0 + noise(rng, 4000, 3.0)
    values[2500:] += 30.0
    return Series(times(4000), values, [range(2500, 2600)])


def spike(rng: np.random.Generator) -> Series:
    """One value 10 standard deviations away."""
    values = 100.0 + noise(rng, 4000, 3.0)
    values[2500] += 30.0
    return Series(times(4000), values, [range(2500, 2501)])


def trend(rng: np.random.Generator) -> Series:
    """A level that grows steadily, by 40 standard deviations in all."""
    return Series(times(4000), 100.0 + np.linspace(0.0, 120.0, 4000) + noise(rng, 4000, 3.0))


def slow_leak(rng: np.random.Generator) -> Series:
    """A level that begins to grow, by 40 standard deviations within 1000 records."""
    values = 100.0 + noise(rng, 4000, 3.0)
    values[2500:3500] += np.linspace(0.0, 120.0, 1000)
    values[3500:] += 120.0
    return Series(times(4000), values, [range(2500, 3500)])


def daily_season(rng: np.random.Generator) -> Series:
    """A day's wave; on the 11th day its afternoon comes at night, each value within the usual range."""
    at = times(4032)
    values = 100.0 + 30.0 * day(at) + noise(rng, len(at), 3.0)
    values[2880:2916] += 60.0
    return Series(at, values, [range(2880, 2916)])


def clock_change(rng: np.random.Generator) -> Series:
    """Eight weeks of working days and weekends, by the clock of Berlin, whose summer time ends in between."""
    at = times(56 * 96, 900.0, datetime(2023, 10, 1, tzinfo=UTC).timestamp())
    end_of_summer_time = datetime(2023, 10, 29, 1, tzinfo=UTC).timestamp()
    local: FloatArray = at + np.where(at < end_of_summer_time, 7200.0, 3600.0)
    working = np.where((local // DAY_S + 3) % 7 < 5, 1.0, 0.4)  # the epoch began on a Thursday
    return Series(at, 40.0 + working * (50.0 + 30.0 * day(local)) + noise(rng, len(at), 3.0))


def missing_samples(rng: np.random.Generator) -> Series:
    """A day's wave of which a twentieth is missing and a twentieth has no value; gaps of 6 hours and 2 days; a spike."""
    at = times(4600)
    values = 100.0 + 30.0 * day(at) + noise(rng, len(at), 3.0)
    values[4300] += 45.0
    kept = rng.random(len(at)) > 0.05
    kept[1500:1572] = kept[2500:3076] = False
    empty = rng.random(len(at)) < 0.05
    kept[4300], empty[4300] = True, False
    values[empty] = np.nan
    place = int(kept[:4300].sum())
    return Series(at[kept], values[kept], [range(place, place + 1)])


def counter(rng: np.random.Generator) -> Series:
    """A counter that is set to zero thrice."""
    counts = np.cumsum(rng.poisson(200.0, 4000)).astype(np.float64)
    resets = (1200, 2300, 3100)
    for reset in resets:
        counts[reset:] -= counts[reset]
    return Series(times(4000), counts, [range(reset, reset + 1) for reset in resets])


def stalled_counter(rng: np.random.Generator) -> Series:
    """A counter that stands still for 30 records."""
    steps = rng.poisson(200.0, 4000)
    steps[2500:2530] = 0
    return Series(times(4000), np.cumsum(steps).astype(np.float64), [range(2500, 2530)])


def quantised(rng: np.random.Generator) -> Series:
    """Whole numbers, mostly two or three different ones; then a spike of 6."""
    values = np.round(20.0 + noise(rng, 4000, 0.6))
    values[2500] += 6.0
    return Series(times(4000), values, [range(2500, 2501)])


def long_constant(rng: np.random.Generator) -> Series:
    """One value for a week; then it moves a little, for ten records."""
    values = np.full(4000, float(rng.integers(0, 100)))
    values[2500:2510] += 1.0
    return Series(times(4000), values, [range(2500, 2510)])


def rare_steps(rng: np.random.Generator) -> Series:
    """Constant for some hundred records at a time, at one of five levels, which all come up early."""
    lengths = rng.integers(100, 300, 60)
    levels = np.resize(rng.permutation(5), 60) * 10.0
    return Series(times(6000), np.repeat(levels, lengths)[:6000])


def sparse_counts(rng: np.random.Generator) -> Series:
    """Zero but for one record in 30, which has a few; then 40."""
    values = np.where(rng.random(4000) < 1 / 30, 1.0 + rng.poisson(1.0, 4000), 0.0)
    values[2500] = 40.0
    return Series(times(4000), values, [range(2500, 2501)])


def heavy_tailed_latency(rng: np.random.Generator) -> Series:
    """Milliseconds with a heavy tail (log-normal, one record in 50 five times as long); then three times as slow."""
    values = 20.0 * np.exp(0.3 * rng.standard_normal(4000)) * np.where(rng.random(4000) < 0.02, 5.0, 1.0)
    values[2500:2530] *= 3.0
    return Series(times(4000), np.round(values, 1), [range(2500, 2530)])


def sampled(interval: float) -> Behaviour:
    """Return a day's wave, sampled at an interval in seconds, with a spike of 15 standard deviations."""

    def behaviour(rng: np.random.Generator) -> Series:
        at = times(4000, interval)
        values = 100.0 + 30.0 * day(at) + noise(rng, 4000, 3.0)
        values[2500] += 45.0
        return Series(at, values, [range(2500, 2501)])

    behaviour.__doc__ = f"A day's wave, a sample every {interval:g} s; a spike of 15 standard deviations."
    return behaviour


def cold_start(place: int) -> Behaviour:
    """Return noise with a spike of 10 standard deviations early on."""

    def behaviour(rng: np.random.Generator) -> Series:
        values = 100.0 + noise(rng, 1000, 3.0)
        values[place] += 30.0
        return Series(times(1000), values, [range(place, place + 1)])

    behaviour.__doc__ = f"The first {place} samples of noise, then a spike of 10 standard deviations."
    return behaviour


BEHAVIOURS: dict[str, Behaviour] = {
    "spike": spike,
    "level shift": level_shift,
    "trend": trend,
    "slow leak": slow_leak,
    "daily season, afternoon at night": daily_season,
    "weekly season, end of summer time": clock_change,
    "missing samples and gaps": missing_samples,
    "counter that is reset": counter,
    "counter that stalls": stalled_counter,
    "quantised": quantised,
    "long constant": long_constant,
    "rare steps": rare_steps,
    "sparse counts": sparse_counts,
    "heavy-tailed latency": heavy_tailed_latency,
    **{f"every {interval:g} s": sampled(interval) for interval in (1.0, 10.0, 60.0, 300.0, 3600.0)},
    **{f"after {place} samples": cold_start(place) for place in (50, 100, 150, 210, 250, 300, 400, 600)},
}
"""Series by what happens to them."""
