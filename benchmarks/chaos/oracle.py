"""What must stand in the repository and on the exchange after all kills, computed from the input alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from sqlalchemy import Connection, select

from benchmarks.fleet import Fleet
from htmengine.htm.model import Model
from htmengine.model_swapper import definition
from htmengine.repository import schema
from htmengine.repository.times import epoch_seconds

SCORES = ("raw_anomaly_score", "anomaly_score", "log_score", "sequence_score", "novelty_score")


class Verdict(NamedTuple):
    """How far the stored rows are from an undisturbed run; all zero is the promise kept."""

    lost: int
    """Samples that are not stored, or have no scores."""
    doubled: int
    """Rows too many: a sample stored twice, or a rowid out of its place."""
    different: int
    """Rows whose value or scores differ in any bit."""
    unpublished: int
    """Rows that the subscriber never saw."""
    disordered: int
    """Rows that the subscriber saw for the first time after a later row of the same metric."""


def judge(conn: Connection, fleet: Fleet, published: Iterable[tuple[str, int]]) -> Verdict:
    """Compare every stored row with what a model of the same parameters says when nothing disturbs it.

    `published` : (metric name, rowid) in the order in which the subscriber saw them, repetitions included.
    """
    lost = doubled = different = 0
    metric, data = schema.metric.c, schema.metric_data.c
    columns = (data.rowid, epoch_seconds(data.timestamp), data.metric_value, *(data[name] for name in SCORES))
    for name, values in zip(fleet.names, fleet.values, strict=True):
        metrics = conn.execute(select(metric.uid, metric.model_params).where(metric.name == name)).all()
        if not metrics:
            lost += len(values)
            continue
        doubled += len(metrics) - 1
        (uid, model_params) = metrics[0]
        rows = [tuple(row) for row in conn.execute(select(*columns).where(data.uid == uid))]
        expected = _expected(definition.parse(model_params), fleet, values)
        stored = {row[1]: row for row in rows}
        doubled += len(rows) - len(stored)
        for sample, timestamp in enumerate(fleet.timestamps().astype(int).tolist()):
            row = stored.get(timestamp)
            if row is None or None in row:
                lost += 1
            elif row[0] != sample + 1:
                doubled += 1
            elif row[2:] != expected[sample]:
                different += 1
    unpublished, disordered = _subscribed(fleet, published)
    return Verdict(lost, doubled, different, unpublished, disordered)


def _expected(parameters: object, fleet: Fleet, values: np.ndarray) -> list[tuple[float, ...]]:
    scores = Model(parameters).score_series(fleet.timestamps(), values)  # type: ignore[arg-type]
    columns = (getattr(scores, name).tolist() for name in SCORES)
    return list(zip(values.tolist(), *columns, strict=True))


def _subscribed(fleet: Fleet, published: Iterable[tuple[str, int]]) -> tuple[int, int]:
    seen: dict[str, int] = dict.fromkeys(fleet.names, 0)
    count = {name: set[int]() for name in fleet.names}
    disordered = 0
    for name, rowid in published:
        if rowid not in count[name]:
            disordered += rowid < seen[name]
            seen[name] = max(seen[name], rowid)
            count[name].add(rowid)
    samples = fleet.values.shape[1]
    return sum(samples - len(rowids) for rowids in count.values()), disordered
