"""The state of services, by their queues and by what they say themselves."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from htmengine.bus import QueueStatus
from htmengine.service import program, status_files
from htmengine.service.context import Context
from htmengine.service.counters import together

MAX_DEAD_LETTERS: Final = 10_000
"""At most so many are counted."""


ROUTER: Final = "metric_router"
"""Where there are several metric-data queues, it divides what applications put into the documented one."""


class ProcessHealth(NamedTuple):
    """A process of a service, on this machine."""

    pid: int
    up_s: float
    counters: dict[str, Any]


class ServiceHealth(NamedTuple):
    """One service."""

    name: str
    alive: bool | None
    """None: nothing is known of it; it may run on another machine."""
    pid: int | None
    up_s: float | None
    restarts: int
    queued: int
    """Messages that wait for it or are in its hands."""
    oldest_s: float | None
    dead_letters: int
    """Messages to it that were put aside."""
    counters: dict[str, Any]
    """Of all its processes together."""
    processes: Sequence[ProcessHealth] = ()
    """Those on this machine."""

    def document(self) -> dict[str, Any]:
        """Return the same for JSON."""
        return {
            "name": self.name,
            "alive": self.alive,
            "pid": self.pid,
            "upS": self.up_s,
            "restarts": self.restarts,
            "queued": self.queued,
            "oldestS": self.oldest_s,
            "deadLetters": self.dead_letters,
            "counters": self.counters,
            "processes": [
                {"pid": one.pid, "upS": one.up_s, "counters": one.counters} for one in self.processes
            ],
        }


def services_of(
    context: Context, status: Mapping[str, QueueStatus], dead: Mapping[str, int]
) -> list[ServiceHealth]:
    """Return how every service is, by its queues and by what it says itself; listeners first.

    Parameters
    ----------
    status : by its name, the state of each queue.
    dead : by queue, how many dead letters there are.
    """
    settings, now = context.settings, time.monotonic()
    folder = program.reports_folder(settings)
    said = status_files.read(folder) if folder else {}
    if not context.data_queues.routed:
        said.pop(ROUTER, None)  # it waits until there is something to divide
    shards = range(context.shards)
    fed = {
        "metric_listener": [],
        **({ROUTER: [settings.listener.queue]} if context.data_queues.routed else {}),
        "metric_storer": list(dict.fromkeys((*context.data_queues.stored, *context.data_queues.open))),
        "model_scheduler": [settings.model_input_queue(shard) for shard in shards],
        "anomaly_service": [settings.results_shard_queue(shard) for shard in shards],
    }
    # And whoever else says that it is there: a listener for datagrams, the garbage collector.
    fed |= {
        name: []
        for name, reports in said.items()
        if name not in fed and any(one.alive(now) for one in reports)
    }
    services = []
    for name, queues in sorted(fed.items(), key=lambda one: not one[0].endswith("listener")):
        reports = said.get(name, [])
        report = reports[-1] if reports else None
        living = [one for one in reports if one.alive(now)]
        known = [status[queue] for queue in queues if queue in status]
        consumed = any(queue.consumers for queue in known)
        # One that is fed by no queue is known by what it says on its own machine.
        elsewhere = None if settings.bus == "rabbitmq" else False
        said_so = report.alive(now) if report else elsewhere
        alive = consumed if queues else said_so
        services.append(
            ServiceHealth(
                name=name,
                alive=alive,
                pid=report.pid if report and alive else None,
                up_s=now - report.started_at if report and alive else None,
                restarts=sum(one.restarts for one in living or reports[-1:]),
                queued=sum(queue.ready + queue.unacked for queue in known),
                oldest_s=max((queue.oldest_age_s or 0.0 for queue in known), default=None),
                dead_letters=sum(dead.get(queue, 0) for queue in queues),
                counters=together([one.counters for one in living or reports[-1:]]) if reports else {},
                processes=[
                    ProcessHealth(one.pid, now - one.started_at, one.counters)
                    for one in sorted(living, key=lambda one: one.pid)
                ],
            )
        )
    return services


def lag_of(services: Iterable[ServiceHealth]) -> float:
    """Return the age of the oldest message that waits within the engine; 0 where none does, or nobody knows."""
    return max((one.oldest_s for one in services if one.queued and one.oldest_s), default=0.0)


def rejected_by(services: Iterable[ServiceHealth]) -> int:
    """Return how many lines and samples the services have refused since each of them started."""
    return sum(refused["count"] for one in services for refused in one.counters.get("rejected", {}).values())
