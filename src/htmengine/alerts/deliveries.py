"""The outbox: what is told to each target, as it is stored, and what came of it.

A row is one notice to one target. It is written when an incident has changed, in the transaction that notes how far the
changes of incidents were read; and stays until its retention is over. What is left to do has a time when it is due.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any, Final, Literal, NamedTuple, TypeAlias, get_args

from sqlalchemy import Connection, and_, bindparam, delete, func, insert, literal, or_, select, update

from htmengine.alerts import notice as notices
from htmengine.alerts.notice import Kind, Notice, Severity
from htmengine.incidents.ids import id_of
from htmengine.repository import bulk, schema
from htmengine.repository.chunks import in_chunks
from htmengine.repository.writer_row import WriterRow

State: TypeAlias = Literal["pending", "retrying", "delivered", "dead", "suppressed"]
"""Not tried yet; tried, to be tried again; taken by the receiver; given up; and never to be sent, for the reason that is told."""
STATES: Final[tuple[State, ...]] = get_args(State)
MAX_REASON: Final = 500
UNFINISHED_LIMIT: Final = 5000
"""So many of what is left to do are looked at together."""

_delivery: Final = schema.alert_delivery.c
_target: Final = schema.alert_target.c
_installation: Final = schema.installation.c
_INSTALLATION_ID: Final = "id"


class Position(NamedTuple):
    """How far the outbox is."""

    seq: int
    """Changes of incidents up to this one are in it."""
    delivery_id: int
    """The newest row."""
    owner: str
    """Who writes and sends; empty if nobody does."""
    beat: int
    """Grows while the owner lives."""


class Delivery(NamedTuple):
    """A notice to a target."""

    id: int
    incident: int | None
    """None where it is about the engine."""
    target: str
    rule: str
    kind: Kind
    severity: Severity
    state: State
    reason: str | None
    """Why it was not sent, or not yet; or what the receiver said."""
    created: int
    """Seconds since the epoch, as `due` and `done`."""
    tries: int
    due: float | None
    """When it is tried next; None where nothing is left to do."""
    done: int | None
    """When it was delivered or given up."""
    notice: str
    """As JSON: `notice.decode`."""

    @property
    def is_told(self) -> bool:
        """Whether the target knows of it, will, or was tried in vain."""
        return self.state != "suppressed"


def document(delivery: Delivery) -> dict[str, Any]:
    """Return a row as commands and the API show it: with the title of its notice, and without the rest of that."""
    shown = delivery._asdict()
    del shown["notice"]
    incident = delivery.incident
    return shown | {
        "incident": None if incident is None else id_of(incident),
        "title": notices.decode(delivery.notice).title,
    }


_DELIVERY: Final = tuple(_delivery[name] for name in Delivery._fields)


_WRITER: Final = WriterRow(schema.alert_writer, Position)


def begin(conn: Connection, seq: int) -> Position:
    """Return how far the outbox is, and keep other writers waiting until this transaction ends.

    `seq` is where it begins if there is none yet: what happened to incidents before that is not told.
    """
    return _WRITER.lock(conn, Position(seq=seq, delivery_id=0, owner="", beat=0))


def read_position(conn: Connection) -> Position | None:
    """Return how far the outbox is; None if it was never begun."""
    return _WRITER.read(conn)


def move(conn: Connection, position: Position) -> None:
    """Store how far the outbox is."""
    _WRITER.move(conn, position)


def installation_id(conn: Connection) -> str:
    """Return what names this installation among others; it is drawn once, in a transaction that writes."""
    found = conn.scalar(select(_installation.setting).where(_installation.name == _INSTALLATION_ID))
    if found is None:
        found = secrets.token_hex(4)
        conn.execute(insert(schema.installation).values(name=_INSTALLATION_ID, setting=found))
    return str(found)


# -- Rows


def new(
    id_: int,
    target: str,
    said: Notice,
    now: float,
    *,
    incident: int | None,
    state: State = "pending",
    reason: str | None = None,
) -> Delivery:
    """Return the row of a notice that is due to a target now; in another state than `pending` nothing is left to do."""
    is_due = state == "pending"
    return Delivery(
        id=id_,
        incident=incident,
        target=target,
        rule=said.rule,
        kind=said.kind,
        severity=said.severity,
        state=state,
        reason=reason,
        created=int(now),
        tries=0,
        due=now if is_due else None,
        done=None if is_due else int(now),
        notice=notices.encode(said).decode(),
    )


def add(conn: Connection, rows: Sequence[Delivery]) -> None:
    """Store new rows."""
    if rows:
        columns = map(list, zip(*rows, strict=True))
        bulk.insert(conn, schema.alert_delivery, dict(zip(Delivery._fields, columns, strict=True)))


def of_incidents(conn: Connection, incidents: Collection[int]) -> dict[int, list[Delivery]]:
    """Return the rows of incidents, in their order."""
    found: defaultdict[int, list[Delivery]] = defaultdict(list)
    for some in in_chunks(sorted(incidents)):
        query = select(*_DELIVERY).where(_delivery.incident.in_(some))
        for row in conn.execute(query.order_by(_delivery.id)):
            found[row.incident].append(Delivery(*row))
    return dict(found)


def waiting_targets(conn: Connection) -> list[str]:
    """Return the targets that something is left to do for."""
    return list(conn.scalars(select(_delivery.target).where(_delivery.due.is_not(None)).distinct()))


def unfinished(conn: Connection, target: str, *, limit: int = UNFINISHED_LIMIT) -> list[Delivery]:
    """Return what is left to do for a target, by its number, each without its notice."""
    columns = (*_DELIVERY[:-1], literal("").label("notice"))
    query = select(*columns).where(_delivery.due.is_not(None), _delivery.target == target)
    return [Delivery(*row) for row in conn.execute(query.order_by(_delivery.id).limit(limit))]


def to_repeat(conn: Connection, target: str, since: float) -> list[int]:
    """Return the newest notices that a target has taken, of what is still open or was told as over since a time."""
    incident = schema.incident.c
    delivered = and_(_delivery.target == target, _delivery.state == "delivered")
    newest = func.max(_delivery.id)
    of_incidents = (
        select(newest)
        .join(schema.incident, incident.id == _delivery.incident)
        .where(delivered, or_(incident.resolved.is_(None), _delivery.done >= since))
        .group_by(_delivery.incident)
    )
    of_engine = select(newest).where(delivered, _delivery.incident.is_(None)).group_by(_delivery.rule)
    ids = [*conn.scalars(of_incidents), *conn.scalars(of_engine)]
    found = []
    for some in in_chunks(ids):
        query = select(_delivery.id).where(_delivery.id.in_(some))
        still = or_(_delivery.kind != "resolved", _delivery.done >= since)
        found += list(conn.scalars(query.where(still)))
    return sorted(found)


_LAST: Final = (
    select(func.max(_delivery.id).label("id"))
    .where(
        _delivery.incident.is_(None),
        _delivery.rule.in_(bindparam("rules", expanding=True)),
        _delivery.state != "suppressed",
    )
    .group_by(_delivery.rule, _delivery.target)
    .subquery()
)
_LAST_TROUBLES: Final = select(*_DELIVERY).join(_LAST, _delivery.id == _LAST.c.id)


def last_troubles(conn: Connection, rules: Collection[str]) -> dict[str, list[Delivery]]:
    """Return, by rule, the last that each target is told of the engine for it."""
    found: dict[str, list[Delivery]] = {rule: [] for rule in rules}
    for row in conn.execute(_LAST_TROUBLES, {"rules": list(found)}):
        delivery = Delivery(*row)
        found[delivery.rule].append(delivery)
    return found


def open_troubles(conn: Connection, rule: str) -> list[Delivery]:
    """Return what is told of the engine for a rule, and not as over, the last notice to each target."""
    return [row for row in last_troubles(conn, [rule])[rule] if row.kind != "resolved"]


def finish(conn: Connection, id_: int, state: State, reason: str, now: int) -> None:
    """Note that nothing is left to do with a row."""
    values = {"state": state, "reason": reason[:MAX_REASON], "due": None, "done": now}
    conn.execute(update(schema.alert_delivery).where(_delivery.id == id_).values(**values))


def get(conn: Connection, id_: int) -> Delivery | None:
    """Return a row; None if there is none of this number."""
    row = conn.execute(select(*_DELIVERY).where(_delivery.id == id_)).first()
    return None if row is None else Delivery(*row)


def change(conn: Connection, delivery: Delivery) -> None:
    """Store a row as it is now."""
    values = delivery._asdict()
    del values["id"]
    if delivery.reason is not None:
        values["reason"] = delivery.reason[:MAX_REASON]
    conn.execute(update(schema.alert_delivery).where(_delivery.id == delivery.id).values(**values))


def list_deliveries(
    conn: Connection,
    *,
    states: Collection[State] = (),
    target: str | None = None,
    incident: int | None = None,
    since: float | None = None,
    before_id: int | None = None,
    limit: int = 100,
) -> list[Delivery]:
    """Return rows, the newest first.

    Parameters
    ----------
    states : one of these; all if there are none.
    since : created then or later; seconds since the epoch.
    before_id : the last row of the page before.
    """
    query = select(*_DELIVERY)
    if states:
        query = query.where(_delivery.state.in_(list(states)))
    if target is not None:
        query = query.where(_delivery.target == target)
    if incident is not None:
        query = query.where(_delivery.incident == incident)
    if since is not None:
        query = query.where(_delivery.created >= since)
    if before_id is not None:
        query = query.where(_delivery.id < before_id)
    return [Delivery(*row) for row in conn.execute(query.order_by(_delivery.id.desc()).limit(limit))]


def count(conn: Connection, *, state: State, since: float) -> int:
    """Return how many rows of a state were created since a time."""
    query = select(func.count()).select_from(schema.alert_delivery)
    return conn.scalar(query.where(_delivery.state == state, _delivery.created >= since)) or 0


def send_again(conn: Connection, id_: int, now: float) -> Delivery | None:
    """Let a row be sent again at once, whatever came of it, under the identity that it has; None if there is none."""
    found = get(conn, id_)
    if found is None:
        return None
    again = found._replace(state="pending", reason=None, tries=0, due=now, done=None)
    change(conn, again)
    return again


def last_of_targets(conn: Connection) -> dict[str, Delivery]:
    """Return by target the row that was last delivered or failed."""
    tried = select(func.max(_delivery.id).label("id")).where(_delivery.tries > 0).group_by(_delivery.target)
    last = tried.subquery()
    query = select(*_DELIVERY).join(last, _delivery.id == last.c.id)
    return {row.target: Delivery(*row) for row in conn.execute(query)}


def oldest_unfinished(conn: Connection) -> dict[str, int]:
    """Return by target when the oldest notice was made of which something is left to do."""
    query = select(_delivery.target, func.min(_delivery.created).label("created")).where(
        _delivery.due.is_not(None)
    )
    return {row.target: row.created for row in conn.execute(query.group_by(_delivery.target))}


class Told(NamedTuple):
    """A metric of an incident that was told of for a rule."""

    rule: str
    incident: int
    last: int
    """The metric's last alarm there: seconds since the epoch."""


