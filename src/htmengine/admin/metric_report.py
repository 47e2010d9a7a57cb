"""The state of metrics: what `htmengine doctor` gathers and shows of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from htmengine.admin.diagnosis import Diagnosis, Facts, Services, diagnose, unknown
from htmengine.admin.health import Health
from htmengine.doors.reasons import Reason
from htmengine.errors import ConfigError
from htmengine.messages import shard_of
from htmengine.readable import counted
from htmengine.repository import gathered_samples, metrics, overview, silences
from htmengine.repository.overview import MetricOverview
from htmengine.runtime.metric_storer import monitor_rules
from htmengine.service.context import Context

MAX_REPORTS: Final = 20
"""Metrics that are shown when none is named."""


class MetricReport(NamedTuple):
    """One metric."""

    name: str
    metric: MetricOverview | None
    samples_in: int
    last_checkpoint: int | None
    checkpoint_age_s: float | None
    lag_s: float | None
    diagnosis: Diagnosis
    silent_since: int | None = None
    """Timestamp of its last sample, where it sends nothing for longer than is usual."""

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
            "silentSince": self.silent_since,
            "why": self.diagnosis.sentence,
            "needsAttention": self.needs_attention,
        }


def inspect(context: Context, names: Sequence[str] | None, health: Health) -> list[MetricReport]:
    """Look at metrics: those that are named, or those whose state has something to tell."""
    with context.database.read() as conn:
        if names:
            by_name = {metric.name: metric for metric in overview.metrics(conn, names)}
            found = [(name, by_name.get(name)) for name in dict.fromkeys(names)]
        else:
            silent = [silence.uid for silence in silences.lasting(conn)]
            found = [(metric.name, metric) for metric in overview.noteworthy(conn, silent)[:MAX_REPORTS]]
    return [_inspect(context, name, metric, health) for name, metric in found]


def _inspect(context: Context, name: str, metric: MetricOverview | None, health: Health) -> MetricReport:
    settings, now = context.settings, time.time()
    services = Services(
        *(health.runs(one) for one in ("metric_storer", "model_scheduler", "anomaly_service"))
    )
    if metric is None:
        queued = sum(health.queues.get(queue, 0) for queue in context.data_queues.every)
        elsewhere = _stored_elsewhere(context, name)
        said = unknown(name, services, queued, health.refused(name))
        return MetricReport(name, None, 0, None, None, None, Diagnosis(elsewhere) if elsewhere else said)
    shard = shard_of(metric.uid, context.shards)
    queues = settings.model_input_queue(shard), settings.results_shard_queue(shard)
    with context.database.read() as conn:
        backfill = overview.backfill(conn, name)
        silent = next(iter(silences.lasting(conn, [metric.uid])), None)
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
        silent=silent,
        left_out=None if metric.monitored else _left_out(context, metric),
    )
    return MetricReport(
        name=name,
        metric=metric,
        samples_in=metric.last_rowid + (backfill.held if backfill else 0),
        last_checkpoint=facts.last_checkpoint,
        checkpoint_age_s=now - newest[1] if newest else None,
        # By the queues, not by the samples' own times: those of a backfill lie far back.
        lag_s=sum(health.oldest_s.get(queue, 0.0) for queue in queues) if metric.unscored else 0.0,
        diagnosis=diagnose(facts),
        silent_since=silent and silent.since,
    )


def _stored_elsewhere(context: Context, name: str) -> str | None:
    """Say where samples are that are sent under a name that no metric has; None where the rules leave it as it is."""
    with context.database.read() as conn:
        waiting = gathered_samples.count(conn, name)
    if waiting:
        return f"{counted(waiting, 'sample')} of {name} wait for the end of an interval, or for late ones."
    path = context.settings.storer.rules_in_use
    try:
        way = monitor_rules.load(path).way(name) if path else None
    except ConfigError as error:
        return str(error)
    if way is None or (way.name == name and not way.refusal):
        return None
    rule = way.steps[-1].rule if way.refusal else next(s.rule for s in way.steps if s.rule.change)
    where = f"[{rule.name}] of {path}, line {rule.line}"
    if way.refusal is Reason.DROPPED:
        return f"Samples of {name} are not stored: {where}, drops them."
    if way.refusal:
        return f"Samples of {name} are not stored: by {where}, {way.refusal}."
    return f"Samples of {name} are stored as {way.name}, by {where}: htmengine doctor {way.name}"


def _left_out(context: Context, metric: MetricOverview) -> str | None:
    """Say why the rules give a metric no model; None where they will."""
    path = context.settings.storer.rules_in_use
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
        return f"[{rule.name}] of {path}, line {rule.line}, leaves it out"
    with context.database.read() as conn:
        limit = monitor_rules.Quota(rules, metrics.custom(conn)).reached(rule)
    return f"[{limit.section}] of {path} allows no more than {limit.models}" if limit else None


def _newest_checkpoint(context: Context, metric: MetricOverview) -> tuple[int, int] | None:
    """Return last rowid and time of writing of the newest checkpoint of a metric's model."""
    from htmengine.model_swapper.checkpoint_store import open_checkpoint_store

    listing = open_checkpoint_store(context.settings, context.database).listing(metric.uid)
    return max(
        (
            (key.last_rowid, key.written_at)
            for key in listing
            if key.generation == metric.generation and key.last_rowid <= metric.last_rowid
        ),
        default=None,
    )
