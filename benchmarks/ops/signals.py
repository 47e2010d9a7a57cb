"""Families of operations metrics, as they are when nothing happens.

Every family draws its own parameters (level, seasons and their shapes, noise, rounding), so that two series of one
family differ about as much as two metrics of one kind do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from htmengine.htm.arrays import FloatArray

DAY_S = 86_400.0


@dataclass
class Signal:
    """A metric before it is read off: expectation and noise on the scale on which its events add up."""

    expected: FloatArray
    noise: FloatArray
    observe: Callable[[FloatArray], FloatArray]
    """From the scale of ``expected`` to the values that an agent sends."""
    nothing: float
    """On the scale of ``expected``: nothing comes in, a dip to zero."""
    limit: float
    """On the scale of ``expected``: how far an event may push the metric."""
    scale: float = field(init=False)
    """Standard deviation of the noise, the unit of the sizes of events."""
    upward: float = 0.8
    """Share of spikes and shifts that go up."""
    immune: frozenset[str] = frozenset()
    """Kinds of events that this family does not show."""

    def __post_init__(self) -> None:
        self.scale = float(np.std(self.noise))
        if np.std(self.expected) < self.scale:
            self.immune |= {"lost season"}


Family = Callable[[np.random.Generator, FloatArray], Signal]
"""From a source of randomness and timestamps in seconds to a signal."""


def request_rate(rng: np.random.Generator, times: FloatArray) -> Signal:
    """Requests per interval: strong seasons, noise that grows with the rate."""
    level = _log_uniform(rng, 20, 20_000)
    season = daily(rng, times, rng.uniform(0.2, 0.9)) * weekly(rng, times)
    noise = level * _log_uniform(rng, 0.02, 0.2) * np.sqrt(season) * autoregressive(rng, len(times))
    expected = level * season * drift(rng, times)
    return Signal(expected, noise, _rounded(rng, (0.0, 1.0), low=0.0), nothing=0.0, limit=5 * level)


def latency(rng: np.random.Generator, times: FloatArray) -> Signal:
    """Milliseconds: multiplicative, heavy-tailed, little season."""
    level = _log_uniform(rng, 2, 800)
    season = np.log(daily(rng, times, rng.uniform(0.0, 0.3)))
    noise = rng.uniform(0.04, 0.25) * autoregressive(rng, len(times), tail=rng.uniform(3.0, 8.0))
    read = _rounded(rng, (0.0, 0.1, 1.0), low=0.0)
    return Signal(
        np.log(level * drift(rng, times)) + season,
        noise,
        lambda x: read(np.exp(x)),
        nothing=-np.inf,
        limit=np.log(20.0),
        upward=0.95,
    )


def error_count(rng: np.random.Generator, times: FloatArray) -> Signal:
    """Errors per interval: small whole numbers, mostly zero."""
    rate = _log_uniform(rng, 0.03, 6.0) * daily(rng, times, rng.uniform(0.0, 0.6))
    draws = np.random.Generator(np.random.PCG64(rng.integers(2**63)))
    # The noise is all in the drawing; what stands here is its size.
    signal = Signal(
        rate,
        np.zeros(len(times)),
        lambda x: draws.poisson(np.maximum(x, 0.0)).astype(np.float64),
        nothing=0.0,
        limit=200.0,
        upward=1.0,
        immune=frozenset({"dip", "lost season", "noise burst", "stuck"}),
    )
    signal.scale = float(np.sqrt(np.mean(rate)) + 0.3)
    return signal


def saturation(rng: np.random.Generator, times: FloatArray) -> Signal:
    """Per cent of a resource in use, such as processor time: bounded, noisy, seasonal."""
    level = rng.uniform(5, 60)
    season = daily(rng, times, rng.uniform(0.0, 0.6)) * weekly(rng, times)
    noise = rng.uniform(0.02, 0.2) * level * autoregressive(rng, len(times))
    read = _rounded(rng, (0.0, 0.1, 1.0), low=0.0, high=100.0)
    return Signal(level * season * drift(rng, times), noise, read, nothing=0.0, limit=80.0)


def queue_length(rng: np.random.Generator, times: FloatArray) -> Signal:
    """Messages that wait: whole numbers, often few, with runs of many."""
    season = np.log(daily(rng, times, rng.uniform(0.0, 0.5)))
    noise = rng.uniform(0.15, 0.5) * autoregressive(rng, len(times), correlation=rng.uniform(0.3, 0.95))
    return Signal(
        np.log(_log_uniform(rng, 2, 500)) + season,
        noise,
        lambda x: np.maximum(np.rint(np.exp(x) - 0.5), 0.0),
        nothing=-np.inf,
        limit=np.log(30.0),
        upward=0.95,
    )


def disk_usage(rng: np.random.Generator, times: FloatArray) -> Signal:
    """Per cent of a disk: grows slowly, falls back when something cleans up."""
    start, growth = rng.uniform(20, 60), rng.uniform(0.0, 0.6)
    days = (times - times[0]) / DAY_S
    cycle = rng.choice([1.0, 7.0])
    rise = rng.uniform(0.0, 4.0) * ((days + rng.uniform(0, cycle)) % cycle) / cycle
    noise = _log_uniform(rng, 0.01, 0.2) * autoregressive(rng, len(times), correlation=rng.uniform(0.0, 0.9))
    read = _rounded(rng, (0.0, 0.01, 0.1), low=0.0, high=100.0)
    immune = frozenset({"dip", "lost season"})
    return Signal(start + growth * days + rise, noise, read, nothing=0.0, limit=30.0, immune=immune)


def hit_ratio(rng: np.random.Generator, times: FloatArray) -> Signal:
    """Share of look-ups that a cache answers: bounded, near its upper end, incidents go down."""
    odds = rng.uniform(1.0, 4.0) + np.log(daily(rng, times, rng.uniform(0.0, 0.3)))
    noise = rng.uniform(0.03, 0.2) * autoregressive(rng, len(times))
    read = _rounded(rng, (0.0, 0.001, 0.01), low=0.0, high=1.0)
    return Signal(
        odds * drift(rng, times),
        noise,
        lambda x: read(1.0 / (1.0 + np.exp(-x))),
        nothing=-np.inf,
        limit=5.0,
        upward=0.05,
    )


def scheduled_work(rng: np.random.Generator, times: FloatArray) -> Signal:
    """Items that jobs process: quiet, with a burst whenever the schedule says so."""
    level = _log_uniform(rng, 5, 500)
    period = rng.choice([3600.0, 6 * 3600.0, DAY_S])
    length = max(rng.uniform(0.02, 0.15) * period, 2 * (times[1] - times[0]))
    running = (times + rng.uniform(0, period)) % period < length
    expected = level * (1.0 + rng.uniform(1.0, 8.0) * running)
    noise = expected * rng.uniform(0.05, 0.2) * autoregressive(rng, len(times), correlation=0.0)
    return Signal(expected, noise, _rounded(rng, (0.0, 1.0), low=0.0), nothing=0.0, limit=20 * level)


def counter(rng: np.random.Generator, times: FloatArray) -> Signal:
    """A total that only grows, as agents send it that leave the difference to others."""
    rate = request_rate(rng, times)
    immune = frozenset({"stuck", "noise burst"})
    return Signal(
        rate.expected,
        rate.noise,
        lambda x: np.cumsum(rate.observe(x)),
        nothing=0.0,
        limit=4 * rate.limit,
        immune=immune,
    )


FAMILIES: dict[str, tuple[Family, float]] = {
    "request rate": (request_rate, 0.22),
    "latency": (latency, 0.18),
    "error count": (error_count, 0.12),
    "saturation": (saturation, 0.15),
    "queue length": (queue_length, 0.10),
    "disk usage": (disk_usage, 0.06),
    "hit ratio": (hit_ratio, 0.07),
    "scheduled work": (scheduled_work, 0.07),
    "counter": (counter, 0.03),
}
"""Families by name, and the share of each."""


def daily(rng: np.random.Generator, times: FloatArray, swing: float) -> FloatArray:
    """Return a positive daily season with mean about 1: a smooth wave with an overtone, or office hours."""
    turn = 2 * np.pi * (times / DAY_S + rng.random())
    if rng.random() < 0.7:
        wave = np.sin(turn) + rng.uniform(0.0, 0.5) * np.sin(2 * turn + rng.uniform(0, 2 * np.pi))
        return np.maximum(1.0 + swing * wave / 1.3, 0.05)
    steepness = rng.uniform(2.0, 8.0)
    return np.maximum(1.0 + swing * np.tanh(steepness * (np.sin(turn) - rng.uniform(-0.4, 0.4))), 0.05)


def weekly(rng: np.random.Generator, times: FloatArray) -> FloatArray:
    """Return factors that are 1 on working days and, for most metrics, less at weekends."""
    if rng.random() < 0.4:
        return np.ones(len(times))
    day = (times / DAY_S + rng.integers(7)) % 7.0
    # Into the weekend and out of it within six hours.
    weekend = np.clip(np.minimum(day - 5.0, 7.0 - day) / 0.25, 0.0, 1.0)
    return 1.0 - rng.uniform(0.1, 0.6) * weekend


def drift(rng: np.random.Generator, times: FloatArray) -> FloatArray:
    """Return slowly changing factors around 1; constant for half of all metrics."""
    if rng.random() < 0.5:
        return np.ones(len(times))
    share = (times - times[0]) / (times[-1] - times[0])
    bend = rng.uniform(0.3, 1.5) * share + rng.random()
    factors: FloatArray = 1.0 + rng.uniform(0.05, 0.25) * np.sin(2 * np.pi * bend)
    return factors


def autoregressive(
    rng: np.random.Generator, count: int, *, correlation: float | None = None, tail: float | None = None
) -> FloatArray:
    """Return noise of unit variance.

    ``correlation`` from one record to the next is 0 for a third of all metrics and else anything up to 0.95 unless
    given; ``tail`` gives the degrees of freedom of a Student distribution, Gaussian for half of all metrics unless given.
    """
    if correlation is None:
        correlation = 0.0 if rng.random() < 1 / 3 else rng.uniform(0.1, 0.95)
    if tail is None and rng.random() < 0.5:
        tail = rng.uniform(4.0, 10.0)
    steps = (
        rng.standard_normal(count)
        if tail is None
        else rng.standard_t(tail, count) / np.sqrt(tail / (tail - 2))
    )
    noise = np.empty(count)
    last = steps[0]
    share = np.sqrt(1 - correlation**2)
    for i, step in enumerate(steps.tolist()):
        last = correlation * last + share * step
        noise[i] = last
    return noise


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _rounded(
    rng: np.random.Generator, steps: tuple[float, ...], low: float, high: float = np.inf
) -> Callable[[FloatArray], FloatArray]:
    """Return a function that clips values and rounds them to one of the steps (0: not at all)."""
    step = float(rng.choice(steps))

    def read(x: FloatArray) -> FloatArray:
        clipped = np.clip(x, low, high)
        return np.rint(clipped / step) * step if step else clipped

    return read
