"""The state of metrics: what the commands `metrics`, `doctor` and `status` show. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Select, and_, case, func, or_, select

from htmengine.repository import schema
from htmengine.repository.alarms import Alarm, alarms_at
from htmengine.repository.chunks import in_chunks
from htmengine.repository.metrics import CUSTOM, states
from htmengine.repository.status import WITH_MODEL, MetricStatus
from htmengine.repository.times import by_time, epoch_seconds

ANY_NUMBER: Final = 1 << 62
STATUS_NAMES: Final = {status.value: status.name.lower().replace("_", " ") for status in MetricStatus}


class MetricOverview(NamedTuple):
    """One metric."""

    uid: str
    name: str
    status: int
    message: str | None
    generation: int
    base_rowid: int
    last_rowid: int
    scored_rowid: int
    tail_timestamp: int | None
    """Timestamp of the last row, in seconds since the epoch."""
    model_params: str | None

    @property
    def status_name(self) -> str:
        """The status in words."""
        return STATUS_NAMES.get(self.status, str(self.status))

    @property
    def monitored(self) -> bool:
        """Whether the metric has a model, or is to get one."""
        return self.status != MetricStatus.UNMONITORED

    @property
    def waits_for_rows(self) -> bool:
        """Whether the model waits for enough rows to take its range from."""
        return self.status == MetricStatus.PENDING_DATA

    @property
    def failed(self) -> bool:
        """Whether the model cannot go on; `message` says why."""
        return self.status == MetricStatus.ERROR

    @property
    def unscored(self) -> int:
        """Rows that are stored and wait for their scores."""
        if self.status not in WITH_MODEL:
            return 0
        return self.last_rowid - max(self.scored_rowid, self.base_rowid)


def metrics(conn: Connection, names: Sequence[str] | None = None) -> list[MetricOverview]:
    """Return custom metrics by name: those of these names, or all."""
    column = schema.metric.c
    query = _of_metric().where(column.datasource == CUSTOM).order_by(column.name)
    if names is None:
        return [MetricOverview(*row) for row in conn.execute(query)]
    wanted = set(names)
    found = [
        MetricOverview(*row)
        for some in in_chunks(list(wanted))
        for row in conn.execute(query.where(column.name.in_(some)))
        if row.name in wanted  # in their exact case
    ]
    return sorted(found, key=attrgetter("name"))


def noteworthy(conn: Connection, silent: Sequence[str]) -> list[MetricOverview]:
    """Return custom metrics by name that failed, wait for rows or scores, or are silent, as these uids are; others are not read."""
    column = schema.metric.c
    status = func.coalesce(column.status, 0)
    learned = case((schema.scored_rowid > column.base_rowid, schema.scored_rowid), else_=column.base_rowid)
    waits = and_(status.in_(WITH_MODEL), func.coalesce(column.last_rowid, 0) != learned)
    query = _of_metric().where(column.datasource == CUSTOM)
    ofs = [
        or_(status.in_((MetricStatus.ERROR, MetricStatus.PENDING_DATA)), waits),
        *(column.uid.in_(some) for some in in_chunks(silent)),
    ]
    found = {row.uid: MetricOverview(*row) for of in ofs for row in conn.execute(query.where(of))}
    return sorted(found.values(), key=attrgetter("name"))


def page(conn: Connection, after: str | None, limit: int) -> list[MetricOverview]:
    """Return the first custom metrics by name, behind one if it is given, at most `limit`; others are not read."""
    column = schema.metric.c
    query = _of_metric().where(column.datasource == CUSTOM).order_by(column.name).limit(limit)
    if after is not None:
        query = query.where(column.name > after)
    return [MetricOverview(*row) for row in conn.execute(query)]


def metric(conn: Connection, name: str) -> MetricOverview | None:
    """Return the custom metric of this name, or None."""
    return next(iter(metrics(conn, [name])), None)


class Totals(NamedTuple):
    """All metrics together."""

    metrics: int
    by_status: dict[str, int]
    rows: int
    """Samples that were ever stored."""
    unscored: int

    @property
    def monitored(self) -> int:
        """Metrics that have a model."""
        return sum(self.by_status.get(STATUS_NAMES[status], 0) for status in WITH_MODEL)


def totals(conn: Connection) -> Totals:
    """Return the sums over all metrics; rows of the samples' table are not looked at."""
    column = schema.metric.c
    query = (
        select(
            column.status,
            func.count(),
            func.coalesce(func.sum(column.last_rowid), 0),
            func.coalesce(func.sum(column.last_rowid - schema.scored_rowid), 0),
        )
        .select_from(schema.watermarked)
        .group_by(column.status)
    )
    count = rows = unscored = 0
    by_status: dict[str, int] = {}
    for status, number, last, behind in conn.execute(query):
        count += number
        rows += int(last)
        if status in WITH_MODEL:
            unscored += int(behind)
        by_status[STATUS_NAMES.get(status or 0, str(status))] = number
    return Totals(count, by_status, rows, unscored)


class BackfillState(NamedTuple):
    """A metric whose history is being sent."""

    renewed_at: int
    held: int
    """Live samples that wait until the history is complete."""


def backfill(conn: Connection, name: str) -> BackfillState | None:
    """Return the state of a metric's backfill, None where there is none."""
    renewed_at = conn.scalar(select(schema.backfill.c.renewed_at).where(schema.backfill.c.name == name))
    if renewed_at is None:
        return None
    held = conn.scalar(
        select(func.count()).select_from(schema.held_sample).where(schema.held_sample.c.name == name)
    )
    return BackfillState(renewed_at, held or 0)


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
    from htmengine.repository import columns  # here: all else needs no arrays

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


def _of_metric() -> Select[Any]:
    column = schema.metric.c
    return select(
        column.uid,
        column.name,
        func.coalesce(column.status, 0),
        column.message,
        column.generation,
        column.base_rowid,
        func.coalesce(column.last_rowid, 0),
        schema.scored_rowid,
        column.tail_timestamp,
        column.model_params,
    ).select_from(schema.watermarked)