def recently_told(conn: Connection, uids: Collection[str], since: float) -> dict[str, list[Told]]:
    """Return for metrics the incidents, told of, in which they alarmed since a time."""
    part = schema.incident_metric.c
    found: defaultdict[str, list[Told]] = defaultdict(list)
    for some in in_chunks(sorted(uids)):
        query = (
            select(part.uid, _delivery.rule, part.incident, part.last)
            .distinct()
            .select_from(schema.incident_metric)
            .join(schema.alert_delivery, _delivery.incident == part.incident)
            .where(
                part.uid.in_(some),
                part.last >= since,
                _delivery.state != "suppressed",
            )
        )
        for uid, *columns in conn.execute(query):
            found[uid].append(Told(*columns))
    return dict(found)


# -- Targets that want nothing any more


class Disabled(NamedTuple):
    """Why nothing is sent to a target."""

    at: int
    reason: str


def disabled_targets(conn: Connection) -> dict[str, Disabled]:
    """Return the targets that want nothing any more."""
    query = select(_target.name, _target.disabled_at, _target.reason)
    return {name: Disabled(at, reason) for name, at, reason in conn.execute(query)}


def disable(conn: Connection, target: str, at: int, reason: str) -> None:
    """Send nothing to a target until it is enabled."""
    enable(conn, target)
    values = {"name": target, "disabled_at": at, "reason": reason[:MAX_REASON]}
    conn.execute(insert(schema.alert_target).values(**values))


def enable(conn: Connection, target: str) -> bool:
    """Send to a target again; return whether it was disabled."""
    return conn.execute(delete(schema.alert_target).where(_target.name == target)).rowcount > 0
