"""Labels: what people say of metrics at a time, and what their verdicts of incidents say.

Some teach the model (`incidents/teaching.py`); the others change no score.

A verdict is a label of every metric of its incident, from its first to its last alarm there: an anomaly where something was
wrong, whoever is to look after it, and normal where nothing was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, delete, func, insert, or_, select

from htmengine.incidents.ids import id_of
from htmengine.labels import files
from htmengine.labels.files import KINDS, Kind
from htmengine.repository import schema
from htmengine.repository.times import FIRST_SECOND, LAST_SECOND
from htmengine.runtime.metric_storer import name_patterns

MAX_NOTE: Final = 2000
MAX_AUTHOR: Final = 100
MAX_PATTERN: Final = 300
MAX_OF_VERDICT: Final = 1000
"""Metrics of an incident that its verdict labels, the first movers."""

_label: Final = schema.label.c
_action: Final = schema.incident_action.c
_part: Final = schema.incident_metric.c
_BY_VERDICT: Final[dict[str, Kind]] = {"true": "anomaly", "not_mine": "anomaly", "false": "normal"}


class Label(NamedTuple):
    """What somebody says of a metric, or of those whose names fit a pattern, from one time to another, both included."""

    uid: str | None
    match: str | None
    begins: int
    """Times are seconds since the epoch."""
    ends: int
    kind: Kind
    note: str = ""
    by: str = ""
    created: int = 0
    expires: int | None = None
    number: int | None = None
    """None for a verdict, and for one that is not stored yet."""
    incident: str | None = None
    """Whose verdict it is."""

    @property
    def id(self) -> str:
        """As it is shown: `l12`; of a verdict the incident's."""
        return f"l{self.number}" if self.incident is None else self.incident


def number_of(id_: str) -> int | None:
    """Return the number in a label's id; None if it is none."""
    digits = id_[1:]
    return int(digits) if id_.startswith("l") and digits.isascii() and digits.isdecimal() else None


def add(conn: Connection, label: Label) -> Label:
    """Store a label and return it with its number. One that says the same is not stored twice: it is returned.

    Raises
    ------
    ValueError : it cannot be; the message says why.
    """
    check(label)
    same = (
        (_label.uid.is_(None) if label.uid is None else _label.uid == label.uid),
        (_label.pattern.is_(None) if label.match is None else _label.pattern == label.match),
        _label.begins == label.begins,
        _label.ends == label.ends,
        _label.kind == label.kind,
    )
    known = conn.execute(_columns().where(*same, _holds())).first()
    return insert_label(conn, label) if known is None else _stored(known)


def insert_label(conn: Connection, label: Label) -> Label:
    """Store a label that was checked, and return it with its number."""
    author = label.by[:MAX_AUTHOR]
    values = {
        "uid": label.uid,
        "pattern": label.match,
        "begins": label.begins,
        "ends": label.ends,
        "kind": label.kind,
        "note": label.note,
        "author": author,
        "created": label.created,
        "expires": label.expires,
    }
    key = conn.execute(insert(schema.label).values(**values)).inserted_primary_key
    assert key is not None
    return label._replace(number=int(key[0]), by=author)


def check(label: Label) -> None:
    """Raise ValueError for a label that cannot be."""
    if (label.uid is None) == (label.match is None):
        raise ValueError("it is to name a metric or a pattern, and not both")
    times = label.begins, label.ends, label.expires or 0
    if not all(FIRST_SECOND <= time <= LAST_SECOND for time in times):
        raise ValueError("a time lies outside of the years 1 to 9999")
    if label.ends < label.begins:
        raise ValueError("it ends before it begins")
    if label.kind not in KINDS:
        raise ValueError(f"the kind is none of {', '.join(KINDS)}")
    if label.expires is not None and label.expires <= label.created:
        raise ValueError("it expires before it is made")
    if len(label.note) > MAX_NOTE:
        raise ValueError(f"the note has more than {MAX_NOTE} characters")
    if label.match is not None:
        if not 0 < len(label.match) <= MAX_PATTERN:
            raise ValueError(f"the pattern has not 1 to {MAX_PATTERN} characters")
        name_patterns.glob(label.match)


def remove(conn: Connection, number: int) -> bool:
    """Remove a label; return whether there was one."""
    return conn.execute(delete(schema.label).where(_label.id == number)).rowcount > 0


