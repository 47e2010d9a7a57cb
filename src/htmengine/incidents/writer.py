"""The writer of incidents: takes alarms and silences as they are stored and puts each into an incident.

Of several writers one is active, by its lease. That only saves work:
each step is one transaction behind a lock, so that two writers at once do what one does.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Final, NamedTuple

from sqlalchemy import Connection

from htmengine.incidents import changes
from htmengine.incidents.changes import NewAlarm, Position
from htmengine.incidents.grouping import Alarm, joined, links, reach_s
from htmengine.incidents.names import Fleet
from htmengine.repository.database import Database
from htmengine.repository.silences import Silence
from htmengine.service.counters import Counters
from htmengine.service.fault_injection import Step, no_step
from htmengine.service.lease import Lease

NAME: Final = "incidents"
BATCH_SIZE: Final = 5000
"""Alarms in one transaction."""
HOUR_S: Final = 3600
HOURS_BATCH_SIZE: Final = 24
"""Alarms around so many hours are looked at together."""
FLEET_AGE_S: Final = 600.0
"""How long the sizes of groups are taken to be as they were."""


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
        database: Database,
        *,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
        step: Step = no_step,
        batch_size: int = BATCH_SIZE,
    ) -> None:
        self.counters = Counters()
        self._database = database
        self._clock = clock
        self._timer = timer
        self._step = step
        self._batch_size = batch_size
        self._lease = Lease(timer)
        self._fleet = Fleet([])
        self._fleet_at = -FLEET_AGE_S

    def work(self) -> bool:
        """Put the next alarms into incidents, and resolve those that are over; return whether more may wait than a few that have just come.

        What belongs together is worked out before the transaction that writes, which others wait for. That transaction
        verifies that nobody else changed incidents meanwhile.
        """
        with self._database.read() as conn:
            position = changes.read_position(conn)
            if position is not None and not self._is_due(conn, position):
                return False
            plan = self._plan(conn, position or changes.BEGIN)
        now = self._clock()
        with self._database.write() as conn:
            locked = changes.lock_position(conn)
            if not locked.is_same_as(plan.position):
                return True
            position = plan.after._replace(owner=self._lease.owner, beat=locked.beat + 1, seq=locked.seq + 1)
            if plan.new:
                position = self._store(conn, position, plan, now)
            if plan.ended:
                changes.end_silences(conn, plan.ended, position.seq)
            resolved = changes.resolve_due(conn, position.seq, now)
            changes.move_position(conn, position)
            self._step(f"{NAME}.stored")
        self._lease.renewed()
        self._step(f"{NAME}.committed")
        self.counters.add("alarms", plan.new)
        self.counters.add("incidents_resolved", resolved)
        return plan.more

    def close(self) -> None:
        """Let another writer take over at once."""
        with self._database.write() as conn:
            position = changes.lock_position(conn)
            if position.owner == self._lease.owner:
                changes.move_position(conn, position._replace(owner=""))

    # -- Whose turn it is

    def _is_due(self, conn: Connection, position: Position) -> bool:
        """Return whether there is something to do for this writer."""
        if not self._lease.may_write(position.owner, position.beat):
            return False
        if self._lease.is_due():
            return True
        return (
            changes.is_due(conn, self._clock())
            or changes.has_alarms(conn, position.alarm_id)
            or changes.has_silences(conn, position.silence_seq)
        )

    # -- Grouping

    def _plan(self, conn: Connection, position: Position) -> _Plan:
        """Return which of the next alarms belong together, and with which incidents; of silences, where no alarm waits."""
        waiting = changes.new_alarms(conn, position.alarm_id, limit=self._batch_size)
        silent = None
        if not waiting:
            silent = changes.new_silences(conn, position.silence_seq, limit=self._batch_size)
            waiting = silent.found if silent else []
        slowest = max([position.slowest_s, *(one.alarm.interval_s for one in waiting)])
        taken, spans = _spans(waiting, reach_s(slowest), HOURS_BATCH_SIZE if silent is None else math.inf)
        known = changes.are_members(
            conn, [one.alarm for one in taken]
        )  # scored again by another model, or ended
        new = {one.alarm[:2]: one for one in taken if one.alarm[:2] not in known}
        self._know_fleet(conn, [one.alarm.name for one in new.values()])
        around = [member for since, until in spans for member in changes.members_between(conn, since, until)]
        incident_of = {alarm[:2]: incident for alarm, incident in around}
        alarms = sorted([*(one.alarm for one in new.values()), *(alarm for alarm, _ in around)], key=_in_time)
        fresh = [one.alarm for one in new.values()]
        found = chain(links(alarms, self._fleet, new=fresh), _ties(alarms, incident_of))
        together = []
        for places in joined(len(alarms), found) if new else ():
            own = [alarms[place] for place in places]
            added = [new[alarm[:2]] for alarm in own if alarm[:2] in new]
            incidents = sorted({incident_of[alarm[:2]] for alarm in own if alarm[:2] in incident_of})
            if added or len(incidents) > 1:
                together.append(_Together(added, incidents))
        after = position._replace(slowest_s=slowest)
        if silent is not None:
            after = after._replace(silence_seq=silent.seq)
        elif taken:
            after = after._replace(alarm_id=taken[-1].id)
        if silent is not None:
            more = bool(taken)
        else:  # a few alarms after these wait for the next turn: each looks at all that are around its own
            is_full = len(taken) < len(waiting) or len(waiting) >= self._batch_size
            more = is_full or changes.has_silences(conn, position.silence_seq)
        return _Plan(position, after, together, len(taken), silent.ended if silent else [], more)

    def _know_fleet(self, conn: Connection, names: Sequence[str]) -> None:
        is_old = self._timer() - self._fleet_at >= FLEET_AGE_S
        if is_old or any(name not in self._fleet for name in names):
            self._fleet = Fleet(changes.monitored_names(conn))
            self._fleet_at = self._timer()

    def _store(self, conn: Connection, position: Position, plan: _Plan, now: float) -> Position:
        """Store what belongs together, and return how far the writer has come then."""
        growth = changes.Growth(position.seq, now)
        newest = position.incident_id
        for own in plan.together:
            alarms, parts = [one.alarm for one in own.new], [one.part for one in own.new]
            ends = max((one.ends for one in own.new), default=0)
            if own.incidents:
                changes.grow(conn, growth, own.incidents, alarms, parts, ends)
                self.counters.add("incidents_joined", len(own.incidents) - 1)
            else:
                newest += 1
                growth.begin(newest, alarms, parts, ends)
        growth.store(conn)
        self.counters.add("incidents_opened", newest - position.incident_id)
        return position._replace(incident_id=newest)


class _Together(NamedTuple):
    """New alarms that belong together, and the incidents that they join, ascending."""

    new: list[NewAlarm]
    incidents: list[int]


class _Plan(NamedTuple):
    """What is to be stored."""

    position: Position
    """It holds for these incidents."""
    after: Position
    """How far the writer has come then, but for the incidents themselves."""
    together: list[_Together]
    new: int
    """How many alarms were taken."""
    ended: list[Silence]
    more: bool
    """Whether more than a few that have just come may wait."""


def _in_time(alarm: Alarm) -> tuple[int, str, int]:
    return alarm.timestamp, alarm.uid, alarm.rowid


def _spans(
    waiting: Sequence[NewAlarm], reach: float, max_hours: float
) -> tuple[list[NewAlarm], list[tuple[float, float]]]:
    """Return the first of these alarms, and the times around them: so few that all alarms there fit into memory."""
    hours: set[int] = set()
    taken: list[NewAlarm] = []
    for one in waiting:
        time = one.alarm.timestamp
        hours.update(range(int((time - reach) // HOUR_S), int((time + reach) // HOUR_S) + 1))
        if taken and len(hours) > max_hours:
            break
        taken.append(one)
    spans: list[tuple[float, float]] = []
    for time in sorted(one.alarm.timestamp for one in taken):
        if spans and time - reach <= spans[-1][1]:
            spans[-1] = spans[-1][0], time + reach
        else:
            spans.append((time - reach, time + reach))
    return taken, spans


def _ties(alarms: Sequence[Alarm], incident_of: Mapping[tuple[str, int], int]) -> Iterator[tuple[int, int]]:
    """Yield pairs of places that are in one incident already."""
    first: dict[int, int] = {}
    for place, alarm in enumerate(alarms):
        incident = incident_of.get(alarm[:2])
        if incident is not None:
            yield first.setdefault(incident, place), place
