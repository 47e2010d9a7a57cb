"""Ways out for Prometheus: `/metrics`, what the engine counts of itself, and `/metrics/scores`, the newest scores.

The services are asked by the status files and queues that `htmengine doctor` reads, so that one address tells of all
processes that share this data folder. Of services on other machines the queues tell, and their own web server.
"""

from __future__ import annotations

import math
import re
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import htmengine
from htmengine.admin.health import Health
from htmengine.alerts import deliveries
from htmengine.htm.arrays import FloatArray
from htmengine.runtime.metric_storer import name_patterns
from htmengine.service.context import data_folder
from htmengine.web import problems
from htmengine.web.api.health import NAME, refused
from htmengine.web.problems import Problem
from htmengine.web.site import Site

PREFIX: Final = "htmengine_"
MAX_METRICS: Final = 10_000
"""Of so many metrics one request gets the scores."""
RECENT_S: Final = 3600.0
"""A score that is older is left out: Prometheus refuses samples that lie behind its newest ones."""
MAX_PATTERN: Final = 300
REQUEST_BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_RECEIVED: Final = re.compile(r"samples_(.+)")
_DELIVERED: Final = re.compile(r"(delivered|retrying|dead)_to_(.+)")
_COUNTERS: Final = (
    ("samples_stored", "metric_storer", "rows_stored", "Samples that were stored as rows."),
    ("metrics_created", "metric_storer", "metrics_created", "Metrics that came with a name that was new."),
    ("rows_scored", "model_scheduler", "rows_scored", "Rows that models have scored."),
    ("models_evicted", "model_scheduler", "models_evicted", "Models that left memory for others."),
    ("models_failed", "model_scheduler", "models_failed", "Models that stopped with an error."),
    ("checkpoints", "model_scheduler", "checkpoints", "Models that were saved."),
    ("scores_stored", "anomaly_service", "scores_stored", "Scores that were stored."),
    ("alarms", "incidents", "alarms", "Rows that alarmed."),
    ("incidents_opened", "incidents", "incidents_opened", "Incidents that began."),
)
"""Name, service, counter of the service, and meaning."""


class HttpTimes:
    """An ASGI middleware that notes how long requests take until their answers begin, by route and status."""

    def __init__(self, app: ASGIApp, times: RequestTimes) -> None:
        self._app = app
        self._times = times

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                path = getattr(scope.get("route"), "path", "other")
                method = scope["method"] if scope["method"] in _METHODS else "other"
                self._times.add((method, path, str(message["status"])), time.perf_counter() - began)
            await send(message)

        await self._app(scope, receive, sending)


