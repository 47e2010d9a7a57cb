"""Documented functions on resources ("instances"): what `metric.server` names."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, Result, func, insert, select, update

from htmengine.repository import schema
from htmengine.repository.queries.transactions import all_rows, joined, stored_time

_metric: Final = schema.metric.c
_history: Final = schema.instance_status_history.c


def getMetricCountForServer(conn: Connection, server: str) -> int:
    """Return the number of a resource's metrics, monitored or not."""
    query = select(func.count()).select_from(schema.metric).where(_metric.server == server)
    return int(all_rows(conn, query).scalar_one())


def listMetricIDsForInstance(conn: Connection, server: str) -> list[str]:
    """Return the uids of a resource's metrics."""
    query = select(_metric.uid).where(_metric.server == server).order_by(_metric.uid)
    return list(all_rows(conn, query).scalars())


def getInstances(conn: Connection) -> list[dict[str, Any]]:
    """Return what is known of each resource: server, location, namespace, name, status, parameters, message.

    `status` has the bits of all its metrics; `message` has their messages, one in a line, or is None. The rest is that
    of the resource's first metric that has it; `namespace` is its name up to the second slash.
    """
    query = select(
        _metric.server,
        _metric.location,
        _metric.name,
        _metric.tag_name,
        _metric.status,
        _metric.parameters,
        _metric.message,
    )
    instances: dict[str | None, dict[str, Any]] = {}
    for row in all_rows(conn, query.order_by(_metric.server, _metric.uid)):
        instance = instances.setdefault(
            row.server,
            dict.fromkeys(("location", "namespace", "name", "parameters", "message"))
            | {"server": row.server, "status": 0},
        )
        instance["status"] |= row.status or 0
        if row.message:
            before = instance["message"]
            instance["message"] = row.message if before is None else f"{before}\n{row.message}"
        for key, value in (
            ("location", row.location),
            ("namespace", _namespace(row.name)),
            ("name", row.tag_name),
            ("parameters", _decoded(row.parameters)),
        ):
            if instance[key] is None:
                instance[key] = value
    return list(instances.values())


def _namespace(name: str | None) -> str | None:
    return None if name is None else "/".join(name.split("/")[:2])


def _decoded(parameters: str | None) -> Any:
    try:
        return None if parameters is None else json.loads(parameters)
    except ValueError:
        return None  # of one metric; the others are reported all the same


def getInstanceStatusHistory(conn: Connection, server: str) -> Result[Any]:
    """Return a resource's changes of status, oldest first."""
    query = select(schema.instance_status_history).where(_history.server == server)
    return all_rows(conn, query.order_by(_history.timestamp))


def saveMetricInstanceStatus(
    conn: Connection, server: str, status: str, timestamp: datetime | None = None
) -> None:
    """Note a resource's status, if it is another than the latest one; `timestamp` is UTC, now by default.

    Of two changes in the same second the second one stays.
    """
    time = stored_time(timestamp or datetime.now(UTC))
    query = select(_history.timestamp, _history.status).where(_history.server == server)
    with joined(conn, writes=True):
        latest = conn.execute(query.order_by(_history.timestamp.desc()).limit(1)).first()
        if latest is not None and latest.status == status:
            return
        same = _history.server == server, _history.timestamp == time
        changed = update(schema.instance_status_history).where(*same).values(status=status)
        if not conn.execute(changed).rowcount:
            row = insert(schema.instance_status_history)
            conn.execute(row.values(server=server, timestamp=time, status=status))
