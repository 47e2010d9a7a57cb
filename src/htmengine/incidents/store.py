"""Incidents as they are stored, for whoever shows them or tells of them: the page, the API, commands, alerts. Reads only.

An incident keeps its id. If several incidents turn out to be one, the id of the first stays, and the ids of the others
lead to it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, and_, case, exists, func, not_, or_, select

from htmengine.incidents.actions import Action, Standing, actions_of, standing
from htmengine.incidents.ids import id_of, number_of
from htmengine.incidents.sentences import (
    SILENCE,
    Missing,
    common_group,
    incident_sentence,
    missing_reason,
    missing_sentence,
    reason,
    sentence,
    silence_sentence,
)
from htmengine.messages import Why
from htmengine.repository import schema
from htmengine.repository.chunks import in_chunks

OPEN: Final = "open"
RESOLVED: Final = "resolved"
MERGED: Final = "merged"
INFO: Final = "info"
WARNING: Final = "warning"
"""Severity of an incident of several metrics, or of a metric that alarmed again and again. Others may be chance."""
AGAIN: Final = 3
"""So many alarms of one metric within an incident are no chance; two are in a large fleet."""
METRICS_IN_LIST: Final = 20
"""So many metrics of each incident stand in a list, the first movers."""
MAX_METRICS_SHOWN: Final = 1000
"""So many of them stand in an incident by itself: a storm of a whole fleet has more than anybody reads."""

_incident: Final = schema.incident.c
_part: Final = schema.incident_metric.c
_done: Final = schema.incident_action.c

Handling: TypeAlias = Literal["new", "acknowledged", "snoozed"]
"""What people did about an incident; new: neither of both."""
Incident = dict[str, Any]
"""As the HTTP API gives it:

- ``id``; ``url``, relative to the page's address;
- ``state``: open, resolved, or merged, with ``merged_into``; ``severity``: info or warning;
- ``opened``, ``changed``: seconds since the epoch of the first and the newest alarm, by the samples; ``resolved``: when it was
  over, or None; ``seq``: the number of its last change;
- ``metric_count``, ``alarm_count``; ``max``: the highest log score; a silence counts as an alarm of 1;
- ``first_mover``: ``uid``, ``name``, ``time``; of several at once, the one with the highest score;
- ``metrics``, by their first alarm: ``uid``, ``name``, ``first``, ``last``, ``lag`` (seconds after the incident's first
  alarm), ``alarms``, and of the strongest alarm ``rowid``, ``time``, ``value``, ``max``, ``one_in``, ``cause``,
  ``direction``, ``forecast`` and ``usual`` or None, ``reason`` in a few words and ``sentence``. A metric that fell silent
  has the ``cause`` silence, and ``rowid``, ``time`` and ``value`` are those of its last sample before;
- ``sentence``: the incident in one;
- ``ack``: ``by``, ``at``, ``note`` of who looks after it, or None; ``snoozed_until``: so long nothing is told of it, or
  None, which may have passed; ``verdict``: ``verdict`` (true, false or not_mine), ``by``, ``at``, ``note``, or None;
