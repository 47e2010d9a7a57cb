"""Doors by which samples come in over HTTP: our own, and those of Prometheus, OpenTelemetry, InfluxDB and others.

A door reads a request, puts its samples on the metric-data queue, and answers once they are safe there. Senders of the
foreign doors get answers as they know them, errors included.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from htmengine import config
from htmengine.bus import BusError, Outgoing
from htmengine.doors import (
    door_names,
    influx,
    json_samples,
    opentsdb,
    otlp,
    queue_lines,
    remote_write,
    victoriametrics,
)
from htmengine.doors.limits import Limits, inflate
from htmengine.doors.reasons import Reason
from htmengine.doors.samples import Parsed, Samples, UnreadableBody, once_a_second
from htmengine.errors import DependencyUnavailable
from htmengine.service.counters import Counters
from htmengine.service.data_queues import DataQueues
from htmengine.service.lines import line_messages
from htmengine.web import problems
from htmengine.web.problems import Kind, Problem
from htmengine.web.site import Site

RETRY_AFTER: Final = "5"
"""Seconds after which a sender may try again."""
INFLUX_VERSION: Final = "1.8.10"
"""What clients are told that ask which InfluxDB this is."""
NDJSON: Final = "application/x-ndjson"
JSON: Final = "application/json"

_NO_STORE: Final = {"Cache-Control": "no-store"}
_STATUS: Final = {Reason.TOO_LARGE: 413, Reason.TOO_MANY: 413}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Door:
    """A protocol over HTTP."""

    name: str
    """As refusals are reported."""
    path: str
    read: Callable[[bytes, Request, float, config.Doors], Any]
    """Return what a body says, as `Parsed` or with more; the third argument is now. Raises UnreadableBody, or Refused."""
    answer: Callable[[Any, Request], Response]
    """Return the answer once the samples are safe."""
    refuse: Callable[[Refused, Request], Response]
    """Return the answer where nothing was taken."""
    encodings: tuple[str, ...] = ("gzip", "deflate", "identity", "")
    """Encodings of the content that are taken."""


class Refused(Exception):
    """Nothing of a request is taken."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = {**_NO_STORE, **(headers or {})}


def routes(site: Site) -> list[BaseRoute]:
    """Return the routes of all doors, and what InfluxDB's clients ask for before they write."""
    counters = Counters(site.clock)
    site.context.counters["web"] = counters.snapshot
    return [
        *(_route(door.path, _endpoint(site, door, counters), "POST") for door in DOORS),
        _route("/ping", _ping, "GET", "HEAD"),
        _route("/query", _query(site), "GET", "POST"),
    ]


def _route(path: str, endpoint: Callable[[Request], Any], *methods: str) -> Route:
    """Return a route without the server's own limit of a body, whose answer no foreign sender knows: `_body` has one."""
    return Route(path, endpoint, methods=methods, max_body_size=sys.maxsize)


def _endpoint(site: Site, door: Door, counters: Counters) -> Callable[[Request], Any]:
    settings = site.context.settings.doors

    def take(body: bytes, request: Request) -> Response:
        now, peer = site.clock(), site.access.client(request)
        encoding = request.headers.get("content-encoding", "").strip().lower()
        if encoding not in door.encodings:
            raise Refused(415, f"Send it with the header Content-Encoding: {door.encodings[0]}.")
        try:
            parsed = door.read(inflate(body, encoding, settings.limits), request, now, settings)
        except UnreadableBody as error:
            counters.reject(error.reason, [str(error)], door=door.name, peer=peer)
            raise Refused(_STATUS.get(error.reason, 400), f"{error}.") from error
        taken, faster = once_a_second(parsed.samples)
        _publish(site, taken, now, door.name, peer)
        site.context.step("web.accepted")
        counters.add("samples", len(parsed.samples.names))
        counters.add(f"samples_{door.name}", len(parsed.samples.names))
        counters.reject_all(parsed.refusals, door.name, peer)
        # As what the metric storer refuses, this is no part of the answer: a sender could mend nothing by sending again.
        counters.reject_all(faster, door.name, peer)
        return door.answer(parsed, request)

    async def endpoint(request: Request) -> Response:
        try:
            await _admit(site, request)
            return await run_in_threadpool(take, await _body(request, settings.limits), request)
        except Refused as refused:
            return door.refuse(refused, request)

    return endpoint


async def _admit(site: Site, request: Request) -> None:
    """Raise Refused for whoever may not send samples."""
    try:
        await run_in_threadpool(site.access.require_sender, request)
    except Problem as problem:
        detail = f"{problem.kind.title}. {problem.detail}"
        raise Refused(problem.kind.status, detail, problem.headers) from problem


