"""Documented functions on the table `metric_data`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Result, Row, Select, func, select, update
from sqlalchemy.sql import operators

from htmengine.exceptions import MetricStatisticsNotReadyError
from htmengine.repository import identity, samples, schema
from htmengine.repository.queries.metrics import getMetric, getMetricWithUpdateLock
from htmengine.repository.queries.transactions import Fields, all_rows, columns, joined, storable, stored_time
from htmengine.repository.status import MetricStatus
from htmengine.repository.times import by_time, epoch_seconds, time_bound, to_epoch

BARS: Final = 24
"""Into so many blocks the period is divided that metrics are sorted by."""

_metric: Final = schema.metric.c
_data: Final = schema.metric_data.c


def addMetricData(
    conn: Connection, metricId: str, data: Sequence[tuple[float, datetime]]
) -> list[dict[str, Any]]:
    """Append samples (value, time) to a metric and return what was inserted, by rowid; [] for none.

    Times are UTC; fractions of seconds are cut off. Raises ObjectNotFoundError.
    """
    if not data:
        return []
    times = [stored_time(time) for _, time in data]
    seconds = [to_epoch(time) for time in times]
    values = [float(value) for value, _ in data]
    with joined(conn, writes=True):
        last = incrementMetricRowid(conn, metricId, len(data))
        rowids = range(last - len(data) + 1, last + 1)
        tail = getMetric(conn, metricId, [_metric.tail_digest, _metric.tail_timestamp])
        digest = tail.tail_digest or identity.start(rowids[0] - 1, tail.tail_timestamp)
        digests = list(identity.extended(digest, seconds, values))
        samples.append(conn, [metricId] * len(data), rowids, seconds, values, digests)
        moved = {"tail_timestamp": seconds[-1], "tail_digest": digests[-1]}
        conn.execute(update(schema.metric).where(_metric.uid == metricId).values(moved))
    return [
        {"uid": metricId, "rowid": rowid, "timestamp": time, "metric_value": value}
        for rowid, time, value in zip(rowids, times, values, strict=True)
    ]


def incrementMetricRowid(conn: Connection, metricId: str, amount: int = 1) -> int:
    """Allocate rowids of a metric and return the highest.

    Raises ValueError if `amount` is less than 1, and ObjectNotFoundError.
    """
    if amount < 1:
        raise ValueError(f"{amount} rowids cannot be allocated, only 1 or more")
    with joined(conn, writes=True):
        last = getMetricWithUpdateLock(conn, metricId, [_metric.last_rowid]).last_rowid or 0
        conn.execute(update(schema.metric).where(_metric.uid == metricId).values(last_rowid=last + amount))
    return int(last + amount)


def getMetricData(
    conn: Connection,
    metricId: str | None = None,
    fields: Fields | None = None,
    rowid: int | None = None,
    start: int | None = None,
    stop: int | None = None,
    limit: int | None = None,
    fromTimestamp: datetime | None = None,
    toTimestamp: datetime | None = None,
    score: float | None = None,
    sort: ColumnElement[Any] | Sequence[ColumnElement[Any]] | None = None,
) -> Result[Any]:
    """Return samples of a metric, or of all metrics.

    Parameters
    ----------
    rowid : this row only.
    fromTimestamp, toTimestamp : the first and the last time. They hold where `rowid` is not given.
    start, stop : the first and the last rowid. They hold where neither `rowid` nor a time is given.
    score : above 0: rows with this anomaly score or a higher one; 0: rows with any anomaly score.
    sort : columns to sort by; by default the rowid.
    """
    query = columns(schema.metric_data, fields)
    if metricId is not None:
        query = query.where(_data.uid == metricId)
    if rowid is not None:
        query = query.where(_data.rowid == rowid)
    elif fromTimestamp is not None or toTimestamp is not None:
        query = _between(query, _data.timestamp, fromTimestamp, toTimestamp)
    else:
        query = _between(query, _data.rowid, start, stop)
    if score is not None:
        scored = _data.anomaly_score >= score if score > 0 else _data.anomaly_score.is_not(None)
        query = query.where(scored)
        if score >= schema.NOTABLE_SCORE:
            query = query.where(schema.notable())
    if sort is None:
        sort = [_data.rowid, _data.uid]
    wanted = sort if isinstance(sort, Sequence) else [sort]
    query = query.order_by(*(_null_is_least(conn, expression) for expression in wanted))
    return all_rows(conn, query.limit(limit))


def _null_is_least(conn: Connection, expression: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return what to sort by so that NULL comes before every value, as documented; PostgreSQL puts it behind them."""
    if conn.dialect.name != "postgresql":
        return expression
    descending = getattr(expression, "modifier", None) is operators.desc_op
    return expression.nulls_last() if descending else expression.nulls_first()