- ``history``: what people did, in its order: ``action``, ``by``, ``at``, ``note``, ``until``, ``verdict``.
"""


class Cursor(NamedTuple):
    """Where a page of incidents ended: the fields of its last incident."""

    is_open: bool
    changed: int
    id: str


def list_incidents(
    conn: Connection,
    *,
    state: str | None = None,
    severity: str | None = None,
    since: float | None = None,
    until: float | None = None,
    match: str | None = None,
    uid: str | None = None,
    handling: Handling | None = None,
    now: float = 0.0,
    after: Cursor | None = None,
    limit: int = 100,
) -> list[Incident]:
    """Return incidents, the open ones first, then by their latest change, the newest first. Merged ones are left out.

    Parameters
    ----------
    state : OPEN or RESOLVED; both if None.
    severity : INFO for lone alarms, WARNING for all others; both if None.
    since, until : those that had an alarm between these times; seconds since the epoch.
    match : a pattern as shells have them (`*`, `?`) that the name of one of its metrics fits.
    uid : of a metric that it has.
    handling : what people did about it; `new`: it is neither acknowledged nor snoozed at `now`.
    after : the last incident of the page before: `cursor_of`.
    """
    is_open = case((_incident.resolved.is_(None), 1), else_=0)
    query = _incidents().where(*_chosen(conn, state, severity, since, until, match, uid))
    if handling is not None:
        query = query.where(_is_handled(handling, now))
    if after is not None:
        place = number_of(after.id)
        query = query.where(
            or_(
                is_open < int(after.is_open),
                and_(
                    is_open == int(after.is_open),
                    or_(
                        _incident.changed < after.changed,
                        and_(_incident.changed == after.changed, _incident.id < place),
                    ),
                ),
            )
        )
    query = query.order_by(is_open.desc(), _incident.changed.desc(), _incident.id.desc()).limit(limit)
    return _documents(conn, query, METRICS_IN_LIST)


def cursor_of(incident: Incident) -> Cursor:
    """Return where a page ended whose last incident this is."""
    return Cursor(incident["state"] == OPEN, incident["changed"], incident["id"])


def get_incident(conn: Connection, id_: str) -> Incident | None:
    """Return an incident with its metrics, the first movers first; None if there is none with this id.

    Where it turned out to be part of another, that is returned, which has another id.
    """
    number = number_of(id_)
    if number is None:
        return None
    row = conn.execute(select(_incident.merged_into).where(_incident.id == number)).first()
    if row is None:
        return None
    into = number if row.merged_into is None else row.merged_into
    return _documents(conn, _incidents().where(_incident.id == into), MAX_METRICS_SHOWN)[0]


def changed_since(
    conn: Connection, seq: int, *, match: str | None = None, limit: int = 1000
) -> list[Incident]:
    """Return the incidents that changed after a number, in the order of their last changes: merged ones, too.

    All of one transaction have one number, so that there may be more than `limit`. With `match`, only those with a metric
    of such a name, and all merged ones.
    """
    numbers = select(_incident.seq).where(_incident.seq > seq).order_by(_incident.seq).limit(limit).subquery()
    last = conn.scalar(select(func.max(numbers.c.seq)))
    if last is None:
        return []
    query = _incidents().where(_incident.seq > seq, _incident.seq <= last)
    if match is not None:
        query = query.where(or_(_incident.merged_into.is_not(None), _has_metric(conn, match)))
    return _documents(conn, query.order_by(_incident.seq, _incident.id), METRICS_IN_LIST)


def incidents_of(conn: Connection, numbers: Collection[int]) -> list[Incident]:
    """Return incidents by their numbers, each with its first movers; merged ones lead to others."""
    found: list[Incident] = []
    for some in in_chunks(sorted(numbers)):
        found += _documents(conn, _incidents().where(_incident.id.in_(some)), METRICS_IN_LIST)
    return found


def open_numbers(conn: Connection) -> list[int]:
    """Return the numbers of the incidents that are open, lone alarms among them."""
    is_open = _incident.resolved.is_(None), _incident.merged_into.is_(None)
    return list(conn.scalars(select(_incident.id).where(*is_open)))


def last_seq(conn: Connection) -> int:
    """Return the number of the last change; 0 if there was none."""
    return conn.scalar(select(func.max(_incident.seq))) or 0


def open_incidents_of(conn: Connection, uids: Collection[str]) -> dict[str, str]:
    """Return, by uid, the id of the open incident that each of these metrics is in, the newest of several."""
    found: dict[str, str] = {}
    for some in in_chunks(sorted(uids)):
        query = (
            select(_part.uid, _part.incident)
            .join(schema.incident, _part.incident == _incident.id)
            .where(_part.uid.in_(some), _incident.resolved.is_(None))
            .order_by(_part.last, _part.incident)
        )
        found.update({uid: id_of(number) for uid, number in conn.execute(query)})
    return found


class OpenMember(NamedTuple):
    """The open incident that a metric is in."""

    incident: str
    changed: int
    """Time of its newest alarm: seconds since the epoch, as `snoozed_until`."""
    acknowledged_by: str | None = None
    snoozed_until: int | None = None
    """It may have passed."""

    def is_snoozed(self, now: float) -> bool:
        """Tell whether nothing is told of the incident for now."""
        return self.snoozed_until is not None and self.snoozed_until > now


def members_of_open(conn: Connection) -> dict[str, OpenMember]:
    """Return every metric of an open incident by its uid, with the incident.

    Lone alarms are left out: in a large fleet some are open at any time, by chance. Of several incidents the newest counts.
    """
    query = (
        select(_part.uid, _part.incident, _incident.changed)
        .join(schema.incident, _part.incident == _incident.id)
        .where(_incident.resolved.is_(None), _incident.merged_into.is_(None), _is_warning())
        .order_by(_incident.changed, _incident.id)
    )
    rows = conn.execute(query).all()
    stands = {
        number: standing(done) for number, done in actions_of(conn, {row.incident for row in rows}).items()
    }
    found: dict[str, OpenMember] = {}
    for uid, number, changed in rows:
        of = stands.get(number, Standing())
        found[uid] = OpenMember(
            id_of(number), changed, of.ack and of.ack.actor, of.snooze and of.snooze.until
        )
    return found


def count(
    conn: Connection,
    *,
    state: str | None = None,
    severity: str | None = None,
    since: float | None = None,
    match: str | None = None,
) -> int:
    """Return how many incidents there are; parameters as in `list_incidents`."""
    query = select(func.count()).select_from(schema.incident)
    return conn.scalar(query.where(*_chosen(conn, state, severity, since, None, match, None))) or 0


def _incidents() -> Select[Any]:
    return select(
        _incident.id,
        _incident.seq,
        _incident.merged_into,
        _incident.opened,
        _incident.changed,
        _incident.resolved,
        _incident.metrics,
        _incident.alarms,
        _incident.peak,
    )


def _chosen(
    conn: Connection,
    state: str | None,
    severity: str | None,
    since: float | None,
    until: float | None,
    match: str | None,
    uid: str | None,
) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions for the incidents that `list_incidents` is asked for."""
    yield _incident.merged_into.is_(None)
    if state is not None:
        yield _incident.resolved.is_(None) if state == OPEN else _incident.resolved.is_not(None)
    if severity is not None:
        yield _is_warning() if severity == WARNING else not_(_is_warning())
    if since is not None:
        yield _incident.changed >= since
    if until is not None:
        yield _incident.opened <= until
    if uid is not None:
        yield exists().where(_part.incident == _incident.id, _part.uid == uid)
    if match is not None:
        yield _has_metric(conn, match)


