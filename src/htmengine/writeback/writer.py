"""Writes the scores of all metrics to one receiver, and notes in the repository how far it is.

Each metric's rows go in their order. How far a receiver is is stored when it has the rows: after a kill in between it gets
some again, with the same times and numbers, and misses none.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final

from htmengine import config
from htmengine.repository import windows, writeback
from htmengine.repository.database import Database
from htmengine.repository.windows import Span
from htmengine.repository.writeback import Pending
from htmengine.runtime.metric_storer import name_patterns
from htmengine.service.counters import Counters
from htmengine.service.fault_injection import Step, no_step
from htmengine.service.lease import Lease
from htmengine.system.backoff import Backoff
from htmengine.writeback.receivers import Receiver, Refused, Unavailable
from htmengine.writeback.series import COLUMNS, Batch, batches

NAME: Final = "writeback"
METRICS_BATCH_SIZE: Final = 1000
"""Of so many metrics rows are read together."""
ROWS_OF_METRIC: Final = 500
"""So many of each metric at most, so that history of one does not keep the others waiting."""
ROWS_BATCH_SIZE: Final = 5000
"""So many rows go out together."""
FIRST_PAUSE_S: Final = 1.0
MAX_PAUSE_S: Final = 60.0
CLEAN_EVERY_S: Final = 3600.0

log = logging.getLogger(__name__)


def away_counter(receiver: str) -> str:
    """Return the name of the counter that tells for how many seconds a receiver has taken nothing; 0 while it does."""
    return f"seconds_without_{receiver}"


class NotActive(Exception):
    """Another process writes to the receiver."""


class Writer:
    """Writes to one receiver.

    Parameters
    ----------
    wait : waits so many seconds, or less where the service is to end; returns whether it is.
    timer : seconds that only grow.
    """

    def __init__(
        self,
        settings: config.Writeback,
        database: Database,
        receiver: Receiver,
        counters: Counters,
        wait: Callable[[float], bool],
        *,
        timer: Callable[[], float] = time.monotonic,
        step: Step = no_step,
    ) -> None:
        self._settings = settings
        self._database = database
        self._receiver = receiver
        self._counters = counters
        self._wait = wait
        self._timer = timer
        self._step = step
        self._lease = Lease(timer)
        self._standing: tuple[str, int] = ("", -1)
        """Owner and beat, as this writer stored them."""
        self._fits = name_patterns.glob(settings.match)
        self._columns = list(dict.fromkeys(COLUMNS[name] for name in settings.series))
        self._clean_at = timer()

    def work(self) -> bool:
        """Send what the receiver does not have, once through all metrics; return whether some had more rows than that.

        What came meanwhile waits for the next look, which goes through all metrics, too. Raises DependencyUnavailable.
        """
        if not self._may_write():
            return False
        more, after = False, ""
        try:
            while True:
                with self._database.read() as conn:
                    some = writeback.pending(conn, self._receiver.name, after, limit=METRICS_BATCH_SIZE)
                if not some:
                    break
                more |= self._send(some)
                after = some[-1].uid
                if self._wait(0):
                    return more
        except NotActive:
            return more
        if self._timer() >= self._clean_at:
            self._clean_at = self._timer() + CLEAN_EVERY_S
            with self._database.write() as conn:
                writeback.forget_deleted(conn)
        return more

    def close(self) -> None:
        """Let another process take over at once."""
        if self._standing[0] == self._lease.owner:
            with self._database.write() as conn:
                writeback.renew(conn, self._receiver.name, "", self._standing)

    def _may_write(self) -> bool:
        with self._database.write() as conn:
            standing = writeback.begin(conn, self._receiver.name, history=self._settings.history)
        if not self._lease.may_write(*standing):
            return False
        if standing[0] == self._lease.owner and not self._lease.is_due():
            self._standing = standing
            return True
        return self._renewed(standing)

    def _renewed(self, before: tuple[str, int]) -> bool:
        with self._database.write() as conn:
            if not writeback.renew(conn, self._receiver.name, self._lease.owner, before):
                return False
        self._standing = (self._lease.owner, before[1] + 1)
        self._lease.renewed()
        return True

    def _send(self, metrics: Sequence[Pending]) -> bool:
        """Send rows of metrics; return whether some of these have more."""
        wanted = [one for one in metrics if self._fits(one.name)]
        others = [(one, one.scored_rowid) for one in metrics if not self._fits(one.name)]
        if others:
            self._advance(others)
        if not wanted:
            return False
        spans = [
            Span(one.uid, one.first, min(one.scored_rowid, one.first + ROWS_OF_METRIC - 1)) for one in wanted
        ]
        with self._database.read() as conn:
            tables = list(windows.tables_of(conn, spans, self._columns))
        positions = iter([(one, span.last) for one, span in zip(wanted, spans, strict=True)])
        names = [one.name for one in wanted]
        for batch in batches(names, tables, self._settings.series, ROWS_BATCH_SIZE):
            self._deliver(batch, list(islice(positions, len(batch.names))))
        return any(span.last < one.scored_rowid for one, span in zip(wanted, spans, strict=True))

    def _deliver(self, batch: Batch, positions: Sequence[tuple[Pending, int]]) -> None:
        """Send a batch until the receiver has it. Raises NotActive where the service ends or another one writes."""
        size = len(batch.timestamps)
        receiver = self._receiver.name
        backoff = Backoff(FIRST_PAUSE_S, MAX_PAUSE_S)
        began = self._timer()
        while True:
            try:
                self._receiver.send(batch)
                self._counters.add(f"rows_to_{receiver}", size)
                break
            except Refused as error:
                log.warning("%s.refused receiver=%s rows=%d reason=%s", NAME, receiver, size, error)
                self._counters.reject(f"{receiver}: {error}"[:200], batch.names[:1], size)
                break
            except Unavailable as error:
                if not backoff.pauses or backoff.next_s >= MAX_PAUSE_S:
                    log.warning("%s.waiting receiver=%s reason=%s", NAME, receiver, error)
                self._counters.add(f"failures_of_{receiver}")
            if self._waits(backoff.pause(), began):
                raise NotActive
        self._counters.set(away_counter(receiver), 0)
        if backoff.pauses:
            log.warning("%s.goes_on receiver=%s waited_s=%.0f", NAME, receiver, backoff.waited_s)
        self._step(f"{NAME}.sent")
        self._advance(positions)

    def _waits(self, seconds: float, began: float) -> bool:
        """Wait, and keep the lease; return whether the service ends. Raises NotActive where another has taken over.

        `began`: when the receiver was tried first.
        """
        until = self._timer() + seconds
        while (left := until - self._timer()) > 0:
            self._counters.set(away_counter(self._receiver.name), max(1, round(self._timer() - began)))
            if self._wait(min(left, 1.0)):
                return True
            if self._lease.is_due() and not self._renewed(self._standing):
                raise NotActive
        return False

    def _advance(self, sent: Sequence[tuple[Pending, int]]) -> None:
        before = self._standing
        with self._database.write() as conn:
            if not writeback.renew(conn, self._receiver.name, self._lease.owner, before):
                raise NotActive
            writeback.advance(conn, self._receiver.name, sent)
        self._standing = (self._lease.owner, before[1] + 1)
        self._lease.renewed()
