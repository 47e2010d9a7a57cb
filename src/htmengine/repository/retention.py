"""Removal of old rows: never of one that is needed to score those that stay again. Their alarms and hours stay.

What stays of a metric with a model begins right behind a checkpoint, the anchor: from it the rows are scored again, bit
for bit, by whoever explains them or tries other settings. So rows are removed up to a checkpoint; `checkpoints.prune` sees
to it that there are some on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, and_, delete, func, or_, select

from htmengine.repository import columns, hours, samples, schema, series, teachings, watermarks
from htmengine.repository.checkpoints import ModelKey
from htmengine.repository.status import WITH_MODEL, MetricStatus
from htmengine.repository.teachings import Teaching
from htmengine.repository.times import bound, by_time, epoch_seconds

METRICS_BATCH_SIZE: Final = 200

_metric: Final = schema.metric.c
_data: Final = schema.metric_data.c

Checkpoints = Callable[[Sequence[str]], Mapping[ModelKey, Sequence[int]]]
"""Returns for these uids the rowids of the checkpoints of each model that has any."""


class Removal(NamedTuple):
    """What one step removed."""

    rows: int
    """Of samples or hours."""
    next_uid: str | None
    """Where the next step goes on; None when all metrics had their turn."""
    anchors: Mapping[ModelKey, int] = {}
    """The checkpoints behind which the rows of models begin now; older ones are of no use."""


def remove_older(
    conn: Connection,
    before: int,
    *,
    limit: int,
    checkpoints: Checkpoints,
    from_uid: str = "",
) -> Removal:
    """Remove rows whose timestamp lies before a time, at most `limit`, metric by metric.

    A metric with a model loses the rows up to its newest checkpoint from before that time, if all of them have scores; one
    that waits for data keeps all, and so does one whose model was taught to forget, until that has expired: it is made again
    from its first row. Metric by metric, since the rows that must stay may be the oldest of all: a search by
    time would find them again and again.

    Parameters
    ----------
    before : seconds since the epoch.
    checkpoints : asked within the transaction, after the metrics were read: a checkpoint of a generation that has ended
        meanwhile says nothing of the model that came after. A model without one keeps all its rows.
    from_uid : `next_uid` of the step before.
    """
    status = func.coalesce(_metric.status, 0)
    some = select(_metric.uid).where(_metric.uid >= from_uid).order_by(_metric.uid)
    uids = conn.scalars(some.limit(METRICS_BATCH_SIZE + 1)).all()
    watermarks.lock(conn, uids)
    query = select(_metric.uid, status, _metric.generation, schema.scored_rowid)
    query = query.select_from(schema.watermarked).where(_metric.uid.in_(uids)).order_by(_metric.uid)
    # A model that starts meanwhile begins at the oldest row that it finds.
    metrics = conn.execute(query.with_for_update(of=schema.metric)).all()
    modelled = [row.uid for row in metrics[:METRICS_BATCH_SIZE] if row[1] in WITH_MODEL]
    known = checkpoints(modelled)
    taught = teachings.read_all(conn, modelled)
    removed = 0
    anchors: dict[ModelKey, int] = {}
    for uid, state, generation, scored in metrics[:METRICS_BATCH_SIZE]:
        last = None
        if state == MetricStatus.PENDING_DATA:
            continue
        if state in WITH_MODEL:
            able = [rowid for rowid in known.get((uid, generation), ()) if rowid <= scored]
            last = _anchor(conn, uid, able, before)
            if last is None or _is_made_again(conn, uid, last, taught.get(uid, ())):
                continue
        count = _remove(conn, uid, generation, last, before, limit - removed)
        removed += count
        if last is not None and count and not _has_rows_to(conn, uid, last):
            anchors[uid, generation] = last
        if removed >= limit:
            return Removal(removed, uid, anchors)  # it may have more
    following = metrics[METRICS_BATCH_SIZE:]
    return Removal(removed, following[0].uid if following else None, anchors)


def _anchor(conn: Connection, uid: str, rowids: Sequence[int], before: int) -> int | None:
    """Return the newest of these rows from before a time."""
    if not rowids:
        return None
    end = series.first_from(conn, uid, before)
    older = sorted((rowid for rowid in rowids if rowid < end), reverse=True)
    return next((rowid for rowid in older if len(columns.read(conn, uid, (), rowid, rowid)[0])), None)


def _has_rows_to(conn: Connection, uid: str, rowid: int) -> bool:
    oldest = samples.oldest_rowid(conn, uid)
    return oldest is not None and oldest <= rowid


def _is_made_again(conn: Connection, uid: str, checkpoint: int, taught: Sequence[Teaching]) -> bool:
    """Whether a model is still to be made from its first row on, since what it has forgotten changes behind its checkpoint."""
    forgets = [one for one in taught if one.how == "forget"]
    if not forgets:
        return False
    row = samples.read(conn, uid, checkpoint, checkpoint, 1)
    return not row.rowids or any(
        (one.undone_rowid is None or one.undone_rowid > checkpoint) and row.timestamps[0] < one.expires
        for one in forgets
    )


def _remove(conn: Connection, uid: str, generation: int, last: int | None, before: int, limit: int) -> int:
    oldest = samples.oldest_rowid(conn, uid)
    if oldest is None or (last is not None and oldest > last):
        return 0
    # Locked where a server has more than one writer: no other model begins with these rows until they are gone.
    same = select(_metric.uid).where(_metric.uid == uid, _metric.generation == generation).with_for_update()
    if conn.execute(same).first() is None:
        return 0
    end = oldest + limit - 1 if last is None else min(last, oldest + limit - 1)
    rowids, times = columns.read(conn, uid, ["time"], oldest, end)
    old = rowids[times < before]
    if not len(old):
        return 0
    newest, count = int(old[-1]), len(old)
    _sum_up(conn, uid, generation, newest)
    samples.remove(conn, uid, oldest, newest)
    return int(count)


def _sum_up(conn: Connection, uid: str, generation: int, to_rowid: int) -> None:
    """Let the hours tell of rows that are about to be removed. The metric and its watermark are locked."""
    hourly = hours.summed_up(conn, uid)
    if hourly < to_rowid:
        sums = hours.summed_to(conn, uid, generation, hourly, to_rowid)
        hours.store(conn, [sums])


def oldest_timestamp(conn: Connection) -> int | None:
    """Return the time of the oldest row of all metrics, in seconds since the epoch; None where there is none."""
    data = columns.recent(conn).c
    time = by_time(conn, data.timestamp)
    recent: int | None = conn.scalar(select(epoch_seconds(data.timestamp)).order_by(time).limit(1))
    before = columns.oldest_before_recent(conn)
    return min((found for found in (recent, before) if found is not None), default=None)


def remove_alarms(conn: Connection, before: int, *, limit: int) -> int:
    """Remove alarms from before a time, in seconds since the epoch, at most `limit`; return how many were removed."""
    alarm = schema.metric_alarm.c
    old = select(alarm.id).where(alarm.timestamp < bound(before)).order_by(alarm.timestamp).limit(limit)
    ids = conn.scalars(old).all()
    if not ids:
        return 0
    return conn.execute(delete(schema.metric_alarm).where(alarm.id.in_(ids))).rowcount


def remove_silences(conn: Connection, before: int, *, limit: int) -> int:
    """Remove silences that ended before a time, in seconds since the epoch, at most `limit`; return their number."""
    silence = schema.metric_silence.c
    ids = conn.scalars(select(silence.id).where(silence.until < before).limit(limit)).all()
    if not ids:
        return 0
    return conn.execute(delete(schema.metric_silence).where(silence.id.in_(ids))).rowcount


def remove_incidents(conn: Connection, before: int, *, limit: int) -> int:
    """Remove incidents whose newest alarm is from before a time, at most `limit`, with what was joined to them.

    What was done about them and told of them goes, too. `before` : seconds since the epoch. Returns how many were removed, those that were joined not counted.
    """
    incident, part, alarm = schema.incident.c, schema.incident_metric.c, schema.incident_alarm.c
    action, delivery = schema.incident_action.c, schema.alert_delivery.c
    over = incident.merged_into.is_(None), incident.resolved.is_not(None), incident.changed < before
    ids = conn.scalars(select(incident.id).where(*over).order_by(incident.changed).limit(limit)).all()
    if not ids:
        return 0
    conn.execute(delete(schema.incident_alarm).where(alarm.incident.in_(ids)))
    conn.execute(delete(schema.incident_metric).where(part.incident.in_(ids)))
    conn.execute(delete(schema.incident_action).where(action.incident.in_(ids)))
    joined = conn.scalars(select(incident.id).where(incident.merged_into.in_(ids))).all()
    of_engine = and_(delivery.incident.is_(None), delivery.due.is_(None), delivery.created < before)
    conn.execute(delete(schema.alert_delivery).where(or_(delivery.incident.in_([*ids, *joined]), of_engine)))
    conn.execute(delete(schema.incident).where(or_(incident.id.in_(ids), incident.merged_into.in_(ids))))
    return len(ids)


def remove_hours(conn: Connection, before: int, *, from_uid: str = "") -> Removal:
    """Remove hours of some metrics that ended before a time, in seconds since the epoch.

    `from_uid` : `next_uid` of the step before.
    """
    hour = schema.metric_hour.c
    query = select(_metric.uid).where(_metric.uid >= from_uid).order_by(_metric.uid)
    uids = conn.scalars(query.limit(METRICS_BATCH_SIZE + 1)).all()
    old = hour.uid.in_(uids[:METRICS_BATCH_SIZE]), hour.hour <= before - hours.HOUR_S
    removed = conn.execute(delete(schema.metric_hour).where(*old)).rowcount if uids else 0
    return Removal(removed, uids[METRICS_BATCH_SIZE] if len(uids) > METRICS_BATCH_SIZE else None)
