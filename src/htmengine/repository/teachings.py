"""What people have taught models: "this is normal", each with the row from which it counts; and what it has silenced.

A teaching is stored with the row that comes next when it is made, in a transaction that keeps that row from being stored
before. So it counts for the same rows whoever scores them, and whenever. To undo it adds a row of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

from sqlalchemy import Connection, delete, func, insert, select

from htmengine.repository import bulk, schema
from htmengine.repository.locks import lock_teachings

How: TypeAlias = Literal["values", "times", "forget"]
"""In which way a span is normal.

- values: such values are usual, whenever they come;
- times: in these hours of the week alarms need more;
- forget: the model has not seen the span.
"""
HOWS: Final[tuple[How, ...]] = get_args(How)
_UNDO: Final = "undo"

_teaching: Final = schema.teaching.c
_silenced: Final = schema.silenced_alarm.c
_data: Final = schema.metric_data.c


class Teaching(NamedTuple):
    """What a metric's model was taught. Times are seconds since the epoch."""

    uid: str
    label: int
    """The number of the label that says so."""
    how: How
    begins: int
    ends: int
    """Both are included."""
    effective_rowid: int
    """It counts from this row on."""
    expires: int
    """And for samples from before this time."""
    low: float | None = None
    high: float | None = None
    """The least and the greatest value of the span."""
    needed: float | None = None
    """The log score that an alarm needs in its hours of the week."""
    by: str = ""
    created: int = 0
    undone_rowid: int | None = None
    """It counts no longer from this row on."""
    undone: int | None = None
    """When it was taken back."""

    def counts_at(self, rowid: int, timestamp: float) -> bool:
        """Tell whether it counts for a row of its metric."""
        since = self.undone_rowid is None or rowid < self.undone_rowid
        return self.effective_rowid <= rowid and since and timestamp < self.expires


class Silenced(NamedTuple):
    """A row that would have alarmed without a teaching."""

    uid: str
    rowid: int
    label: int
    """Of the teaching."""
    timestamp: int


class Effect(NamedTuple):
    """What a teaching has silenced."""

    alarms: int
    last: int
    """When, in seconds since the epoch."""


_NEWEST: Final = (
    select(_teaching.id, _teaching.label, _teaching.effective_rowid, _teaching.created)
    .order_by(_teaching.id.desc())
    .limit(1)
)


def newest(conn: Connection) -> tuple[int, ...]:
    """Return facts that are others after each teaching and undoing. They become visible in the order in which they are made."""
    row = conn.execute(_NEWEST).first()
    return tuple(row) if row else ()


def read_all(conn: Connection, uids: Collection[str] | None = None) -> dict[str, list[Teaching]]:
    """Return all teachings of these metrics, or of all, by uid and in their order; also those that count no longer."""
    columns = (
        _teaching.uid,
        _teaching.label,
        _teaching.how,
        _teaching.begins,
        _teaching.ends,
        _teaching.effective_rowid,
        _teaching.expires,
        _teaching.low,
        _teaching.high,
        _teaching.needed,
        _teaching.author,
        _teaching.created,
    )
    query = select(*columns).order_by(_teaching.id)
    if uids is not None:
        query = query.where(_teaching.uid.in_(uids))
    found: defaultdict[str, list[Teaching]] = defaultdict(list)
    undone: dict[int, tuple[int, int]] = {}
    for row in conn.execute(query):
        if row.how == _UNDO:
            undone[row.label] = row.effective_rowid, row.created
        else:
            found[row.uid].append(Teaching(*row))
    for own in found.values():
        for place, one in enumerate(own):
            if one.label in undone:
                rowid, when = undone[one.label]
                own[place] = one._replace(undone_rowid=rowid, undone=when)
    return dict(found)


def add(conn: Connection, teaching: Teaching) -> None:
    """Store a teaching. Its metric is locked."""
    _insert(conn, teaching, teaching.how)


def undo(conn: Connection, teaching: Teaching, *, effective_rowid: int, by: str, now: int) -> None:
    """Let a teaching count no longer from a row on. Its metric is locked."""
    _insert(conn, teaching._replace(effective_rowid=effective_rowid, by=by, created=now), _UNDO)


def _insert(conn: Connection, teaching: Teaching, how: str) -> None:
    lock_teachings(conn)
    values = teaching._asdict() | {"how": how, "author": teaching.by}
    del values["by"], values["undone_rowid"], values["undone"]
    conn.execute(insert(schema.teaching).values(**values))


def store_silenced(conn: Connection, silenced: Sequence[Silenced]) -> None:
    """Store what teachings have silenced, in the transaction that stores the scores of these rows."""
    if silenced:
        bulk.insert(
            conn,
            schema.silenced_alarm,
            dict(zip(Silenced._fields, map(list, zip(*silenced, strict=True)), strict=True)),
        )


def effects(conn: Connection, labels: Collection[int]) -> dict[int, Effect]:
    """Return what teachings have silenced, by label; those that silenced nothing are left out."""
    query = select(_silenced.label, func.count(), func.max(_silenced.timestamp)).group_by(_silenced.label)
    return {
        label: Effect(count, last)
        for label, count, last in conn.execute(query.where(_silenced.label.in_(labels)))
    }


def silenced_rows(conn: Connection, uid: str, first: int, last: int) -> dict[int, int]:
    """Return, by rowid, the labels by which rows of a metric do not alarm."""
    query = select(_silenced.rowid, _silenced.label)
    query = query.where(_silenced.uid == uid, _silenced.rowid.between(first, last))
    return {row.rowid: row.label for row in conn.execute(query)}


class SilencedRow(NamedTuple):
    """A row that would have alarmed, as it is stored. Without its value and score where the row was removed."""

    rowid: int
    timestamp: int
    label: int
    value: float | None
    log_score: float | None


def silenced_between(
    conn: Connection,
    uid: str,
    since: float | None,
    until: float | None,
    *,
    before_rowid: int | None,
    limit: int,
) -> list[SilencedRow]:
    """Return rows that teachings have silenced from one time up to another, which is left out, the newest first."""
    of_row = (_data.uid == _silenced.uid) & (_data.rowid == _silenced.rowid)
    # Each looked up by itself: beside a join that keeps rows which were removed, SQLite makes a copy of all rows first.
    value, log_score = (
        select(column).where(of_row).scalar_subquery() for column in (_data.metric_value, _data.log_score)
    )
    query = select(_silenced.rowid, _silenced.timestamp, _silenced.label, value, log_score).where(
        _silenced.uid == uid
    )
    if since is not None:
        query = query.where(_silenced.timestamp >= since)
    if until is not None:
        query = query.where(_silenced.timestamp < until)
    if before_rowid is not None:
        query = query.where(_silenced.rowid < before_rowid)
    return [SilencedRow(*row) for row in conn.execute(query.order_by(_silenced.rowid.desc()).limit(limit))]


def take_back_silenced(conn: Connection, uid: str, above: int) -> None:
    """Forget what was silenced in a metric's rows above one: their scores are cleared."""
    conn.execute(delete(schema.silenced_alarm).where(_silenced.uid == uid, _silenced.rowid > above))


def forget(conn: Connection, uid: str) -> None:
    """Remove all of a metric that is deleted."""
    conn.execute(delete(schema.silenced_alarm).where(_silenced.uid == uid))
    conn.execute(delete(schema.teaching).where(_teaching.uid == uid))
