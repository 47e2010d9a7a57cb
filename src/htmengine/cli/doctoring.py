"""What `htmengine status` and `htmengine doctor` gather and show."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import typer
from sqlalchemy import Connection

from htmengine.cli.diagnosis import Diagnosis, Facts, Services, diagnose, unknown
from htmengine.cli.session import advise, duration, number_of, print_table, utc
from htmengine.errors import ConfigError
from htmengine.messages import shard_of
from htmengine.repository import metrics, overview
from htmengine.repository.engine import reading
from htmengine.repository.overview import STATUS_NAMES, MetricOverview, Totals
from htmengine.repository.status import MetricStatus
from htmengine.runtime import monitor_rules, opening, process, reports
from htmengine.runtime.opening import Context

MOST_DEAD_LETTERS: Final = 10_000
"""So many are counted."""
MOST_PATIENTS: Final = 20
"""Metrics that are shown when none is named."""
LONGEST_EXAMPLE: Final = 50
"""Characters of a refused line that a person is shown."""


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
        }


class Health(NamedTuple):
    """The engine."""

    services: list[ServiceHealth]
    totals: Totals
    dead_letters: int
    findings: list[str]
    queues: dict[str, int]
    oldest_s: dict[str, float]
    """Age of the oldest message of each queue that has any, where the bus knows it."""

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
            "findings": self.findings,
        }

    def runs(self, service: str) -> bool:
        """Whether a service is there."""
        return any(one.alive for one in self.services if one.name == service)

    def refused(self, name: str) -> list[str]:
        """Return the reasons for which lines of a metric were refused lately, as far as examples are kept."""
        return [
            reason
            for service in self.services
            for reason, refused in service.counters.get("rejected", {}).items()
            if any(example.split(maxsplit=1)[:1] == [name] for example in refused["examples"])
        ]


class Patient(NamedTuple):
    """One metric."""

    name: str
    metric: MetricOverview | None
    samples_in: int
    last_checkpoint: int | None
    checkpoint_age_s: float | None
    lag_s: float | None
    diagnosis: Diagnosis

    @property
    def needs_attention(self) -> bool:
        """Whether a person has to do something."""
        return self.diagnosis.needs_attention

    def document(self) -> dict[str, Any]:
        """Return the same for JSON."""
        metric = self.metric
        known = (
            {
                "uid": metric.uid,
                "status": metric.status_name,
                "stored": metric.last_rowid,
                "scored": metric.scored_rowid,
                "unscored": metric.unscored,
                "generation": metric.generation,
                "modelRows": metric.scored_rowid - metric.base_rowid if metric.monitored else 0,
                "lastTimestamp": metric.tail_timestamp,
                "message": metric.message,
            }
            if metric
            else {}
        )
        return {
            "metric": self.name,
            **known,
            "lastCheckpoint": self.last_checkpoint,
            "checkpointAgeS": self.checkpoint_age_s,
            "lagS": self.lag_s,
            "why": self.diagnosis.sentence,
            "needsAttention": self.needs_attention,
        }


def health(context: Context) -> Health:
    """Look at the services and their queues."""
    settings, now = context.settings, time.time()
    status = {queue.name: queue for queue in context.bus.status()}
    folder = process.reports_folder(settings)
    said = reports.read(folder) if folder else {}
    shards = range(context.shards)
    dead = Counter(letter.queue for letter in context.bus.dead_letters(limit=MOST_DEAD_LETTERS))
    fed = {
        "metric_listener": [],
        "metric_storer": [settings.listener.queue],
        "model_scheduler": [settings.model_input_queue(shard) for shard in shards],
        "anomaly_service": [settings.results_shard_queue(shard) for shard in shards],
    }
    # And whoever else says that it is there: a listener for datagrams, the garbage collector.
    fed |= {name: [] for name, report in said.items() if name not in fed and report.alive(now)}
    services = []
    findings = []
    for name, queues in sorted(fed.items(), key=lambda one: not one[0].endswith("listener")):
        report = said.get(name)
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
                restarts=report.restarts if report else 0,
                queued=sum(queue.ready + queue.unacked for queue in known),
                oldest_s=max((queue.oldest_age_s or 0.0 for queue in known), default=None),
                dead_letters=sum(dead[queue] for queue in queues),
                counters=report.counters if report else {},
            )
        )
        if alive is False:
            findings.append(f"{name} does not run: start `htmengine up`, or `python -m` for it alone.")
        elif report and report.restarts:
            findings.append(
                f"{name} died {number_of(report.restarts, 'time')} and was started again: its log says of what."
            )
    if all(service.alive is False for service in services):
        findings = ["No service runs: start `htmengine up`."]
    place = opening.data_folder(settings)
    if place and (free := opening.free_bytes(place)) < opening.LEAST_FREE_BYTES:
        findings.append(
            f"{place}: the disk is full: {free >> 20} MiB are left. Make room: what cannot be written waits until then."
        )
    if dead:
        findings.append(f"{number_of(dead.total(), 'dead letter')}: `htmengine dead list` says why.")
    with reading(context.engine) as conn:
        totals = overview.totals(conn)
        if totals.by_status.get(STATUS_NAMES[MetricStatus.UNMONITORED]):
            findings += _beyond_limits(context, conn)
    if failed := totals.by_status.get("error", 0):
        findings.append(
            f"{number_of(failed, 'model')} stopped with an error: `htmengine doctor NAME` says of what."
        )
    return Health(
        services,
        totals,
        dead.total(),
        findings,
        queues={name: q.ready + q.unacked for name, q in status.items()},
        oldest_s={name: q.oldest_age_s for name, q in status.items() if q.oldest_age_s is not None},
    )


def _beyond_limits(context: Context, conn: Connection) -> list[str]:
    """Say which limits of the rules keep metrics from being monitored."""
    path = context.settings.storer.rules
    if path is None:
        return []
    try:
        rules = monitor_rules.load(path)
    except ConfigError as error:
        return [str(error)]
    return [
        f"{number_of(count, 'metric')} without a model: [{limit.section}] of {path} allows no more than {limit.models}."
        for limit, count in monitor_rules.Quota(rules, metrics.custom(conn)).beyond().items()
    ]


def examine(context: Context, names: Sequence[str] | None, health: Health) -> list[Patient]:
    """Look at metrics: those that are named, or those whose state has something to tell."""
    with reading(context.engine) as conn:
        found = overview.metrics(conn, names)
    if names:
        by_name = {metric.name: metric for metric in found}
        return [_examine(context, name, by_name.get(name), health) for name in dict.fromkeys(names)]
    telling = [metric for metric in found if metric.failed or metric.waits_for_rows or metric.unscored]
    return [_examine(context, metric.name, metric, health) for metric in telling[:MOST_PATIENTS]]


def _examine(context: Context, name: str, metric: MetricOverview | None, health: Health) -> Patient:
    settings, now = context.settings, time.time()
    services = Services(
        *(health.runs(one) for one in ("metric_storer", "model_scheduler", "anomaly_service"))
    )
    if metric is None:
        queued = health.queues.get(settings.listener.queue, 0)
        return Patient(name, None, 0, None, None, None, unknown(name, services, queued, health.refused(name)))
    shard = shard_of(metric.uid, context.shards)
    queues = settings.model_input_queue(shard), settings.results_shard_queue(shard)
    with reading(context.engine) as conn:
        backfill = overview.backfill(conn, name)
    newest = _newest_checkpoint(context, metric)
    facts = Facts(
        metric=metric,
        services=services,
        backfill=backfill,
        input_queued=health.queues.get(queues[0], 0),
        results_queued=health.queues.get(queues[1], 0),
        last_checkpoint=newest[0] if newest else None,
        now=now,
        refused=health.refused(name),
        left_out=None if metric.monitored else _left_out(context, metric),
    )
    return Patient(
        name=name,
        metric=metric,
        samples_in=metric.last_rowid + (backfill.held if backfill else 0),
        last_checkpoint=facts.last_checkpoint,
        checkpoint_age_s=now - newest[1] if newest else None,
        # By the queues, not by the samples' own times: those of a backfill lie far back.
        lag_s=sum(health.oldest_s.get(queue, 0.0) for queue in queues) if metric.unscored else 0.0,
        diagnosis=diagnose(facts),
    )


def _left_out(context: Context, metric: MetricOverview) -> str | None:
    """Say why the rules give a metric no model; None where they will."""
    path = context.settings.storer.rules
    if metric.generation:
        return "its model was deleted, and the rules leave such metrics alone"
    if path is None:
        return "there is no monitor-rules.conf"
    try:
        rules = monitor_rules.load(path)
    except ConfigError as error:
        return str(error)
    rule = rules.first(metric.name)
    if rule is None:
        return f"no rule of {path} fits its name"
    if not rule.monitor:
        return f"[{rule.name}] of {path} leaves it out"
    with reading(context.engine) as conn:
        limit = monitor_rules.Quota(rules, metrics.custom(conn)).reached(rule)
    return f"[{limit.section}] of {path} allows no more than {limit.models}" if limit else None


def _newest_checkpoint(context: Context, metric: MetricOverview) -> tuple[int, int] | None:
    """Return last rowid and time of writing of the newest checkpoint of a metric's model."""
    from htmengine.model_swapper.checkpoint_store import open_checkpoint_store

    listing = open_checkpoint_store(context.settings, context.engine).listing(metric.uid)
    return max(
        (
            (key.last_rowid, key.written_at)
            for key in listing
            if key.generation == metric.generation and key.last_rowid <= metric.last_rowid
        ),
        default=None,
    )


