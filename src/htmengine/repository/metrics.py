"""Metrics: the watermarks of their rows and scores, and the generations of their models."""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, delete, func, null, select, update

from htmengine.exceptions import MetricStatusChangedError, ObjectNotFoundError
from htmengine.repository import (
    alarms,
    backfill,
    bulk,
    gathered_samples,
    identity,
    running_totals,
    schema,
    teachings,
    watermarks,
)
from htmengine.repository.locks import lock_metrics
from htmengine.repository.lookup import IN_LIST, Lookup
from htmengine.repository.status import WITH_MODEL, WITHOUT_MODEL, MetricStatus

CUSTOM: Final = "custom"
"""Data source of the metrics that come in as samples."""
MAX_NAME: Final = 255
"""Characters of a metric's name; a longer one cannot be stored."""
CUSTOM_POLL_INTERVAL_S: Final = 300
MAX_LAGGING: Final = 1_000_000
CLEARED_BATCH_SIZE: Final = 5000
"""Rows whose scores one statement clears."""

_metric: Final = schema.metric.c
IS_CUSTOM: Final[ColumnElement[bool]] = func.coalesce(_metric.datasource, "") == CUSTOM
"""The condition for such a metric. No index leads to it: nearly all are custom, and databases would read all by the index, and
sort them, for each part that is asked for."""
_watermark: Final = schema.metric_watermark.c
_data: Final = schema.metric_data.c


class MetricState(NamedTuple):
    """The state of a metric. Rowids count from 1; 0 means that there are none."""

    uid: str
    name: str
    datasource: str
    status: int
    generation: int
    base_rowid: int
    last_rowid: int
    scored_rowid: int
    tail_timestamp: int | None
    """Of the row `last_rowid`, also when that row was removed."""
    tail_digest: int = identity.UNKNOWN
    """Of the same row."""
    model_digest: int = identity.UNKNOWN
    """Of what the model began with."""
    hourly_rowid: int = 0
    """The rows up to this one are summed up by the hour: see `hours`."""

    @property
    def is_lagging(self) -> bool:
        """Whether it has a model, and rows that have no score yet."""
        return self.status in WITH_MODEL and self.scored_rowid < self.last_rowid


class Definition(NamedTuple):
    """What a metric's model is made from."""

    generation: int
    status: int
    base_rowid: int
    last_rowid: int
    scored_rowid: int
    model_params: str | None
    tail_digest: int = identity.UNKNOWN
    model_digest: int = identity.UNKNOWN
    tail_timestamp: int | None = None
    """Of the row `last_rowid`, in seconds since the epoch."""


class Description(NamedTuple):
    """What messages to subscribers say of a metric."""

    uid: str
    name: str
    description: str | None
    server: str | None
    location: str | None
    datasource: str
    parameters: str | None


_status: Final[ColumnElement[int]] = func.coalesce(_metric.status, 0)
_last_rowid: Final = func.coalesce(_metric.last_rowid, 0)
_DIGESTS: Final = tuple(
    func.coalesce(column, identity.UNKNOWN) for column in (_metric.tail_digest, _metric.model_digest)
)
_STATE: Final = (
    _metric.uid,
    func.coalesce(_metric.name, ""),
    func.coalesce(_metric.datasource, ""),
    _status,
    _metric.generation,
    _metric.base_rowid,
    _last_rowid,
    schema.scored_rowid,
    _metric.tail_timestamp,
    *_DIGESTS,
    schema.hourly_rowid,
)


_STATES: Final = Lookup(_metric.uid, *_STATE, source=schema.watermarked)
# The data source is compared here: with it, databases read all custom metrics by its index instead of the names'.
_STATES_BY_NAME: Final = Lookup(_metric.name, *_STATE, source=schema.watermarked)
_DEFINITIONS: Final = Lookup(
    _metric.uid,
    _metric.uid,
    _metric.generation,
    _status,
    _metric.base_rowid,
    _last_rowid,
    schema.scored_rowid,
    _metric.model_params,
    *_DIGESTS,
    _metric.tail_timestamp,
    source=schema.watermarked,
)
_DESCRIPTIONS: Final = Lookup(
    _metric.uid,
    _metric.uid,
    func.coalesce(_metric.name, ""),
    _metric.description,
    _metric.server,
    _metric.location,
    func.coalesce(_metric.datasource, ""),
    _metric.parameters,
)


def count(conn: Connection) -> int:
    """Return how many metrics there are."""
    return conn.scalar(select(func.count()).select_from(schema.metric)) or 0