def _is_handled(handling: Handling, now: float) -> ColumnElement[bool]:
    later = schema.incident_action.alias()
    is_acknowledged = exists().where(_done.incident == _incident.id, _done.action == "ack")
    is_snoozed = exists().where(
        _done.incident == _incident.id,
        _done.action == "snooze",
        _done.until > now,
        ~exists().where(
            later.c.incident == _done.incident, later.c.action == "snooze", later.c.id > _done.id
        ),
    )
    if handling == "acknowledged":
        return is_acknowledged
    return is_snoozed if handling == "snoozed" else not_(is_acknowledged | is_snoozed)


def _has_metric(conn: Connection, match: str) -> ColumnElement[bool]:
    return exists().where(_part.incident == _incident.id, _fits(conn.dialect.name, match))


def _is_warning() -> ColumnElement[bool]:
    return or_(_incident.metrics > 1, _incident.alarms >= AGAIN)


def _fits(dialect: str, match: str) -> ColumnElement[bool]:
    """Return the condition for a name that fits a pattern; its case counts."""
    if dialect == "sqlite":  # its LIKE knows no case
        return _part.name.op("GLOB")(match.replace("[", "[[]"))
    escaped = re.sub(r"[%_!]", r"!\g<0>", match)
    return _part.name.like(escaped.replace("*", "%").replace("?", "_"), escape="!")


def _documents(conn: Connection, query: Select[Any], metrics: int) -> list[Incident]:
    rows = conn.execute(query).all()
    whole = {row.id: row.metrics for row in rows if row.merged_into is None}
    parts, done = _parts(conn, whole, metrics), actions_of(conn, list(whole))
    return [_document(row, parts.get(row.id), done.get(row.id, ())) for row in rows]


class _Metrics(NamedTuple):
    """The metrics of an incident, the first movers first; perhaps not all of them."""

    shown: list[Incident]
    last_first: int
    """When the last of all of them had its first alarm."""
    silent: int
    """How many of all of them sent nothing."""
    group: str
    """What the names of all of them begin with."""


