"""The sender: gives notices to targets, one at a time to each, and notes what came of it.

Of one incident a target is told in order. What fails is tried again, with growing pauses; what was not told when the incident
is over is told together with its end. What cannot be delivered is told to the other targets.

A notice is noted as delivered after it was handed over. A process that is killed in between sends it again, under the same
identity: nothing is missing, and receivers that know what they have show it once.
"""

from __future__ import annotations

import heapq
import logging
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Final

import msgspec
from sqlalchemy import Connection

from htmengine.alerts import deliveries, engine_notices
from htmengine.alerts import notice as notices
from htmengine.alerts.deliveries import Delivery
from htmengine.alerts.engine_notices import Trouble
from htmengine.alerts.notice import First, Notice
from htmengine.alerts.targets.api import TIMEOUT_S, Delivered, Gone, Outcome, Refused, Retry, Target
from htmengine.repository.database import Database
from htmengine.service.counters import Counters
from htmengine.service.fault_injection import Step, no_step
from htmengine.service.retry import ShutdownRequested, retry_while_unavailable
from htmengine.system.thread_names import show_thread_name

NAME: Final = "alerts"
PAUSES_S: Final = (5.0, 30.0, 120.0, 600.0, 3600.0, 14_400.0, 43_200.0)
"""Before each further try; after the last one a notice is given up: it would tell of what nobody remembers."""
LATE_TRIES: Final = 5
"""After so many in vain, some quarter of an hour, the other targets are told: a notice is given up only a day later."""
JITTER: Final = 0.2
MAX_IN_A_ROW: Final = 50
"""Notices that a target is given before what is due is read again, which takes longer the more there is."""
IN_A_ROW_S: Final = 5.0
"""The same, by time."""
OVERTAKEN: Final = "the incident was over before this could be sent"
NO_TARGET: Final = "there is no such target any more"
CLOSE_S: Final = TIMEOUT_S + 5
TROUBLE_RULE: Final = "delivery"

log = logging.getLogger(__name__)