async def _body(request: Request, limits: Limits) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limits.body:
            raise Refused(413, f"The body is larger than {limits.body} bytes.")
    return bytes(body)


def _publish(site: Site, samples: Samples, now: float, door: str, peer: str) -> None:
    """Put samples on the metric-data queue. Raises Refused where it takes no more now."""
    settings = site.context.settings.listener

    def messages(queues: DataQueues) -> list[Outgoing]:
        return [
            message
            for protocol, lines in queue_lines.written(samples).items()
            for queue, part in site.division.of(queues, lines, [(len(lines), peer)] if peer else ()).items()
            for message in line_messages(
                queue,
                part.lines,
                accepted_at=now,
                lines_per_message=settings.batch_lines,
                protocol=protocol,
                door=door,
                peers=part.peers,
            )
        ]

    try:
        if samples.names:
            site.context.queues.publish(site.context.bus, messages)
    except (BusError, DependencyUnavailable) as error:
        log.warning("web.samples_not_taken samples=%d reason=%s", len(samples.names), error)
        raise Refused(
            503, "The engine takes no more samples now: send these again.", {"Retry-After": RETRY_AFTER}
        ) from error


def _json(status: int, body: object, headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(body), status, {**_NO_STORE, **(headers or {})}, JSON)


def _empty(headers: Mapping[str, str] | None = None) -> Response:
    return Response(None, 204, {**_NO_STORE, **(headers or {})})


# -- Our own


def _read_samples(body: bytes, request: Request, now: float, settings: config.Doors) -> Parsed:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == NDJSON:
        return json_samples.parse_lines(body, now, settings.limits)
    if kind == JSON:
        return json_samples.parse_document(body, now, settings.limits)
    raise Refused(415, f"Send it with the header Content-Type: {NDJSON}, or {JSON}.")


def _answer_samples(parsed: Parsed, request: Request) -> Response:
    status, body = json_samples.answer(parsed)
    if status == 200:
        return _json(status, body)
    details = _problem(problems.BAD_REQUEST, "Every sample was refused: `errors` says why.", request)
    return Response(msgspec.json.encode(details | body), status, _NO_STORE, problems.MEDIA_TYPE)


def _refuse_samples(refused: Refused, request: Request) -> Response:
    kind = next((kind for kind in problems.KINDS if kind.status == refused.status), problems.BAD_REQUEST)
    details = _problem(kind, str(refused), request)
    return Response(msgspec.json.encode(details), kind.status, refused.headers, problems.MEDIA_TYPE)


def _problem(kind: Kind, detail: str, request: Request) -> dict[str, Any]:
    return {
        "type": f"/{problems.DOCUMENT}#{kind.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "instance": request.scope.get("htmengine.request_id", ""),
    }


# -- InfluxDB

_INFLUX_CODES: Final = {
    401: "unauthorized",
    403: "forbidden",
    413: "request too large",
    415: "unsupported media type",
    429: "too many requests",
    503: "unavailable",
}


def _read_influx(body: bytes, request: Request, now: float, settings: config.Doors) -> Parsed:
    given = request.query_params.get("precision", "")
    try:
        unit = influx.precision(given)
    except ValueError:
        raise Refused(
            400, f"The precision {given[:20]!r} is not known; known are ns, us, ms, s, m and h."
        ) from None
    return influx.parse(body, unit, now, settings.limits)


def _answer_influx(parsed: Parsed, request: Request) -> Response:
    return _influx(influx.answer(parsed))


def _refuse_influx(refused: Refused, request: Request) -> Response:
    code = _INFLUX_CODES.get(refused.status, "invalid")
    return _influx(influx.failure(refused.status, code, str(refused)), refused.headers)


def _influx(answer: influx.Answer, headers: Mapping[str, str] | None = None) -> Response:
    status, own, body = answer
    own = {"X-Influxdb-Version": INFLUX_VERSION, **own, **(headers or {})}
    return _json(status, body, own) if body else _empty(own)


def _ping(request: Request) -> Response:
    headers = {"X-Influxdb-Version": INFLUX_VERSION}
    if request.query_params.get("verbose", "").lower() in ("true", "1"):
        return _json(200, {"version": INFLUX_VERSION}, headers)
    return _empty(headers)


def _query(site: Site) -> Callable[[Request], Any]:
    """Return what answers the questions that clients of InfluxDB 1 ask before they write."""

    async def query(request: Request) -> Response:
        try:
            await _admit(site, request)
            asked = request.query_params.get("q", "")
            if not asked and request.method == "POST":
                form = parse_qs(
                    (await _body(request, site.context.settings.doors.limits)).decode(errors="replace")
                )
                asked = form.get("q", [""])[0]
        except Refused as refused:
            return _refuse_influx(refused, request)
        words = asked.upper().split()
        if words[:2] == ["CREATE", "DATABASE"]:
            return _json(200, {"results": [{"statement_id": 0}]})
        if words[:2] == ["SHOW", "DATABASES"]:
            series = {"name": "databases", "columns": ["name"], "values": []}
            return _json(200, {"results": [{"statement_id": 0, "series": [series]}]})
        return _json(400, {"error": "htmengine takes writes only"})

    return query


