"""What a teaching would silence, and what it would add: the metric's rows are scored again, with it and without it."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

import numpy as np
from sqlalchemy import Connection

from htmengine.htm.explanation import ALARM
from htmengine.htm.model import Model, UnreadableModel
from htmengine.incidents import labels
from htmengine.incidents.teaching import CannotTeach, Lesson, Wanted, drafted, has_whole_past
from htmengine.model_swapper import definition
from htmengine.model_swapper.checkpoint import UnreadableCheckpoint
from htmengine.model_swapper.checkpoint_store import open_checkpoint_store
from htmengine.model_swapper.teaching import ScoredRows, Taught, TaughtModel
from htmengine.repository import metrics, samples, series
from htmengine.repository.metrics import Definition
from htmengine.repository.samples import Rows
from htmengine.repository.teachings import Teaching, read_all
from htmengine.service.context import Context

MAX_ROWS: Final = 500_000
"""So many rows are scored again at most: with forgetting twice, some ten seconds."""
ROWS_BATCH_SIZE: Final = 5000
_THIS: Final = 0
"""The label of what is tried: it is not stored yet."""


class PastAlarm(NamedTuple):
    """A row that alarms."""

    rowid: int
    timestamp: int
    value: float
    log_score: float
    cause: str | None
    is_real: bool
    """Whether somebody said that something was wrong there."""


class Preview(NamedTuple):
    """What a teaching would have done, had it counted from its span on."""

    lesson: Lesson
    """What would be stored."""
    rows_replayed: int
    from_rowid: int
    """The first row that was compared: as far back as the span, or as rows and checkpoints reach."""
    from_timestamp: int
    reaches_the_span: bool
    """Whether all rows from the span on were compared."""
    seconds: float
    would_silence: list[PastAlarm]
    would_add: list[PastAlarm]

    @property
    def of_these_called_real(self) -> int:
        """How many that it would have silenced lie where somebody said that something was wrong."""
        return sum(alarm.is_real for alarm in self.would_silence)


def preview(context: Context, wanted: Wanted) -> Preview:
    """Score a metric's rows again, and return what a teaching would change of their alarms; nothing is stored.

    It is compared from the span on, if values or times are taught with the span itself; what is forgotten counts behind it.

    Raises
    ------
    CannotTeach : why not, and what to do.
    ObjectNotFoundError : there is no such metric.
    """
    began = time.monotonic()
    uid = wanted.uid
    with context.database.read() as conn:
        lesson = drafted(conn, wanted, limited=False)
        found = metrics.definitions(conn, [uid])[uid]
        known = read_all(conn, [uid]).get(uid, [])
        make, first = beginning(context, conn, uid, found, Taught(known))
        compare_from = first_row(conn, lesson.teaching, first, found.last_rowid)
        tried = lesson.teaching._replace(label=_THIS, effective_rowid=compare_from)
        without, with_it, replayed, begins = _both(
            conn, uid, make, first, found.last_rowid, known, tried, compare_from
        )
        real = called_real(conn, uid, wanted.created)
    silenced, added = _only(without, with_it, real), _only(with_it, without, real)
    return Preview(
        lesson=lesson,
        rows_replayed=replayed,
        from_rowid=compare_from,
        from_timestamp=begins,
        reaches_the_span=first == found.base_rowid + 1 or begins <= lesson.teaching.begins,
        seconds=time.monotonic() - began,
        would_silence=silenced,
        would_add=added,
    )


def beginning(
    context: Context, conn: Connection, uid: str, found: Definition, taught: Taught
) -> tuple[Callable[[], Model], int]:
    """Return how to make a metric's model, and the first row that it takes: as far back as rows and checkpoints reach.

    Raises
    ------
    CannotTeach : the model cannot be made, or more rows than MAX_ROWS are to be scored.
    """
    first = found.base_rowid + 1
    make: Callable[[], Model] | None = None
    if has_whole_past(conn, uid):
        make = partial(Model, definition.parse(found.model_params), generation=found.generation)
    elif not taught.ever_forgot:  # a checkpoint is of one of several models, then
        store = open_checkpoint_store(context.settings, context.database)
        for key in sorted(store.listing(uid), key=lambda key: key.last_rowid):
            checkpoint = store.read(key) if key.generation == found.generation else None
            try:
                model = Model.load(checkpoint.block()) if checkpoint else None
            except (UnreadableCheckpoint, UnreadableModel):
                continue
            if model and found.base_rowid + model.rows == key.last_rowid:
                make, first = partial(_self, model), key.last_rowid + 1
                break
    if make is None:
        raise CannotTeach(
            "Its past cannot be scored again: the model's first rows were removed, and it has no checkpoint.",
            hint="What is taught counts all the same; `htmengine teach list` tells what it silences.",
        )
    if found.last_rowid - first >= MAX_ROWS:
        raise CannotTeach(
            f"{found.last_rowid - first + 1} rows are to be scored again, more than {MAX_ROWS}.",
            hint="What is taught counts all the same; `htmengine teach list` tells what it silences.",
        )
    return make, first


def _self(model: Model) -> Model:
    return model


def first_row(conn: Connection, teaching: Teaching, first: int, last: int) -> int:
    """Return the row from which a teaching counts, had it been there from its span on, of those from `first` to `last`.

    What is forgotten counts behind the span; `last` + 1 where there is no such row.
    """
    time = teaching.ends + 1 if teaching.how == "forget" else teaching.begins
    return min(max(series.first_from(conn, teaching.uid, time), first), last + 1)


class _Alarm(NamedTuple):
    timestamp: int
    value: float
    log_score: float
    cause: str | None


def _both(
    conn: Connection,
    uid: str,
    make: Callable[[], Model],
    first: int,
    last: int,
    known: list[Teaching],
    tried: Teaching,
    compare_from: int,
) -> tuple[dict[int, _Alarm], dict[int, _Alarm], int, int]:
    """Return the alarms without and with it, by rowid, how many rows were scored, and the time of the first compared."""
    read = partial(rows_of, conn, uid)
    taught = Taught(known), Taught([*known, tried])
    if tried.how == "forget":
        models = [TaughtModel(make, read, one, first=first) for one in taught]
    else:  # one model serves both: what it finds is the same
        models = [TaughtModel(make, read, Taught([one for one in known if one.how == "forget"]), first=first)]
    alarms: tuple[dict[int, _Alarm], dict[int, _Alarm]] = {}, {}
    begins, replayed, rowid = 0, 0, first
    while rowid <= last:
        page = read(rowid, min(last, rowid + ROWS_BATCH_SIZE - 1))
        results = [model.score(page) for model in models]
        replayed += len(page.rowids) * len(models)
        for number, own in enumerate(alarms):
            result = results[-1] if number else results[0]
            if len(models) == 1:
                result = _judged(taught[number], page, result)
            for place in np.flatnonzero(result.scores.log_score >= ALARM).tolist():
                if page.rowids[place] >= compare_from:
                    why = result.why.get(place)
                    own[page.rowids[place]] = _Alarm(
                        page.timestamps[place],
                        page.values[place],
                        float(result.scores.log_score[place]),
                        why.cause if why else None,
                    )
        if rowid <= compare_from <= page.rowids[-1]:
            begins = page.timestamps[compare_from - rowid]
        rowid = page.rowids[-1] + 1
    return alarms[0], alarms[1], replayed, begins


def _judged(taught: Taught, rows: Rows, found: ScoredRows) -> ScoredRows:
    scores = type(found.scores)(*(column.copy() for column in found.scores))
    silenced = taught.judge(rows.rowids, rows.timestamps, rows.values, scores, found.why)
    return ScoredRows(scores, found.why, silenced)


def rows_of(conn: Connection, uid: str, first: int, last: int) -> Rows:
    """Return the rows between two, all of them. Raises CannotTeach where one was removed meanwhile."""
    rows = samples.read(conn, uid, first, last, last - first + 1)
    if len(rows.rowids) != last - first + 1:
        raise CannotTeach(f"Row {first} or a later one was removed while it was tried.", hint="Try it again.")
    return rows


def called_real(conn: Connection, uid: str, now: float) -> Callable[[float], bool]:
    """Return what tells of times whether somebody said that something was wrong with a metric then."""
    spans = [(one.begins, one.ends) for one in labels.labels(conn, now=now, uid=uid, kind="anomaly")]
    return lambda time: any(begins <= time <= ends for begins, ends in spans)


def _only(
    alarms: dict[int, _Alarm], others: dict[int, _Alarm], real: Callable[[float], bool]
) -> list[PastAlarm]:
    return [
        PastAlarm(rowid, *alarm, real(alarm.timestamp))
        for rowid, alarm in alarms.items()
        if rowid not in others
    ]
