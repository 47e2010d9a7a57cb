"""The newest scores of some metrics or of all, for people to read."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Final, NamedTuple

from sqlalchemy import Connection, func, select

from htmengine.repository import columns, schema
from htmengine.repository.alarms import Alarm, alarms_at
from htmengine.repository.chunks import in_chunks
from htmengine.repository.metrics import states
from htmengine.repository.times import by_time, epoch_seconds

ANY_NUMBER: Final = 1 << 62


class LatestScore(NamedTuple):
    """What is shown of a sample that has scores."""

    name: str
    rowid: int
    timestamp: int
    """Seconds since the epoch."""
    value: float
    anomaly_score: float
    log_score: float | None
    forecast: float | None
    """None, as the usual values, where the model has none yet, or tells none."""
    usual: tuple[float, float] | None
    alarm: Alarm | None
    """Of a row that alarms."""


_SHOWN: Final = ("time", "metric_value", "anomaly_score", "log_score", "forecast", "usual_low", "usual_high")


def latest_scores(
    conn: Connection, *, uids: Sequence[str] | None = None, least_log_score: float = 0.0, limit: int = 20
) -> list[LatestScore]:
    """Return the newest scored samples of some metrics or of all, the oldest first, those of one time by name.

    Rows without a log score (written before the engine kept it) count as 0. However many rows there are, few of them are
    read: a metric's by their rowids, notable ones by the index of their scores, others by the index of their times.
    """
    data = columns.recent(conn).c
    query = select(
        data.uid,
        data.rowid,
        epoch_seconds(data.timestamp).label("seconds"),
        data.metric_value,
        data.anomaly_score,
        data.log_score,
        data.forecast,
        data.usual_low,
        data.usual_high,
    ).where(data.anomaly_score.is_not(None))
    if least_log_score > 0:
        query = query.where(data.log_score >= least_log_score)
    notable = least_log_score >= schema.NOTABLE_LOG_SCORE
    if notable:
        least = 1.0 - 10.0 ** (-10.0 * least_log_score)  # the log scale counts tenths of powers of ten
        by_index = query.where(schema.notable(), data.anomaly_score >= least)
        # By the computed time, so that no database reads its rows in the order of their times until it has enough.
        by_index = by_index.order_by(epoch_seconds(data.timestamp).desc(), data.uid.desc(), data.rowid.desc())
    if uids is not None and (not notable or len(uids) == 1):
        queries = [query.where(data.uid == uid).order_by(data.rowid.desc()) for uid in uids]
    elif uids is not None:
        # Computed, too: by the uids as they are, SQLite would read all rows of these metrics.
        queries = [by_index.where(func.coalesce(data.uid, "").in_(some)) for some in in_chunks(uids)]
    elif notable:
        queries = [by_index]
    else:
        # In two steps: an order by more than the index has makes newer releases of SQLite sort the whole table.
        time = by_time(conn, data.timestamp)
        newest = conn.scalars(query.with_only_columns(time).order_by(time.desc()).limit(limit)).all()
        queries = []
        if newest:
            # With a limit of their own these are read by the index, and sorted then; else SQLite may read all merged rows.
            last = query.where(time >= newest[-1]).order_by(time.desc()).limit(ANY_NUMBER).subquery().c
            queries.append(select(*last).order_by(last.seconds.desc(), last.uid.desc(), last.rowid.desc()))
    recent = [row for one in queries for row in conn.execute(one.limit(limit))]
    rows = columns.with_older(conn, recent, _SHOWN, limit, least_log_score=least_log_score, uids=uids)
    known = states(conn, [row[0] for row in rows])
    alarming: dict[str, list[int]] = {}
    for uid, rowid, _, _, _, log_score, *_ in rows:
        if (log_score or 0.0) >= schema.ALARM_LOG_SCORE:
            alarming.setdefault(uid, []).append(rowid)
    alarms = {uid: alarms_at(conn, uid, rowids) for uid, rowids in alarming.items()}
    samples = [
        LatestScore(
            known[uid].name,
            rowid,
            timestamp,
            value,
            anomaly_score,
            log_score,
            forecast,
            None if low is None or high is None else (low, high),
            alarms.get(uid, {}).get(rowid),
        )
        for uid, rowid, timestamp, value, anomaly_score, log_score, forecast, low, high in rows
        if uid in known
    ]
    return sorted(samples, key=attrgetter("timestamp", "name", "rowid"))
