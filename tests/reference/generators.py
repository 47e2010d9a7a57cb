"""Random series that reach every rule of what is usual at a time: seasons, gaps, steps, constants, wild values."""

import numpy as np

INTERVALS = [1.0, 10.0, 60.0, 300.0, 900.0, 3600.0, 7200.0, 86400.0]
STARTS = [1.7e9, 0.0, -3e9, 86400.0 * 19700 - 5.0]  # the second begins at, the third before 1970


def random_times(rng, count):
    """Return timestamps that never go back: of one interval, with jitter, gaps and equal ones."""
    interval = rng.choice(INTERVALS)
    steps = np.full(count, interval)
    if rng.random() < 0.3:
        steps *= rng.random(count) + 0.5
    if rng.random() < 0.5:
        steps[rng.random(count) < 0.02] *= rng.choice([0.0, 3.0, 40.0])
    if rng.random() < 0.3:
        steps[rng.random(count) < 0.01] = rng.choice([86400.0, 7 * 86400.0 + 1.0, 1e7])
    return rng.choice(STARTS) + np.cumsum(steps)


def random_values(rng, times):
    """Return values of some shape, as far as 1e300 from zero."""
    count = len(times)
    shape = rng.integers(5)
    noise = rng.choice([0.0, 0.01, 0.3]) * rng.standard_normal(count)
    if shape == 0:
        values = np.sin(times / 86400 * 2 * np.pi) + noise
    elif shape == 1:
        values = np.full(count, rng.choice([0.0, 5.0, -1e9]))
    elif shape == 2:
        values = rng.poisson(0.2, count).astype(float)
    elif shape == 3:
        values = np.cumsum(rng.standard_normal(count))
    else:
        values = np.sign(np.sin(times / 3600)) + noise
    if rng.random() < 0.3:
        values = values * 10.0 ** rng.integers(-12, 12) + rng.choice([0.0, 1e6, -3.0])
    if rng.random() < 0.3:
        values = np.round(values, 1)
    if rng.random() < 0.3:
        values[: rng.integers(1, count // 2)] = values[0]
    for _ in range(rng.integers(0, 4)):
        first = rng.integers(0, count)
        stretch = slice(first, first + rng.choice([1, 5, 60]))
        values[stretch] = rng.choice([0.0, values[first], 1e3, -1e6, 1e40, 1e300, -1e300])
    spikes = rng.random(count) < rng.choice([0.0, 0.02])
    values[spikes] += rng.choice([3.0, 20.0, -1e5]) * rng.random(spikes.sum())
    stand_ins = rng.random(count) < rng.choice([0.0, 0.02])
    values[stand_ins] = rng.choice([-9999.0, 1e30])
    return np.clip(values, -1e300, 1e300)


def random_series(rng, count):
    """Return timestamps and values."""
    times = random_times(rng, count)
    return times, random_values(rng, times)


def random_sizes(rng, count):
    """Return sizes of deviations from 0 on, with outliers and constant stretches."""
    kind = rng.integers(4)
    if kind == 0:
        sizes = np.abs(rng.standard_normal(count))
    elif kind == 1:
        sizes = rng.pareto(1.0, count)
    elif kind == 2:
        sizes = rng.poisson(0.2, count).astype(float)
    else:
        sizes = np.ldexp(rng.choice([1.0, 1.125, 1.875], count), rng.integers(-12, 9, count))  # on edges
    sizes[rng.random(count) < 0.02] *= rng.choice([10.0, 1e5])
    first = rng.integers(0, count)
    sizes[first : first + rng.integers(1, 200)] = rng.choice([0.0, 1.0, 1e5])
    return sizes


def weekly_season(rng, count, interval):
    """Return weeks with calm nights and weekends, some gaps, spikes and a nightly job."""
    times = 1.7e9 + interval * np.cumsum(rng.choice([1, 2], count, p=[0.99, 0.01]))
    hour, day = times / 3600 % 24, times // 86400 % 7
    busy = np.where((day == 2) | (day == 3), 0.3, 1.0) * np.maximum(np.sin((hour - 6) / 24 * 2 * np.pi), 0.0)
    values = 50.0 + 40.0 * busy + 2.0 * rng.standard_normal(count)
    values[(hour >= 3.0) & (hour < 3.0 + interval / 3600)] += 30.0
    spikes = rng.integers(0, count, 12)
    values[spikes] += rng.choice([-60.0, 25.0, 80.0, 1e6], 12)
    return times, np.maximum(values, 0.0)
