"""Graphite's API for reading, as Grafana's data source and other clients of Graphite ask for it.

Errors are texts, as clients of Graphite show them to their users.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final
from urllib.parse import parse_qs, unquote

import anyio
import anyio.to_thread
import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from htmengine.errors import DependencyUnavailable
from htmengine.graphite import catalog, find, render, tags
from htmengine.graphite.evaluation import RenderTimeout
from htmengine.graphite.target import TargetError
from htmengine.incidents import store
from htmengine.repository import events
from htmengine.web.access import Scope
from htmengine.web.graphite_source import FleetSource, Names
from htmengine.web.problems import Problem
from htmengine.web.site import Site

VERSION: Final = "1.1.10"
"""Of Graphite, whose clients ask which one this is: one with tags and a list of functions."""
RENDERS: Final = 4
"""So many requests are evaluated at a time; others wait."""
MAX_FIELDS: Final = 10_000
MAX_COMPLETIONS: Final = 10_000
COMPLETIONS: Final = 100
MAX_EVENTS: Final = 1000
FUTURE_S: Final = 86400.0
BODY: Final = "{}"
"""The field that has the body, where that is no form."""
_NO_STORE: Final = {"Cache-Control": "no-store"}

log = logging.getLogger(__name__)

Fields = Mapping[str, Sequence[str]]
Answering = Callable[[Request, Fields], Response]


def routes(site: Site) -> list[BaseRoute]:
    """Return the routes."""
    graphite = Graphite(site)
    both, reading = ("GET", "POST"), ("GET",)
    return [
        *graphite.route("/render", graphite.render, both),
        *graphite.route("/metrics/find", graphite.find, both),
        *graphite.route("/metrics/expand", graphite.expand, both),
        *graphite.route("/metrics/index.json", graphite.index, reading),
        *graphite.route("/functions", graphite.functions, reading),
        *graphite.route("/functions/{name}", graphite.one_function, reading),
        *graphite.route("/tags/autoComplete/tags", graphite.complete_tags, both),
        *graphite.route("/tags/autoComplete/values", graphite.complete_values, both),
        *graphite.route("/events/get_data", graphite.events, both),
        *graphite.route("/events", graphite.add_event, ("POST",), scope="write"),
        *graphite.route("/version", graphite.version, reading),
    ]


class Graphite:
    """Answers the requests."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._names = Names(site.fleet)
        self._renders = anyio.CapacityLimiter(RENDERS)

    def route(
        self, path: str, answer: Answering, methods: Sequence[str], scope: Scope = "read"
    ) -> list[BaseRoute]:
        """Return the routes of an address, with and without a slash at its end."""

        async def endpoint(request: Request) -> Response:
            body = await request.body() if request.method == "POST" else b""

            def work() -> Response:
                self._site.access.require(request, scope)
                return answer(request, _fields(request, body))

            try:
                return await anyio.to_thread.run_sync(work, limiter=self._renders)
            except Problem as problem:
                text = f"{problem.kind.title}. {problem.detail}\n"
                return PlainTextResponse(text, problem.kind.status, {**_NO_STORE, **problem.headers})
            except TargetError as error:
                return PlainTextResponse(f"{error}\n", 400, _NO_STORE)
            except RenderTimeout as error:
                return PlainTextResponse(f"{error}\n", 503, _NO_STORE)
            except DependencyUnavailable as error:
                text = f"{error}. Ask again in a moment.\n"
                return PlainTextResponse(text, 503, {**_NO_STORE, "Retry-After": "5"})

        return [Route(form, endpoint, methods=list(methods)) for form in (path, f"{path}/")]

    def _source(self) -> FleetSource:
        return FleetSource(self._site, self._names)

    def render(self, request: Request, fields: Fields) -> Response:
        """Give the series of targets."""
        asked = render.read(fields, self._site.clock())
        answer = render.rendered(asked, self._source())
        return Response(answer.body, 200, _NO_STORE, answer.content_type)

    def find(self, request: Request, fields: Fields) -> Response:
        """Give the names that a pattern fits, one part of them."""
        pattern = _last(fields, "query")
        if not pattern:
            raise TargetError("query: the pattern of names is missing, such as query=web.*")
        found = find.places(self._source(), pattern)
        form = _last(fields, "format") or "treejson"
        if form == "treejson":
            return _json(find.tree_json(found, pattern))
        if form == "completer":
            return _json(find.completer_json(found))
        raise TargetError(f"format {form[:20]!r} is not offered; there are treejson and completer")

    def expand(self, request: Request, fields: Fields) -> Response:
        """Give the whole names that patterns fit."""
        source = self._source()
        leaves_only = _last(fields, "leavesOnly") in ("1", "true")
        by_pattern = {
            pattern: [
                one.path for one in find.places(source, pattern) if one.metric is not None or not leaves_only
            ]
            for pattern in fields.get("query", ())
        }
        if _last(fields, "groupByExpr") in ("1", "true"):
            return _json({"results": by_pattern})
        return _json({"results": sorted({path for paths in by_pattern.values() for path in paths})})

    def index(self, request: Request, fields: Fields) -> Response:
        """Give all names."""
        return _json(sorted(self._source().names))

    def functions(self, request: Request, fields: Fields) -> Response:
        """Describe the functions."""
        grouped = _last(fields, "grouped") in ("1", "true")
        return Response(_functions(grouped), 200, {"Cache-Control": "no-cache"}, "application/json")

    def one_function(self, request: Request, fields: Fields) -> Response:
        """Describe a function."""
        name = request.path_params["name"]
        try:
            return _json(catalog.described(name))
        except KeyError:
            return PlainTextResponse(f'There is no function "{name[:100]}".\n', 404, _NO_STORE)

    def complete_tags(self, request: Request, fields: Fields) -> Response:
        """Give the tags that series have."""
        expressions = fields.get("expr", ())
        found = tags.known_tags(self._tagged(expressions), _last(fields, "tagPrefix"), MAX_COMPLETIONS)
        used = {tags.parse(one).tag for one in expressions}
        return _json([tag for tag in found if tag not in used][: _limit(fields)])

    def complete_values(self, request: Request, fields: Fields) -> Response:
        """Give the values that a tag has."""
        tag = _last(fields, "tag")
        if not tag:
            raise TargetError("tag: the name of the tag is missing")
        names = self._tagged(fields.get("expr", ()))
        return _json(tags.known_values(names, tag, _last(fields, "valuePrefix"), _limit(fields)))

    def _tagged(self, expressions: Sequence[str]) -> list[str]:
        names = self._source().names
        return [names[place] for place in tags.matching(names, expressions)] if expressions else names

    def events(self, request: Request, fields: Fields) -> Response:
        """Give incidents, and events that were sent, the newest first."""
        now, zone = self._site.clock(), render.zone_of(_last(fields, "tz"))
        since = render.time_of("from", _last(fields, "from"), now, zone, 0)
        until = render.time_of("until", _last(fields, "until"), now, zone, now)
        wanted = _last(fields, "tags").split()
        any_tag = _last(fields, "set") == "union"
        with self._site.context.database.read() as conn:
            stored = events.between(conn, since, until, wanted, any_tag=any_tag, limit=MAX_EVENTS)
            found = store.list_incidents(conn, since=since, until=until, limit=MAX_EVENTS)
        answers: list[dict[str, Any]] = [
            {"id": one.id, "what": one.what, "when": one.at, "tags": list(one.tags), "data": one.data}
            for one in stored
        ]
        public = self._site.context.settings.http.public_url
        base = f"{public}/" if public else str(request.base_url)
        for incident in found:
            event = incident_event(incident, base)
            fits = (tag in event["tags"] for tag in wanted)
            if since < event["when"] <= until and (not wanted or (any(fits) if any_tag else all(fits))):
                answers.append(event)
        answers.sort(key=lambda one: -one["when"])
        return _json(answers[:MAX_EVENTS])

    def add_event(self, request: Request, fields: Fields) -> Response:
        """Store an event that a program sends, such as a deployment."""
        sent = _event(fields)
        now = self._site.clock()
        at = int(now) if sent.when is None else int(sent.when)
        if not 0 <= at <= now + FUTURE_S:
            raise TargetError(f"when: {at} is no time in seconds since the epoch up to a day ahead")
        tags_ = sent.tags.split() if isinstance(sent.tags, str) else [tag for tag in sent.tags if tag]
        if any(len(tag.split()) != 1 for tag in tags_) or len(" ".join(tags_)) > events.MAX_TAGS:
            raise TargetError(f"tags: words without blanks, of {events.MAX_TAGS} characters together")
        what = sent.what.strip()
        if not 1 <= len(what) <= events.MAX_WHAT:
            raise TargetError(f"what: a text of 1 to {events.MAX_WHAT} characters")
        if len(sent.data) > events.MAX_DATA:
            raise TargetError(f"data: a text of no more than {events.MAX_DATA:,} characters")
        principal = self._site.access.principal(request)
        with self._site.context.database.write() as conn:
            events.add(conn, at, what, tags_, sent.data, principal.name if principal else "")
        self._site.access.audit(request, "add event", principal)
        return PlainTextResponse("", 200, _NO_STORE)

    def version(self, request: Request, fields: Fields) -> Response:
        """Say which Graphite this is like."""
        return PlainTextResponse(VERSION, headers=_NO_STORE)