def states_by_name(conn: Connection, names: Sequence[str]) -> dict[str, MetricState]:
    """Return the custom metrics that have these names, case-sensitive; unknown names are left out."""
    wanted = set(names)
    # Where the database takes A for a, it gives names that nobody asked for.
    found = [
        MetricState(*row)
        for row in _STATES_BY_NAME.rows(conn, names)
        if row[1] in wanted and row[2] == CUSTOM
    ]
    # By uid, so that of two metrics of one name everybody takes the same.
    return {state.name: state for state in sorted(found, reverse=True)}


def states(conn: Connection, uids: Sequence[str]) -> dict[str, MetricState]:
    """Return the states of these metrics; unknown ones are left out."""
    return {row[0]: MetricState(*row) for row in _STATES.rows(conn, uids)}


def state(conn: Connection, uid: str) -> MetricState:
    """Return the state of one metric. Raises ObjectNotFoundError."""
    found = states(conn, [uid]).get(uid)
    if found is None:
        raise not_found(uid)
    return found


def not_found(uid: str) -> ObjectNotFoundError:
    """Return the error that tells that no metric has this uid."""
    return ObjectNotFoundError(f"there is no metric with uid {uid}")


def lock(conn: Connection, uids: Sequence[str]) -> None:
    """Keep others from changing these metrics until the transaction ends: for one that changes several, in any order.

    Of one that also changes their watermarks, `watermarks.lock` comes before.
    """
    if conn.dialect.name != "sqlite":  # where one writes at a time
        ordered = sorted(set(uids))
        for start in range(0, len(ordered), IN_LIST):
            some = ordered[start : start + IN_LIST]
            query = select(_metric.uid).where(_metric.uid.in_(some)).order_by(_metric.uid)
            conn.execute(query.with_for_update(key_share=True)).all()


def definitions(conn: Connection, uids: Sequence[str]) -> dict[str, Definition]:
    """Return what the models of these metrics are made from; unknown metrics are left out."""
    return {row[0]: Definition(*row[1:]) for row in _DEFINITIONS.rows(conn, uids)}


def descriptions(conn: Connection, uids: Sequence[str]) -> dict[str, Description]:
    """Return what messages to subscribers say of these metrics; unknown ones are left out."""
    return {row[0]: Description(*row) for row in _DESCRIPTIONS.rows(conn, uids)}


def create_custom(conn: Connection, names: Sequence[str]) -> dict[str, str]:
    """Make sure that each name has a custom metric, and return their uids.

    Whoever else creates metrics of these names waits until this transaction ends. Raises ValueError for a name that is empty or too
    long; then none is created.
    """
    for name in names:
        if not 0 < len(name) <= MAX_NAME:
            raise ValueError(f"a metric's name has 1 to {MAX_NAME} characters, not {len(name)}: {name[:40]}…")
    lock_metrics(conn, names)
    uids = {name: state.uid for name, state in states_by_name(conn, names).items()}
    new = [name for name in dict.fromkeys(names) if name not in uids]
    uids.update((name, uuid.uuid4().hex) for name in new)
    bulk.insert(
        conn,
        schema.metric,
        {
            "uid": [uids[name] for name in new],
            "datasource": [CUSTOM] * len(new),
            "name": new,
            "description": [custom_description(name) for name in new],
            "server": [default_server(name) for name in new],
            "location": [""] * len(new),
            "status": [int(MetricStatus.UNMONITORED)] * len(new),
            "poll_interval": [CUSTOM_POLL_INTERVAL_S] * len(new),
            "last_rowid": [0] * len(new),
        },
    )
    return uids


def custom_description(name: str) -> str:
    """Return the description of a custom metric that nobody described, cut to what its column holds."""
    return f"Custom metric {name}"[:200]


def default_server(name: str) -> str:
    """Return the resource of a metric whose user named none: its name.

    Where the column is too short for it: the beginning of its name and a checksum of the whole.
    """
    if len(name) <= 100:
        return name
    return f"{name[:91]}~{zlib.crc32(name.encode()):08x}"


def set_status(
    conn: Connection,
    uid: str,
    status: int,
    *,
    message: str | None = None,
    expected: int | None = None,
) -> bool:
    """Set a metric's status and message.

    Returns
    -------
    Whether it was set: there is such a metric, with the `expected` status where one is given.
    """
    statement = update(schema.metric).where(_metric.uid == uid)
    if expected is not None:
        statement = statement.where(_status == int(expected))
    return conn.execute(statement.values(status=int(status), message=message)).rowcount > 0


class NewModel(NamedTuple):
    """The model that a metric is to have."""

    uid: str
    parameters: str | None
    """The user's model specification, JSON."""
    model_params: str | None
    """What the model is made from, JSON; None while that waits for data."""
    status: int
    server: str | None = None
    """The resource; None leaves the metric's own."""


class StatusChange(NamedTuple):
    """A metric's status as it was read, and what it becomes."""

    uid: str
    generation: int
    before: int
    after: int
    message: str | None