_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestTimes:
    """How long requests took, as histograms. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str, str], list[int]] = {}
        self._sums: dict[tuple[str, str, str], float] = {}

    def add(self, labels: tuple[str, str, str], seconds: float) -> None:
        """Take a request: its method, route and status."""
        place = next((i for i, bound in enumerate(REQUEST_BUCKETS_S) if seconds <= bound), -1)
        with self._lock:
            counts = self._counts.setdefault(labels, [0] * (len(REQUEST_BUCKETS_S) + 1))
            counts[place] += 1
            self._sums[labels] = self._sums.get(labels, 0.0) + seconds

    def family(self) -> Metric:
        """Return them for Prometheus."""
        family = HistogramMetricFamily(
            f"{PREFIX}http_requests_seconds",
            "Time until the answer to a request begins.",
            labels=("method", "route", "status"),
        )
        with self._lock:
            for labels, counts in self._counts.items():
                family.add_metric(labels, buckets(REQUEST_BUCKETS_S, counts), self._sums[labels])
        return family


def buckets(bounds: Iterable[float], counts: Iterable[int]) -> list[tuple[str, float]]:
    """Return the cumulative buckets of a histogram, whose counts have one more for what is above all bounds."""
    names = [f"{bound:g}" for bound in bounds] + ["+Inf"]
    sums = np.cumsum(np.fromiter(counts, dtype=np.int64)).tolist()
    return list(zip(names, sums, strict=True))


class EngineMetrics(Collector):
    """What the engine counts of itself. Raises DependencyUnavailable or BusError where nobody knows."""

    def __init__(self, site: Site, times: RequestTimes) -> None:
        self._site = site
        self._times = times

    def collect(self) -> Iterator[Metric]:
        """Give every family once."""
        site = self._site
        health = site.watch.health()
        counters = {service.name: service.counters for service in health.services}
        yield _build_info()
        yield from _of_services(health)
        yield from _received(counters)
        yield _refused(health)
        for name, service, counter, meaning in _COUNTERS:
            if found := counters.get(service):
                yield _counter(name, meaning, found.get(counter, 0))
        yield from _of_queues(health, site)
        yield from self._of_models(counters)
        yield from self._of_metrics(health)
        yield from self._of_deliveries(counters)
        yield _written_back(counters)
        yield _latency(site)
        yield self._times.family()
        yield _gauge("sse_clients", "Readers of the stream of results.", site.hub.readers)
        if folder := data_folder(site.context.settings):
            usage = shutil.disk_usage(folder)
            yield _gauge("disk_free_bytes", "Room that is left on the disk of the data folder.", usage.free)
            yield _gauge("disk_size_bytes", "Size of the disk of the data folder.", usage.total)

    def _of_models(self, counters: dict[str, dict[str, Any]]) -> Iterator[Metric]:
        scheduler = counters.get("model_scheduler", {})
        if "models_resident" in scheduler:
            yield _gauge("models_resident", "Models in memory.", scheduler["models_resident"])
        if saved_at := scheduler.get("checkpointed_at"):
            age = max(0.0, time.time() - saved_at)
            yield _gauge("checkpoint_age_seconds", "Time since a model was saved last.", age)

    def _of_metrics(self, health: Health) -> Iterator[Metric]:
        site = self._site
        by_status = GaugeMetricFamily(
            f"{PREFIX}metrics", "Metrics, by what their models do.", labels=("status",)
        )
        for status, count in sorted(health.totals.by_status.items()):
            by_status.add_metric((status,), count)
        yield by_status
        yield _gauge(
            "rows_unscored", "Rows that are stored and wait for their scores.", health.totals.unscored
        )
        open_ = {member.incident for member in site.fleet.open_members.values()}
        yield _gauge("incidents_open", "Incidents that are not over.", len(open_))
        with site.fleet.lock:
            times = site.fleet.column("time")
            newest = float(np.nanmax(times)) if np.isfinite(times).any() else math.nan
        if not math.isnan(newest):
            yield _gauge("last_sample_timestamp_seconds", "Time of the newest sample of all metrics.", newest)

    def _of_deliveries(self, counters: dict[str, dict[str, Any]]) -> Iterator[Metric]:
        total = CounterMetricFamily(
            f"{PREFIX}alert_deliveries",
            "Attempts to deliver a notice, by their target and what came of them.",
            labels=("target", "result"),
        )
        for counts in counters.values():
            for key, count in counts.items():
                if found := _DELIVERED.fullmatch(key):
                    total.add_metric((found[2], found[1]), count)
        yield total
        with self._site.context.database.read() as conn:
            oldest = deliveries.oldest_unfinished(conn)
        lag = GaugeMetricFamily(
            f"{PREFIX}alert_delivery_lag_seconds",
            "Age of the oldest notice that a target still waits for.",
            labels=("target",),
        )
        for target, created in oldest.items():
            lag.add_metric((target,), max(0.0, self._site.clock() - created))
        yield lag


class NewestScores(Collector):
    """The newest scored row of each metric whose name fits, with the row's own time."""

    def __init__(self, site: Site, match: str) -> None:
        """`match`: a pattern as shells have them. Raises Problem for one that fits too many metrics, or is none."""
        fleet, now = site.fleet, site.clock()
        fits = _fits(match)
        with fleet.lock:
            times = fleet.column("scored_time")
            indexes = np.flatnonzero(np.abs(now - times) <= RECENT_S)
            found = [i for i in indexes.tolist() if fits(fleet.names[i])]
            if len(found) > MAX_METRICS:
                raise Problem(
                    problems.BAD_REQUEST,
                    f"match: {len(found):,} metrics fit {match}, and one request gets at most {MAX_METRICS:,}: "
                    "ask for parts of them, such as match=web.*.",
                )
            self._names = [fleet.names[i] for i in found]
            self._times = times[found].tolist()
            self._columns = {
                name: fleet.column(name)[found].astype(np.float64)
                for name in ("value", "log_score", "usual_low", "usual_high")
            }

    def collect(self) -> Iterator[Metric]:
        """Give every family once."""
        for name, meaning in (
            ("value", "Value of the newest scored sample."),
            ("log_score", "Log score of the newest scored sample, from 0 to 1; 0.5 and more is an alarm."),
            ("usual_low", "Of 100 values 99 lie between this and usual_high."),
            ("usual_high", "Of 100 values 99 lie between usual_low and this."),
        ):
            yield self._family(name, meaning, self._columns[name])

    def _family(self, name: str, meaning: str, column: FloatArray) -> Metric:
        family = GaugeMetricFamily(f"{PREFIX}{name}", meaning, labels=("metric",))
        for metric, at, number in zip(self._names, self._times, column.tolist(), strict=True):
            if number == number:
                family.add_metric((metric,), number, timestamp=at)
        return family


