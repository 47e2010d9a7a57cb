"""What must stand in the repository and on the exchange after all kills, computed from the input alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import Connection, select

from benchmarks.fleet import Fleet
from htmengine.htm.arrays import FloatArray
from htmengine.htm.explanation import ALARM
from htmengine.htm.model import Model
from htmengine.htm.params import Parameters
from htmengine.messages import encode_why
from htmengine.model_swapper import definition
from htmengine.model_swapper.score_batch import why_of
from htmengine.model_swapper.teaching import Taught, TaughtModel
from htmengine.repository import schema
from htmengine.repository.alarms import MERGE_ROWS, alarms_of
from htmengine.repository.hours import HOUR_S
from htmengine.repository.samples import Rows
from htmengine.repository.series import hours_between
from htmengine.repository.teachings import read_all, silenced_rows
from htmengine.repository.times import epoch_seconds

SCORES = ("raw_anomaly_score", "anomaly_score", "log_score", "sequence_score", "novelty_score")
EXPECTED = ("forecast", "usual_low", "usual_high")


class Verdict(NamedTuple):
    """How far what is stored is from an undisturbed run; all zero is the promise kept."""

    lost: int
    """Samples that are not stored, or have no scores."""
    doubled: int
    """Rows too many: a sample stored twice, or a rowid out of its place."""
    different: int
    """Rows whose value, scores, forecast or usual values differ in any bit."""
    unpublished: int
    """Rows that the subscriber never saw."""
    disordered: int
    """Rows that the subscriber saw for the first time after a later row of the same metric."""
    alarms_lost: int
    alarms_doubled: int
    """Alarms too many, and those of rows that do not alarm."""
    alarms_different: int
    """Alarms that differ in any bit, in their reason or in the alarm that they are of."""
    hours_wrong: int
    """Hours that are not stored, or not as their rows are summed up."""
    silenced_wrong: int = 0
    """Rows that are stored as silenced by a teaching and are not, or the other way round, or by another one."""


class Undisturbed(NamedTuple):
    """What a model says of a metric's samples when nothing disturbs it."""

    rows: list[tuple[Any, ...]]
    """Of each sample its value, scores, forecast and usual values."""
    alarms: dict[int, tuple[Any, ...]]
    """By rowid, as they are stored."""
    silenced: dict[int, int]
    """By rowid, the labels by which rows do not alarm."""


def judge(conn: Connection, fleet: Fleet, published: Iterable[tuple[str, int]]) -> Verdict:
    """Compare everything that is stored with what models of the same parameters say when nothing disturbs them.

    `published` : (metric name, rowid) in the order in which the subscriber saw them, repetitions included.
    """
    found: Counter[str] = Counter()
    metric = schema.metric.c
    for name, values in zip(fleet.names, fleet.values, strict=True):
        metrics = conn.execute(select(metric.uid, metric.model_params).where(metric.name == name)).all()
        if not metrics:
            found["lost"] += len(values)
            continue
        found["doubled"] += len(metrics) - 1
        (uid, model_params) = metrics[0]
        taught = Taught(read_all(conn, [uid]).get(uid, ()))
        expected = undisturbed(definition.parse(model_params), fleet.timestamps(), values, taught)
        found += _compared_rows(conn, uid, fleet, expected)
        found += _compared_alarms(conn, uid, expected)
        silenced = silenced_rows(conn, uid, 1, len(values))
        found["silenced_wrong"] += len(set(silenced.items()) ^ set(expected.silenced.items()))
        found["hours_wrong"] += _wrong_hours(conn, uid, fleet, expected)
    unpublished, disordered = _subscribed(fleet, published)
    found += Counter(unpublished=unpublished, disordered=disordered)
    return Verdict(*(found[name] for name in Verdict._fields))


