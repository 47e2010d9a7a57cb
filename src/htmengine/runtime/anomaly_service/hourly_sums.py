"""Hours that the stage has not seen whole are summed up from their rows, little by little, beside the work on scores.

After a start, that is the hour in which it began; after an upgrade, all of them. To read a row costs as much as a third
of all that is done with it else: hours that were seen whole are written by the stage (`open_hours`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from htmengine.repository import hours
from htmengine.repository.errors import WriteConflict

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from htmengine.repository.database import Database

PASS_INTERVAL_S: Final = 600.0
"""From one look at all metrics to the next, if nothing is known to be missing."""
METRICS_BATCH_SIZE: Final = 200
ROWS_BATCH_SIZE: Final = 2000
"""In a step, and of one metric: what comes meanwhile waits."""

log = logging.getLogger(__name__)


class HourlySums:
    """Sums up the rows of metrics that are known to miss hours, and now and then of all, some of them with each call.

    Safe where several do the same.
    """

    def __init__(self, database: Database, *, timer: Callable[[], float] = time.monotonic) -> None:
        """`timer`: seconds that only grow."""
        self._database = database
        self._timer = timer
        self._missed: dict[str, None] = {}
        """Metrics that are known to miss hours, in the order in which these ended."""
        self._uid: str | None = None
        """The metric behind which the look at all of them goes on; None between two looks."""
        self._next_pass = timer()
        self._is_behind = False
        """Something was left in this pass: the next one comes at once."""

    def add(self, uids: Iterable[str]) -> None:
        """Sum up hours of these metrics next."""
        self._missed.update(dict.fromkeys(uids))

    def advance(self) -> int:
        """Do a step, if one is due, and return how many rows it summed up."""
        if self._missed:
            return self._sum_missed()
        if self._uid is None:
            if self._timer() < self._next_pass:
                return 0
            self._uid, self._is_behind = "", False
        with self._database.read() as conn:
            metrics = hours.waiting(conn, self._uid, limit=METRICS_BATCH_SIZE)
            step = _step(conn, metrics)
        rows = step.rows
        self._is_behind |= bool(step.more)
        if not self._stored(step.sums):
            self._is_behind, rows = True, 0
        is_last = len(metrics) < METRICS_BATCH_SIZE and step.looked_at == len(metrics)
        self._uid = None if is_last else metrics[step.looked_at - 1].uid
        if is_last:
            self._next_pass = self._timer() + (0.0 if self._is_behind else PASS_INTERVAL_S)
        return rows

    def _sum_missed(self) -> int:
        uids = list(islice(self._missed, METRICS_BATCH_SIZE))
        with self._database.read() as conn:
            metrics = hours.waiting_of(conn, uids)
            step = _step(conn, metrics)
        if not self._stored(step.sums):
            return 0
        for uid in uids:
            del self._missed[uid]
        self.add([*step.more, *(metric.uid for metric in metrics[step.looked_at :])])
        return step.rows

    def _stored(self, sums: list[hours.Sums]) -> bool:
        if not sums:
            return True
        try:
            with self._database.write() as conn:
                if not hours.store(conn, sums):
                    raise WriteConflict("rows were summed up, or their scores cleared, meanwhile")
        except WriteConflict:
            log.info("anomaly_service.hours_write_conflict metrics=%d", len(sums))
            return False
        return True


class _Step(NamedTuple):
    """What is summed up at once of some metrics."""

    sums: list[hours.Sums]
    rows: int
    looked_at: int
    """So many of the metrics; the others come with the next step."""
    more: list[str]
    """Those of these that have more."""


def _step(conn: Connection, metrics: Sequence[hours.Due]) -> _Step:
    sums: list[hours.Sums] = []
    more: list[str] = []
    rows = looked_at = 0
    for metric in metrics:
        if rows >= ROWS_BATCH_SIZE:
            break
        looked_at += 1
        if metric.is_over and (found := hours.over(conn, metric, rows=ROWS_BATCH_SIZE)) is not None:
            sums.append(found)
            rows += found.to_rowid - found.from_rowid
            if metric.scored_rowid - found.from_rowid > ROWS_BATCH_SIZE:
                more.append(metric.uid)
    return _Step(sums, rows, looked_at, more)
