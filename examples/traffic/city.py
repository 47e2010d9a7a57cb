"""A city of 150 routes, and how fast its traffic flows: the same on every machine, for any time.

Six ring roads around the centre, twelve avenues out of it, and a motorway with six parts around the north. Each hour has
its own crowd, workdays differ from weekends, and now and then something happens on a route.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from functools import cache
from typing import NamedTuple

import numpy as np

RINGS = 6
AVENUES = 12
MOTORWAY = 6
STEP_S = 600
SEED = 11
INCIDENTS_PER_DAY = 8
AVENUE_NAMES = (
    "North", "Mill", "Garden", "East", "Harbour", "Market", "South", "Bridge", "Station", "West", "Park", "College"
)  # fmt: skip


class Route(NamedTuple):
    """A piece of road between two points; the centre is (0, 0), the outermost ring has radius 1."""

    metric: str
    label: str
    begin: tuple[float, float]
    end: tuple[float, float]
    free_flow: float
    """Kilometres per hour when nobody else is about."""
    crowd: float
    """How much of it the rush hour takes, 0 to 1."""


class Incident(NamedTuple):
    """Something that slows a route down."""

    route: int
    begin: float
    end: float
    factor: float
    """What is left of the speed."""


def _point(ring: int, avenue: float) -> tuple[float, float]:
    angle = 2 * math.pi * avenue / AVENUES
    return ring / RINGS * math.sin(angle), -ring / RINGS * math.cos(angle)


@cache
def routes() -> tuple[Route, ...]:
    """Return the routes, by number."""
    found: list[Route] = []

    def add(
        label: str, begin: tuple[float, float], end: tuple[float, float], free: float, crowd: float
    ) -> None:
        found.append(Route(f"traffic.route.{len(found):03d}", label, begin, end, free, crowd))

    for ring in range(1, RINGS + 1):
        for avenue in range(AVENUES):
            label = f"Ring {ring}, {AVENUE_NAMES[avenue]} to {AVENUE_NAMES[(avenue + 1) % AVENUES]}"
            add(label, _point(ring, avenue), _point(ring, avenue + 1), 30 + 9 * ring, 0.65 - 0.06 * ring)
    for avenue in range(AVENUES):
        for ring in range(RINGS):
            label = (
                f"{AVENUE_NAMES[avenue]} Avenue, {f'ring {ring}' if ring else 'centre'} to ring {ring + 1}"
            )
            add(label, _point(ring, avenue), _point(ring + 1, avenue), 40 + 6 * ring, 0.7 - 0.05 * ring)
    for part in range(MOTORWAY):
        begin, end = (1.15 * x for x in _point(RINGS, part - 3)), (1.15 * x for x in _point(RINGS, part - 2))
        add(f"Motorway {part + 1}", tuple(begin), tuple(end), 110, 0.4)  # type: ignore[arg-type]
    return tuple(found)


def speeds(time: int) -> np.ndarray:
    """Return the speed of each route at a time, in kilometres per hour; times are multiples of STEP_S, UTC."""
    all_routes = routes()
    crowded = _crowd(datetime.fromtimestamp(time, UTC))
    free = np.array([route.free_flow for route in all_routes])
    taken = np.array([route.crowd for route in all_routes])
    noise = np.random.default_rng([SEED, time // STEP_S]).normal(0.0, 0.025, len(all_routes))
    flow = free * (1 - taken * crowded) * (1 + noise)
    for incident in incidents(time):
        flow[incident.route] *= incident.factor
    return np.maximum(flow, 1.0).round(1)


def _crowd(moment: datetime) -> float:
    """Return how many are on their way, 0 to 1."""
    hour = moment.hour + moment.minute / 60
    if moment.weekday() >= 5:
        return 0.45 * math.exp(-(((hour - 15) / 4.5) ** 2))
    morning, evening = math.exp(-(((hour - 8) / 1.3) ** 2)), math.exp(-(((hour - 17.5) / 1.8) ** 2))
    return min(1.0, 0.9 * morning + evening + 0.25 * math.exp(-(((hour - 13) / 4) ** 2)))


def incidents(time: float) -> list[Incident]:
    """Return what is going on at a time."""
    day = int(time // 86400)
    return [
        incident
        for some in (day - 1, day)
        for incident in _incidents_of(some)
        if incident.begin <= time < incident.end
    ]


@cache
def _incidents_of(day: int) -> tuple[Incident, ...]:
    rng = np.random.default_rng([SEED, day])
    found = []
    for _ in range(INCIDENTS_PER_DAY):
        begin = day * 86400 + float(rng.uniform(0, 86400))
        lasts, factor = float(rng.uniform(1800, 7200)), float(rng.uniform(0.1, 0.4))
        found.append(Incident(int(rng.integers(len(routes()))), begin, begin + lasts, factor))
    return tuple(found)