def print_health(health: Health) -> None:
    """Show the engine to a person."""
    print_table(
        ("Service", "Runs", "Up", "Restarts", "Queued", "Oldest", "Dead letters"),
        [
            (
                one.name,
                {True: "yes", False: "NO", None: "?"}[one.alive],
                duration(one.up_s) if one.up_s is not None else None,
                one.restarts,
                one.queued,
                duration(one.oldest_s) if one.queued and one.oldest_s else None,
                one.dead_letters,
            )
            for one in health.services
        ],
    )
    for one in health.services:
        for line in _counted(one):
            typer.echo(line)
    totals = health.totals
    by_status = ", ".join(f"{count} {name}" for name, count in sorted(totals.by_status.items()))
    typer.echo(
        f"{number_of(totals.metrics, 'metric')}{f' ({by_status})' if by_status else ''}, "
        f"{number_of(totals.rows, 'sample')} stored, {totals.unscored} waiting for scores; "
        f"{number_of(health.dead_letters, 'dead letter')}."
    )
    for finding in health.findings:
        advise(f"! {finding}")


def _counted(service: ServiceHealth) -> list[str]:
    """Return a service's counters as lines: what was refused by its reason, with an example."""
    plain = {name: count for name, count in service.counters.items() if isinstance(count, int) and count}
    lines = [
        f"{service.name} since its start: "
        + ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in plain.items())
    ] * bool(plain)
    for reason, refused in service.counters.get("rejected", {}).items():
        example = f", for example {_shortened(refused['examples'][-1])!r}" if refused["examples"] else ""
        lines.append(f"  {number_of(refused['count'], 'line')} rejected: {reason}{example}")
    return lines