class Sender:
    """Sends what is due.

    Parameters
    ----------
    wake : called when a target is free again.
    clock : seconds since the epoch.
    timer : seconds that only grow.
    step : told the name of each step when it is done.
    draw : returns a number from 0 to 1.
    """

    def __init__(
        self,
        database: Database,
        targets: Mapping[str, Target],
        *,
        stop: threading.Event,
        wake: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
        step: Step = no_step,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.counters = Counters()
        self._database = database
        self._targets = dict(targets)
        self._stop = stop
        self._wake = wake
        self._clock = clock
        self._timer = timer
        self._step = step
        self._draw = draw
        self._lock = threading.Lock()
        self._busy: dict[str, threading.Thread] = {}
        self._not_before: dict[str, float] = {}
        """Targets that asked for a pause: when it ends."""
        self._repeated: dict[str, float] = {}
        self._retired: list[Target] = []
        """Targets that are no longer used, and may be busy still."""

    def use(self, targets: Mapping[str, Target]) -> None:
        """Send to these targets from now on; the others are closed when they are free."""
        kept = {id(target) for target in targets.values()}
        self._retired += [target for target in self._targets.values() if id(target) not in kept]
        self._targets = dict(targets)
        self._not_before.clear()
        self._repeated.clear()

    def work(self) -> None:
        """Give each target that is free what is due to it."""
        now = self._clock()
        free = [name for name in self._targets if not self._is_busy(name)]
        if len(free) == len(self._targets):
            while self._retired:
                self._retired.pop().close()
        with self._database.read() as conn:
            disabled = deliveries.disabled_targets(conn)
            waiting = set(deliveries.waiting_targets(conn))
            rows = {
                name: deliveries.unfinished(conn, name)
                for name in free
                if name in waiting and name not in disabled
            }
            repeats = {name: self._due_repeats(conn, name, now) for name in free if name not in disabled}
        for name in waiting:
            if name in disabled:
                self._suppress(name, f"the target is disabled: {disabled[name].reason}")
            elif name not in self._targets:
                self._suppress(name, NO_TARGET)
        for name in free:
            if now < self._not_before.get(name, 0.0):
                continue
            target = self._targets[name]
            found = self._next(rows[name], now) if name in rows else []
            repeated = repeats.get(name)
            if found and not (repeated and self._is_late(target)):
                self._start(name, partial(self._send_all, target, found))
            elif repeated:
                self._repeated[name] = self._timer()
                self._start(name, partial(self._repeat, target, repeated))

    def wait(self, timeout_s: float) -> bool:
        """Wait for what is being sent to be noted; return whether it was in this time."""
        deadline = self._timer() + timeout_s
        with self._lock:
            threads = list(self._busy.values())
        for thread in threads:
            thread.join(max(0.0, deadline - self._timer()))
        return not any(thread.is_alive() for thread in threads)

    def close(self) -> None:
        """Wait for what is being sent to be noted, and close the targets."""
        self.wait(CLOSE_S)
        for target in [*self._targets.values(), *self._retired]:
            target.close()

    # -- What is next

    def _next(self, rows: Sequence[Delivery], now: float) -> list[Delivery]:
        """Return what is to be sent next of what a target is due, each of another incident or trouble.

        What was overtaken by its end is noted as such.
        """
        found: list[Delivery] = []
        for _, own in groupby(sorted(rows, key=_by_thread), key=_thread):
            thread = list(own)
            ends = [place for place, row in enumerate(thread) if row.kind == "resolved"]
            if ends and ends[0] > 0:
                thread = self._overtake(thread[: ends[0]], thread[ends[0]])
            if thread[0].due is not None and thread[0].due <= now:
                found.append(thread[0])
        return heapq.nsmallest(MAX_IN_A_ROW, found, key=lambda row: (row.due or 0.0, row.id))

    def _overtake(self, early: Sequence[Delivery], end: Delivery) -> list[Delivery]:
        """Note that an incident is over before its beginning, or news of it, was sent; return the end."""
        now = int(self._clock())
        with self._database.write() as conn:
            if end.incident is None:
                known = [row for one in (*early, end) if (row := deliveries.get(conn, one.id))]
            else:
                known = deliveries.of_incidents(conn, [end.incident])[end.incident]
            taken = [row for row in known if row.target == end.target and row.state == "delivered"]
            for row in known:
                if any(row.id == one.id for one in early):
                    deliveries.change(
                        conn, row._replace(state="suppressed", reason=OVERTAKEN, due=None, done=now)
                    )
            stored = next(row for row in known if row.id == end.id)
            if not taken:
                said = notices.decode(stored.notice)
                first = First(said.id, said.severity, said.first_mover)
                said = msgspec.structs.replace(said, first=first)
                stored = stored._replace(notice=notices.encode(said).decode())
                deliveries.change(conn, stored)
        self.counters.add("overtaken", len(early))
        return [stored]

    def _suppress(self, target: str, reason: str) -> None:
        now = int(self._clock())
        with self._database.write() as conn:
            for row in deliveries.unfinished(conn, target):
                deliveries.finish(conn, row.id, "suppressed", reason, now)

    # -- Sending, in a thread of each target's own

    def _is_busy(self, name: str) -> bool:
        with self._lock:
            return name in self._busy

    def _start(self, name: str, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=self._run, args=(name, work), name=f"alert_{name}"[:40], daemon=True)
        with self._lock:
            self._busy[name] = thread
        thread.start()

    def _run(self, name: str, work: Callable[[], None]) -> None:
        show_thread_name()
        try:
            work()
        except ShutdownRequested:
            pass  # it is sent again
        except Exception:
            log.exception("%s.failed target=%s", NAME, name)
        finally:
            with self._lock:
                del self._busy[name]
            self._wake()

    def _send_all(self, target: Target, rows: Sequence[Delivery]) -> None:
        """Send notices one after the other, until one is not taken: what is due is read again then, or after a while."""
        end = self._timer() + IN_A_ROW_S
        for row in rows:
            if not self._send(target, row) or self._stop.is_set() or self._timer() > end:
                return

    def _send(self, target: Target, row: Delivery) -> bool:
        """Send a notice, and return whether it was taken, or is not to be sent any more."""
        with self._database.read() as conn:
            stored = deliveries.get(conn, row.id)
        if stored is None or stored.due is None:
            return True
        outcome = self._handed_over(target, notices.decode(stored.notice))
        self._step(f"{NAME}.sent")
        retry_while_unavailable(partial(self._note, target, stored.id, outcome), NAME, self._stop)
        self._step(f"{NAME}.noted")
        return isinstance(outcome, Delivered)

    def _repeat(self, target: Target, ids: Sequence[int]) -> None:
        for id_ in ids:
            if self._stop.is_set():
                return
            with self._database.read() as conn:
                row = deliveries.get(conn, id_)
            if row is not None:
                outcome = self._handed_over(target, notices.decode(row.notice))
                self.counters.add("repeated" if isinstance(outcome, Delivered) else "repeats_failed")
                if not isinstance(outcome, Delivered):
                    log.warning("%s.not_repeated target=%s reason=%s", NAME, target.name, outcome.reason)
                    return

    def _handed_over(self, target: Target, notice: Notice) -> Outcome:
        try:
            return target.send(notice)
        except Exception as error:
            log.exception("%s.target_failed target=%s", NAME, target.name)
            return Retry(f"it failed: {type(error).__name__}")

    def _due_repeats(self, conn: Connection, name: str, now: float) -> list[int]:
        """Return which notices a target wants again now."""
        target = self._targets[name]
        if target.repeat_s is None:
            return []
        last = self._repeated.get(name)
        if last is not None and self._timer() - last < target.repeat_s:
            return []
        found = deliveries.to_repeat(conn, name, now - target.repeat_resolved_s)
        if not found:
            self._repeated[name] = self._timer()
        return found

    def _is_late(self, target: Target) -> bool:
        """Return whether a target has waited for what it wants again as long as twice, since there was news all the time."""
        last = self._repeated.get(target.name)
        return last is None or self._timer() - last >= 2 * (target.repeat_s or 0.0)

    # -- What came of it

    def _note(self, target: Target, id_: int, outcome: Outcome) -> None:
        """Store what came of a try."""
        now = self._clock()
        with self._database.write() as conn:
            row = deliveries.get(conn, id_)
            if row is None or (row.due is None and not isinstance(outcome, Delivered)):
                return  # nothing was left to do any more
            tries = row.tries + 1
            match outcome:
                case Delivered(note):
                    after = row._replace(state="delivered", reason=note or None, due=None, done=int(now))
                case Retry(reason, after_s) if tries <= len(PAUSES_S):
                    pause = PAUSES_S[tries - 1] * (1 + JITTER * (2 * self._draw() - 1))
                    due = now + max(pause, after_s or 0.0)
                    after = row._replace(state="retrying", reason=reason, due=due)
                    if after_s:
                        self._not_before[target.name] = now + after_s
                case Retry(reason) | Refused(reason) | Gone(reason):
                    after = row._replace(state="dead", reason=reason, due=None, done=int(now))
            deliveries.change(conn, after._replace(tries=tries))
            if isinstance(outcome, Gone):
                deliveries.disable(conn, target.name, int(now), outcome.reason)
            is_late = after.state == "retrying" and tries >= LATE_TRIES
            if (is_late or after.state == "dead") and row.incident is not None:
                self._tell_others(conn, target.name, after, now)
            if after.state == "delivered":
                self._tell_all_is_well(conn, target.name, now)
            self._step(f"{NAME}.note_stored")
        self.counters.add(after.state)
        self.counters.add(f"{after.state}_to_{target.name}")
        if isinstance(outcome, Delivered):
            log.info("%s.delivered target=%s notice=%s", NAME, target.name, id_)
        else:
            level = logging.ERROR if after.state == "dead" else logging.WARNING
            log.log(
                level,
                "%s.not_delivered target=%s notice=%s state=%s tries=%s reason=%s",
                NAME,
                target.name,
                id_,
                after.state,
                tries,
                outcome.reason,
            )

    # -- Trouble with a target, told to the others

    def _tell_others(self, conn: Connection, target: str, failed: Delivery, now: float) -> None:
        """Tell the other targets that one takes no notices, unless they know."""
        known = {row.target for row in deliveries.open_troubles(conn, _trouble_rule(target))}
        what = "given up" if failed.state == "dead" else "tried in vain"
        one = f"{failed.kind} of incident i{failed.incident}"
        sentence = f"notices to the target {target} are not delivered; the last that was {what}: {one} ({failed.reason})"
        others = [name for name in self._targets if name != target and name not in known]
        engine_notices.add(conn, _trouble(target, sentence, now), "opened", dict.fromkeys(others), now)

    def _tell_all_is_well(self, conn: Connection, target: str, now: float) -> None:
        """Tell those who were told of trouble with a target that it takes notices again."""
        open_ = [
            row
            for row in deliveries.open_troubles(conn, _trouble_rule(target))
            if row.target in self._targets
        ]
        if open_:
            trouble = _trouble(target, f"notices to the target {target} are delivered again", now)
            begun = {row.target: notices.decode(row.notice) for row in open_}
            engine_notices.add(conn, trouble, "resolved", begun, now)


def _trouble_rule(target: str) -> str:
    """Return what stands for a rule where a target is in trouble."""
    return f"{TROUBLE_RULE} {target}"


def _trouble(target: str, sentence: str, now: float) -> Trouble:
    hint = "`htmengine alerts list` shows what was not delivered, and `htmengine alerts send-again` sends what was given up."
    return Trouble(_trouble_rule(target), "alerts", "warning", sentence, hint, now)


def _thread(row: Delivery) -> tuple[int, str]:
    """Return what is told in order: an incident, or a trouble of the engine."""
    return (0, row.rule) if row.incident is None else (row.incident, "")


def _by_thread(row: Delivery) -> tuple[tuple[int, str], int]:
    return _thread(row), row.id