def change_statuses(conn: Connection, changes: Sequence[StatusChange]) -> int:
    """Change statuses of metrics, each only if it is as it was read; return how many were changed."""
    if not changes:
        return 0
    uids, generations, before, after, messages = zip(*changes, strict=True)
    return bulk.update(
        conn,
        schema.metric,
        {"uid": uids, "generation": generations, "status": before},
        {"status": after, "message": messages},
        shared=True,
    )


def start_model(
    conn: Connection,
    uid: str,
    *,
    parameters: str | None,
    model_params: str | None,
    status: int,
    server: str | None = None,
) -> None:
    """Describe the model of one metric; see `start_models` and `NewModel`."""
    start_models(conn, [NewModel(uid, parameters, model_params, status, server)])


def start_models(conn: Connection, models: Sequence[NewModel]) -> None:
    """Describe the models of metrics that have none so far, each at most once.

    A model begins at the oldest row that is stored, or, where rows are missing, at the oldest behind the last gap.

    Raises
    ------
    ObjectNotFoundError : there is no such metric.
    MetricStatusChangedError : one has a model already, or had one that failed; `end_model` comes first.
    """
    from htmengine.repository import samples  # here, and below: all else needs no arrays

    uids = [model.uid for model in models]
    watermarks.lock(conn, uids)
    known = states(conn, uids)
    for uid in uids:
        state = known.get(uid)
        if state is None:
            raise not_found(uid)
        if state.status not in WITHOUT_MODEL:
            raise MetricStatusChangedError(f"the metric {uid} has a model")
        if state.scored_rowid > max(state.base_rowid, 0):
            while clear_scores(conn, uid):
                pass
    first = samples.first_without_gap(conn, uids)
    begins = {uid: first[uid] - 1 if uid in first else state.last_rowid for uid, state in known.items()}
    for own_server in (False, True):  # a column is set for all metrics of a statement or for none
        some = [model for model in models if (model.server is None) == own_server]
        before = [known[model.uid] for model in some]
        base = [begins[it.uid] for it in before]
        changes: dict[str, Sequence[Any]] = {
            "parameters": [model.parameters for model in some],
            "model_params": [model.model_params for model in some],
            "status": [int(model.status) for model in some],
            "message": [None] * len(some),
            "base_rowid": base,
            "model_digest": [
                identity.of(model.model_params, begin) for model, begin in zip(some, base, strict=True)
            ],
        }
        if not own_server:
            changes["server"] = [model.server for model in some]
        same: dict[str, Sequence[Any]] = {
            "uid": [it.uid for it in before],
            "status": [it.status for it in before],
            "generation": [it.generation for it in before],
        }
        if bulk.update(conn, schema.metric, same, changes, shared=True) != len(some):
            raise MetricStatusChangedError("the status of a metric was changed at the same time")
    watermarks.add(conn, uids)
    watermarks.update(
        conn,
        {"uid": uids},
        {
            "generation": [known[uid].generation for uid in uids],
            "scored_rowid": [begins[uid] for uid in uids],
        },
    )


def begin_as_copy(
    conn: Connection,
    uid: str,
    generation: int,
    *,
    at_rowid: int,
    rows: int,
    model_params: str,
    model_digest: int,
) -> None:
    """Let a metric's model, which has no score yet, begin as a copy of one that has learned so many rows elsewhere.

    Nothing happens where the metric has another generation, or its watermark does not lie at `at_rowid` any more.
    """
    watermarks.lock(conn, [uid])
    scored = select(_watermark.scored_rowid).where(_watermark.uid == uid).scalar_subquery()
    unscored = _metric.base_rowid == at_rowid, scored == at_rowid
    conn.execute(
        update(schema.metric)
        .where(_metric.uid == uid, _metric.generation == generation, *unscored)
        .values(base_rowid=at_rowid - rows, model_params=model_params, model_digest=model_digest)
    )


def end_model(conn: Connection, uid: str) -> int:
    """End the metric's model and return the generation that the next one will have.

    The metric is unmonitored from now on, and scores that still come for its model are refused. Its old scores are left
    for `clear_scores`. Raises ObjectNotFoundError.
    """
    watermarks.lock(conn, [uid])
    statement = (
        update(schema.metric)
        .where(_metric.uid == uid)
        .values(
            generation=_metric.generation + 1,
            status=int(MetricStatus.UNMONITORED),
            parameters=None,
            model_params=None,
            model_digest=None,
            message=None,
        )
    )
    if not conn.execute(statement).rowcount:
        raise not_found(uid)
    generation = int(conn.execute(select(_metric.generation).where(_metric.uid == uid)).scalar_one())
    watermarks.move(conn, uid, generation=generation)
    return generation


