"""What keeps the server's memory up to date: the list of metrics, and batches of results as they are published."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Final

from htmengine.bus import Consumer, Delivery
from htmengine.bus.subscription import subscribed
from htmengine.errors import DependencyUnavailable
from htmengine.incidents import store
from htmengine.messages import BatchRow, MalformedMessage, decode_results_batch
from htmengine.repository import silences
from htmengine.repository.alarms import alarms_between
from htmengine.repository.listing import every_metric
from htmengine.service.context import Context
from htmengine.system.thread_names import show_thread_name
from htmengine.web.access import Access
from htmengine.web.fleet import Alarm, Fleet
from htmengine.web.stream import Hub
from htmengine.web.watch import Watch

QUEUE_LIMIT: Final = 10_000
"""Batches that may wait for this process."""
BATCH_S: Final = 0.1
"""Results that come within this time go out together."""
RECEIVE_S: Final = 0.25
"""So long at most the end of the server waits for results."""
LIST_EVERY_S: Final = 2.0
LIST_SHARE: Final = 0.01
"""Of the time, what listing the metrics may take. Those that have results appear with these."""
PAUSE_S: Final = 1.0
INCIDENTS_EVERY_S: Final = 1.0
MAX_NEW_NAMES: Final = 50
MAX_SILENCES: Final = 10_000
"""That are read at a time."""
START_S: Final = 3.0
HEALTH_EVERY_S: Final = 5.0
DAY_S: Final = 86400.0
MAX_ALARMS: Final = 200_000
"""Of the last day, the newest, that are read at the start."""

log = logging.getLogger(__name__)


class Feed:
    """Two threads that work until the context's `stop` is set."""

    def __init__(
        self,
        context: Context,
        fleet: Fleet,
        hub: Hub,
        access: Access,
        watch: Watch,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._context = context
        self._fleet = fleet
        self._hub = hub
        self._access = access
        self._watch = watch
        self.tell_health: Callable[[], None] = lambda: None
        """Called every few seconds."""
        self._clock = clock
        self._stop = threading.Event()
        self._filled = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(work,), name=name, daemon=True)
            for name, work in (
                ("web-list", self._keep_listing),
                ("web-results", self._take_results),
                ("web-incidents", self._follow_incidents),
                ("web-health", self._watch_health),
            )
        ]
        self.new_names: deque[tuple[str, float]] = deque(maxlen=MAX_NEW_NAMES)
        """Names of metrics that came last, with when they were seen first."""
        self._incident_seq = 0
        self._silence_seq = 0

    def start(self) -> None:
        """Begin, and wait a moment: a small fleet is there at once, a large one follows while the server answers."""
        for thread in self._threads:
            thread.start()
        self._filled.wait(START_S)

    def fill(self) -> None:
        """Read the list of metrics, and the alarms and incidents of the last day. Raises RepositoryUnavailable."""
        self.list_metrics()
        self._access.reload()
        now = self._clock()
        with self._context.database.read() as conn:
            found = alarms_between(conn, now - DAY_S, now + DAY_S, limit=MAX_ALARMS)
            self._incident_seq = store.last_seq(conn)
            self._fleet.open_members = store.members_of_open(conn)
            position = silences.read_position(conn) or silences.BEGIN
            silent = silences.lasting(conn)
        self._silence_seq = position.seq
        self._fleet.take_silences(silent)
        self._fleet.alarms.begin(now - DAY_S if len(found) < MAX_ALARMS else found[-1].timestamp + 1.0)
        self._fleet.enter_alarms(
            Alarm(
                uid=alarm.uid,
                rowid=alarm.rowid,
                time=float(alarm.timestamp),
                log_score=alarm.log_score,
                cause=alarm.cause,
                direction=alarm.direction,
            )
            for alarm in reversed(found)
        )
        self._filled.set()

    def close(self) -> None:
        """End both threads."""
        self._stop.set()
        for thread in self._threads:
            if thread.ident:
                thread.join()

    def list_metrics(self) -> None:
        """Read the list of metrics. Raises RepositoryUnavailable."""
        self._fleet.advance(self._clock())
        with self._context.database.read() as conn:
            if not self._filled.is_set():
                self._fleet.list_all(every_metric(conn))
                return
            now = self._clock()
            new = self._fleet.list_all(every_metric(conn), now)
        self.new_names.extend((name, now) for name in new)

    def take(self, rows: Sequence[BatchRow]) -> None:
        """Take results that were published."""
        if not rows:
            return
        now = self._clock()
        often = Counter(row.uid for row in rows)
        # Many rows of a metric at once are history, or what had waited.
        self._watch.scored_live([now - row.ts for row in rows if often[row.uid] == 1])
        self._fleet.advance(now)
        if self._fleet.apply(rows):
            log.warning("web.results_missed: readers of the stream begin anew")
            self._hub.forget()
            self._fleet.alarms.begin(now)  # what was before, the repository knows
        self._hub.publish_results(rows)

    def _run(self, work: Callable[[], None]) -> None:
        show_thread_name()
        is_reported = False
        while not self._stop.is_set():
            try:
                work()
                is_reported = False
            except DependencyUnavailable as error:
                if not is_reported:
                    log.warning("web.waiting reason=%s", error)
                is_reported = True
            except Exception:
                log.exception("web.feed_failed")
            self._stop.wait(PAUSE_S)

    def _keep_listing(self) -> None:
        if not self._filled.is_set():
            self.fill()
        while not self._stop.is_set():
            began = time.monotonic()
            self.list_metrics()
            self._access.reload()
            taken = time.monotonic() - began
            self._stop.wait(max(LIST_EVERY_S, taken / LIST_SHARE))

    def take_incidents(self) -> None:
        """Tell readers of the stream which incidents changed. Raises RepositoryUnavailable."""
        with self._context.database.read() as conn:
            changed = store.changed_since(conn, self._incident_seq)
            if changed:
                self._fleet.open_members = store.members_of_open(conn)
        for incident in changed:
            self._incident_seq = max(self._incident_seq, incident["seq"])
            self._hub.publish("incidents", incident)

    def take_silences(self) -> None:
        """Take which metrics fell silent, and which are no more. Raises RepositoryUnavailable."""
        with self._context.database.read() as conn:
            changed = silences.changed_since(conn, self._silence_seq, limit=MAX_SILENCES)
        if changed:
            self._silence_seq = changed[-1].seq
            self._fleet.take_silences(changed)

    def _follow_incidents(self) -> None:
        while not (self._filled.wait(0.1) or self._stop.is_set()):
            pass
        while not self._stop.is_set():
            self.take_silences()
            self.take_incidents()
            self._stop.wait(INCIDENTS_EVERY_S)

    def _watch_health(self) -> None:
        while not self._stop.wait(HEALTH_EVERY_S):
            self.tell_health()

    def _take_results(self) -> None:
        context = self._context
        exchange = context.settings.batches_exchange
        try:
            with (
                subscribed(context.bus, exchange, "web", limit=QUEUE_LIMIT) as queue,
                context.bus.consume([queue]) as consumer,
            ):
                # From here on no result is missed; what is read at the start comes first.
                while not (self._filled.wait(0.1) or self._stop.is_set()):
                    pass
                if math.isinf(self._fleet.alarms.since):
                    self._fleet.alarms.begin(self._clock())
                while not self._stop.is_set():
                    if deliveries := consumer.receive(max_messages=100, timeout_s=RECEIVE_S):
                        began = time.monotonic()
                        self.take(_decoded(consumer, deliveries))
                        consumer.ack(deliveries)
                        self._stop.wait(BATCH_S - (time.monotonic() - began))
        except DependencyUnavailable:
            self._hub.forget()  # what is published meanwhile does not come here
            self._fleet.alarms.begin(math.inf)
            raise


def _decoded(consumer: Consumer, deliveries: Sequence[Delivery]) -> list[BatchRow]:
    rows: list[BatchRow] = []
    for delivery in deliveries:
        try:
            rows += decode_results_batch(delivery.body).rows
        except MalformedMessage as error:
            consumer.dead_letter(delivery, str(error))
    return rows