def _between(query: Select[Any], column: ColumnElement[Any], first: Any, last: Any) -> Select[Any]:
    if first is not None:
        query = query.where(column >= first)
    if last is not None:
        query = query.where(column <= last)
    return query


def getMetricDataWithRawAnomalyScoresTail(conn: Connection, metricId: str, limit: int) -> list[Row[Any]]:
    """Return the newest samples of a metric that its model has scored, newest first."""
    query = select(schema.metric_data).where(_data.uid == metricId, _data.raw_anomaly_score.is_not(None))
    return list(all_rows(conn, query.order_by(_data.timestamp.desc(), _data.rowid.desc()).limit(limit)))


def getMetricDataCount(conn: Connection, metricId: str) -> int:
    """Return how many samples of a metric are stored."""
    return _count(conn, _data.uid == metricId)


def getProcessedMetricDataCount(conn: Connection, metricId: str) -> int:
    """Return how many samples of a metric its model has scored."""
    return _count(conn, _data.uid == metricId, _data.raw_anomaly_score.is_not(None))


def getUnprocessedModelDataCount(conn: Connection) -> int:
    """Return how many samples of active models have no anomaly score yet."""
    active = select(_metric.uid).where(_metric.status == int(MetricStatus.ACTIVE))
    return _count(conn, _data.anomaly_score.is_(None), _data.uid.in_(active))


def _count(conn: Connection, *conditions: ColumnElement[bool]) -> int:
    query = select(func.count()).select_from(schema.metric_data).where(*conditions)
    return int(all_rows(conn, query).scalar_one())


def getMetricStats(conn: Connection, metricId: str) -> dict[str, float]:
    """Return {"min": …, "max": …} of a metric's values. Raises MetricStatisticsNotReadyError if it has none."""
    with joined(conn, writes=False):
        found = samples.value_range(conn, metricId)
    if found is None:
        raise MetricStatisticsNotReadyError(f"the metric {metricId} has no samples")
    return {"min": found[0], "max": found[1]}


def getMetricIdsSortedByDisplayValue(conn: Connection, period: int | str) -> dict[str, int]:
    """Return the sum of each metric's highest bars, by uid, the greatest sum first.

    Parameters
    ----------
    period : hours before the newest sample of any metric. They are divided into 24 blocks; a metric's sum is of the
        highest display value of each block.
    """
    length_s = int(period) * 3600
    if length_s <= 0:
        raise ValueError(f"a period of {period} hours has no samples")
    with joined(conn, writes=False):
        time = by_time(conn, _data.timestamp)
        newest = conn.scalar(select(epoch_seconds(_data.timestamp)).order_by(time.desc()).limit(1))
        if newest is None:
            return {}
        age = newest - epoch_seconds(_data.timestamp)
        highest = (
            select(_data.uid, func.max(func.coalesce(_data.display_value, 0)).label("bar"))
            .where(time > time_bound(conn, newest - length_s))
            .group_by(_data.uid, age // (length_s // BARS))
            .subquery()
        )
        total = func.sum(highest.c.bar)
        query = select(highest.c.uid, total).group_by(highest.c.uid).order_by(total.desc(), highest.c.uid)
        return {uid: int(height) for uid, height in conn.execute(query)}


def updateMetricDataColumns(conn: Connection, metricDataObj: Any, fields: Mapping[str, Any]) -> None:
    """Set columns of one row, which is named by the uid and rowid of an object; nothing happens if there is none."""
    statement = update(schema.metric_data).where(
        _data.uid == metricDataObj.uid, _data.rowid == metricDataObj.rowid
    )
    with joined(conn, writes=True):
        conn.execute(statement.values(storable(fields)))
