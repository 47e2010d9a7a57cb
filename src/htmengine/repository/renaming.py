"""A metric goes on under another name: with its rows, its scores and its model, which belong to its uid."""

from __future__ import annotations

import json

from sqlalchemy import Connection, select, update

from htmengine.repository import backfill, gathered_samples, metrics, schema
from htmengine.repository.locks import lock_metrics

_metric = schema.metric.c


def rename(conn: Connection, uid: str, name: str) -> bool:
    """Give a custom metric another name; return whether it was done.

    It is not where a metric of that name is there, where this one is not any more, or while its history is being sent. Whoever else creates
    metrics waits until this transaction ends.
    """
    if not 0 < len(name) <= metrics.MAX_NAME:
        raise ValueError(f"a metric's name has 1 to {metrics.MAX_NAME} characters, not {len(name)}")
    lock_metrics(conn, [name])
    columns = (_metric.name, _metric.description, _metric.server, _metric.parameters)
    row = conn.execute(select(*columns).where(_metric.uid == uid)).one_or_none()
    if row is None or metrics.states_by_name(conn, [name]) or row.name in backfill.running(conn):
        return False
    values = {"name": name, "parameters": _renamed(row.parameters, name)}
    # What nobody has said was made from the name.
    if row.description == metrics.custom_description(row.name):
        values["description"] = metrics.custom_description(name)
    if row.server == metrics.default_server(row.name):
        values["server"] = metrics.default_server(name)
    conn.execute(update(schema.metric).where(_metric.uid == uid).values(values))
    gathered_samples.rename(conn, row.name, name)
    return True


def _renamed(parameters: str | None, name: str) -> str | None:
    """Return what is known of a model, which names its metric, too."""
    try:
        found = json.loads(parameters or "")
        found["metricSpec"]["metric"] = name
    except (ValueError, TypeError, KeyError):
        return parameters
    return json.dumps(found)
