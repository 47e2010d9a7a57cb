"""Metrics of a small fleet for the demonstration: seasons, noise and counters, and anomalies now and then.

A day is compressed into a few minutes, so that a model has seen many of them after a short history. Everything is a
function of the time and the seed.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

DAY_S: Final = 240
"""Length of a day of the fleet."""
QUIET_S: Final = 5
"""Seconds of calm before the first anomaly."""
EVERY_S: Final = 70
"""From the begin of a single metric's anomaly to the next incident: what comes within a minute is one incident."""
BREAK_S: Final = 65
"""From the end of a cascade to the next incident."""
SINGLES: Final = 2
"""How many single metrics have an anomaly between two cascades."""


class Kind(NamedTuple):
    """A sort of metric: value at a phase of the day, before noise."""

    name: str
    shape: Callable[[float], float]
    noise: float


class Anomaly(NamedTuple):
    """What happens to one metric in an incident."""

    metric: str
    what: str
    first: int
    last: int
    """Seconds since the epoch, inclusive."""


class Incident(NamedTuple):
    """Anomalies that belong together, by their first second; a single metric's, or a cascade through several."""

    what: str
    anomalies: tuple[Anomaly, ...]

    @property
    def first(self) -> int:
        """The first second of the first anomaly."""
        return self.anomalies[0].first

    @property
    def last(self) -> int:
        """The last second of the longest anomaly."""
        return max(anomaly.last for anomaly in self.anomalies)


def _wave(low: float, high: float, shift: float = 0.0) -> Callable[[float], float]:
    return lambda phase: low + (high - low) * (0.5 - 0.5 * math.cos(2 * math.pi * (phase + shift)))


def _job(low: float, high: float, begin: float, end: float) -> Callable[[float], float]:
    return lambda phase: high if begin <= phase < end else low


KINDS: Final = (
    Kind("demo.web.requests", _wave(200, 900), 12),
    Kind("demo.web.latency_ms", _wave(38, 60, 0.03), 1.5),
    Kind("demo.db.connections", _wave(20, 85, 0.05), 2),
    Kind("demo.db.backup_mb", _job(2, 140, 0.1, 0.2), 1),
    Kind("demo.cache.hit_percent", _wave(91, 97, 0.5), 0.4),
    Kind("demo.queue.depth", _wave(4, 30, 0.02), 2),
    Kind("demo.host1.cpu", _wave(22, 64), 2),
    Kind("demo.host2.cpu", _wave(24, 66, 0.01), 2),
    Kind("demo.host3.cpu", _wave(20, 61, 0.02), 2),
    Kind("demo.host1.network_bytes", _wave(2.1e6, 8.4e6), 1.2e5),
    Kind("demo.sensor.temperature", _wave(18, 27, 0.3), 0.15),
    Kind("demo.orders.per_minute", _wave(3, 48, 0.08), 1.6),
)
_KINDS: Final = {kind.name: kind for kind in KINDS}

_CHANGES: Final[dict[str, Callable[[float, float], float]]] = {
    "spike": lambda value, noise: value + 45 * noise + abs(value),
    "drop to zero": lambda value, noise: 0.0,
    "jump": lambda value, noise: value + 30 * noise,
    "wild": lambda value, noise: value + 60 * noise * random.Random(value).uniform(-1, 1),
}


class _Cascade(NamedTuple):
    """An incident that begins in one metric and moves on: the metrics, what happens to each, after how many seconds."""

    what: str
    length_s: int
    steps: tuple[tuple[str, str, int], ...]


_CASCADES: Final = (
    _Cascade(
        "the database stalls",
        10,
        (
            ("demo.db.connections", "jump", 0),
            ("demo.web.latency_ms", "spike", 2),
            ("demo.queue.depth", "jump", 3),
            ("demo.web.requests", "drop to zero", 5),
            ("demo.orders.per_minute", "drop to zero", 7),
        ),
    ),
    _Cascade(
        "host1 loses its network",
        9,
        (
            ("demo.host1.network_bytes", "drop to zero", 0),
            ("demo.host1.cpu", "drop to zero", 1),
            ("demo.host2.cpu", "jump", 3),
            ("demo.host3.cpu", "jump", 3),
            ("demo.web.latency_ms", "spike", 4),
        ),
    ),
)


def value(kind: Kind, second: int, seed: int) -> float:
    """Return a metric's value at a second, without anomalies."""
    noise = random.Random(f"{seed}.{kind.name}.{second}").gauss(0, kind.noise)
    return max(0.0, kind.shape((second % DAY_S) / DAY_S) + noise)


def sample(kind: Kind, second: int, seed: int, incident: Incident | None) -> float:
    """Return a metric's value at a second, with its anomaly if there is one."""
    usual = value(kind, second, seed)
    for anomaly in incident.anomalies if incident else ():
        if anomaly.metric == kind.name and anomaly.first <= second <= anomaly.last:
            usual = max(0.0, _CHANGES[anomaly.what](usual, kind.noise))
    return round(usual, 3)


def incidents(begin: int, seed: int) -> Iterator[Incident]:
    """Yield incidents from a second on, one after the other: a cascade, then anomalies of single metrics, and again."""
    chance = random.Random(seed)
    first = begin + QUIET_S
    names = list(_KINDS)
    singles: Iterator[str] = iter(())
    for cascade in itertools.cycle(_CASCADES):
        incident = Incident(
            cascade.what,
            tuple(
                Anomaly(metric, what, first + lag, first + cascade.length_s)
                for metric, what, lag in cascade.steps
            ),
        )
        yield incident
        first = incident.last + BREAK_S
        for _ in range(SINGLES):
            metric = next(singles, None)
            if metric is None:
                chance.shuffle(names)
                singles = iter(names)
                metric = next(singles)
            what = chance.choice(list(_CHANGES))
            yield Incident(what, (Anomaly(metric, what, first, first + chance.randint(2, 5)),))
            first += EVERY_S


def lines(first: int, last: int, seed: int) -> Iterator[str]:
    """Yield the history of every metric from one second to another, both inclusive, in the order of time."""
    for second in range(first, last + 1):
        for kind in KINDS:
            yield f"{kind.name} {round(value(kind, second, seed), 3)!r} {second}"
