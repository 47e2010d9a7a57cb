"""The writer of the outbox: looks at incidents as they change, and stores what is due of each, to every target.

Of several writers one is active, by its lease. What is due is worked out before the transaction that stores it, which others
wait for; that transaction verifies that nobody else wrote meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from typing import Final, NamedTuple

from sqlalchemy import Connection

from htmengine.alerts import budget, deliveries, routing
from htmengine.alerts.deliveries import Delivery, Position
from htmengine.alerts.history import alarms_of
from htmengine.alerts.rules import Rules
from htmengine.incidents import store
from htmengine.incidents.ids import number_of
from htmengine.incidents.store import Incident
from htmengine.repository.database import Database
from htmengine.service.counters import Counters
from htmengine.service.fault_injection import Step, no_step
from htmengine.service.lease import Lease

NAME: Final = "alerts"
BATCH_SIZE: Final = 500
"""Changed incidents that are looked at together."""
RECHECK_S: Final = 10.0
"""So often open incidents are looked at that did not change: times pass, and people snooze for a while."""
THRESHOLDS_AGE_S: Final = 3600.0
"""How long the scores that budgets take hold."""


class _Plan(NamedTuple):
    """What is to be stored."""

    position: Position
    """It holds for this deliveries."""
    seq: int
    rows: list[Delivery]
    more: bool
    """Whether more changes may wait."""


class Writer:
    """Stores what is due, step by step.

    Parameters
    ----------
    page : where users reach the page, with a slash at its end; None if nobody has told.
    clock : seconds since the epoch.
    timer : seconds that only grow.
    step : told the name of each step when it is done.
    """

    def __init__(
        self,
        database: Database,
        rules: Rules,
        *,
        page: str | None = None,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
        step: Step = no_step,
    ) -> None:
        self.counters = Counters()
        self.is_active = False
        """Whether this writer is the one that writes and sends, as far as it knows."""
        self._database = database
        self._rules = rules
        self._page = page
        self._clock = clock
        self._timer = timer
        self._step = step
        self._lease = Lease(timer)
        self._installation = ""
        self._checked = -RECHECK_S
        self._thresholds: dict[str, float] = {}
        self._thresholds_at = -THRESHOLDS_AGE_S

    @property
    def owner(self) -> str:
        """What names this writer among all."""
        return self._lease.owner

    def follow(self, rules: Rules) -> None:
        """Go by other rules from now on."""
        self._rules = rules
        self._thresholds_at = -THRESHOLDS_AGE_S
        self._checked = -RECHECK_S

    def work(self) -> bool:
        """Store what is due of the next incidents that changed; return whether more may wait."""
        with self._database.read() as conn:
            position = deliveries.read_position(conn)
            if position is not None and not self._lease.may_write(position.owner, position.beat):
                self.is_active = False
                return False
        if position is None or not self._installation:
            with self._database.write() as conn:
                position = deliveries.begin(conn, store.last_seq(conn))
                self._installation = deliveries.installation_id(conn)
        with self._database.read() as conn:
            plan = self._plan(conn, position)
        is_ours = position.owner == self._lease.owner
        if is_ours and not (plan.rows or plan.seq != position.seq or self._lease.is_due()):
            return False
        with self._database.write() as conn:
            locked = deliveries.begin(conn, 0)
            if (locked.seq, locked.delivery_id) != (position.seq, position.delivery_id):
                return True
            deliveries.add(conn, plan.rows)
            newest = plan.rows[-1].id if plan.rows else position.delivery_id
            deliveries.move(conn, Position(plan.seq, newest, self._lease.owner, locked.beat + 1))
            self._step(f"{NAME}.stored")
        self.is_active = True
        self._lease.renewed()
        self._step(f"{NAME}.committed")
        for row in plan.rows:
            self.counters.add("suppressed" if row.state == "suppressed" else "notices")
        return plan.more

    def is_fresh(self) -> bool:
        """Tell whether no other writer can have taken over, so that what is due may be sent."""
        return self.is_active and self._lease.is_fresh()

    def close(self) -> None:
        """Let another writer take over at once."""
        self.is_active = False
        with self._database.write() as conn:
            position = deliveries.begin(conn, store.last_seq(conn))
            if position.owner == self._lease.owner:
                deliveries.move(conn, position._replace(owner=""))

    def _plan(self, conn: Connection, position: Position) -> _Plan:
        """Return what is due of incidents that changed, and of those that are told of and may be due by the clock."""
        changed = store.changed_since(conn, position.seq, limit=BATCH_SIZE)
        seq = max((incident["seq"] for incident in changed), default=position.seq)
        incidents = {number_of(incident["id"]) or 0: incident for incident in changed}
        now = self._timer()
        if now - self._checked >= RECHECK_S:
            self._checked = now
            waiting = set(store.open_numbers(conn)).difference(incidents)
            incidents |= {number_of(one["id"]) or 0: one for one in store.incidents_of(conn, waiting)}
        rows = self._rows(conn, position.delivery_id, incidents) if incidents else []
        return _Plan(position, seq, rows, more=len(changed) >= BATCH_SIZE)

    def _rows(self, conn: Connection, newest: int, incidents: Mapping[int, Incident]) -> list[Delivery]:
        known = deliveries.of_incidents(conn, incidents)
        sizes = {
            number: incident["alarm_count"]
            for number, incident in incidents.items()
            if incident["state"] != store.MERGED
        }
        alarms = alarms_of(conn, sizes)
        around = self._surroundings(conn, {alarm.uid for own in alarms.values() for alarm in own})
        rows: list[Delivery] = []
        for number, incident in sorted(incidents.items(), key=_ended_first):
            for found in routing.due(incident, alarms.get(number, []), known.get(number, []), around):
                newest += 1
                said = routing.notice_of(found, incident, newest, around)
                rows.append(
                    deliveries.new(
                        newest,
                        found.target,
                        said,
                        around.now,
                        incident=number,
                        state=found.state,
                        reason=found.reason,
                    )
                )
        return rows

    def _surroundings(self, conn: Connection, uids: Collection[str]) -> routing.Surroundings:
        now = self._clock()
        if self._timer() - self._thresholds_at >= THRESHOLDS_AGE_S:
            self._thresholds = budget.thresholds(conn, self._rules, now)
            self._thresholds_at = self._timer()
        # Times of samples: those of history count, too, and an incident may be older than its notice.
        since = now - self._rules.max_age_s - routing.longest_cooldown_s(self._rules) - 86_400
        return routing.Surroundings(
            now=now,
            rules=self._rules,
            thresholds=self._thresholds,
            disabled=deliveries.disabled_targets(conn),
            installation=self._installation,
            page=self._page,
            recent=deliveries.recently_told(conn, uids, since)
            if routing.longest_cooldown_s(self._rules)
            else {},
        )


def _ended_first(item: tuple[int, Incident]) -> tuple[bool, int]:
    """Return a key by which what is over is told before what began of it."""
    number, incident = item
    return incident["state"] == store.OPEN, number
