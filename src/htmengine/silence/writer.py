"""The writer of silences: looks at the metrics that are overdue, and stores which of them are silent, and which are no more.

A silence is judged by this machine's clock and by what is stored. Messages that wait to be stored are waited for: what was
accepted before them is stored. Time in which this writer did not run, or stood still, does not count.

Of several writers one is active, by its lease. What it knows is in memory; it is read from the repository when it begins.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy import Connection

from htmengine.errors import ConfigError
from htmengine.repository import metrics, silences
from htmengine.repository.database import Database
from htmengine.repository.listing import Listed, every_metric
from htmengine.repository.metrics import MetricState
from htmengine.repository.silences import Position, Silence
from htmengine.repository.status import WITH_MODEL
from htmengine.runtime.metric_storer import monitor_rules
from htmengine.service.counters import Counters
from htmengine.service.fault_injection import Step, no_step
from htmengine.service.lease import Lease
from htmengine.silence.rhythm import Rhythm
from htmengine.silence.watch import Begun, Ended, Watch
from htmengine.system.interning import Interned

NAME: Final = "silence"
BATCH_SIZE: Final = 2000
"""Metrics that are looked at in one step."""
LIST_S: Final = 10.0
"""So often all metrics are listed, for those that were made or deleted."""
LIST_SHARE: Final = 0.005
"""Of the time, what listing them may take."""
STOOD_STILL_S: Final = 60.0
"""Of a pause that is longer nobody knows whether samples came in: the machine slept, or its clock was set."""
MAX_STORED: Final = 5000
"""Rhythms that are stored in one step."""
MAX_SAME: Final = 1000
_CHANGED: Final = 1.25
"""A rhythm is stored when what it says has changed by this factor."""

log = logging.getLogger(__name__)


class LimitsFile:
    """What a file of rules says of silences; it is read again when it changes.

    Parameters
    ----------
    path : None where there is none.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._seen: int | None = None
        self._rules = monitor_rules.Rules()

    def has_changed(self) -> bool:
        """Read the file if it has changed, and tell whether it has; one with faults leaves the rules as they are."""
        try:
            seen = self._path.stat().st_mtime_ns if self._path else None
        except OSError:
            return False
        if self._path is None or seen == self._seen:
            return False
        self._seen = seen
        try:
            self._rules = monitor_rules.load(self._path)
        except ConfigError as error:
            log.error("%s.rules_not_used reason=%s: the old ones stay", NAME, error)
            return False
        return True

    def limit(self, name: str) -> float | None:
        """Return after how long a metric is silent, infinity for never; None where that is learned."""
        return self._rules.way_of_stored(name).silence_s


