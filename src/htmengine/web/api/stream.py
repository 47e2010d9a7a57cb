"""Results as they come: as server-sent events for browsers, by long poll for programs."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from starlette.responses import StreamingResponse

import htmengine
from htmengine.web import problems
from htmengine.web.operations import Call, Operations
from htmengine.web.problems import FieldError, Problem
from htmengine.web.results import COLUMNS, Wanted
from htmengine.web.shapes import Cursor, Pattern, ResultsAnswer, Uid
from htmengine.web.stream import Filter, events, kinds_of

operations = Operations()

EVENT_STREAM = "text/event-stream"
MAX_RESULTS = 10_000


class StreamQuery(Struct, frozen=True):
    """What of it."""

    events: Annotated[str, Meta(max_length=100)] = "results,incidents,health"
    match: Pattern = ""
    """Only results of metrics whose names fit this pattern, such as `web.*`."""
    min_score: Annotated[float, Meta(ge=0, le=1)] = 0.0
    """Only results with this log score or a higher one."""
    uid: Uid | None = None
    """Only results of this metric."""
    cursor: Cursor | None = None
    """Where to go on, for clients that cannot set the header Last-Event-ID, which counts more."""


@operations("GET", "/stream", "read", media={EVENT_STREAM: {"type": "string"}})
async def stream(call: Call, query: StreamQuery) -> StreamingResponse:
    """Follow results, incidents and the engine's health as server-sent events.

    First comes `hello` with the columns of the results. With the header Last-Event-ID a reader goes on exactly where it
    broke off; if that is not kept any more, `reset` says so: read the list again, and a metric's rows by `since_rowid`.
    """
    try:
        kinds = frozenset(kinds_of(query.events))
    except ValueError as error:
        raise Problem(
            problems.BAD_REQUEST, f"events: {error}.", errors=[FieldError("?events", str(error))]
        ) from None
    wanted = Filter(kinds, Wanted(query.match, query.min_score, query.uid))
    cursor = call.request.headers.get("last-event-id") or query.cursor
    hub = call.site.hub
    return StreamingResponse(
        events(hub, wanted, cursor, version=htmengine.__version__),
        media_type=EVENT_STREAM,
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


class ResultsQuery(Struct, frozen=True):
    """What of it, and how long to wait."""

    after: Cursor | None = None
    """The cursor of the answer before; without it nothing is returned but the newest cursor."""
    wait: Annotated[float, Meta(ge=0, le=60)] = 30.0
    """Seconds to wait for a result."""
    match: Pattern = ""
    min_score: Annotated[float, Meta(ge=0, le=1)] = 0.0


@operations("GET", "/results", "read")
async def results(call: Call, query: ResultsQuery) -> ResultsAnswer:
    """Wait for results that come after a cursor; the same ones as in the stream."""
    hub = call.site.hub
    wanted = Filter(frozenset({"results"}), Wanted(query.match, query.min_score))
    place = hub.position(query.after)
    if place is None or not query.after:
        return ResultsAnswer(list(COLUMNS), [], hub.cursor(hub.last), place is None)
    deadline = hub.now() + query.wait
    while True:
        found = hub.after(place)
        if found is None:
            return ResultsAnswer(list(COLUMNS), [], hub.cursor(hub.last), True)
        rows: list[list[str | float | int | None]] = []
        for event in found:
            place = event.number
            if event.kind == "results":
                rows += event.rows_for(wanted)
            if len(rows) >= MAX_RESULTS:
                break
        left = deadline - hub.now()
        if rows or left <= 0 or hub.closed:
            return ResultsAnswer(list(COLUMNS), rows, hub.cursor(place), False)
        await hub.wait(place, left)