class SentEvent(msgspec.Struct, frozen=True):
    """An event as Graphite's clients send it."""

    what: str
    tags: str | list[str] = ""
    when: float | None = None
    """Seconds since the epoch; now where it is not given."""
    data: str = ""


def _event(fields: Fields) -> SentEvent:
    try:
        return msgspec.json.decode(_last(fields, BODY), type=SentEvent)
    except msgspec.MsgspecError as error:
        raise TargetError(
            f'the event: {error}; send it as {{"what": "deploy", "tags": ["web"], "when": 1790000000, "data": "..."}}'
        ) from None


def incident_event(incident: store.Incident, base: str) -> dict[str, Any]:
    """Return an incident as an event.

    Parameters
    ----------
    base : address of the page, with a slash at its end.
    """
    name = incident["first_mover"]["name"]
    others = incident["metric_count"] - 1
    more = f" (+{others} metric{'s' * (others > 1)})" if others else ""
    first_segment = name.partition(";")[0].partition(".")[0]
    return {
        "id": int(incident["id"].removeprefix("i")),
        "what": f"anomaly: {name}{more}",
        "when": incident["opened"],
        "tags": ["anomaly", "htmengine", incident["severity"], first_segment],
        "data": f"{incident['sentence']} {base}{incident['url'].removeprefix('/')}",
    }


