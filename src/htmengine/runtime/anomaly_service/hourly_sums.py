"""Hours that the stage has not seen whole are summed up from their rows, little by little, beside the work on scores.

After a start, that is the hour in which it began; after an upgrade, all of them. To read a row costs as much as a third
of all that is done with it else: hours that were seen whole are written by the stage (`open_hours`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from htmengine.repository import hours
from htmengine.repository.errors import WriteConflict

if TYPE_CHECKING:
    from htmengine.repository.database import Database

PASS_INTERVAL_S: Final = 600.0
"""From one look at all metrics to the next, if nothing is known to be missing."""
SOON_S: Final = 5.0
METRICS_BATCH_SIZE: Final = 200
ROWS_BATCH_SIZE: Final = 2000
"""In a step, and of one metric: what comes meanwhile waits."""

log = logging.getLogger(__name__)


class HourlySums:
    """Sums up the rows of all metrics, some of them with each call. Safe where several do the same."""

    def __init__(self, database: Database, *, timer: Callable[[], float] = time.monotonic) -> None:
        """`timer`: seconds that only grow."""
        self._database = database
        self._timer = timer
        self._uid: str | None = None
        """The metric behind which the look at all of them goes on; None between two looks."""
        self._next_pass = timer()
        self._is_behind = False
        """Something was left in this pass: the next one comes at once."""

    def hurry(self) -> None:
        """Look at all metrics soon, or, in the midst of it, once more."""
        self._is_behind = True
        self._next_pass = min(self._next_pass, self._timer() + SOON_S)

    def advance(self) -> int:
        """Do a step, if one is due, and return how many rows it summed up."""
        if self._uid is None:
            if self._timer() < self._next_pass:
                return 0
            self._uid, self._is_behind = "", False
        with self._database.read() as conn:
            metrics = hours.waiting(conn, self._uid, limit=METRICS_BATCH_SIZE)
            sums: list[hours.Sums] = []
            rows = 0
            following = None
            for metric in metrics:
                if rows >= ROWS_BATCH_SIZE:
                    break
                following = metric.uid
                if not metric.is_over:
                    continue
                found = hours.over(conn, metric, rows=ROWS_BATCH_SIZE)
                if found is not None:
                    sums.append(found)
                    rows += found.to_rowid - found.from_rowid
                    self._is_behind |= metric.scored_rowid - found.from_rowid > ROWS_BATCH_SIZE
        if not self._stored(sums):
            self._is_behind, rows = True, 0
        is_last = len(metrics) < METRICS_BATCH_SIZE and (not metrics or following == metrics[-1].uid)
        self._uid = None if is_last else following
        if is_last:
            self._next_pass = self._timer() + (0.0 if self._is_behind else PASS_INTERVAL_S)
        return rows

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
