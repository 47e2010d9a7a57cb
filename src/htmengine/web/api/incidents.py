"""Incidents: alarms that belong together."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from htmengine.incidents import actions, ids, store
from htmengine.incidents.actions import MAX_NOTE, Action, NotOpen
from htmengine.web import problems
from htmengine.web.api.alarms import decoded, encoded
from htmengine.web.api.alerts import of_incident
from htmengine.web.operations import Call, Operations
from htmengine.web.problems import FieldError, Problem
from htmengine.web.shapes import Cursor, Incident, IncidentPage, Limit, Pattern, Time, Uid, Verdict

operations = Operations()

MAX_SNOOZE_S: Final = 90 * 86_400
Note: TypeAlias = Annotated[str, Meta(max_length=MAX_NOTE)]


class IncidentsQuery(Struct, frozen=True, rename={"from_": "from"}):
    """Which incidents."""

    state: Literal["open", "resolved", "all"] = "all"
    handling: store.Handling | None = None
    """What people did about it; `new`: nobody has acknowledged or snoozed it."""
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
            handling=query.handling,
            now=call.site.clock(),
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
    return _incident(call, incident)


class NoteBody(Struct, frozen=True, forbid_unknown_fields=True):
    """What to say about it, which need not be anything."""

    note: Note = ""


class SnoozeBody(Struct, frozen=True, forbid_unknown_fields=True):
    """For how long nothing is to be told."""

    for_s: Annotated[float, Meta(ge=60, le=MAX_SNOOZE_S)] | None = None
    """So many seconds from now on; or else `until`."""
    until: Time | None = None
    note: Note = ""


class CommentBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A comment."""

    note: Annotated[str, Meta(min_length=1, max_length=MAX_NOTE)]


class VerdictBody(Struct, frozen=True, forbid_unknown_fields=True):
    """What the incident was."""

    verdict: Verdict
    """true: something was wrong; false: nothing was; not_mine: others are to look after it."""
    note: Note = ""


@operations("POST", "/incidents/{incident}/ack", "teach", problems.INCIDENT_NOT_FOUND)
def acknowledge(call: Call, incident: Cursor, body: NoteBody) -> Incident:
    """Say that somebody looks after an incident: of what is new of it nobody is told any more, but of its end."""
    return _act(call, incident, "ack", body.note)


@operations("POST", "/incidents/{incident}/snooze", "teach", problems.INCIDENT_NOT_FOUND, problems.CONFLICT)
def snooze(call: Call, incident: Cursor, body: SnoozeBody) -> Incident:
    """Tell nobody of an open incident for a while. If it still goes on then, that is told."""
    if (body.for_s is None) == (body.until is None):
        raise Problem(problems.BAD_REQUEST, "Give for_s or until, and not both.")
    now = call.site.clock()
    until = now + body.for_s if body.for_s is not None else body.until or 0.0
    if not now < until <= now + MAX_SNOOZE_S:
        raise Problem(
            problems.BAD_REQUEST,
            f"Give a time from now up to {MAX_SNOOZE_S // 86_400} days ahead.",
            errors=[FieldError("/until", "It lies before now, or too far ahead")],
        )
    return _act(call, incident, "snooze", body.note, until=int(until))


@operations("POST", "/incidents/{incident}/resolve", "teach", problems.INCIDENT_NOT_FOUND)
def resolve(call: Call, incident: Cursor, body: NoteBody) -> Incident:
    """Say that an incident is over. It is open again when one of its metrics alarms later than that."""
    return _act(call, incident, "resolve", body.note)


@operations("POST", "/incidents/{incident}/comment", "teach", problems.INCIDENT_NOT_FOUND)
def comment(call: Call, incident: Cursor, body: CommentBody) -> Incident:
    """Add a comment to an incident."""
    return _act(call, incident, "comment", body.note)


@operations("POST", "/incidents/{incident}/verdict", "teach", problems.INCIDENT_NOT_FOUND)
def verdict(call: Call, incident: Cursor, body: VerdictBody) -> Incident:
    """Say whether something was wrong. It is kept and counted, and changes no score."""
    return _act(call, incident, "verdict", body.note, verdict=body.verdict)


def _act(call: Call, incident: str, kind: actions.Kind, note: str, **what: Any) -> Incident:
    actor = call.principal.name if call.principal else ""
    action = Action(kind, int(call.site.clock()), actor, note, **what)
    number = ids.number_of(incident)
    try:
        with call.site.context.database.write() as conn:
            into = None if number is None else actions.act(conn, number, action)
    except NotOpen:
        raise Problem(
            problems.CONFLICT, f"The incident {incident} is over; there is nothing to snooze."
        ) from None
    if into is None:
        raise _unknown(incident)
    return _incident(call, ids.id_of(into))


def _incident(call: Call, incident: str) -> Incident:
    with call.site.context.database.read() as conn:
        found = store.get_incident(conn, incident)
    if found is None:
        raise _unknown(incident)
    return msgspec.structs.replace(
        shown(found), deliveries=of_incident(call.site.context.database, found["id"])
    )


def _unknown(incident: str) -> Problem:
    return Problem(
        problems.INCIDENT_NOT_FOUND,
        f"No incident has the id {incident[:40]}; GET /api/v1/incidents lists them.",
    )


def shown(document: dict[str, Any]) -> Incident:
    """Return an incident as the API shows it."""
    return msgspec.convert(document, Incident)
