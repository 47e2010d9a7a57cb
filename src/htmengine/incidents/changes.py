"""What the writer of incidents does in the repository: it reads alarms, and creates, extends and joins incidents.

Everything happens in one transaction, which moves the writer's position too: after a crash an alarm is in an incident, or
comes again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from statistics import median_low
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from sqlalchemy import Connection, and_, delete, func, or_, select, update

from htmengine.incidents.grouping import RARE, Alarm, open_s
from htmengine.incidents.sentences import SILENCE, Missing
from htmengine.repository import bulk, schema, silences, windows
from htmengine.repository.alarms import Alarm as StoredAlarm
from htmengine.repository.alarms import alarms_since
from htmengine.repository.chunks import KEYS_IN_STATEMENT, in_chunks
from htmengine.repository.silences import Silence
from htmengine.repository.status import WITH_MODEL
from htmengine.repository.windows import Span
from htmengine.repository.writer_row import WriterRow

UNKNOWN_INTERVAL_S: Final = 60.0
"""Of a metric whose rows before the alarm are gone."""
SILENCE_OPEN_S: Final = 48 * 3600
"""A silence that lasts keeps its incident open for so long; by then somebody knows, or nobody misses the metric."""
SILENCE_SCORE: Final = 1.0
"""Log score by which a silence is ranked among alarms: it has none."""
_ROWS_FOR_INTERVAL: Final = 16

_incident: Final = schema.incident.c
_part: Final = schema.incident_metric.c
_member: Final = schema.incident_alarm.c
_action: Final = schema.incident_action.c


class Position(NamedTuple):
    """How far the writer of incidents has come."""

    alarm_id: int
    """The alarms up to this one are in incidents."""
    incident_id: int
    """The newest incident."""
    seq: int
    """The last change."""
    slowest_s: float
    """The longest interval that an alarm had so far."""
    owner: str
    """Who writes; empty if nobody does."""
    beat: int
    """Grows while the owner lives."""
    silence_seq: int = 0
    """The silences up to this change are in incidents."""

    def is_same_as(self, other: Position) -> bool:
        """Tell whether no incident changed between the two."""
        return self._replace(owner="", beat=0) == other._replace(owner="", beat=0)


_WRITER: Final = WriterRow(schema.incident_writer, Position)
BEGIN: Final = Position(alarm_id=0, incident_id=0, seq=0, slowest_s=1.0, owner="", beat=0)


class Part(NamedTuple):
    """What an incident has of a metric."""

    uid: str
    name: str
    first: int
    """Its first and its last alarm: seconds since the epoch."""
    last: int
    alarms: int
    rowid: int
    """Of its strongest alarm, as all that follows."""
    peak: float
    time: int
    value: float
    one_in: float | None
    cause: str | None
    direction: str | None
    why: str | None

    def with_(self, other: Part) -> Part:
        """Return both together."""
        stronger = max(self, other, key=Part._strength)
        return stronger._replace(
            first=min(self.first, other.first),
            last=max(self.last, other.last),
            alarms=self.alarms + other.alarms,
        )

    def _strength(self) -> tuple[int, float, int, int]:
        """Return what is told of a metric first: its newest silence, or else its strongest alarm."""
        return self.time if self.cause == SILENCE else 0, self.peak, -self.time, -self.rowid


class Totals(NamedTuple):
    """An incident without its metrics."""

    id: int
    opened: int
    changed: int
    ends: int
    metrics: int
    alarms: int
    peak: float


def read_position(conn: Connection) -> Position | None:
    """Return how far the writer has come; None if it has never run."""
    return _WRITER.read(conn)


def lock_position(conn: Connection) -> Position:
    """Return the same, and keep other writers waiting until this transaction ends."""
    return _WRITER.lock(conn, BEGIN)


def move_position(conn: Connection, position: Position) -> None:
    """Store how far the writer has come."""
    _WRITER.move(conn, position)


class NewAlarm(NamedTuple):
    """An alarm that is in no incident yet, as grouping sees it, and what its incident has of it."""

    alarm: Alarm
    part: Part
    id: int
    """Of the stored alarm; 0 for a silence."""
    ends: int
    """When its incident is over unless another alarm joins it."""


def new_alarms(conn: Connection, after_id: int, *, limit: int) -> list[NewAlarm]:
    """Return the next alarms that were stored after this one."""
    stored = alarms_since(conn, after_id, limit=limit)
    if not stored:
        return []
    names = _names(conn, {alarm.uid for alarm in stored})
    intervals = _intervals(conn, stored[0].id, stored[-1].id)
    found = []
    for alarm in stored:
        interval_s = intervals.get(alarm.id, UNKNOWN_INTERVAL_S)
        grouped = Alarm(
            alarm.uid, alarm.rowid, names[alarm.uid], alarm.timestamp, interval_s, alarm.one_in or 0.0
        )
        ends = int(alarm.timestamp + open_s(interval_s))
        found.append(NewAlarm(grouped, _part_of_alarm(grouped, alarm), alarm.id, ends))
    return found


def _part_of_alarm(alarm: Alarm, stored: StoredAlarm) -> Part:
    return Part(
        uid=alarm.uid,
        name=alarm.name,
        first=alarm.timestamp,
        last=alarm.timestamp,
        alarms=1,
        rowid=alarm.rowid,
        peak=stored.log_score,
        time=alarm.timestamp,
        value=stored.value,
        one_in=stored.one_in,
        cause=stored.cause,
        direction=stored.direction,
        why=stored.why,
    )


class NewSilences(NamedTuple):
    """What has become of silences since a change."""

    seq: int
    """The last change of these."""
    found: list[NewAlarm]
    """All of them, as alarms: those that have ended, too."""
    ended: list[Silence]


def new_silences(conn: Connection, after_seq: int, *, limit: int) -> NewSilences | None:
    """Return the next changes of silences after one; None if there are none."""
    changed = silences.changed_since(conn, after_seq, limit=limit)
    if not changed:
        return None
    names = _names(conn, {silence.uid for silence in changed})
    found = [_silent(silence, names[silence.uid]) for silence in changed if silence.uid in names]
    ended = [silence for silence in changed if silence.until is not None]
    return NewSilences(changed[-1].seq, found, ended)


def _silent(silence: Silence, name: str) -> NewAlarm:
    """Return a silence as an alarm. It has no row, so that it goes by that of the last row before it, below 0."""
    # Gaps that are irregular tell by themselves how exactly the time is known.
    interval_s = max(silence.interval_s, (silence.found - silence.since) / 6)
    time = silence.missing_since
    part = Part(
        uid=silence.uid,
        name=name,
        first=time,
        last=time,
        alarms=1,
        rowid=silence.rowid,
        peak=SILENCE_SCORE,
        time=silence.since,
        value=0.0 if silence.value is None else silence.value,
        one_in=None,
        cause=SILENCE,
        direction=None,
        why=_missing(silence),
    )
    ends = silence.found + SILENCE_OPEN_S if silence.until is None else max(silence.until, time)
    return NewAlarm(Alarm(silence.uid, -silence.rowid, name, time, interval_s, RARE), part, 0, ends)


def _missing(silence: Silence) -> str:
    return msgspec.json.encode(Missing(silence.since, silence.interval_s, silence.until)).decode()


def has_silences(conn: Connection, after_seq: int) -> bool:
    """Return whether a silence was found or ended after a change."""
    column = schema.metric_silence.c
    return conn.execute(select(column.id).where(column.seq > after_seq).limit(1)).first() is not None


def end_silences(conn: Connection, ended: Sequence[Silence], seq: int) -> None:
    """Let incidents know that silences of theirs have ended: one in which nothing is silent any more may be over."""
    keys = {(silence.uid, -silence.rowid): silence for silence in ended}
    incidents: dict[int, list[Silence]] = defaultdict(list)
    for some in in_chunks(sorted(keys), KEYS_IN_STATEMENT // 2):
        wanted = or_(*(and_(_member.uid == uid, _member.rowid == rowid) for uid, rowid in some))
        for uid, rowid, incident in conn.execute(
            select(_member.uid, _member.rowid, _member.incident).where(wanted)
        ):
            incidents[incident].append(keys[uid, rowid])
    whose = [(incident, silence) for incident, own in sorted(incidents.items()) for silence in own]
    # A silence stands before alarms in what an incident has of a metric, so that this row is the silence's or a later one's.
    parts: dict[str, list[Any]] = {
        "incident": [incident for incident, _ in whose],
        "uid": [silence.uid for _, silence in whose],
        "rowid": [silence.rowid for _, silence in whose],
    }
    bulk.update(conn, schema.incident_metric, parts, {"why": [_missing(silence) for _, silence in whose]})
    for incident in sorted(incidents):
        conn.execute(
            update(schema.incident)
            .where(_incident.id == incident)
            .values(ends=_ends(conn, incident), seq=seq)
        )


def _ends(conn: Connection, incident: int) -> int:
    """Return when an incident is over by its alarms and silences."""
    ours = _member.incident == incident
    alarms = select(_member.interval_s, func.max(_member.timestamp)).where(ours, _member.rowid > 0)
    ends = [
        int(time + open_s(interval_s))
        for interval_s, time in conn.execute(alarms.group_by(_member.interval_s))
    ]
    silence = schema.metric_silence.c
    same = and_(silence.uid == _member.uid, silence.rowid == -_member.rowid)
    quiet = select(silence.until.is_(None), func.max(silence.until), func.max(silence.found))
    quiet = quiet.select_from(schema.incident_alarm).join(schema.metric_silence, same)
    quiet = quiet.where(ours, _member.rowid < 0).group_by(silence.until.is_(None))
    for lasts, until, found in conn.execute(quiet):
        ends.append(found + SILENCE_OPEN_S if lasts else until)
    first = select(func.max(_member.timestamp)).where(ours)
    return max([*ends, conn.scalar(first) or 0])


def _names(conn: Connection, uids: Collection[str]) -> dict[str, str]:
    column = schema.metric.c
    found: dict[str, str] = {}
    for some in in_chunks(sorted(uids)):
        query = select(column.uid, column.name).where(column.uid.in_(some))
        found.update({uid: name or "" for uid, name in conn.execute(query)})
    return found


def _intervals(conn: Connection, first_id: int, last_id: int) -> dict[int, float]:
    """Return for alarms with ids from one to another the usual time between the rows before them, where these are stored."""
    alarm = schema.metric_alarm.c
    query = select(alarm.id, alarm.uid, alarm.rowid).where(alarm.id.between(first_id, last_id))
    found = conn.execute(query).all()
    spans = [Span(row.uid, max(1, row.rowid - _ROWS_FOR_INTERVAL + 1), row.rowid) for row in found]
    return {
        row.id: max(1.0, float(median_low(np.diff(rows.timestamps).tolist())))
        for row, rows in zip(found, windows.rows_of(conn, spans, ()), strict=True)
        if len(rows.timestamps) > 1
    }


def monitored_names(conn: Connection) -> list[str]:
    """Return the names of all metrics that can alarm."""
    column = schema.metric.c
    return [name or "" for name in conn.scalars(select(column.name).where(column.status.in_(WITH_MODEL)))]


def members_between(conn: Connection, since: float, until: float) -> list[tuple[Alarm, int]]:
    """Return the alarms of all incidents from one time to another, both included, with their incidents, by time."""
    same = and_(_part.incident == _member.incident, _part.uid == _member.uid)
    query = (
        select(
            _member.uid,
            _member.rowid,
            _part.name,
            _member.timestamp,
            _member.interval_s,
            _member.one_in,
            _member.incident,
        )
        .join(schema.incident_metric, same)
        .where(_member.timestamp.between(since, until))
        .order_by(_member.timestamp)
    )
    return [(Alarm(*columns), incident) for *columns, incident in conn.execute(query)]


def are_members(conn: Connection, alarms: Sequence[Alarm]) -> set[tuple[str, int]]:
    """Return which of these alarms, by uid and rowid, are in incidents."""
    rowids: defaultdict[str, list[int]] = defaultdict(list)
    for alarm in alarms:
        rowids[alarm.uid].append(alarm.rowid)
    found: set[tuple[str, int]] = set()
    for some in in_chunks(sorted(rowids)):
        one_of = or_(*(and_(_member.uid == uid, _member.rowid.in_(rowids[uid])) for uid in some))
        found.update(
            (uid, rowid) for uid, rowid in conn.execute(select(_member.uid, _member.rowid).where(one_of))
        )
    return found


def totals(conn: Connection, incidents: Collection[int]) -> dict[int, Totals]:
    """Return incidents by their ids."""
    columns = [_incident[name] for name in Totals._fields]
    found: dict[int, Totals] = {}
    for some in in_chunks(sorted(incidents)):
        for row in conn.execute(select(*columns).where(_incident.id.in_(some))):
            found[row.id] = Totals(*row)
    return found


def parts_of(conn: Connection, incident: int, uids: Collection[str] | None = None) -> dict[str, Part]:
    """Return what an incident has of these metrics, or of all."""
    query = select(*(_part[name] for name in Part._fields)).where(_part.incident == incident)
    if uids is None:
        return {row.uid: Part(*row) for row in conn.execute(query)}
    found: dict[str, Part] = {}
    for some in in_chunks(sorted(uids)):
        found.update({row.uid: Part(*row) for row in conn.execute(query.where(_part.uid.in_(some)))})
    return found


class Growth:
    """New incidents and new members, collected to be stored together."""

    def __init__(self, seq: int, now: float) -> None:
        """`seq` is the number of this change; `now` tells which incidents are over already."""
        self.seq = seq
        self.now = now
        self.members: list[tuple[Alarm, int]] = []
        self._incidents: list[Totals] = []
        self._parts: list[tuple[int, Part]] = []

    def begin(self, incident: int, alarms: Sequence[Alarm], parts: Sequence[Part], ends: int) -> None:
        """Begin an incident with alarms, each with a part of its own."""
        self.members += [(alarm, incident) for alarm in alarms]
        together = _by_metric(parts)
        self._parts += [(incident, part) for part in together.values()]
        self._incidents.append(_total(incident, together.values(), ends))

    def store(self, conn: Connection) -> None:
        """Store everything that was collected."""
        if self._incidents:
            columns = _columns(Totals, self._incidents)
            columns["seq"] = [self.seq] * len(self._incidents)
            columns["resolved"] = [_resolved(one, self.now) for one in self._incidents]
            bulk.insert(conn, schema.incident, columns)
            _insert_parts(conn, self._parts)
        if self.members:
            columns = _columns(Alarm, [alarm for alarm, _ in self.members])
            del columns["name"]
            columns["incident"] = [incident for _, incident in self.members]
            bulk.insert(conn, schema.incident_alarm, columns)


def grow(
    conn: Connection,
    growth: Growth,
    incidents: Sequence[int],
    alarms: Sequence[Alarm],
    parts: Sequence[Part],
    ends: int,
) -> None:
    """Add alarms to an incident, the first of those given, and let the others be part of it.

    One that is over is open again if an alarm says so; one that somebody resolved, if it comes from later than that.

    Parameters
    ----------
    incidents : ids, ascending: what was told first stays.
    alarms : to be added, each with a part of its own. They may be none where there are several incidents.
    ends : when the incident ends by these alarms.
    """
    into, *absorbed = incidents
    before = totals(conn, incidents)
    more = [*parts, *(part for incident in absorbed for part in parts_of(conn, incident).values())]
    together = _by_metric(more)
    known = parts_of(conn, into, together)
    changed = {uid: known[uid].with_(part) if uid in known else part for uid, part in together.items()}
    _join(conn, absorbed, into, growth.seq)
    for some in in_chunks(list(known)):
        conn.execute(delete(schema.incident_metric).where(_part.incident == into, _part.uid.in_(some)))
    _insert_parts(conn, [(into, part) for part in changed.values()])
    growth.members += [(alarm, into) for alarm in alarms]
    grown = [*before.values(), *([_total(into, _by_metric(parts).values(), ends)] if parts else [])]
    total = Totals(
        id=into,
        opened=min(one.opened for one in grown),
        changed=max(one.changed for one in grown),
        ends=max(one.ends for one in grown),
        metrics=before[into].metrics + len(changed) - len(known),
        alarms=sum(one.alarms for one in grown),
        peak=max(one.peak for one in grown),
    )
    closed = _closed_by_person(conn, before[into])
    if closed is None or any(alarm.timestamp > closed for alarm in alarms):
        closed = _resolved(total, growth.now)
    values = total._asdict() | {"seq": growth.seq, "resolved": closed}
    conn.execute(update(schema.incident).where(_incident.id == into).values(**values))


def _closed_by_person(conn: Connection, incident: Totals) -> int | None:
    """Return when somebody resolved an incident that was not over yet; None if nobody did."""
    resolved = conn.scalar(select(_incident.resolved).where(_incident.id == incident.id))
    return resolved if resolved is not None and resolved < incident.ends else None


def _by_metric(parts: Iterable[Part]) -> dict[str, Part]:
    together: dict[str, Part] = {}
    for part in parts:
        together[part.uid] = together[part.uid].with_(part) if part.uid in together else part
    return together


def _total(incident: int, parts: Collection[Part], ends: int) -> Totals:
    return Totals(
        id=incident,
        opened=min(part.first for part in parts),
        changed=max(part.last for part in parts),
        ends=ends,
        metrics=len(parts),
        alarms=sum(part.alarms for part in parts),
        peak=max(part.peak for part in parts),
    )


def _resolved(incident: Totals, now: float) -> int | None:
    return incident.ends if incident.ends <= now else None


def _insert_parts(conn: Connection, parts: Sequence[tuple[int, Part]]) -> None:
    if parts:
        columns = _columns(Part, [part for _, part in parts])
        columns["incident"] = [incident for incident, _ in parts]
        bulk.insert(conn, schema.incident_metric, columns)


def _columns(kind: type[NamedTuple], rows: Sequence[tuple[Any, ...]]) -> dict[str, list[Any]]:
    return dict(zip(kind._fields, map(list, zip(*rows, strict=True)), strict=True))


def _join(conn: Connection, absorbed: Sequence[int], into: int, seq: int) -> None:
    """Let incidents point to the one that they are part of, and whatever pointed to them too."""
    for some in in_chunks(absorbed):
        conn.execute(
            update(schema.incident)
            .where(or_(_incident.id.in_(some), _incident.merged_into.in_(some)))
            .values(merged_into=into, seq=seq)
        )
        conn.execute(update(schema.incident_alarm).where(_member.incident.in_(some)).values(incident=into))
        conn.execute(update(schema.incident_action).where(_action.incident.in_(some)).values(incident=into))
        conn.execute(delete(schema.incident_metric).where(_part.incident.in_(some)))


def has_alarms(conn: Connection, after_id: int) -> bool:
    """Return whether an alarm was stored after this one."""
    column = schema.metric_alarm.c
    return conn.execute(select(column.id).where(column.id > after_id).limit(1)).first() is not None


def resolve_due(conn: Connection, seq: int, now: float) -> int:
    """Resolve what is over, and return how many incidents that are."""
    return conn.execute(
        update(schema.incident)
        .where(_incident.resolved.is_(None), _incident.merged_into.is_(None), _incident.ends <= now)
        .values(resolved=_incident.ends, seq=seq)
    ).rowcount


def is_due(conn: Connection, now: float) -> bool:
    """Return whether there is an incident that is over and not resolved."""
    due = select(_incident.id).where(
        _incident.resolved.is_(None), _incident.merged_into.is_(None), _incident.ends <= now
    )
    return conn.execute(due.limit(1)).first() is not None