def undisturbed(
    parameters: Parameters, timestamps: FloatArray, values: FloatArray, taught: Taught | None = None
) -> Undisturbed:
    """Score the samples of a metric in one go, as a model that is taught on the way."""
    rowids = list(range(1, len(values) + 1))
    samples = Rows(rowids, timestamps.astype(int).tolist(), values.tolist(), rowids)
    model = TaughtModel(
        lambda: Model(parameters),
        lambda first, last: samples.part(first - 1, last),
        taught or Taught(),
        first=1,
    )
    scores, why, silenced = model.score(samples)
    columns = [getattr(scores, name).tolist() for name in (*SCORES, *EXPECTED, "one_in")]
    rows: list[tuple[Any, ...]] = [
        tuple(map(_known, row)) for row in zip(values.tolist(), *columns, strict=True)
    ]
    alarms: dict[int, tuple[Any, ...]] = {}
    before = first = 0
    peak = 0.0
    for place in np.flatnonzero(scores.log_score >= ALARM).tolist():
        rowid, (value, _, _, score, _, _, *expected, one_in) = place + 1, rows[place]
        if not before or rowid - before > MERGE_ROWS:
            first, peak = rowid, 0.0
        before, peak = rowid, max(peak, score)
        found = why_of(why.get(place))
        reason = (found.cause, found.channel, encode_why(found)) if found else (None, None, None)
        alarms[rowid] = (first, int(timestamps[place]), value, score, peak, one_in, *reason, *expected)
    return Undisturbed([row[:-1] for row in rows], alarms, {at + 1: label for at, label in silenced.items()})


def _known(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _compared_rows(conn: Connection, uid: str, fleet: Fleet, expected: Undisturbed) -> Counter[str]:
    data = schema.metric_data.c
    names = ("metric_value", *SCORES, *EXPECTED)
    columns = (data.rowid, epoch_seconds(data.timestamp), *(data[name] for name in names))
    rows = [tuple(row) for row in conn.execute(select(*columns).where(data.uid == uid))]
    stored = {row[1]: row for row in rows}
    found = Counter(doubled=len(rows) - len(stored))
    for sample, timestamp in enumerate(fleet.timestamps().astype(int).tolist()):
        row = stored.get(timestamp)
        if row is None or None in row[: -len(EXPECTED)]:
            found["lost"] += 1
        elif row[0] != sample + 1:
            found["doubled"] += 1
        elif row[2:] != expected.rows[sample]:
            found["different"] += 1
    return found


def _compared_alarms(conn: Connection, uid: str, expected: Undisturbed) -> Counter[str]:
    rows = alarms_of(conn, uid, since_rowid=0, limit=1_000_000)
    stored = {
        row.rowid: (
            row.first_rowid,
            row.timestamp,
            row.value,
            row.log_score,
            row.peak,
            row.one_in,
            row.cause,
            row.channel,
            row.why,
            row.forecast,
            row.usual_low,
            row.usual_high,
        )
        for row in rows
    }
    return Counter(
        alarms_lost=len(expected.alarms.keys() - stored.keys()),
        alarms_doubled=len(rows) - len(stored) + len(stored.keys() - expected.alarms.keys()),
        alarms_different=sum(
            stored[rowid] != alarm for rowid, alarm in expected.alarms.items() if rowid in stored
        ),
    )


def _wrong_hours(conn: Connection, uid: str, fleet: Fleet, expected: Undisturbed) -> int:
    rows: dict[int, list[tuple[int, float, float]]] = {}
    for sample, timestamp in enumerate(fleet.timestamps().astype(int).tolist()):
        value, score = expected.rows[sample][0], expected.rows[sample][3]
        rows.setdefault(timestamp // HOUR_S * HOUR_S, []).append((sample + 1, value, score))
    stored = {hour.hour: hour for hour in hours_between(conn, uid, -math.inf, math.inf)}
    wrong = len(stored.keys() - rows.keys())
    for hour, of in rows.items():
        rowids, values, scores = zip(*of, strict=True)
        found = stored.get(hour)
        exact = (hour, rowids[-1], len(of), min(values), max(values), max(scores))
        wrong += (
            found is None
            or exact != (*found[:4], *found[5:7])
            or found.alarms != sum(score >= ALARM for score in scores)
            or not math.isclose(found.mean_value, math.fsum(values) / len(of), rel_tol=1e-9, abs_tol=1e-9)
        )
    return wrong


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