# -- OpenTSDB and VictoriaMetrics


def _answer_opentsdb(parsed: Parsed, request: Request) -> Response:
    asked = request.query_params
    status, body = opentsdb.answer(parsed, summary="summary" in asked, details="details" in asked)
    return _json(status, body) if body else _empty()


def _refuse_opentsdb(refused: Refused, request: Request) -> Response:
    status, body = opentsdb.failure(refused.status, str(refused))
    return _json(status, body, refused.headers)


def _answer_victoriametrics(parsed: Parsed, request: Request) -> Response:
    status, text = victoriametrics.answer(parsed)
    return PlainTextResponse(text, status, _NO_STORE) if text else _empty()


def _refuse_in_words(refused: Refused, request: Request) -> Response:
    return PlainTextResponse(f"{refused}\n", refused.status, refused.headers)


# -- Prometheus


def _read_remote_write(
    body: bytes, request: Request, now: float, settings: config.Doors
) -> remote_write.Received:
    return remote_write.parse(
        body,
        _version(request),
        settings.limits,
        drop_labels=frozenset(settings.drop_labels),
        buckets=settings.buckets,
        counters=settings.remote_write_counters,
    )


def _version(request: Request) -> remote_write.Version:
    """Return which message a request carries, by its content type alone. Raises Refused."""
    version = remote_write.version(request.headers.get("content-type", ""))
    if version is None:
        known = " or ".join(f"application/x-protobuf;proto={one.value}" for one in remote_write.Version)
        raise Refused(415, f"Send it with the header Content-Type: {known}.")
    return version


def _answer_remote_write(received: remote_write.Received, request: Request) -> Response:
    status, headers, text = remote_write.answer(received, _version(request))
    return PlainTextResponse(text, status, {**_NO_STORE, **headers}) if text else _empty(headers)


# -- OpenTelemetry


def _encoding(request: Request) -> otlp.Encoding:
    encoding = otlp.encoding(request.headers.get("content-type", ""))
    if encoding is None:
        known = " or ".join(one.value for one in otlp.Encoding)
        raise Refused(415, f"Send it with the header Content-Type: {known}.")
    return encoding


def _read_otlp(body: bytes, request: Request, now: float, settings: config.Doors) -> Parsed:
    return otlp.parse(
        body,
        _encoding(request),
        settings.limits,
        resource_attributes=settings.resource_attributes,
        counters=settings.otlp_counters,
    )


def _answer_otlp(parsed: Parsed, request: Request) -> Response:
    return _otlp(otlp.answer(parsed, _encoding(request)))


def _refuse_otlp(refused: Refused, request: Request) -> Response:
    encoding = otlp.encoding(request.headers.get("content-type", "")) or otlp.Encoding.JSON
    return _otlp(otlp.failure(refused.status, str(refused), encoding), refused.headers)


def _otlp(answer: otlp.Answer, headers: Mapping[str, str] | None = None) -> Response:
    status, content_type, body = answer
    return Response(body, status, {**_NO_STORE, **(headers or {})}, content_type)


DOORS: Final = (
    *(
        Door(
            door_names.REMOTE_WRITE,
            path,
            _read_remote_write,
            _answer_remote_write,
            _refuse_in_words,
            ("snappy",),
        )
        for path in ("/api/v1/write", "/api/prom/push", "/prometheus/write")
    ),
    Door(door_names.OTLP, "/v1/metrics", _read_otlp, _answer_otlp, _refuse_otlp),
    Door(door_names.JSON, "/api/v1/samples", _read_samples, _answer_samples, _refuse_samples),
    Door(door_names.INFLUX, "/write", _read_influx, _answer_influx, _refuse_influx),
    Door(door_names.INFLUX, "/api/v2/write", _read_influx, _answer_influx, _refuse_influx),
    Door(
        door_names.OPENTSDB,
        "/api/put",
        lambda body, request, now, settings: opentsdb.parse(body, now, settings.limits),
        _answer_opentsdb,
        _refuse_opentsdb,
    ),
    Door(
        door_names.VICTORIAMETRICS,
        "/api/v1/import",
        lambda body, request, now, settings: victoriametrics.parse(body, settings.limits),
        _answer_victoriametrics,
        _refuse_in_words,
    ),
)
