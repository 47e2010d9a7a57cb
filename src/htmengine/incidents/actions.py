"""What people do about incidents: acknowledge, snooze, resolve, comment, and say whether it was one.

Each action is a row that stays, with who, when and what; how an incident stands follows from its rows. It is stored in one
transaction with a new number of the incident, so that whoever follows incidents hears of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any, Final, Literal, NamedTuple, TypeAlias, get_args

from sqlalchemy import Connection, insert, select, update

from htmengine.repository import schema
from htmengine.repository.chunks import in_chunks

Kind: TypeAlias = Literal["ack", "snooze", "resolve", "comment", "verdict"]
Verdict: TypeAlias = Literal["true", "false", "not_mine"]
"""Whether something was wrong; or it was, and others are to look after it."""
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
VERDICTS: Final[tuple[Verdict, ...]] = get_args(Verdict)
MAX_NOTE: Final = 2000
MAX_ACTOR: Final = 100

_action: Final = schema.incident_action.c
_incident: Final = schema.incident.c


class NotOpen(Exception):
    """The incident is over; there is nothing to snooze."""


class Action(NamedTuple):
    """What somebody did."""

    kind: Kind
    at: int
    """Seconds since the epoch, as `until`."""
    actor: str
    note: str = ""
    until: int | None = None
    """Of a snooze."""
    verdict: Verdict | None = None


class Standing(NamedTuple):
    """How an incident stands, by what people did."""

    ack: Action | None = None
    snooze: Action | None = None
    """The last one, which may be over."""
    verdict: Action | None = None

    def snoozed_until(self, now: float) -> int | None:
        """Return until when nothing is told of it; None if it is not snoozed."""
        until = self.snooze.until if self.snooze else None
        return until if until is not None and until > now else None


def standing(actions: Collection[Action]) -> Standing:
    """Return how an incident with these actions, in their order, stands."""
    last = {action.kind: action for action in actions}
    return Standing(last.get("ack"), last.get("snooze"), last.get("verdict"))


def act(conn: Connection, incident: int, action: Action) -> int | None:
    """Store what somebody did, and return the number of the incident that it is about; None if there is no such incident.

    That is another one where the incident turned out to be part of it. To resolve what is over is stored and changes
    nothing more. An incident that a person resolved is open again when one of its metrics alarms later than that.

    Raises
    ------
    NotOpen : it is to be snoozed and is over.
    """
    from htmengine.incidents import changes  # here: to show what was done needs none of it

    position = changes.lock_position(conn)
    columns = _incident.id, _incident.merged_into
    row = conn.execute(select(*columns).where(_incident.id == incident)).first()
    if row is None:
        return None
    into = int(row.id if row.merged_into is None else row.merged_into)
    resolved = conn.scalar(select(_incident.resolved).where(_incident.id == into))
    if action.kind == "snooze" and resolved is not None:
        raise NotOpen
    stored = action._asdict() | {"actor": action.actor[:MAX_ACTOR], "note": action.note[:MAX_NOTE]}
    stored["action"] = stored.pop("kind")
    conn.execute(insert(schema.incident_action).values(incident=into, **stored))
    values: dict[str, Any] = {"seq": position.seq + 1}
    if action.kind == "resolve" and resolved is None:
        values["resolved"] = action.at
    conn.execute(update(schema.incident).where(_incident.id == into).values(**values))
    changes.move_position(conn, position._replace(seq=position.seq + 1))
    return into


def actions_of(conn: Connection, incidents: Collection[int]) -> dict[int, list[Action]]:
    """Return what was done about incidents, by their numbers, in its order; those with nothing are left out."""
    found: defaultdict[int, list[Action]] = defaultdict(list)
    for some in in_chunks(sorted(incidents)):
        query = select(
            _action.incident,
            _action.action,
            _action.at,
            _action.actor,
            _action.note,
            _action.until,
            _action.verdict,
        ).where(_action.incident.in_(some))
        for incident, *columns in conn.execute(query.order_by(_action.incident, _action.id)):
            found[incident].append(Action(*columns))
    return dict(found)
