"""Incidents with their alarms, as rules look at them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Final, NamedTuple

from sqlalchemy import Connection, and_, select

from htmengine.alerts.rules import AlarmFacts
from htmengine.incidents.changes import SILENCE_SCORE
from htmengine.incidents.sentences import SILENCE
from htmengine.incidents.store import AGAIN
from htmengine.repository import schema
from htmengine.repository.chunks import in_chunks
from htmengine.repository.times import epoch_seconds

MAX_ALARMS: Final = 5000
"""Of one incident: more of them tell a rule nothing new. The newest count."""
_LONG: Final = 1000
_INCIDENTS_BATCH_SIZE: Final = 200

_incident: Final = schema.incident.c
_part: Final = schema.incident_metric.c
_member: Final = schema.incident_alarm.c
_alarm: Final = schema.metric_alarm.c


class PastIncident(NamedTuple):
    """An incident as it became."""

    number: int
    opened: int
    """Seconds since the epoch, as all times."""
    changed: int
    resolved: int | None
    metrics: int
    alarm_count: int
    alarms: list[AlarmFacts]
    """By their times."""

    @property
    def is_warning(self) -> bool:
        """Whether it is more than what chance brings."""
        return self.metrics > 1 or self.alarm_count >= AGAIN


def alarms_of(conn: Connection, sizes: Mapping[int, int]) -> dict[int, list[AlarmFacts]]:
    """Return the alarms of incidents, by their times.

    Parameters
    ----------
    sizes : by incident, how many alarms it has.
    """
    short = sorted(incident for incident, size in sizes.items() if size <= _LONG)
    found: dict[int, list[AlarmFacts]] = {}
    for some in in_chunks(short):
        found.update(_alarms(conn, some, None))
    for incident in sorted(set(sizes).difference(short)):
        found.update(_alarms(conn, [incident], MAX_ALARMS))
    return found


def _alarms(conn: Connection, incidents: Collection[int], limit: int | None) -> dict[int, list[AlarmFacts]]:
    members = _member.incident.in_(list(incidents))
    own = and_(_part.incident == _member.incident, _part.uid == _member.uid)
    newest = _member.timestamp.desc(), _member.uid.desc(), _member.rowid.desc()
    key = _member.incident, _member.uid, _part.name
    alarms = (
        select(
            *key,
            epoch_seconds(_alarm.timestamp),
            _alarm.log_score,
            _alarm.metric_value,
            _alarm.forecast,
            _alarm.cause,
            _alarm.direction,
        )
        .select_from(schema.incident_alarm)
        .join(schema.metric_alarm, and_(_alarm.uid == _member.uid, _alarm.rowid == _member.rowid))
        .join(schema.incident_metric, own)
        .where(members)
        .order_by(*newest)
    )
    silences = (
        select(*key, _member.timestamp)
        .select_from(schema.incident_alarm)
        .join(schema.incident_metric, own)
        .where(members, _member.rowid < 0)
        .order_by(*newest)
    )
    found: defaultdict[int, list[AlarmFacts]] = defaultdict(list)
    for incident, *facts in conn.execute(alarms.limit(limit) if limit else alarms):
        found[incident].append(AlarmFacts(*facts))
    for incident, uid, name, time in conn.execute(silences.limit(limit) if limit else silences):
        found[incident].append(AlarmFacts(uid, name, time, SILENCE_SCORE, math.nan, cause=SILENCE))
    for own_alarms in found.values():
        own_alarms.sort(key=lambda one: (one.time, one.uid))
    return {incident: own_alarms[-limit:] if limit else own_alarms for incident, own_alarms in found.items()}


def past_incidents(conn: Connection, since: float, until: float) -> Iterator[PastIncident]:
    """Yield the incidents that began from one time up to another, by their beginning."""
    query = (
        select(
            _incident.id,
            _incident.opened,
            _incident.changed,
            _incident.resolved,
            _incident.metrics,
            _incident.alarms,
        )
        .where(_incident.merged_into.is_(None), _incident.opened >= since, _incident.opened < until)
        .order_by(_incident.opened, _incident.id)
    )
    rows = conn.execute(query).all()
    for some in in_chunks(rows, _INCIDENTS_BATCH_SIZE):
        alarms = alarms_of(conn, {row.id: row.alarms for row in some})
        for row in some:
            yield PastIncident(*row, alarms.get(row.id, []))
