"""The writer of incidents: takes alarms as they are stored and puts each into an incident.

Of several writers one is active, and another takes over when it has stood still for `TAKE_OVER_S`. That only saves work:
each step is one transaction behind a lock, so that two writers at once do what one does.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Final

from sqlalchemy import Connection, Engine

from htmengine.incidents import changes
from htmengine.incidents.changes import Part, Position
from htmengine.incidents.grouping import Alarm, joined, links, open_s, reach_s
from htmengine.incidents.names import Fleet
from htmengine.repository.alarms import Alarm as StoredAlarm
from htmengine.repository.engine import reading, writing
from htmengine.service.counters import Counters
from htmengine.service.fault_injection import Step, no_step

NAME: Final = "incidents"
BATCH_SIZE: Final = 1000
"""Alarms in one transaction."""
STRETCH_S: Final = 6 * 3600
"""Alarms of so long a time are grouped at once, with those around them."""
BEAT_S: Final = 2.0
TAKE_OVER_S: Final = 10.0
FLEET_AGE_S: Final = 600.0
"""How long the sizes of groups are taken to be as they were."""

_New = tuple[Alarm, StoredAlarm]


class Writer:
    """Puts alarms into incidents, step by step.

    Parameters
    ----------
    clock : seconds since the epoch; tells when an incident is over.
    timer : seconds that only grow.
    step : told the name of each step when it is done.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
        step: Step = no_step,
        batch_size: int = BATCH_SIZE,
    ) -> None:
        self.counters = Counters()
        self._engine = engine
        self._clock = clock
        self._timer = timer
        self._step = step
        self._batch_size = batch_size
        self._owner = f"{socket.gethostname()[:40]}:{os.getpid()}:{time.time_ns():x}"
        self._beaten = -TAKE_OVER_S
        self._seen: tuple[str, int] = ("", -1)
        """Whose beat was seen last, and which."""
        self._seen_at = timer()
        self._fleet = Fleet([])
        self._fleet_at = -FLEET_AGE_S

    def work(self) -> bool:
        """Put the next alarms into incidents, and resolve those that are over; return whether more alarms may wait."""
        if not self._is_due():
            return False
        with writing(self._engine) as conn:
            position = changes.lock_position(conn)
            if not self._may_write(position):
                return False
            now = self._clock()
            new = changes.new_alarms(conn, position.alarm_id, limit=self._batch_size)
            position = position._replace(owner=self._owner, beat=position.beat + 1, seq=position.seq + 1)
            if new:
                position = self._take(conn, position, new, now)
            resolved = changes.resolve_due(conn, position.seq, now)
            changes.move_position(conn, position)
        self._beaten = self._timer()
        self._step(f"{NAME}.committed")
        self.counters.add("alarms", len(new))
        self.counters.add("incidents_resolved", resolved)
        return len(new) == self._batch_size

    def close(self) -> None:
        """Let another writer take over at once."""
        with writing(self._engine) as conn:
            position = changes.lock_position(conn)
            if position.owner == self._owner:
                changes.move_position(conn, position._replace(owner=""))

    # -- Whose turn it is

    def _is_due(self) -> bool:
        """Return whether there is something to do for this writer: known without a transaction that writes."""
        with reading(self._engine) as conn:
            position = changes.read_position(conn)
            if position is None:
                return True
            if not self._may_write(position):
                return False
            if self._timer() - self._beaten >= BEAT_S:
                return True
            return changes.is_due(conn, self._clock()) or changes.has_alarms(conn, position.alarm_id)

    def _may_write(self, position: Position) -> bool:
        """Return whether this writer is the active one, or the active one has stood still for long."""
        if position.owner in ("", self._owner):
            return True
        now = self._timer()
        if self._seen != (position.owner, position.beat):
            self._seen, self._seen_at = (position.owner, position.beat), now
        return now - self._seen_at >= TAKE_OVER_S

    # -- Grouping

    def _take(self, conn: Connection, position: Position, new: Sequence[_New], now: float) -> Position:
        known = changes.are_members(conn, [alarm for alarm, _ in new])  # scored again by another model
        fresh = [(alarm, stored) for alarm, stored in new if alarm[:2] not in known]
        slowest = max([position.slowest_s, *(alarm.interval_s for alarm, _ in fresh)])
        position = position._replace(alarm_id=new[-1][1].id, slowest_s=slowest)
        self._know_fleet(conn, [alarm.name for alarm, _ in fresh])
        for stretch in _stretches(fresh):
            position = self._group(conn, position, stretch, now)
        return position

    def _know_fleet(self, conn: Connection, names: Sequence[str]) -> None:
        is_old = self._timer() - self._fleet_at >= FLEET_AGE_S
        if is_old or any(name not in self._fleet for name in names):
            self._fleet = Fleet(changes.monitored_names(conn))
            self._fleet_at = self._timer()

    def _group(self, conn: Connection, position: Position, new: Sequence[_New], now: float) -> Position:
        """Put alarms of one stretch of time into incidents."""
        reach = reach_s(position.slowest_s)
        around = changes.members_between(conn, new[0][0].timestamp - reach, new[-1][0].timestamp + reach)
        incident_of = {alarm[:2]: incident for alarm, incident in around}
        stored = {alarm[:2]: one for alarm, one in new}
        alarms = sorted(
            [alarm for alarm, _ in (*around, *new)],
            key=lambda alarm: (alarm.timestamp, alarm.uid, alarm.rowid),
        )
        found = chain(links(alarms, self._fleet, new=[alarm for alarm, _ in new]), _ties(alarms, incident_of))
        growth = changes.Growth(position.seq, now)
        for places in joined(len(alarms), found):
            together = [alarms[place] for place in places]
            fresh = [alarm for alarm in together if alarm[:2] in stored]
            incidents = sorted({incident_of[alarm[:2]] for alarm in together if alarm[:2] in incident_of})
            if not fresh and len(incidents) < 2:
                continue
            more = [_part(alarm, stored[alarm[:2]]) for alarm in fresh]
            ends = max((int(alarm.timestamp + open_s(alarm.interval_s)) for alarm in fresh), default=0)
            if incidents:
                changes.grow(conn, growth, incidents, fresh, more, ends)
                self.counters.add("incidents_joined", len(incidents) - 1)
            else:
                position = position._replace(incident_id=position.incident_id + 1)
                growth.begin(position.incident_id, fresh, more, ends)
                self.counters.add("incidents_opened", 1)
        growth.store(conn)
        return position


def _stretches(new: Sequence[_New]) -> Iterator[list[_New]]:
    """Yield alarms by time, those of one stretch together."""
    stretch: list[_New] = []
    for one in sorted(new, key=lambda one: (one[0].timestamp, one[0].uid, one[0].rowid)):
        if stretch and one[0].timestamp - stretch[0][0].timestamp > STRETCH_S:
            yield stretch
            stretch = []
        stretch.append(one)
    if stretch:
        yield stretch


def _ties(alarms: Sequence[Alarm], incident_of: Mapping[tuple[str, int], int]) -> Iterator[tuple[int, int]]:
    """Yield pairs of places that are in one incident already."""
    first: dict[int, int] = {}
    for place, alarm in enumerate(alarms):
        incident = incident_of.get(alarm[:2])
        if incident is not None:
            yield first.setdefault(incident, place), place


def _part(alarm: Alarm, stored: StoredAlarm) -> Part:
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
