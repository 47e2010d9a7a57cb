"""Events: what programs and people did to the fleet. They are sent as to Graphite: POST /events/."""

from __future__ import annotations

from msgspec import Struct

from htmengine.repository import events as stored
from htmengine.web.operations import Call, Operations
from htmengine.web.shapes import Event, Events, Limit, Time

operations = Operations()

DAY_S = 86_400.0


class EventsQuery(Struct, frozen=True, rename={"from_": "from"}):
    """Which events."""

    from_: Time | None = None
    """Without it a day before `to`."""
    to: Time | None = None
    """Without it now."""
    limit: Limit = 100


@operations("GET", "/events", "read")
def events(call: Call, query: EventsQuery) -> Events:
    """List events of a span of time, such as deployments, the newest first."""
    until = query.to if query.to is not None else call.site.clock()
    since = query.from_ if query.from_ is not None else until - DAY_S
    with call.site.context.database.read() as conn:
        found = stored.between(conn, int(since) - 1, int(until), limit=query.limit)
    return Events([Event(one.id, one.at, one.what, list(one.tags), one.data, one.actor) for one in found])
