"""The state of the engine: what `htmengine status` and `htmengine doctor` gather and show of its services."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

from htmengine.alerts import deliveries
from htmengine.doors.door_names import divided
from htmengine.errors import ConfigError
from htmengine.readable import counted, duration
from htmengine.repository import overview
from htmengine.repository.overview import STATUS_NAMES, Totals
from htmengine.repository.status import MetricStatus
from htmengine.service import capacity
from htmengine.service.capacity import Need, need
from htmengine.service.context import LEAST_FREE_BYTES, Context, data_folder, free_bytes
from htmengine.service.health import MAX_DEAD_LETTERS, ServiceHealth, services_of

DEAD_NOTICES_S: Final = 7 * 86_400.0
"""Notices that were given up longer ago are not reported."""


class Memory(NamedTuple):
    """What the models of a fleet need, and what they may take in a scheduler."""

    models: int
    need: Need
    resident_bytes: int
    """As is configured, for models and what is kept beside them."""
    model_bytes: int
    """Of it, for models."""

    def document(self) -> dict[str, int]:
        """Return the same for JSON."""
        return {
            "models": self.models,
            "packedBytes": self.need.packed,
            "readyBytes": self.need.ready,
            "residentBytes": self.resident_bytes,
            "modelBytes": self.model_bytes,
        }

    @property
    def sentence(self) -> str:
        """Say whether all find room."""
        packed, ready, allowed = (round(size / 2**20) for size in (*self.need, self.model_bytes))
        if self.need.ready <= self.model_bytes:
            room = "all find room"
        elif self.need.packed <= self.model_bytes:
            room = "all find room, those packed that are used least"
        else:
            fits = self.models * self.model_bytes // self.need.packed
            room = f"{fits:,} find room, the others are read for each of their samples"
        return (
            f"Memory: {counted(self.models, 'model')} {'takes' if self.models == 1 else 'take'} {ready:,} MiB ready for use "
            f"and {packed:,} MiB packed; [engine] resident_mebibytes, {self.resident_bytes >> 20:,}, leaves them "
            f"{allowed:,} MiB: {room}."
        )


class MetricCounts(NamedTuple):
    """All metrics together. To count them takes long where they are many."""

    totals: Totals
    beyond_limits: list[str]
    """Findings: which limits of the rules keep metrics from being monitored."""


class Health(NamedTuple):
    """The engine."""

    services: list[ServiceHealth]
    counts: MetricCounts
    dead_letters: int
    findings: list[str]
    queues: dict[str, int]
    oldest_s: dict[str, float]
    """Age of the oldest message of each queue that has any, where the bus knows it."""
    memory: Memory

    @property
    def totals(self) -> Totals:
        """Of all metrics."""
        return self.counts.totals

    def document(self) -> dict[str, Any]:
        """Return the same for JSON."""
        return {
            "services": [service.document() for service in self.services],
            "totals": {
                "metrics": self.totals.metrics,
                "byStatus": self.totals.by_status,
                "rows": self.totals.rows,
                "unscored": self.totals.unscored,
            },
            "deadLetters": self.dead_letters,
            "memory": self.memory.document(),
            "findings": self.findings,
        }

    def runs(self, service: str) -> bool:
        """Whether a service is there."""
        return any(one.alive for one in self.services if one.name == service)

    def refused(self, name: str) -> list[str]:
        """Return the reasons for which lines of a metric were refused lately, as far as examples are kept."""
        reasons = [
            divided(reported)[1]
            for service in self.services
            for reported, refused in service.counters.get("rejected", {}).items()
            if any(example.split(maxsplit=1)[:1] == [name] for example in refused["examples"])
        ]
        return list(dict.fromkeys(reasons))


def health_of(context: Context, counts: MetricCounts | None = None) -> Health:
    """Look at the services and their queues; `counts`: of all metrics, where they were counted a moment ago."""
    status = {queue.name: queue for queue in context.bus.status()}
    dead = Counter(letter.queue for letter in context.bus.dead_letters(limit=MAX_DEAD_LETTERS))
    services = services_of(context, status, dead)
    findings = [*_findings(services), *_disk_full(context)]
    if dead:
        findings.append(f"{counted(dead.total(), 'dead letter')}: `htmengine dead list` says why.")
    with context.database.read() as conn:
        counts = counts or _count(context, conn)
        findings += counts.beyond_limits
        findings += _untold(context, conn)
        findings += _not_written_back(context, conn, services)
    totals = counts.totals
    findings += _near_capacity(context, services, totals)
    if failed := totals.by_status.get("error", 0):
        findings.append(
            f"{counted(failed, 'model')} stopped with an error: `htmengine doctor NAME` says which."
        )
    return Health(
        services,
        counts,
        dead.total(),
        findings,
        queues={name: q.ready + q.unacked for name, q in status.items()},
        oldest_s={name: q.oldest_age_s for name, q in status.items() if q.oldest_age_s is not None},
        memory=Memory(
            totals.monitored,
            need(totals.monitored),
            context.settings.scheduler.resident_bytes,
            context.settings.scheduler.model_bytes,
        ),
    )


def _findings(services: Sequence[ServiceHealth]) -> list[str]:
    """Report services that do not run, or that died and were started again."""
    if all(service.alive is False for service in services):
        return ["No service runs: start `htmengine up`."]
    found = []
    for service in services:
        if service.alive is False:
            found.append(f"{service.name} does not run: start `htmengine up`, or `python -m` for it alone.")
        elif service.restarts:
            times = counted(service.restarts, "time")
            found.append(f"{service.name} died {times} and was started again: its log says why.")
    return found


def _disk_full(context: Context) -> list[str]:
    place = data_folder(context.settings)
    if place is None or (free := free_bytes(place)) >= LEAST_FREE_BYTES:
        return []
    return [
        f"{place}: the disk is full: {free >> 20} MiB are left. Make room: what cannot be written waits until then."
    ]


def _near_capacity(context: Context, services: Sequence[ServiceHealth], totals: Totals) -> list[str]:
    """Say when the fleet comes near what `htmengine capacity` measured."""
    measured = capacity.load(context.settings)
    if measured is None:
        return []
    rates = [one.counters.get("rows_stored", 0) / one.up_s for one in services if one.up_s]
    found = capacity.use(measured, models=totals.monitored, samples_per_second=max(rates, default=None))
    if found.share < capacity.WARNS_FROM:
        return []
    return [
        f"{found.share:.0%} of what this machine was measured to carry: {found.sentence}. "
        "`htmengine capacity` measures again; more memory, longer intervals or another machine make room."
    ]


def _count(context: Context, conn: Connection) -> MetricCounts:
    totals = overview.totals(conn)
    some_are_not = totals.by_status.get(STATUS_NAMES[MetricStatus.UNMONITORED])
    return MetricCounts(totals, _beyond_limits(context, conn) if some_are_not else [])


def _beyond_limits(context: Context, conn: Connection) -> list[str]:
    """Say which limits of the rules keep metrics from being monitored."""
    path = context.settings.storer.rules_in_use
    if path is None:
        return []
    from htmengine.repository import metrics
    from htmengine.runtime.metric_storer import monitor_rules

    try:
        rules = monitor_rules.load(path)
    except ConfigError as error:
        return [str(error)]
    if all(limit is None for limit in rules.limits):
        return []
    return [
        f"{counted(count, 'metric')} without a model: [{limit.section}] of {path} allows no more than {limit.models}."
        for limit, count in monitor_rules.Quota(rules, metrics.custom(conn)).beyond().items()
    ]


def _untold(context: Context, conn: Connection) -> list[str]:
    """Say what keeps people from being told of incidents."""
    try:
        targets = _targets(context.settings.alerts)
    except ConfigError as error:
        return [f"{error}\nUntil it can be used, a running engine goes by what it said before."]
    now, findings = time.time(), []
    last, disabled = deliveries.last_of_targets(conn), deliveries.disabled_targets(conn)
    for name in targets:
        row = last.get(name)
        if name in disabled:
            findings.append(
                f"The target {name} wants nothing any more: {disabled[name].reason}. Correct it in {context.settings.alerts}, "
                f"or try it: `htmengine alerts test {name}`."
            )
        elif row is not None and row.state == "retrying":
            findings.append(
                f"The target {name} does not take notices since {duration(now - row.created)}: {row.reason}. "
                "They are sent as soon as it does."
            )
    if dead := deliveries.count(conn, state="dead", since=now - DEAD_NOTICES_S):
        findings.append(
            f"{counted(dead, 'notice')} could not be delivered: `htmengine alerts list --state dead` says why."
        )
    return findings


def _targets(path: Path | None) -> list[str]:
    """Return the targets of a file that need not exist. Raises ConfigError where it cannot be used."""
    if path is None or not path.exists():
        return []
    from htmengine.alerts import configuration

    found = configuration.load(path)
    configuration.close(found)
    return list(found.targets)


def _not_written_back(context: Context, conn: Connection, services: Sequence[ServiceHealth]) -> list[str]:
    """Say which receivers of scores take nothing, for how long, and what waits for them."""
    settings = context.settings.writeback
    if not (settings.graphite or settings.remote_write or settings.influx):
        return []
    from htmengine.repository import writeback
    from htmengine.runtime.metric_storer import name_patterns
    from htmengine.writeback import receivers, writer

    fits = name_patterns.glob(settings.match)
    findings = []
    for service in services:
        if service.name != writer.NAME or not service.alive:
            continue
        for receiver in (one.name for one in receivers.configured(settings)):
            if away_s := service.counters.get(writer.away_counter(receiver), 0):
                rows = sum(count for name, count in writeback.waiting(conn, receiver).items() if fits(name))
                findings.append(
                    f"[writeback] {receiver} has taken nothing for {duration(away_s)}: {counted(rows, 'scored row')} wait, "
                    "and are written when it does. The log of writeback says why."
                )
    return findings
