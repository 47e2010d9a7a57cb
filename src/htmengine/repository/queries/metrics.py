"""Documented functions on the table `metric`."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    CursorResult,
    Result,
    Row,
    collate,
    delete,
    func,
    insert,
    null,
    or_,
    update,
)

from htmengine.exceptions import ObjectNotFoundError
from htmengine.repository import locks, schema
from htmengine.repository import metrics as ours
from htmengine.repository.queries.transactions import Fields, all_rows, columns, joined, storable
from htmengine.repository.status import MetricStatus

_metric: Final = schema.metric.c


def addMetric(
    conn: Connection,
    uid: str | None = None,
    datasource: str | None = None,
    name: str | None = None,
    description: str | None = None,
    server: str | None = None,
    location: str | None = None,
    parameters: str | None = None,
    status: int | None = None,
    message: str | None = None,
    collector_error: str | None = None,
    last_timestamp: datetime | None = None,
    poll_interval: int | None = None,
    tag_name: str | None = None,
    model_params: str | None = None,
    last_rowid: int = 0,
) -> dict[str, Any]:
    """Insert a metric and return the columns that were inserted; a uid is made where none is given.

    A status that is not given is UNMONITORED, and a poll interval 60 seconds.
    """
    values = storable(
        {
            "uid": uid or uuid.uuid4().hex,
            "datasource": datasource,
            "name": name,
            "description": description,
            "server": server,
            "location": location,
            "parameters": parameters,
            "status": MetricStatus.UNMONITORED if status is None else status,
            "message": message,
            "collector_error": collector_error,
            "last_timestamp": last_timestamp,
            "poll_interval": 60 if poll_interval is None else poll_interval,
            "tag_name": tag_name,
            "model_params": model_params,
            "last_rowid": last_rowid,
        }
    )
    with joined(conn, writes=True):
        conn.execute(insert(schema.metric).values(values))
    return values


def deleteMetric(conn: Connection, metricId: str) -> CursorResult[Any]:
    """Delete a metric with its model and its data. Raises ObjectNotFoundError."""
    with joined(conn, writes=True):
        ours.clear_model(conn, metricId)
        return conn.execute(delete(schema.metric).where(_metric.uid == metricId))


def deleteModel(conn: Connection, metricId: str) -> None:
    """Make a metric unmonitored: forget its model's description and its scores. Raises ObjectNotFoundError."""
    data = schema.metric_data.c
    with joined(conn, writes=True):
        ours.clear_model(conn, metricId)
        # The engine's scores are gone; those are left that an application wrote beyond them.
        written = or_(*(data[name].is_not(None) for name in schema.SCORES))
        cleared = update(schema.metric_data).where(data.uid == metricId, written)
        conn.execute(cleared.values(dict.fromkeys(schema.SCORES, null())))


def getCustomMetricByName(conn: Connection, name: str, fields: Fields | None = None) -> Row[Any]:
    """Return the custom metric of a name, case-sensitive. Raises ObjectNotFoundError."""
    query = columns(schema.metric, fields).where(ours.IS_CUSTOM, *_named(conn, name))
    row = all_rows(conn, query.order_by(_metric.uid).limit(1)).first()
    if row is None:
        raise ObjectNotFoundError(f"there is no custom metric with the name {name}")
    return row


def _named(conn: Connection, name: str) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [_metric.name == name]
    if conn.dialect.name in ("mysql", "mariadb"):  # whose default is to take A for a
        conditions.append(collate(_metric.name, "utf8mb4_bin") == name)
    return conditions


def getCustomMetrics(conn: Connection, fields: Fields | None = None) -> Result[Any]:
    """Return the metrics that come in as samples."""
    query = columns(schema.metric, fields).where(ours.IS_CUSTOM)
    return all_rows(conn, query.order_by(_metric.uid))


def getAllMetrics(conn: Connection, fields: Fields | None = None) -> Result[Any]:
    """Return all metrics."""
    return all_rows(conn, columns(schema.metric, fields).order_by(_metric.uid))


def getAllMetricsForServer(conn: Connection, server: str, fields: Fields | None = None) -> Result[Any]:
    """Return the metrics of one resource."""
    query = columns(schema.metric, fields).where(_metric.server == server)
    return all_rows(conn, query.order_by(_metric.uid))