def _shortened(line: str) -> str:
    return line if len(line) <= LONGEST_EXAMPLE else line[: LONGEST_EXAMPLE - 3] + "..."


def print_patients(patients: Sequence[Patient], *, everything: bool) -> None:
    """Show metrics to a person."""
    if not patients and not everything:
        typer.echo("No metric waits for anything. `htmengine doctor NAME` looks at one.")
    for patient in patients:
        typer.echo("")
        typer.secho(patient.name, bold=True)
        if metric := patient.metric:
            checkpoint = (
                f"row {patient.last_checkpoint}, {duration(patient.checkpoint_age_s or 0.0)} ago"
                if patient.last_checkpoint is not None
                else "none yet"
            )
            last = utc(metric.tail_timestamp)
            typer.echo(
                f"  {metric.status_name}; samples in {patient.samples_in}, stored {metric.last_rowid}, "
                f"scored {metric.scored_rowid}, waiting {metric.unscored}, lag {duration(patient.lag_s or 0.0)}\n"
                f"  model: generation {metric.generation}, "
                f"{max(metric.scored_rowid - metric.base_rowid, 0)} samples old; checkpoint: {checkpoint}\n"
                f"  last sample: {f'{last} UTC' if last else 'none yet'}"
            )
            if metric.message and not metric.failed:
                typer.echo(f"  {metric.message}")
        typer.echo(f"  {patient.diagnosis.sentence}")