def clear_scores(conn: Connection, uid: str, *, limit: int = CLEARED_BATCH_SIZE) -> bool:
    """Clear up to `limit` scores of a metric whose model was ended, and return whether there may be more.

    The newest go first, each with its alarms and hours. The watermark goes down with them, so that it agrees with the scores after each transaction: one that dies between
    is continued by the next call. A metric that has a model is left alone.
    """
    from htmengine.repository import hours

    watermarks.lock(conn, [uid])
    query = (
        select(schema.scored_rowid.label("scored_rowid"), _metric.base_rowid)
        .select_from(schema.watermarked)
        .where(_metric.uid == uid, _status.in_(WITHOUT_MODEL))
    )
    row = conn.execute(query.with_for_update(of=schema.metric)).first()
    floor = 0 if row is None else max(row.base_rowid, 0)
    if row is None or row.scored_rowid <= floor:
        return False
    kept = max(row.scored_rowid - limit, floor)
    conn.execute(
        update(schema.metric_data)
        .where(_data.uid == uid, _data.rowid > kept, _data.rowid <= row.scored_rowid)
        .values(dict.fromkeys(schema.SCORES, null()))
    )
    watermarks.move(conn, uid, scored_rowid=kept)
    alarms.remove_of(conn, uid, kept)
    teachings.take_back_silenced(conn, uid, kept)
    hours.take_back(conn, uid, kept)
    return bool(kept > floor)


def clear_model(conn: Connection, uid: str) -> int:
    """End the metric's model, clear all its scores, and return the generation that the next model will have.

    All in one transaction; where a metric may have very many rows, call `end_model` and `clear_scores` in transactions
    of their own. Raises ObjectNotFoundError.
    """
    generation = end_model(conn, uid)
    while clear_scores(conn, uid):
        pass
    return generation


def custom(conn: Connection) -> list[MetricState]:
    """Return every custom metric, by uid."""
    query = _of_states().where(IS_CUSTOM).order_by(_metric.uid)
    return [MetricState(*row) for row in conn.execute(query)]


def delete_metric(conn: Connection, uid: str, *, limit: int = CLEARED_BATCH_SIZE) -> bool:
    """Delete up to `limit` rows, alarms or hours of a metric, with the last of them the metric; return whether there is more.

    Unlike the cascade from the metric's row, no transaction is longer than others can wait for.
    """
    from htmengine.repository import samples

    oldest = samples.oldest_rowid(conn, uid)
    newest = samples.newest_rowid(conn, uid)
    if oldest is not None and newest is not None:
        last = min(newest, oldest + limit - 1)
        samples.remove(conn, uid, oldest, last)
        if last < newest:
            return True
    for table, key in (
        (schema.metric_alarm, schema.metric_alarm.c.rowid),
        (schema.metric_hour, schema.metric_hour.c.hour),
    ):
        own = table.c.uid == uid
        first_kept = conn.scalar(select(key).where(own).order_by(key).offset(limit).limit(1))
        if first_kept is not None:
            conn.execute(delete(table).where(own, key < first_kept))
            return True
        conn.execute(delete(table).where(own))
    name = conn.scalar(select(_metric.name).where(_metric.uid == uid))
    if name is not None:
        running_totals.forget(conn, name)
        backfill.forget_held(conn, name)
        gathered_samples.forget(conn, name)
    teachings.forget(conn, uid)
    watermarks.lock(conn, [uid])
    conn.execute(delete(schema.metric).where(_metric.uid == uid))
    return False


def lagging(
    conn: Connection, *, after: str = "", upto: str | None = None, limit: int = MAX_LAGGING
) -> list[MetricState]:
    """Return metrics with a model and with rows that have no score yet, by uid, no more than `limit`.

    By default all of them: those that stand still hide among those that are merely busy. `after`, `upto`: only those behind
    one uid, and up to another.
    """
    query = _of_states().where(schema.lagging(), _metric.uid > after).order_by(_metric.uid).limit(limit)
    if upto is not None:
        query = query.where(_metric.uid <= upto)
    return [MetricState(*row) for row in conn.execute(query)]


def uid_behind(conn: Connection, uid: str, count: int) -> str | None:
    """Return the uid of the metric that comes so many behind a uid; None where there are not so many."""
    query = select(_metric.uid).where(_metric.uid > uid).order_by(_metric.uid).offset(count - 1).limit(1)
    return conn.scalar(query)


def pending(conn: Connection) -> list[MetricState]:
    """Return the metrics whose model was asked for and is not confirmed, by uid."""
    query = _of_states().where(schema.pending()).order_by(_metric.uid)
    return [MetricState(*row) for row in conn.execute(query)]


def _of_states() -> Select[Any]:
    return select(*_STATE).select_from(schema.watermarked)
