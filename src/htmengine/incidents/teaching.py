"""Teaching models: "this is normal" in three ways, "this was an anomaly", and how to take it back.

What a teaching does to scores is told in `htmengine.model_swapper.teaching`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from sqlalchemy import Connection

from htmengine.errors import ExplainedError
from htmengine.incidents import labels
from htmengine.incidents.labels import Label
from htmengine.labels.files import Kind
from htmengine.model_swapper.teaching import Taught, needed_beyond
from htmengine.repository import identity, metrics, samples, series, teachings
from htmengine.repository.database import Database
from htmengine.repository.metrics import MetricState
from htmengine.repository.retrying import again_if_rolled_back
from htmengine.repository.status import WITH_MODEL
from htmengine.repository.teachings import HOWS, How, Teaching

DAY_S: Final = 86_400
EXPIRES_AFTER_S: Final = 90 * DAY_S
MAX_COUNTING: Final = 20
"""Teachings of a metric that count at a time."""
INTERVAL_S: Final = 3600
"""A metric is taught at most once in this time: each teaching makes it blind to something."""
MAX_TIMES_S: Final = DAY_S
"""How long a span of normal times is at most: hours of one day of the week."""


class CannotTeach(ExplainedError):
    """A model cannot be taught this."""


class Wanted(NamedTuple):
    """What is to be taught of a metric. Times are seconds since the epoch, both included."""

    uid: str
    kind: Kind
    how: How
    begins: int
    ends: int
    note: str = ""
    by: str = ""
    created: int = 0
    expires: int | None = None
    """It counts for samples from before this time; None: for 90 days from the newest sample on."""


class Lesson(NamedTuple):
    """A label that teaches."""

    label: Label
    teaching: Teaching


@again_if_rolled_back
def teach(database: Database, wanted: Wanted) -> Lesson:
    """Store a teaching, and the label that says so. It counts from the metric's next row on.

    Raises
    ------
    CannotTeach : why not, and what to do.
    ObjectNotFoundError : there is no such metric.
    """
    with database.write() as conn:
        metrics.lock(conn, [wanted.uid])  # no row comes between the newest one and this
        lesson = drafted(conn, wanted)
        label = labels.insert_label(conn, lesson.label)
        assert label.number is not None
        teaching = lesson.teaching._replace(label=label.number)
        teachings.add(conn, teaching)
    database.sync()  # rows that it counts for are not to outlive it
    return Lesson(label, teaching)


def drafted(conn: Connection, wanted: Wanted, *, limited: bool = True) -> Lesson:
    """Return a teaching as it would be stored now. Raises as `teach` does; `limited`: also where there are too many."""
    state = metrics.state(conn, wanted.uid)
    _check(conn, state, wanted)
    if limited:
        _check_number(conn, state, wanted)
    ends = min(wanted.ends, state.tail_timestamp or wanted.ends)
    rows = series.rows_between(conn, wanted.uid, wanted.begins, ends + 1)
    if not len(rows.values):
        raise CannotTeach(
            "No sample of the metric lies in this span.",
            hint="Choose a span that has samples; those of the metric are in its chart.",
        )
    label = Label(
        uid=wanted.uid,
        match=None,
        begins=wanted.begins,
        ends=ends,
        kind=wanted.kind,
        note=wanted.note,
        by=wanted.by[: labels.MAX_AUTHOR],
        created=wanted.created,
    )
    try:
        labels.check(label)
    except ValueError as error:
        raise CannotTeach(f"The label cannot be: {error}.", hint="Change it and try again.") from error
    values, times = wanted.how == "values", wanted.how == "times"
    teaching = Teaching(
        uid=wanted.uid,
        label=0,
        how=wanted.how,
        begins=wanted.begins,
        ends=ends,
        effective_rowid=state.last_rowid + 1,
        expires=_expiry(state, wanted),
        low=float(rows.values.min()) if values else None,
        high=float(rows.values.max()) if values else None,
        needed=needed_beyond(float(np.fmax.reduce(rows.log_scores, initial=0.0))) if times else None,
        by=label.by,
        created=wanted.created,
    )
    return Lesson(label, teaching)


def _check(conn: Connection, state: MetricState, wanted: Wanted) -> None:
    if wanted.how not in HOWS or wanted.kind not in ("normal", "anomaly"):
        raise CannotTeach(
            f"{wanted.kind} by {wanted.how} is nothing that can be taught.",
            hint=f"Teach normal by {', '.join(HOWS)}, or anomaly by forget.",
        )
    if wanted.kind == "anomaly" and wanted.how != "forget":
        raise CannotTeach(
            "What was an anomaly can only be forgotten.",
            hint="Teach anomaly by forget, or leave the way out.",
        )
    if wanted.ends < wanted.begins:
        raise CannotTeach("The span ends before it begins.", hint="Exchange the two times.")
    if wanted.how == "times" and wanted.ends - wanted.begins >= MAX_TIMES_S:
        raise CannotTeach(
            "Hours of the week are taught for less than a day at a time.",
            hint="Choose the hours in which it is normal, or teach values.",
        )
    if state.status not in WITH_MODEL or not state.last_rowid:
        raise CannotTeach(
            f"{state.name} has no model that could be taught.", hint="Monitor the metric first."
        )
    if wanted.how == "forget" and not has_whole_past(conn, wanted.uid):
        raise CannotTeach(
            "To forget, the model takes its rows again from the first on, and the first rows are not stored any more.",
            hint="Teach values or times; these need no row from before.",
        )


def has_whole_past(conn: Connection, uid: str) -> bool:
    """Tell whether a metric's model can be made again from its first row."""
    found = metrics.definitions(conn, [uid])[uid]
    is_new = found.model_digest in (identity.UNKNOWN, identity.of(found.model_params, found.base_rowid))
    rows = samples.stored_range(conn, uid)
    return is_new and rows is not None and rows.oldest <= found.base_rowid + 1