def getAllModels(conn: Connection, fields: Fields | None = None) -> Result[Any]:
    """Return the metrics that are monitored, in whatever state their models are."""
    query = columns(schema.metric, fields).where(_metric.status != int(MetricStatus.UNMONITORED))
    return all_rows(conn, query.order_by(_metric.uid))


def getMetric(conn: Connection, metricId: str, fields: Fields | None = None) -> Row[Any]:
    """Return one metric. Raises ObjectNotFoundError."""
    return _one(conn, metricId, fields)


def getMetricWithSharedLock(conn: Connection, metricId: str, fields: Fields | None = None) -> Row[Any]:
    """Return one metric, which nobody changes before the transaction ends. Raises ObjectNotFoundError."""
    return _one(conn, metricId, fields, for_update={"read": True})


def getMetricWithUpdateLock(conn: Connection, metricId: str, fields: Fields | None = None) -> Row[Any]:
    """Return one metric, which nobody else changes or locks before the transaction ends. Raises ObjectNotFoundError."""
    with joined(conn, writes=True):
        if conn.dialect.name == "sqlite":
            # It has no SELECT FOR UPDATE. Writing takes the one lock that there is.
            _change(conn, metricId, {"uid": metricId})
        return _one(conn, metricId, fields, for_update={})


def _one(
    conn: Connection, uid: str, fields: Fields | None, *, for_update: dict[str, Any] | None = None
) -> Row[Any]:
    query = columns(schema.metric, fields).where(_metric.uid == uid)
    if for_update is not None:
        query = query.with_for_update(**for_update)
    row = all_rows(conn, query).first()
    if row is None:
        raise ours.not_found(uid)
    return row


def setMetricStatus(
    conn: Connection,
    metricId: str,
    status: int,
    message: str | None = None,
    refStatus: int | None = None,
) -> None:
    """Set a metric's status and message; with `refStatus` only if its status is that one now.

    Raises ObjectNotFoundError if there is no such metric. A status that is another than `refStatus` is not an error.
    """
    with joined(conn, writes=True):
        if not ours.set_status(conn, metricId, status, message=message, expected=refStatus):
            getMetric(conn, metricId, [_metric.uid])


def setMetricCollectorError(conn: Connection, metricId: str, value: str | None) -> None:
    """Set what went wrong when a metric was collected. Raises ObjectNotFoundError."""
    _set(conn, metricId, {"collector_error": value})


def setMetricLastTimestamp(conn: Connection, metricId: str, value: datetime | None) -> None:
    """Set from when on a metric is collected next. Raises ObjectNotFoundError."""
    _set(conn, metricId, {"last_timestamp": value})


def updateMetricColumns(conn: Connection, metricId: str, fields: Mapping[str, Any]) -> None:
    """Set columns of a metric; nothing happens if there is none."""
    with joined(conn, writes=True):
        _change(conn, metricId, fields)


def updateMetricColumnsForRefStatus(
    conn: Connection, metricId: str, refStatus: int, fields: Mapping[str, Any]
) -> None:
    """Set columns of a metric if its status is `refStatus`; otherwise nothing happens."""
    with joined(conn, writes=True):
        _change(conn, metricId, fields, func.coalesce(_metric.status, 0) == int(refStatus))


def lockOperationExclusive(conn: Connection, operationLock: str) -> None:
    """Keep everybody else out of an operation of `OperationLock` until the transaction ends.

    Raises AssertionError if the connection is in no transaction, or the table `lock` has no such row.
    """
    if not conn.in_transaction():
        raise AssertionError("an operation is locked until a transaction ends: begin one first")
    if not locks.take(conn, operationLock):
        raise AssertionError(f"the table lock has no row {operationLock!r}; htmengine db upgrade makes it")


def _set(conn: Connection, uid: str, values: Mapping[str, Any]) -> None:
    with joined(conn, writes=True):
        if not _change(conn, uid, values):
            raise ours.not_found(uid)


def _change(conn: Connection, uid: str, values: Mapping[str, Any], *conditions: ColumnElement[bool]) -> bool:
    statement = update(schema.metric).where(_metric.uid == uid, *conditions)
    return conn.execute(statement.values(storable(values))).rowcount > 0
