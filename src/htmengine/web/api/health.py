"""The engine itself: its stages, what it refused, what it put aside, and where a sample is."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Sequence
from typing import Annotated, Any, Final

import numpy as np
from msgspec import Meta, Struct

import htmengine
from htmengine.admin.health import Health
from htmengine.admin.metric_report import inspect
from htmengine.alerts import deliveries
from htmengine.doors import door_names
from htmengine.doors.reasons import remedy_of
from htmengine.incidents import ids, store
from htmengine.repository import overview, series
from htmengine.repository.schema import ALARM_LOG_SCORE
from htmengine.service.context import data_folder
from htmengine.service.health import MAX_DEAD_LETTERS, ROUTER, ServiceHealth
from htmengine.web import problems
from htmengine.web.api.alarms import decoded, encoded
from htmengine.web.engine_shapes import (
    Checkpoints,
    DeadLetter,
    DeadLetters,
    Discarded,
    Disk,
    Door,
    Doors,
    HealthAnswer,
    NewName,
    Refusal,
    Refusals,
    Requeued,
    Road,
    RoadStep,
    SilentMetric,
    Stage,
)
from htmengine.web.fleet import SILENT, Fleet
from htmengine.web.operations import Call, Operations
from htmengine.web.problems import Problem
from htmengine.web.shapes import Cursor, Document, Limit, Time, number
from htmengine.web.site import Site
from htmengine.web.watch import service_of

operations = Operations()

NAME: Final = "web"
MAX_SILENT: Final = 100
TITLES: Final = {
    "metric_listener": "Listener",
    "udp_listener": "Listener for datagrams",
    ROUTER: "Router",
    "metric_storer": "Storer",
    "model_scheduler": "Models",
    "anomaly_service": "Scores",
    "incidents": "Incidents",
    "alerts": "Alerts",
    "silence": "Silence",
    "metric_garbage_collector": "Retention",
    NAME: "Page and API",
}
ROAD: Final = tuple(TITLES)
"""Services, in the order in which a sample meets them."""
RATES: Final = {
    "metric_listener": ("lines", "lines_published"),
    "udp_listener": ("lines", "lines_published"),
    ROUTER: ("messages", "messages_published"),
    "metric_storer": ("lines", "rows_stored"),
    "model_scheduler": ("rows_scored", "rows_scored"),
    "anomaly_service": ("scores_stored", "scores_stored"),
    "incidents": ("alarms", "alarms"),
    "alerts": ("notices", "delivered"),
}
"""Counters of what comes in and goes out, by service."""
QUEUE: Final = "queue"
"""Where samples come in that applications put on the metric-data queue themselves."""


@operations("GET", "/health", "read")
def health(call: Call) -> HealthAnswer:
    """Return the state of the engine, stage by stage, along the path of a sample."""
    site = call.site
    found = site.watch.health()
    fleet, now = site.fleet, site.clock()
    folder = data_folder(site.context.settings)
    settings = site.context.settings
    return HealthAnswer(
        latency=site.watch.latency(),
        stages=[_stage(site, service) for service in sorted(found.services, key=_place)],
        silent=_silent(fleet, now),
        new_names=[NewName(name, at) for name, at in list(site.feed.new_names)[::-1]],
        versions={
            "htmengine": htmengine.__version__,
            "python": platform.python_version(),
            "database": f"{site.context.database.dialect} {_database_version(site)}",
            "bus": settings.bus,
        },
        config=[str(folder) if folder else site.context.database.place],
        checkpoints=checkpoints_of(found, now),
        disk=_disk(str(folder)) if folder else None,
        findings=found.findings,
    )


@operations("GET", "/doctor", "read")
def doctor(call: Call) -> Document:
    """Give the document of `htmengine doctor --json`."""
    found = call.site.watch.health()
    reports = inspect(call.site.context, None, found)
    return Document(found.document() | {"metrics": [report.document() for report in reports]})


@operations("GET", "/refusals", "read")
def refusals(call: Call) -> Refusals:
    """List input that was refused since the services' start, by its reason, with an example and what to do."""
    found = refused(call.site.watch.health())
    return Refusals(sorted(found, key=lambda one: (-one.count, one.reason)))


def checkpoints_of(found: Health, now: float) -> Checkpoints | None:
    """Return how the models were saved; None where none are scored."""
    scheduler = service_of(found, "model_scheduler")
    if scheduler is None:
        return None
    saved_at = scheduler.counters.get("checkpointed_at")
    return Checkpoints(
        None if not saved_at else max(0.0, now - saved_at), scheduler.counters.get("checkpoints", 0)
    )


