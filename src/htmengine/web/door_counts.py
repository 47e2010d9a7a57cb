"""How many samples have come through each door, by what services count."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from htmengine.admin.health import Health
from htmengine.doors import door_names
from htmengine.service.health import ServiceHealth

LISTENER: Final = "metric_listener"
DATAGRAMS: Final = "udp_listener"
WEB: Final = "web"


def door_counts(health: Health) -> dict[str, int]:
    """Return by door how many samples have come through it since the start of the service that it belongs to."""
    return dict(_counts(health))


def _counts(health: Health) -> Iterator[tuple[str, int]]:
    for service in health.services:
        if service.name == LISTENER:
            # Its lines are those of all its doors; StatsD's are made of what came in an interval.
            pickles, made = (
                _count(service, f"samples_{door}") for door in (door_names.GRAPHITE_PICKLE, door_names.STATSD)
            )
            yield door_names.GRAPHITE_TEXT, max(0, _count(service, "lines") - pickles - made)
            yield door_names.GRAPHITE_PICKLE, pickles
            yield door_names.STATSD, _count(service, "statsd_values")
        elif service.name == DATAGRAMS:
            yield door_names.GRAPHITE_UDP, _count(service, "lines")
        elif service.name == WEB:
            for door in door_names.OVER_HTTP:
                yield door, _count(service, f"samples_{door}")


def _count(service: ServiceHealth, counter: str) -> int:
    value: Any = service.counters.get(counter, 0)
    return int(value) if isinstance(value, int | float) else 0