def routes(site: Site, times: RequestTimes) -> list[BaseRoute]:
    """Return both routes."""
    engine = EngineMetrics(site, times)

    def metrics(request: Request) -> Response:
        site.access.require(request, "read")
        return _answer(request, engine)

    def scores(request: Request) -> Response:
        site.access.require(request, "read")
        if not site.context.settings.prometheus.scores:
            raise Problem(
                problems.NOT_FOUND,
                "Scores are given to Prometheus where application.conf says so: [prometheus] scores = true.",
            )
        return _answer(request, NewestScores(site, request.query_params.get("match", "*")))

    return [Route("/metrics", _threaded(metrics)), Route("/metrics/scores", _threaded(scores))]


def _threaded(answer: Any) -> Any:
    async def endpoint(request: Request) -> Response:
        response: Response = await run_in_threadpool(answer, request)
        return response

    return endpoint


def _answer(request: Request, collector: Collector) -> Response:
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(collector), headers={"Content-Type": content_type, "Cache-Control": "no-store"})


def _fits(match: str) -> name_patterns.Fits:
    if len(match) > MAX_PATTERN:
        raise Problem(problems.BAD_REQUEST, f"match: a pattern has at most {MAX_PATTERN} characters.")
    try:
        return name_patterns.glob(match)
    except ValueError as error:
        raise Problem(problems.BAD_REQUEST, f"match: the pattern {error}; * fits every metric.") from None


def _counter(name: str, meaning: str, count: float) -> Metric:
    return CounterMetricFamily(f"{PREFIX}{name}", meaning, value=count)


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{PREFIX}{name}", meaning, value=value)


def _build_info() -> Metric:
    return InfoMetricFamily(f"{PREFIX}build", "The version.", value={"version": htmengine.__version__})


def _of_services(health: Health) -> Iterator[Metric]:
    up = GaugeMetricFamily(f"{PREFIX}service_up", "Whether a service runs.", labels=("service",))
    restarts = CounterMetricFamily(
        f"{PREFIX}service_restarts", "How often a service died and was started again.", labels=("service",)
    )
    for service in health.services:
        if service.alive is not None:  # of other machines' nobody knows
            up.add_metric((service.name,), float(service.alive))
        restarts.add_metric((service.name,), service.restarts)
    yield up
    yield restarts


def _received(counters: dict[str, dict[str, Any]]) -> Iterator[Metric]:
    family = CounterMetricFamily(
        f"{PREFIX}samples_received", "Samples that a door has taken.", labels=("door",)
    )
    for service, counts in counters.items():
        by_door = {found[1]: count for key, count in counts.items() if (found := _RECEIVED.fullmatch(key))}
        if service == NAME:
            for door, count in by_door.items():
                family.add_metric((door,), count)
        elif service == "metric_listener":
            by_door = {door: by_door.get(door, 0) for door in ("graphite-pickle", "statsd")}
            family.add_metric(("graphite-text",), counts.get("lines", 0) - sum(by_door.values()))
            for door, count in by_door.items():
                family.add_metric((door,), count)
        elif service == "udp_listener":
            family.add_metric(("graphite-udp",), counts.get("lines", 0))
    yield family


def _refused(health: Health) -> Metric:
    family = CounterMetricFamily(
        f"{PREFIX}samples_refused", "Samples that were refused.", labels=("door", "reason")
    )
    counts: dict[tuple[str, str], int] = {}
    for one in refused(health):
        counts[one.door, one.reason] = counts.get((one.door, one.reason), 0) + one.count
    for labels, count in counts.items():
        family.add_metric(labels, count)
    return family


def _of_queues(health: Health, site: Site) -> Iterator[Metric]:
    messages = GaugeMetricFamily(
        f"{PREFIX}queue_messages", "Messages that wait in a queue or are in work.", labels=("queue",)
    )
    for queue, count in sorted(health.queues.items()):
        messages.add_metric((queue,), count)
    yield messages
    yield _gauge("dead_letters", "Messages that were put aside.", health.dead_letters)
    lag = site.watch.lag_s()
    yield _gauge("score_lag_seconds", "Age of the oldest message that waits on the way to its score.", lag)


def _written_back(counters: dict[str, dict[str, Any]]) -> Metric:
    family = CounterMetricFamily(
        f"{PREFIX}rows_written_back", "Rows whose scores a receiver has taken.", labels=("receiver",)
    )
    for key, count in counters.get("writeback", {}).items():
        if key.startswith("rows_to_"):
            family.add_metric((key.removeprefix("rows_to_"),), count)
    return family


def _latency(site: Site) -> Metric:
    bounds, counts, total = site.watch.latencies()
    family = HistogramMetricFamily(
        f"{PREFIX}score_latency_seconds", "From a live sample's own time to its score."
    )
    family.add_metric((), buckets(bounds, counts), total)
    return family