class Writer:
    """Finds and ends silences, step by step.

    Parameters
    ----------
    waiting_s : returns for how long the oldest sample that is not stored has been waiting; infinity if nobody knows.
    limits : what rules say.
    clock : seconds since the epoch.
    timer : seconds that only grow.
    step : told the name of each step when it is done.
    """

    def __init__(
        self,
        database: Database,
        waiting_s: Callable[[], float],
        limits: LimitsFile,
        *,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
        step: Step = no_step,
    ) -> None:
        self.counters = Counters()
        self._database = database
        self._waiting_s = waiting_s
        self._limits = limits
        self._clock = clock
        self._timer = timer
        self._step = step
        self._lease = Lease(timer)
        self._watch: Watch | None = None
        self._listed_at = -math.inf
        self._list_s = LIST_S
        self._looked_at = -math.inf
        self._gists: dict[str, object] = {}
        """What of each rhythm is stored; many metrics have the same."""
        self._interned = Interned[object](MAX_SAME)
        self._changed: dict[str, Rhythm] = {}
        """Rhythms that are to be stored."""
        self._silent: dict[str, int] = {}
        """By metric, the silence that lasts."""

    def work(self) -> bool:
        """Look at the metrics that are due, and store what has become of them; return whether more may be due."""
        try:
            return self._work()
        except BaseException:
            self._watch = None  # what it knows may be ahead of what is stored
            raise

    def close(self) -> None:
        """Let another writer take over at once."""
        self._watch = None
        with self._database.write() as conn:
            position = silences.lock_position(conn)
            if position.owner == self._lease.owner:
                silences.move_position(conn, position._replace(owner=""))

    def _work(self) -> bool:
        with self._database.read() as conn:
            position = silences.read_position(conn) or silences.BEGIN
        if not self._lease.may_write(position.owner, position.beat):
            self._watch = None
            return False
        if position.owner != self._lease.owner:
            self._watch = None
        now = self._clock()
        heard = now - self._waiting_s()
        with self._database.read() as conn:
            watch, gone = self._awake(conn, now)
            if not 0 <= now - self._listed_at < self._list_s:
                gone = self._list(conn, watch, now)
            due = watch.due(heard, BATCH_SIZE)
            events = self._look(conn, watch, due, heard, gone)
            begun = self._begun(conn, [event for event in events if isinstance(event, Begun)])
        ended = {event.uid: event.until for event in events if isinstance(event, Ended)}
        ended |= {uid: int(now) for uid in gone if uid in self._silent}
        if begun or ended or gone or self._changed or self._lease.is_due() or not position.owner:
            self._store(position, begun, ended, gone)
        return len(due) == BATCH_SIZE

    def _awake(self, conn: Connection, now: float) -> tuple[Watch, set[str]]:
        """Return the watch, which begins anew where nobody has watched, and metrics that it finds gone then."""
        looked_at, self._looked_at = self._looked_at, now
        rules_changed = self._limits.has_changed()
        gone: set[str] = set()
        if self._watch is None:
            self._watch, gone = self._begin(conn, now)
        else:
            if rules_changed:
                names = ((metric.uid, metric.name) for part in every_metric(conn) for metric in part)
                self._watch.follow(self._limits.limit, names, now)
            if not 0 <= now - looked_at <= STOOD_STILL_S:
                self._watch.resume(looked_at, now)
        return self._watch, gone

    def _begin(self, conn: Connection, now: float) -> tuple[Watch, set[str]]:
        """Read what is known of all metrics; return also those that are gone, of which something is known."""
        watch = Watch(self._limits.limit, now)
        self._silent = {silence.uid: silence.id for silence in silences.lasting(conn)}
        self._gists = {}
        self._changed = {}
        after = ""
        for part in every_metric(conn):
            stored = silences.rhythms(conn, after=after, upto=part[-1].uid)
            after = part[-1].uid
            for metric in part:
                if metric.status in WITH_MODEL:
                    text, rhythm = stored.pop(metric.uid, None), None
                    if text is not None:
                        rhythm = msgspec.json.decode(text, type=Rhythm)
                        self._gists[metric.uid] = self._interned.one(_gist(rhythm))
                    self._enter(watch, metric, now, rhythm)
            self._gists.update(dict.fromkeys(stored))
        self._gists.update(dict.fromkeys(silences.rhythms(conn, after=after)))
        self._listed_at, self._list_s = now, LIST_S
        return watch, {*self._gists, *self._silent}.difference(watch.uids())

    def _enter(
        self, watch: Watch, metric: Listed, now: float, rhythm: Rhythm | None, *, is_new: bool = False
    ) -> None:
        watch.enter(
            metric.uid,
            metric.name,
            metric.last_rowid,
            metric.tail_timestamp,
            now,
            rhythm=rhythm,
            silent=metric.uid in self._silent,
            is_new=is_new,
        )

    def _list(self, conn: Connection, watch: Watch, now: float) -> set[str]:
        """Take the metrics that are new, and return those that are watched no more."""
        self._listed_at, began = now, self._timer()
        gone = {*watch.uids(), *self._gists, *self._silent}
        for part in every_metric(conn):
            for metric in part:
                if metric.status in WITH_MODEL:
                    gone.discard(metric.uid)
                    if metric.uid not in watch:
                        self._enter(watch, metric, now, None, is_new=True)
        self._list_s = max(LIST_S, (self._timer() - began) / LIST_SHARE)
        for uid in gone:
            watch.forget(uid)
        return gone

    def _look(
        self, conn: Connection, watch: Watch, due: Sequence[str], heard: float, gone: set[str]
    ) -> list[Begun | Ended]:
        """Look at metrics, and return what has become of them; those that have no model any more are added to `gone`."""
        states = metrics.states(conn, due)
        rows = self._rows(conn, watch, states)
        events: list[Begun | Ended] = []
        for uid in due:
            state = states.get(uid)
            if state is None or state.status not in WITH_MODEL:
                watch.forget(uid)
                gone.add(uid)
                continue
            event, rhythm = watch.look(uid, state.last_rowid, state.tail_timestamp, rows.get(uid, ()), heard)
            if event is not None:
                events.append(event)
            if rhythm.is_known and self._gists.get(uid) != _gist(rhythm):
                self._changed[uid] = rhythm
        self.counters.add("looked_at", len(due))
        return events

    def _rows(
        self, conn: Connection, watch: Watch, states: Mapping[str, MetricState]
    ) -> dict[str, Sequence[tuple[int, int]]]:
        """Return rowid and timestamp of the rows that came since these metrics were looked at; where it is one, the metric says it."""
        rows: dict[str, Sequence[tuple[int, int]]] = {}
        spans: dict[str, tuple[int, int]] = {}
        for uid, state in states.items():
            seen, last = watch.rowid(uid), state.last_rowid
            if last == seen + 1 and state.tail_timestamp is not None:
                rows[uid] = [(last, state.tail_timestamp)]
            elif last > seen:
                spans[uid] = seen, last
        return rows | silences.timestamps(conn, spans) if spans else rows

    def _begun(self, conn: Connection, events: Sequence[Begun]) -> list[Silence]:
        """Return silences that are to be stored, without their numbers."""
        values = silences.values(conn, [(event.uid, event.rowid) for event in events])
        return [
            Silence(
                id=0,
                seq=0,
                uid=event.uid,
                rowid=event.rowid,
                since=event.since,
                value=values.get((event.uid, event.rowid)),
                interval_s=max(1.0, event.interval_s),
                found=event.found,
            )
            for event in events
        ]

    def _store(
        self, position: Position, begun: Sequence[Silence], ended: dict[str, int], gone: set[str]
    ) -> None:
        """Store what has changed, and renew the lease. Nothing is stored where another writer was at work meanwhile."""
        seq = position.seq + 1 if begun or ended else position.seq
        found = [
            silence._replace(id=position.silence_id + place, seq=seq)
            for place, silence in enumerate(begun, 1)
        ]
        some = dict(list(self._changed.items())[:MAX_STORED])
        with self._database.write() as conn:
            locked = silences.lock_position(conn)
            if (locked.owner, locked.seq) != (position.owner, position.seq):
                self._watch = None
                return
            silences.add(conn, found)
            until = {self._silent[uid]: until for uid, until in ended.items() if uid in self._silent}
            silences.end(conn, until, seq)
            silences.forget(conn, gone)
            silences.store_rhythms(
                conn,
                {
                    uid: msgspec.json.encode(rhythm).decode()
                    for uid, rhythm in some.items()
                    if uid not in gone
                },
            )
            newest = position.silence_id + len(found)
            silences.move_position(conn, Position(newest, seq, self._lease.owner, locked.beat + 1))
            self._step(f"{NAME}.stored")
        self._lease.renewed()
        self._step(f"{NAME}.committed")
        for uid in ended:
            self._silent.pop(uid, None)
        self._silent |= {silence.uid: silence.id for silence in found}
        for uid, rhythm in some.items():
            self._gists[uid] = self._interned.one(_gist(rhythm))
            del self._changed[uid]
        for uid in gone:
            self._gists.pop(uid, None)
            self._changed.pop(uid, None)
        self.counters.add("silences_found", len(found))
        self.counters.add("silences_ended", len(until))


def _gist(rhythm: Rhythm) -> object:
    """Return what makes a rhythm worth storing: coarse, so that it changes seldom."""
    return (
        rhythm.live,
        rhythm.pauses,
        *(
            round(math.log(1.0 + seconds) / math.log(_CHANGED))
            for seconds in (rhythm.interval_s, rhythm.tolerance_s, rhythm.lateness_s)
        ),
    )
