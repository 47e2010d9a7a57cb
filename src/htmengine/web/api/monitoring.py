"""Which metrics have a model, and models that go from one installation to another."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Annotated, Any, Final

from msgspec import Meta, Struct
from starlette.responses import Response

from htmengine import config, exceptions
from htmengine.adapters.datasource.custom import CustomAdapter
from htmengine.repository.metrics import CUSTOM
from htmengine.repository.status import MetricStatus
from htmengine.runtime.metric_storer import name_patterns
from htmengine.web import problems, rows
from htmengine.web.operations import Call, Operations
from htmengine.web.problems import Problem, unknown_metric
from htmengine.web.shapes import Changed, MetricRow, Monitored, Uid

operations = Operations()

MAX_BATCH_SIZE: Final = 10_000
"""Metrics that one request monitors."""
SPECS_BATCH_SIZE: Final = 500
MAX_CHANGED: Final = 500
"""Metrics that one request unmonitors or deletes, since the rows of each are worked on."""


class MonitorBody(Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of the metric's model; nothing has to be."""

    minimum: float | None = None
    """The lowest value that there can be; together with `maximum`. Without both the model finds its range."""
    maximum: float | None = None
    model: config.ModelName | None = None
    """Parameter set; without it the installation's."""


@operations("POST", "/metrics/{uid}/monitor", "admin", problems.METRIC_NOT_FOUND, problems.CONFLICT)
def monitor(call: Call, uid: Uid, body: MonitorBody) -> MetricRow:
    """Give a metric a model."""
    spec: dict[str, Any] = {"datasource": CUSTOM, "metricSpec": {"metric": _name(call, uid)}}
    if (body.minimum is None) != (body.maximum is None):
        raise Problem(problems.BAD_REQUEST, "Give minimum and maximum, or neither.")
    if body.minimum is not None:
        spec["modelParams"] = {"min": body.minimum, "max": body.maximum}
    with explained():
        _adapter(call, body.model).monitorMetric(spec)
    return _changed(call, uid)


@operations("POST", "/metrics/{uid}/unmonitor", "admin", problems.METRIC_NOT_FOUND, problems.CONFLICT)
def unmonitor(call: Call, uid: Uid) -> MetricRow:
    """Delete a metric's model with what it has learned; the samples stay, their scores go."""
    _name(call, uid)
    with explained():
        _adapter(call).unmonitorMetric(uid)
    return _changed(call, uid)


@operations("DELETE", "/metrics/{uid}", "admin", problems.METRIC_NOT_FOUND)
def delete_metric(call: Call, uid: Uid) -> None:
    """Delete a metric with its samples, scores and alarms, and its model."""
    name = _name(call, uid)
    with explained():
        _adapter(call).deleteMetricByName(name)
    call.site.feed.list_metrics()


class SomeBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Which metrics."""

    pattern: Annotated[str, Meta(min_length=1, max_length=300)]
    """Of the names, such as `web.*`."""


@operations("POST", "/metrics/monitor", "admin", problems.CONFLICT)
def monitor_some(call: Call, body: SomeBody) -> Monitored:
    """Give a model to every metric of a pattern that has none; at most ten thousand with one request."""
    fits = name_patterns.glob(body.pattern)
    fleet = call.site.fleet
    with fleet.lock:
        bare = fleet.column("status") == MetricStatus.UNMONITORED
        names = [
            name for name, is_bare in zip(fleet.names, bare.tolist(), strict=True) if is_bare and fits(name)
        ]
    adapter = _adapter(call)
    chosen = names[:MAX_BATCH_SIZE]
    for first in range(0, len(chosen), SPECS_BATCH_SIZE):
        some = chosen[first : first + SPECS_BATCH_SIZE]
        with explained():
            adapter.monitorMetrics([{"datasource": CUSTOM, "metricSpec": {"metric": name}} for name in some])
    call.site.feed.list_metrics()
    return Monitored(len(chosen), len(names) - len(chosen))


@operations("POST", "/metrics/unmonitor", "admin", problems.CONFLICT)
def unmonitor_some(call: Call, body: SomeBody) -> Changed:
    """Delete the model of every metric of a pattern, with its scores; of some hundred with one request."""
    fits = name_patterns.glob(body.pattern)
    fleet = call.site.fleet
    with fleet.lock:
        found = zip(fleet.uids, fleet.names, fleet.monitored().tolist(), strict=True)
        uids = [uid for uid, name, monitored in found if monitored and fits(name)]
    return _change_some(call, uids, _adapter(call).unmonitorMetric)


@operations("POST", "/metrics/delete", "admin", problems.CONFLICT)
def delete_some(call: Call, body: SomeBody) -> Changed:
    """Delete every metric of a pattern with its samples, scores, alarms and model; some hundred with one request."""
    fits = name_patterns.glob(body.pattern)
    fleet = call.site.fleet
    with fleet.lock:
        names = [name for name in fleet.names if fits(name)]
    return _change_some(call, names, _adapter(call).deleteMetricByName)


def _change_some(call: Call, keys: Sequence[str], change: Callable[[str], None]) -> Changed:
    """Change the first of these metrics; one that is gone meanwhile needs nothing more."""
    chosen = keys[:MAX_CHANGED]
    for key in chosen:
        with explained(), suppress(exceptions.ObjectNotFoundError):
            change(key)
    call.site.feed.list_metrics()
    return Changed(len(chosen), len(keys) - len(chosen))


@operations(
    "POST",
    "/models/{uid}/export",
    "read",
    problems.METRIC_NOT_FOUND,
    problems.CONFLICT,
    media={"application/json": {"type": "object"}},
)
def export_model(call: Call, uid: Uid) -> Response:
    """Give what the import takes: the specification of a metric's model, and the samples that it has learned from."""
    _name(call, uid)
    with explained():
        exported = _adapter(call).exportModel(uid, days=None)
    return Response(
        json.dumps(exported, default=str),
        media_type="application/json",
        headers={"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="{uid}.json"'},
    )


@operations("POST", "/models/import", "admin", problems.CONFLICT)
def import_model(call: Call, body: dict[str, Any]) -> MetricRow:
    """Create and monitor the metric of an export; its model learns from the samples in it."""
    with explained():
        uid = _adapter(call).importModel(body)
    return _changed(call, uid)


def _adapter(call: Call, model: config.ModelName | None = None) -> CustomAdapter:
    context = call.site.context
    settings = context.settings if model is None else context.settings.with_scheduler(model=model)
    return CustomAdapter(context.database, context.bus, settings)


def _name(call: Call, uid: str) -> str:
    fleet = call.site.fleet
    with fleet.lock:
        i = fleet.index.get(uid)
        if i is None:
            raise unknown_metric(uid)
        return fleet.names[i]


def _changed(call: Call, uid: str) -> MetricRow:
    call.site.feed.list_metrics()
    found = rows.metric_rows(call.site, [uid])
    if not found:
        raise unknown_metric(uid)
    return found[0]


_CONFLICTS: Final[Mapping[type[Exception], str]] = {
    exceptions.MetricAlreadyMonitored: "To start it anew, with a new model, unmonitor it first.",
    exceptions.MetricNotMonitoredError: "Monitor it first.",
    exceptions.MetricStatusChangedError: "Ask again: someone else changed the metric at the same time.",
    exceptions.MetricStatisticsNotReadyError: "Send more samples first.",
}


@contextmanager
def explained() -> Iterator[None]:
    """Turn the errors of the documented API into problems."""
    try:
        yield
    except exceptions.ObjectNotFoundError as error:
        raise Problem(problems.METRIC_NOT_FOUND, f"{error}.") from error
    except tuple(_CONFLICTS) as error:
        raise Problem(problems.CONFLICT, f"{error}. {_CONFLICTS[type(error)]}") from error
    except (ValueError, TypeError, KeyError, exceptions.HTMEngineError) as error:
        raise Problem(problems.BAD_REQUEST, f"{error}.") from error
