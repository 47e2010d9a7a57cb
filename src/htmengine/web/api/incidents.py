"""Incidents: alarms that belong together."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Struct

from htmengine.incidents import store
from htmengine.web import problems
from htmengine.web.api.alarms import decoded, encoded
from htmengine.web.operations import Call, Operations
from htmengine.web.problems import Problem
from htmengine.web.shapes import Cursor, Incident, IncidentPage, Limit, Pattern, Time, Uid

operations = Operations()


class IncidentsQuery(Struct, frozen=True, rename={"from_": "from"}):
    """Which incidents."""

    state: Literal["open", "resolved", "all"] = "all"
    severity: Literal["info", "warning"] = "info"
    """`warning` leaves lone alarms out."""
    from_: Time | None = None
    """Only those that had an alarm since then."""
    to: Time | None = None
    """Only those that began before."""
    q: Pattern = ""
    """A pattern of the name of one of its metrics, or a part of it."""
    uid: Uid | None = None
    """Of a metric that it has."""
    limit: Limit = 100
    after: Cursor | None = None


@operations("GET", "/incidents", "read")
def list_incidents(call: Call, query: IncidentsQuery) -> IncidentPage:
    """List incidents: the open ones first, then by their latest change, the newest first."""
    match = query.q if not query.q or any(sign in query.q for sign in "*?") else f"*{query.q}*"
    with call.site.context.database.read() as conn:
        found = store.list_incidents(
            conn,
            state=None if query.state == "all" else query.state,
            severity=store.WARNING if query.severity == "warning" else None,
            since=query.from_,
            until=query.to,
            match=None if query.uid or not match else match,
            uid=query.uid,
            after=decoded(query.after, store.Cursor) if query.after else None,
            limit=query.limit + 1,
        )
    more = len(found) > query.limit
    items = found[: query.limit]
    return IncidentPage(
        [shown(incident) for incident in items], encoded(store.cursor_of(items[-1])) if more else None
    )


@operations("GET", "/incidents/{incident}", "read", problems.INCIDENT_NOT_FOUND)
def incident(call: Call, incident: Cursor) -> Incident:
    """Return an incident with all its metrics. One that turned out to be part of another leads to that."""
    with call.site.context.database.read() as conn:
        found = store.get_incident(conn, incident)
    if found is None:
        raise Problem(
            problems.INCIDENT_NOT_FOUND,
            f"No incident has the id {incident[:40]}; GET /api/v1/incidents lists them.",
        )
    return shown(found)


def shown(document: dict[str, Any]) -> Incident:
    """Return an incident as the API shows it."""
    return msgspec.convert(document, Incident)
