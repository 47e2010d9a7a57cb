"""What a metric's rows would have scored, had all that its model was taught since counted from its span on.

Nothing is stored: rows keep the scores that they got, and that were published. What is taken back goes from here, too. Behind
the last row at which a teaching or an undoing began to count, rows have these scores already.
"""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import Final, NamedTuple

import numpy as np

from htmengine.admin.teaching import PastAlarm, beginning, called_real, first_row, rows_of
from htmengine.htm.explanation import ALARM, SeriesScores
from htmengine.incidents.teaching import CannotTeach
from htmengine.model_swapper.teaching import Taught, TaughtModel
from htmengine.repository import alarms, metrics
from htmengine.repository.status import WITH_MODEL
from htmengine.repository.teachings import Teaching, newest, read_all
from htmengine.service.context import Context

ROWS_BATCH_SIZE: Final = 5000
MAX_REMEMBERED: Final = 4


class TaughtPast(NamedTuple):
    """Rows of a metric, scored again by what its model knows now."""

    first: int
    """Rowid of the first: the metric's first one, or as far back as rows and checkpoints reach."""
    begins: int
    """Its time, in seconds since the epoch."""
    scores: SeriesScores
    """Of all rows from there to the last one that got its scores before a teaching or an undoing."""
    gone: list[PastAlarm]
    """Alarms that are stored, and would not have been."""
    added: list[PastAlarm]
    """Those that would have been."""
    seconds: float
    """That it took."""

    @property
    def rows(self) -> int:
        """How many rows were scored again."""
        return len(self.scores.log_score)


class TaughtPasts:
    """Knows the past of metrics as they are taught; those that were asked for last are remembered.

    Several threads may ask. One at a time scores rows: a page asks for scores and for alarms of the same past at once.
    """

    def __init__(self) -> None:
        self._scoring = threading.Lock()
        self._known: dict[tuple[object, ...], TaughtPast] = {}

    def of(self, context: Context, uid: str, *, now: float) -> TaughtPast:
        """Return a metric's rows, scored again.

        Parameters
        ----------
        now : labels that have expired by then do not call alarms real.

        Raises
        ------
        CannotTeach : why not.
        ObjectNotFoundError : there is no such metric.
        """
        with self._scoring:
            with context.database.read() as conn:
                state = metrics.state(conn, uid)
                key = uid, state.generation, newest(conn)
            found = self._known.pop(key, None) or taught_past(context, uid, now=now)
            self._known[key] = found
            while len(self._known) > MAX_REMEMBERED:
                del self._known[next(iter(self._known))]
            return found


def taught_past(context: Context, uid: str, *, now: float) -> TaughtPast:
    """Score a metric's rows again, as `TaughtPasts.of` returns them."""
    began = time.monotonic()
    with context.database.read() as conn:
        state = metrics.state(conn, uid)
        known = read_all(conn, [uid]).get(uid, [])
        if not known:
            raise CannotTeach(
                f"{state.name} was taught nothing.", hint="Rows have the scores that their model found."
            )
        if state.status not in WITH_MODEL:
            raise CannotTeach(f"{state.name} has no model.", hint="Monitor the metric first.")
        found = metrics.definitions(conn, [uid])[uid]
        make, first = beginning(context, conn, uid, found, Taught(known))
        last = min(_last_other(known), found.scored_rowid)
        counting = [
            one._replace(effective_rowid=first_row(conn, one, first, found.last_rowid))
            for one in known
            if one.undone is None
        ]
        model = TaughtModel(make, partial(rows_of, conn, uid), Taught(counting), first=first)
        parts: list[SeriesScores] = []
        alarming: dict[int, PastAlarm] = {}
        real, begins = called_real(conn, uid, now), 0
        for start in range(first, last + 1, ROWS_BATCH_SIZE):
            page = rows_of(conn, uid, start, min(last, start + ROWS_BATCH_SIZE - 1))
            begins = begins or page.timestamps[0]
            scores, why, _ = model.score(page)
            parts.append(scores)
            for place in np.flatnonzero(scores.log_score >= ALARM).tolist():
                at, score = page.timestamps[place], float(scores.log_score[place])
                cause = why[place].cause if place in why else None
                alarming[page.rowids[place]] = PastAlarm(
                    page.rowids[place], at, page.values[place], score, cause, real(at)
                )
        stored: dict[int, PastAlarm] = {}
        since = first - 1
        while some := alarms.alarms_of(conn, uid, since_rowid=since, limit=ROWS_BATCH_SIZE):
            since = some[-1].rowid
            stored |= {
                one.rowid: PastAlarm(
                    one.rowid, one.timestamp, one.value, one.log_score, one.cause, real(one.timestamp)
                )
                for one in some
                if one.rowid <= last
            }
            if since > last:
                break
    return TaughtPast(
        first=first,
        begins=begins,
        scores=SeriesScores(*(np.concatenate(column) for column in zip(*parts, strict=True)))
        if parts
        else SeriesScores(*[np.empty(0)] * len(SeriesScores._fields)),
        gone=[alarm for rowid, alarm in stored.items() if rowid not in alarming],
        added=[alarm for rowid, alarm in alarming.items() if rowid not in stored],
        seconds=time.monotonic() - began,
    )


def _last_other(known: list[Teaching]) -> int:
    """Return the last row that was scored before a teaching or an undoing counted."""
    return max(max(one.effective_rowid, one.undone_rowid or 0) for one in known) - 1