def _parts(conn: Connection, sizes: Mapping[int, int], limit: int) -> dict[int, _Metrics]:
    """Return the metrics of incidents, at most so many of each.

    Parameters
    ----------
    sizes : the number of metrics of each incident.
    """
    order = _part.first, _part.peak.desc(), _part.name
    found: dict[int, _Metrics] = {}
    for some in in_chunks([number for number, size in sizes.items() if size <= limit]):
        rows: defaultdict[int, list[Any]] = defaultdict(list)
        query = select(schema.incident_metric).where(_part.incident.in_(some))
        for row in conn.execute(query.order_by(_part.incident, *order)):
            rows[row.incident].append(row)
        for number, own in rows.items():
            names = [row.name for row in own]
            silent = sum(row.cause == SILENCE for row in own)
            group = common_group(min(names), max(names))
            found[number] = _Metrics([_metric(row) for row in own], own[-1].first, silent, group)
    # One by one, since a database sorts all of a storm's metrics where it is asked for the first of several incidents.
    name = _part.name.collate("C") if conn.dialect.name == "postgresql" else _part.name
    silent_ones = func.sum(case((_part.cause == SILENCE, 1), else_=0))
    of_all = select(func.max(_part.first), silent_ones, func.min(name), func.max(name))
    for number in [number for number, size in sizes.items() if size > limit]:
        of_it = _part.incident == number
        query = select(schema.incident_metric).where(of_it).order_by(*order).limit(limit)
        shown = [_metric(row) for row in conn.execute(query)]
        last_first, silent, first_name, last_name = conn.execute(of_all.where(of_it)).one()
        group = common_group(first_name or "", last_name or "")
        found[number] = _Metrics(shown, last_first or 0, int(silent or 0), group)
    return found


def _metric(row: Any) -> Incident:
    why: Why | None = None
    if row.cause == SILENCE:
        missing = msgspec.json.decode(row.why, type=Missing)
        words = missing_reason(missing), missing_sentence(missing)
    else:
        why = None if row.why is None else msgspec.json.decode(row.why, type=Why)
        words = reason(why, row.value), sentence(why, row.value)
    return {
        "uid": row.uid,
        "name": row.name,
        "first": row.first,
        "last": row.last,
        "alarms": row.alarms,
        "rowid": row.rowid,
        "time": row.time,
        "value": row.value,
        "max": row.peak,
        "one_in": row.one_in,
        "cause": row.cause,
        "direction": row.direction,
        "forecast": why and why.forecast,
        "usual": why and why.usual,
        "reason": words[0],
        "sentence": words[1],
    }


def _document(row: Any, metrics: _Metrics | None, done: Sequence[Action]) -> Incident:
    stands = standing(done)
    incident = {
        "id": id_of(row.id),
        "state": MERGED if row.merged_into is not None else OPEN if row.resolved is None else RESOLVED,
        "severity": WARNING if row.metrics > 1 or row.alarms >= AGAIN else INFO,
        "opened": row.opened,
        "changed": row.changed,
        "resolved": row.resolved,
        "seq": row.seq,
        "metric_count": row.metrics,
        "alarm_count": row.alarms,
        "max": row.peak,
        "first_mover": None,
        "metrics": [],
        "sentence": "",
        "url": f"i/{id_of(row.id)}",
        "ack": stands.ack and _action(stands.ack, "by", "at", "note"),
        "snoozed_until": stands.snooze and stands.snooze.until,
        "verdict": stands.verdict and _action(stands.verdict, "verdict", "by", "at", "note"),
        "history": [_action(one, "action", "by", "at", "note", "until", "verdict") for one in done],
    }
    if metrics is None:
        into = id_of(row.merged_into)
        return incident | {"merged_into": into, "sentence": f"is part of {into}", "url": f"i/{into}"}
    first = metrics.shown[0]
    within_s = metrics.last_first - row.opened
    if metrics.silent == row.metrics == row.alarms > 1:
        in_one = silence_sentence(first["time"], metrics=row.metrics, group=metrics.group, within_s=within_s)
    else:
        in_one = incident_sentence(
            first["name"],
            first["sentence"],
            followers=row.metrics - 1,
            within_s=within_s,
            alarms=row.alarms,
            lasts_s=row.changed - row.opened,
        )
    return incident | {
        "first_mover": {"uid": first["uid"], "name": first["name"], "time": first["first"]},
        "metrics": [metric | {"lag": metric["first"] - row.opened} for metric in metrics.shown],
        "sentence": in_one,
    }


def _action(action: Action, *fields: str) -> dict[str, Any]:
    """Return what somebody did, as it is shown."""
    shown = action._asdict() | {"action": action.kind, "by": action.actor}
    return {field: shown[field] for field in fields}