def refused(found: Health) -> list[Refusal]:
    """Return what services refused."""
    items = []
    for service in found.services:
        for reported, counted in service.counters.get("rejected", {}).items():
            door, reason = door_names.divided(reported)
            items.append(
                Refusal(
                    door=door or (QUEUE if service.name == "metric_storer" else service.name),
                    reason=reason,
                    count=counted["count"],
                    sample=counted["examples"][-1] if counted["examples"] else None,
                    peer=counted.get("peer"),
                    last=counted.get("last"),
                    cure=remedy_of(reason) or None,
                )
            )
    return items


class DeadQuery(Struct, frozen=True):
    """Which of them."""

    limit: Limit = 100
    after: Cursor | None = None


@operations("GET", "/dead", "read")
def dead_letters(call: Call, query: DeadQuery) -> DeadLetters:
    """List messages that could not be worked on, the oldest first, with the reason."""
    bus = call.site.context.bus
    found = bus.dead_letters(limit=query.limit + 1, after=decoded(query.after, int) if query.after else 0)
    items = [
        DeadLetter(str(one.id), one.queue, one.reason, one.died_at, len(one.body), one.deliveries)
        for one in found[: query.limit]
    ]
    more = len(found) > query.limit
    return DeadLetters(
        items, encoded(found[query.limit - 1].id) if more else None, call.site.watch.health().dead_letters
    )


class DeadBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Which of them."""

    ids: Annotated[list[Annotated[str, Meta(pattern="^[0-9]{1,18}$")]], Meta(max_length=1000)] | None = None
    """null: all."""


@operations("POST", "/dead/requeue", "admin", problems.CONFLICT)
def requeue(call: Call, body: DeadBody) -> Requeued:
    """Put messages back into the queues that they came from."""
    return Requeued(call.site.context.bus.requeue(_chosen(call, body)))


@operations("POST", "/dead/discard", "admin")
def discard(call: Call, body: DeadBody) -> Discarded:
    """Delete messages that could not be worked on, for good."""
    return Discarded(call.site.context.bus.discard(_chosen(call, body)))


def _chosen(call: Call, body: DeadBody) -> list[int]:
    if body.ids is not None:
        return [int(one) for one in body.ids]
    return [one.id for one in call.site.context.bus.dead_letters(limit=MAX_DEAD_LETTERS)]


@operations("GET", "/doors", "read")
def doors(call: Call) -> Doors:
    """List the ways in for samples, and whether any come."""
    site = call.site
    found, settings = site.watch.health(), site.context.settings
    listener, statsd, http = settings.listener, settings.statsd, settings.http
    all_refused = refused(found)

    def door(name: str, host: str, port: int) -> Door:
        rate = site.watch.door_rate(name)
        mine = [one for one in all_refused if one.door == name]
        return Door(
            id=name,
            title=door_names.TITLES[name],
            host=host,
            port=port,
            samples_10s=None if rate is None else round(10 * rate),
            last_sample=site.watch.last_sample(name),
            samples=site.watch.samples(name),
            last_refusal=max(mine, key=lambda one: one.last or 0.0, default=None),
        )

    items = []
    if found.runs("metric_listener"):
        items.append(door(door_names.GRAPHITE_TEXT, listener.host, listener.port))
        if listener.pickle_port:
            items.append(door(door_names.GRAPHITE_PICKLE, listener.host, listener.pickle_port))
        if statsd.port:
            items.append(door(door_names.STATSD, statsd.host, statsd.port))
    if found.runs("udp_listener"):
        items.append(door(door_names.GRAPHITE_UDP, listener.host, listener.port))
    items += [door(name, http.host, http.port) for name in door_names.OVER_HTTP]
    return Doors(items)


class FollowQuery(Struct, frozen=True):
    """Which sample."""

    metric: Annotated[str, Meta(min_length=1, max_length=255)]
    """Its name."""
    time: Time | None = None
    """Its own time; without it the newest."""


@operations("GET", "/follow", "read", problems.METRIC_NOT_FOUND)
def follow(call: Call, query: FollowQuery) -> Road:
    """Follow one sample: where it is, or where it stopped and why."""
    site = call.site
    found = site.watch.health()
    (report,) = inspect(site.context, [query.metric], found)
    if report.metric is None:
        raise Problem(problems.METRIC_NOT_FOUND, report.diagnosis.sentence)
    uid = report.metric.uid
    with site.context.database.read() as conn:
        state = overview.metric(conn, query.metric)
        until = 1e11 if query.time is None else query.time + 1
        since = until - 1 if query.time is not None else float(report.metric.tail_timestamp or 0)
        rows = series.rows_between(conn, uid, since, until)
        if not len(rows.rowids):
            why = "; ".join(found.refused(query.metric)) or "no row of the metric has this time"
            return Road([RoadStep("Storer", "stopped", None, why)])
        rowid, at, score = int(rows.rowids[-1]), float(rows.timestamps[-1]), float(rows.log_scores[-1])
        steps = [RoadStep("Storer", "done", at, f"stored as row {rowid}")]
        if state is None or not state.monitored:
            return Road([*steps, RoadStep("Models", "stopped", None, report.diagnosis.sentence)])
        if score != score:
            behind = rowid > state.scored_rowid
            text = report.diagnosis.sentence if behind else "the row lies before the model's first"
            return Road([*steps, RoadStep("Models", "waiting" if behind else "stopped", None, text)])
        steps.append(RoadStep("Models", "done", None, "scored"))
        is_alarm = score >= ALARM_LOG_SCORE
        steps.append(
            RoadStep(
                "Scores", "done", None, f"log score {score:.2f}, {'an alarm' if is_alarm else 'no alarm'}"
            )
        )
        if is_alarm:
            mine = store.list_incidents(conn, uid=uid, since=at, until=at, limit=1)
            if mine:
                incident = mine[0]["id"]
                steps.append(RoadStep("Incidents", "done", None, f"in the incident {incident}"))
                number = ids.number_of(incident) or 0
                steps += _alert_steps(deliveries.of_incidents(conn, [number]).get(number, []))
            else:
                steps.append(RoadStep("Incidents", "waiting", None, "in no incident yet"))
    return Road(steps)


def _alert_steps(notices: Sequence[deliveries.Delivery]) -> list[RoadStep]:
    """Return what became of the first notice of an incident to each target; `notices`: all, the oldest first."""
    first = {notice.target: notice for notice in reversed(notices)}
    if not first:
        return [RoadStep("Alerts", "stopped", None, "nobody was told of it")]
    steps: list[RoadStep] = []
    for target, notice in sorted(first.items()):
        why = f": {notice.reason}" if notice.reason else ""
        match notice.state:
            case "delivered":
                step = RoadStep("Alerts", "done", notice.done, f"{target} was told by the rule {notice.rule}")
            case "suppressed":
                step = RoadStep("Alerts", "stopped", notice.created, f"{target} was not told{why}")
            case "dead":
                step = RoadStep("Alerts", "stopped", notice.done, f"{target} could not be told{why}")
            case _:
                step = RoadStep("Alerts", "waiting", notice.due, f"{target} is being told{why}")
        steps.append(step)
    return steps


def _place(service: ServiceHealth) -> int:
    """Return where a service stands on the path of a sample; one that is not on it is at the end."""
    return ROAD.index(service.name) if service.name in ROAD else len(ROAD)


def _stage(site: Site, service: ServiceHealth) -> Stage:
    into, out = RATES.get(service.name, ("", ""))
    rejected = sum(counted["count"] for counted in service.counters.get("rejected", {}).values())
    text = do = None
    if service.alive is False:
        text, do = "It does not run.", f"Start htmengine up, or {service.name} alone."
    elif service.restarts:
        text, do = f"It died {service.restarts} times and was started again.", "Its log says why."
    elif service.dead_letters:
        text, do = f"{service.dead_letters} messages to it were put aside.", "See the dead letters."
    state = "unknown" if service.alive is None else "trouble" if text else "well"
    return Stage(
        id=service.name,
        title=TITLES.get(service.name, service.name),
        state=state,  # type: ignore[arg-type]
        rate_in=site.watch.rate(service.name, into) if into else None,
        rate_out=site.watch.rate(service.name, out) if out else None,
        rates=site.watch.rates(service.name, out) if out else [],
        queued=service.queued,
        lag_s=service.oldest_s if service.queued else 0.0,
        errors=rejected + service.dead_letters,
        restarts=service.restarts,
        up_s=service.up_s,
        text=text,
        do=do,
    )


def _silent(fleet: Fleet, now: float) -> list[SilentMetric]:
    with fleet.lock:
        indexes = np.flatnonzero(fleet.states(now) == SILENT)
        times, intervals = fleet.column("silent_since"), fleet.column("expected")
        order = indexes[np.argsort(times[indexes], kind="stable")][:MAX_SILENT]
        return [
            SilentMetric(fleet.uids[i], fleet.names[i], number(intervals[i]), now - float(times[i]))
            for i in order.tolist()
        ]


def _database_version(site: Site) -> str:
    version: Any = site.context.database.engine.dialect.server_version_info or ()
    return ".".join(map(str, version))


def _disk(folder: str) -> Disk:
    usage = shutil.disk_usage(folder)
    room = os.statvfs(folder)
    return Disk(room.f_bavail * room.f_frsize, usage.total)