def _fields(request: Request, body: bytes) -> Fields:
    """Return the fields of the address and of a form, those of the address first. Raises TargetError.

    One without a value is as one that is not there: clients send `expr=&limit=` where nothing was chosen.
    """
    fields: dict[str, list[str]] = {}
    for key, value in request.query_params.multi_items():
        if value:
            fields.setdefault(key, []).append(value)
    text = body.decode("utf-8", "replace")
    if request.url.path.startswith("/events") and text.lstrip().startswith("{"):
        return fields | {BODY: [text]}
    if request.url.path.startswith("/metrics/find") and text.startswith("query=") and "&" not in text:
        # Grafana's editor does not encode it: what it has of + and { stands for itself.
        return fields | {"query": [unquote(text.removeprefix("query="))]}
    try:
        posted = parse_qs(text, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise TargetError(f"the form has more than {MAX_FIELDS:,} fields") from None
    for key, values in posted.items():
        fields.setdefault(key, []).extend(values)
    return fields


def _last(fields: Fields, name: str) -> str:
    values = fields.get(name)
    return values[-1] if values else ""


def _limit(fields: Fields) -> int:
    text = _last(fields, "limit") or str(COMPLETIONS)
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise TargetError(f"limit {text[:20]!r} is no number of answers")
    return min(int(text), MAX_COMPLETIONS)


def _json(document: Any) -> Response:
    return Response(msgspec.json.encode(document), 200, _NO_STORE, "application/json")


@cache
def _functions(grouped: bool) -> bytes:
    return msgspec.json.encode(catalog.grouped() if grouped else catalog.document())