def _check_number(conn: Connection, state: MetricState, wanted: Wanted) -> None:
    own = teachings.read_all(conn, [state.uid]).get(state.uid, [])
    counting = Taught(own).counting(state.last_rowid + 1, state.tail_timestamp or 0)
    if len(counting) >= MAX_COUNTING:
        raise CannotTeach(
            f"{len(counting)} teachings of {state.name} count already, and more than {MAX_COUNTING} do not help a model.",
            hint="Take back those that silence nothing, or monitor the metric anew.",
        )
    recent = max((one.created for one in counting), default=0)
    if wanted.created < recent + INTERVAL_S:
        raise CannotTeach(
            f"{state.name} was taught within the last hour, and each teaching makes it blind to something.",
            hint="Look first at what it does, or take it back and teach something better.",
        )


def _expiry(state: MetricState, wanted: Wanted) -> int:
    newest = state.tail_timestamp or 0
    if wanted.expires is None:
        return newest + EXPIRES_AFTER_S
    if wanted.expires <= newest:
        raise CannotTeach(
            "It would have expired before the next sample.",
            hint="Choose a later time: a teaching expires by the time of samples.",
        )
    return wanted.expires


@again_if_rolled_back
def take_back(database: Database, numbers: Sequence[int], *, by: str, now: int) -> list[int]:
    """Remove labels; what they taught models is undone from each metric's next row on.

    Returns
    -------
    The numbers of which there is no label, or one that was taken back before; nothing is done if there are any.
    """
    with database.write() as conn:
        uids = {number: labels.uid_of(conn, number) for number in numbers}
        metrics.lock(conn, [uid for uid in uids.values() if uid is not None])
        own = teachings.read_all(conn, {uid for uid in uids.values() if uid is not None})
        taught = {one.label: one for some in own.values() for one in some}
        missing = [
            number
            for number in numbers
            if (taught[number].undone is not None if number in taught else not labels.exists(conn, number))
        ]
        if missing:
            return missing
        for number in dict.fromkeys(numbers):
            if number in taught:
                following = metrics.state(conn, taught[number].uid).last_rowid + 1
                author = by[: labels.MAX_AUTHOR]
                teachings.undo(conn, taught[number], effective_rowid=following, by=author, now=now)
            else:
                labels.remove(conn, number)
    database.sync()
    return []