def uid_of(conn: Connection, number: int) -> str | None:
    """Return the metric of a label; None for one of a pattern, and where there is no such label."""
    return conn.scalar(select(_label.uid).where(_label.id == number))


def exists(conn: Connection, number: int) -> bool:
    """Tell whether there is a label of this number."""
    return conn.scalar(select(_label.id).where(_label.id == number)) is not None


def _holds() -> ColumnElement[bool]:
    """Whether a label was not taken back: those that taught a model stay, for who asks what that was."""
    undone = schema.teaching.c
    return _label.id.not_in(select(undone.label).where(undone.how == "undo"))


def labels(
    conn: Connection,
    *,
    now: float,
    uid: str | None = None,
    kind: Kind | None = None,
    since: float | None = None,
    until: float | None = None,
    undone: bool = False,
    taught: bool = False,
) -> list[Label]:
    """Return labels and verdicts by the times at which they begin.

    Parameters
    ----------
    now : those that have expired are left out.
    uid : those of this metric, by its uid or by a pattern.
    since, until : those that lie at least partly between these times, both included.
    undone : also those that taught a model and were taken back.
    taught : only those that taught a model.
    """
    query = _columns().where(or_(_label.expires.is_(None), _label.expires > now))
    if taught:
        query = query.where(_label.id.in_(select(schema.teaching.c.label)))
    if not undone:
        query = query.where(_holds())
    if kind is not None:
        query = query.where(_label.kind == kind)
    query = query.where(*_between(_label.begins, _label.ends, since, until))
    if uid is not None:
        query = query.where(or_(_label.uid == uid, _label.pattern.is_not(None)))
    found = [_stored(row) for row in conn.execute(query)]
    if uid is not None:
        name = conn.scalar(select(schema.metric.c.name).where(schema.metric.c.uid == uid)) or ""
        found = [one for one in found if one.match is None or name_patterns.glob(one.match)(name)]
    if not taught:
        found += (one for one in _verdicts(conn, uid, since, until) if kind in (None, one.kind))
    return sorted(found, key=lambda one: (one.begins, one.ends, one.id, one.uid or ""))


def in_file(label: Label, names: Mapping[str, str]) -> files.Label:
    """Return a label as it stands in files.

    Parameters
    ----------
    names : of the metrics, by uid.
    """
    return files.Label(
        metric=names.get(label.uid or "", ""),
        first=label.begins,
        last=label.ends,
        kind=label.kind,
        note=label.note,
        match=label.match,
        by=label.by,
        created=label.created,
        expires=label.expires,
    )


def _verdicts(conn: Connection, uid: str | None, since: float | None, until: float | None) -> Iterator[Label]:
    """Yield the labels that verdicts are: of an incident that has several, the last."""
    newest = (
        select(func.max(_action.id).label("id")).where(_action.action == "verdict").group_by(_action.incident)
    ).subquery()
    place = func.row_number().over(partition_by=_part.incident, order_by=(_part.first, _part.uid))
    columns = (
        _action.incident,
        _action.verdict,
        _action.note,
        _action.actor,
        _action.at,
        _part.uid,
        _part.first,
        _part.last,
    )
    found = select(*columns, place.label("place")).join(newest, newest.c.id == _action.id)
    found = found.join(schema.incident_metric, _part.incident == _action.incident)
    ranked = found.subquery()
    query = select(ranked).where(ranked.c.place <= MAX_OF_VERDICT)
    query = query.where(*_between(ranked.c.first, ranked.c.last, since, until))
    if uid is not None:
        query = query.where(ranked.c.uid == uid)
    for row in conn.execute(query):
        kind = _BY_VERDICT.get(row.verdict or "")
        if kind is not None:
            yield Label(
                uid=row.uid,
                match=None,
                begins=row.first,
                ends=row.last,
                kind=kind,
                note=row.note,
                by=row.actor,
                created=row.at,
                incident=id_of(row.incident),
            )


def _between(
    begins: ColumnElement[int], ends: ColumnElement[int], since: float | None, until: float | None
) -> Sequence[ColumnElement[bool]]:
    conditions = []
    if since is not None:
        conditions.append(ends >= since)
    if until is not None:
        conditions.append(begins <= until)
    return conditions


def _columns() -> Any:
    return select(
        _label.uid,
        _label.pattern,
        _label.begins,
        _label.ends,
        _label.kind,
        _label.note,
        _label.author,
        _label.created,
        _label.expires,
        _label.id,
    )


def _stored(row: Any) -> Label:
    return Label(*row)
