"""The state of the engine: what `htmengine doctor` reports, read now and then, with the rates in between."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np

from htmengine.admin.health import Health, MetricCounts, health_of
from htmengine.readable import duration
from htmengine.service.context import Context
from htmengine.service.health import ServiceHealth, lag_of
from htmengine.web.door_counts import door_counts
from htmengine.web.engine_shapes import Latency
from htmengine.web.shapes import Trouble

FRESH_S: Final = 6.0
"""What was seen within this time is told again; it is looked every five seconds."""
COUNTS_SHARE: Final = 0.01
"""Of the time, what counting all metrics may take, with hundreds of thousands a second each time:"""
MAX_COUNTS_AGE_S: Final = 60.0
"""and more than that where they were counted so long ago."""
RATE_S: Final = 10.0
"""Rates are those of about so long."""
KEPT: Final = 60
"""Looks: five minutes of them."""
LAG_S: Final = 60.0
"""A message that waits for longer is trouble: what is shown is not what is."""
LIVE_S: Final = 60.0
"""A sample that is older than this when its score comes was not sent live."""
LATELY_S: Final = 300.0
MAX_AGES: Final = 20_000
LATENCY_BUCKETS_S: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, LIVE_S)

log = logging.getLogger(__name__)


class _Look(NamedTuple):
    at: float
    health: Health
    doors: dict[str, int]
    """Samples that have come, by door."""


class Latencies(NamedTuple):
    """A histogram."""

    bounds_s: tuple[float, ...]
    counts: list[int]
    """Samples up to each bound and above the one before; at last those above all."""
    sum_s: float


class Watch:
    """Looks at the engine; safe to use from several threads.

    Parameters
    ----------
    timer : seconds that only grow.
    clock : seconds since the epoch.
    """

    def __init__(
        self,
        context: Context,
        *,
        look: Callable[[Context, MetricCounts | None], Health] = health_of,
        timer: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._context = context
        self._look = look
        self._timer = timer
        self._clock = clock
        self._last_samples: dict[str, float] = {}
        self._lock = threading.Lock()
        self._seen: deque[_Look] = deque(maxlen=KEPT)
        self._counts_due = timer()
        self._ages: deque[tuple[float, float]] = deque(maxlen=MAX_AGES)
        self._latency_counts = np.zeros(len(LATENCY_BUCKETS_S) + 1, dtype=np.int64)
        self._latency_sum = 0.0

    def health(self) -> Health:
        """Return the state of the engine. Raises DependencyUnavailable or BusError where it is not known."""
        with self._lock:
            now = self._timer()
            if not self._seen or now - self._seen[-1].at > FRESH_S:
                counts = self._seen[-1].health.counts if now < self._counts_due else None
                found = self._look(self._context, counts)
                if counts is None:
                    took = self._timer() - now
                    self._counts_due = now + min(took / COUNTS_SHARE, MAX_COUNTS_AGE_S)
                self._count_doors(_Look(now, found, door_counts(found)))
            return self._seen[-1].health

    def _count_doors(self, look: _Look) -> None:
        before = self._seen[-1].doors if self._seen else look.doors
        # Less than before: the service was started again, and what it counts came since.
        grown = [door for door, count in look.doors.items() if count and count != before.get(door, 0)]
        self._last_samples |= dict.fromkeys(grown, self._clock())
        self._seen.append(look)

    def last_sample(self, door: str) -> float | None:
        """Return when samples came through a door last, to a few seconds; None if none did since the first look."""
        with self._lock:
            return self._last_samples.get(door)

    def samples(self, door: str) -> int:
        """Return how many samples have come through a door since the start of the service that it belongs to."""
        with self._lock:
            return self._seen[-1].doors.get(door, 0) if self._seen else 0

    def door_rate(self, door: str) -> float | None:
        """Return how many samples come through a door, each second; None where that is not known yet."""
        with self._lock:
            looks = self._looks_of_rate()
        if looks is None:
            return None
        before, newest = looks
        return max(0, newest.doors.get(door, 0) - before.doors.get(door, 0)) / (newest.at - before.at)

    def rate(self, service: str, counter: str) -> float | None:
        """Return by how much a counter of a service grew, each second; None where that is not known yet."""
        with self._lock:
            looks = self._looks_of_rate()
        if looks is None:
            return None
        before, newest = looks
        grown = _count(newest.health, service, counter) - _count(before.health, service, counter)
        return max(0.0, grown) / (newest.at - before.at)  # less after a restart

    def _looks_of_rate(self) -> tuple[_Look, _Look] | None:
        if len(self._seen) < 2:
            return None
        newest = self._seen[-1]
        before = next((look for look in reversed(self._seen) if newest.at - look.at >= RATE_S), self._seen[0])
        return before, newest

    def rates(self, service: str, counter: str) -> list[float]:
        """Return by how much a counter of a service grew each second from each look to the next, the oldest first."""
        with self._lock:
            seen = list(self._seen)
        counts = [_count(look.health, service, counter) for look in seen]
        return [
            max(0.0, counts[i + 1] - counts[i]) / (seen[i + 1].at - seen[i].at) for i in range(len(seen) - 1)
        ]

    def lag_s(self) -> float:
        """Return the age of the oldest message that waits within the engine; 0 where none does, or nobody knows."""
        return lag_of(self.health().services)

    def troubles(self) -> list[Trouble]:
        """Return what is wrong with the engine itself, and what to do about it."""
        health = self.health()
        found = []
        lag = self.lag_s()
        if lag > LAG_S:
            slowest = max(health.services, key=lambda one: one.oldest_s or 0.0)
            text = (
                f"The engine is {duration(lag)} behind: {slowest.name} has {slowest.queued} messages to do."
            )
            found.append(
                Trouble("behind", text, "See which stage is slow, and give it more threads or machines.")
            )
        for finding in health.findings:
            text, colon, remedy = finding.partition(": ")
            found.append(Trouble("finding", f"{text}." if colon else finding, remedy or None))
        return found

    def scored_live(self, ages: list[float]) -> None:
        """Take how old samples were, by their own times, when their scores were published."""
        now = self._timer()
        live = [age for age in ages if 0.0 <= age <= LIVE_S]
        self._ages.extend((now, age) for age in live)
        places = np.searchsorted(LATENCY_BUCKETS_S, live)
        self._latency_counts += np.bincount(places, minlength=len(self._latency_counts))
        self._latency_sum += sum(live)

    def latencies(self) -> Latencies:
        """Return how long samples that were sent live took from their own times to their scores."""
        return Latencies(LATENCY_BUCKETS_S, self._latency_counts.tolist(), self._latency_sum)

    def latency(self) -> Latency | None:
        """Return how long samples took lately, from their own times to their scores; None where none was sent live."""
        lately = self._timer() - LATELY_S
        ages = [age for at, age in list(self._ages) if at >= lately]
        if not ages:
            return None
        median, slow = np.quantile(ages, (0.5, 0.99))
        return Latency(float(median), float(slow))


def service_of(health: Health, name: str) -> ServiceHealth | None:
    """Return a service by its name."""
    return next((one for one in health.services if one.name == name), None)


def _count(health: Health, service: str, counter: str) -> float:
    found = service_of(health, service)
    value: Any = found.counters.get(counter, 0) if found else 0
    return float(value) if isinstance(value, int | float) else 0.0
