"""Rows of a metric: down-sampled for a chart, or one by one for a program that keeps up with them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Final, Literal

import numpy as np
from msgspec import Meta, Struct
from sqlalchemy import Connection
from starlette.responses import Response, StreamingResponse

from htmengine.admin import export
from htmengine.admin.taught_past import TaughtPast
from htmengine.htm.arrays import FloatArray
from htmengine.repository import metrics, series
from htmengine.repository.hours import HOUR_S
from htmengine.repository.series import SCORE_PARTS, Series, Steps
from htmengine.repository.status import WITH_MODEL
from htmengine.series.writers import COLUMNS as SCORED_COLUMNS
from htmengine.series.writers import SCORES, csv_lines
from htmengine.web import problems
from htmengine.web.downsampling import downsample, step_for
from htmengine.web.operations import Call, Operations
from htmengine.web.problems import Problem, unknown_metric
from htmengine.web.shapes import Data, RowId, Time, Uid

operations = Operations()

BINARY: Final = "application/octet-stream"
CSV: Final = "text/csv"
MAX_POINTS: Final = 10_000
DAY_S: Final = 86400.0
MAX_ROWS: Final = 200_000
"""A time with more rows than this, by its newest ones, is drawn from hours."""
MAX_RESCORED: Final = 500_000
"""Rows of a time that are given as they would have scored."""
COLUMNS: Final = ("value", "log_score", "low", "high", "forecast", "anomaly_score", *SCORE_PARTS)
MIN_ROWS_PER_POINT: Final = 3
"""From so many rows for each point on the database makes the points: it takes longer to read them."""


class DataQuery(Struct, frozen=True, rename={"from_": "from"}):
    """Which rows, in how many points."""

    since_rowid: RowId | None = None
    """Rows behind this one, each of them, ascending; not together with a time."""
    from_: Time | None = None
    """Without it a day before `to`."""
    to: Time | None = None
    """Without it the newest row."""
    points: Annotated[int, Meta(ge=1, le=MAX_POINTS)] = 2000
    """At most so many, unless there are fewer rows."""
    series: Annotated[str, Meta(max_length=100)] = "value,log_score,low,high"
    """Columns: value, log_score, low, high, forecast, anomaly_score; and of a time raw, sequence, novelty."""
    limit: Annotated[int, Meta(ge=1, le=MAX_POINTS)] = 1000
    """Of rows, with `since_rowid`."""
    scored: bool = False
    """With `since_rowid`: only up to the row that the model has reached, so that no score comes later."""
    rescored: bool = False
    """Of a time: scores and usual bands as they would have been, had all that the model was taught counted from its span on."""
    format: Literal["json", "bin"] = "json"


class RowsQuery(Struct, frozen=True):
    """Which rows."""

    since_rowid: RowId = 0
    """Rows behind this one."""


@operations(
    "GET",
    "/metrics/{uid}/data",
    "read",
    problems.METRIC_NOT_FOUND,
    problems.CONFLICT,
    media={BINARY: {"type": "string", "format": "binary"}},
)
def data(call: Call, uid: Uid, query: DataQuery) -> Data | Response:
    """Give a metric's rows: those behind a rowid, one by one and without a gap, or those of a time, down-sampled.

    A point of several rows has the lowest and the highest value, the last value, the last usual band, and the highest
    scores of its rows, so that no spike is lost. With `format=bin` the columns come one after the other as little-endian
    64-bit floats, named by the header `X-Columns`, NaN where there is nothing.
    """
    wanted = [name for name in query.series.split(",") if name]
    if unknown := [name for name in wanted if name not in COLUMNS]:
        raise Problem(problems.BAD_REQUEST, f"series: {unknown[0]} is none of {', '.join(COLUMNS)}.")
    fleet = call.site.fleet
    with fleet.lock:
        i = fleet.index.get(uid)
        if i is None:
            raise unknown_metric(uid)
        newest, last_rowid = float(fleet.column("time")[i]), int(fleet.column("last_rowid")[i])
    if query.since_rowid is not None:
        if parts := [name for name in wanted if name in SCORE_PARTS]:
            raise Problem(
                problems.BAD_REQUEST, f"series: {parts[0]} is given with from and to, not with since_rowid."
            )
        if query.from_ is not None or query.to is not None:
            raise Problem(problems.BAD_REQUEST, "Give since_rowid, or from and to, not both.")
        if query.rescored:
            raise Problem(problems.BAD_REQUEST, "rescored: is given with from and to, not with since_rowid.")
        answer = _behind(call, uid, wanted, query)
    else:
        answer = _between(call, uid, wanted, query, newest, last_rowid)
    return _binary(answer) if query.format == "bin" else _json(answer)


@operations("GET", "/metrics/{uid}/rows", "read", problems.METRIC_NOT_FOUND, media={CSV: {"type": "string"}})
def exported_rows(call: Call, uid: Uid, query: RowsQuery) -> Response:
    """Give all rows of a metric as CSV: values, scores, forecasts and usual bands, as `htmengine detect --out` writes them."""
    site = call.site
    fleet = site.fleet
    with fleet.lock:
        i = fleet.index.get(uid)
        if i is None:
            raise unknown_metric(uid)
        name = fleet.names[i]

    def lines() -> Iterator[str]:
        yield ",".join(SCORED_COLUMNS) + "\n"
        for some in export.rows_of(site.context, uid, query.since_rowid):
            columns = (getattr(some.scores, score) for score in SCORES)
            yield "".join(csv_lines(some.timestamps, some.values, *columns))

    file = re.sub(r"[^\w.-]+", "_", name)
    headers = {"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="{file}.csv"'}
    return StreamingResponse(lines(), media_type=CSV, headers=headers)


class _Answer(Struct):
    uid: str
    columns: dict[str, FloatArray]
    next_rowid: int
    since: float | None = None
    until: float | None = None
    step: float | None = None


def _behind(call: Call, uid: str, wanted: list[str], query: DataQuery) -> _Answer:
    assert query.since_rowid is not None
    with call.site.context.database.read() as conn:
        found = series.rows_since(conn, uid, query.since_rowid, query.limit)
        if query.scored:
            state = metrics.state(conn, uid)
            if state.status in WITH_MODEL:
                kept = int(np.searchsorted(found.rowids, state.scored_rowid, side="right"))
                found = Series._make(column[:kept] for column in found)
    rowids = found.rowids.astype(np.float64)
    columns = {"rowid": rowids, "time": found.timestamps.astype(np.float64)}
    columns |= {name: _column(found, name) for name in wanted}
    return _Answer(uid, columns, int(found.rowids[-1]) if len(rowids) else query.since_rowid)


def _between(
    call: Call, uid: str, wanted: list[str], query: DataQuery, newest: float, last_rowid: int
) -> _Answer:
    until = query.to if query.to is not None else (newest + 1 if newest == newest else call.site.clock())
    since = query.from_ if query.from_ is not None else until - DAY_S
    if since > until:
        raise Problem(problems.BAD_REQUEST, f"from={since:g} lies behind to={until:g}.")
    step = step_for(until - since, query.points)
    past = (
        call.site.taught_pasts.of(call.site.context, uid, now=call.site.clock()) if query.rescored else None
    )
    names = [name for name in wanted if name in SCORE_PARTS]
    with call.site.context.database.read() as conn:
        first, end = (series.first_from(conn, uid, time) for time in (since, until))
        rows = end - first
        if past is None and step >= HOUR_S and rows > MAX_ROWS:
            columns = _of_hours(conn, uid, wanted, since, until, step)
            return _Answer(uid, columns, last_rowid, since, until, float(step))
        if past is None and rows > MIN_ROWS_PER_POINT * query.points:
            steps = series.steps_between(conn, uid, since, until, step)
            parts = series.score_parts(conn, uid, since, until, names, step) if names else {}
            columns = _of_steps(steps, parts, wanted)
            return _Answer(uid, columns, last_rowid, since, until, float(step))
        if past is not None and rows > MAX_RESCORED:
            raise Problem(
                problems.CONFLICT, f"These are more than {MAX_RESCORED} rows. Ask for a shorter time."
            )
        found = series.rows_between(conn, uid, since, until)
        parts = series.score_parts(conn, uid, since, until, names) if names else {}
    if past is not None:
        found, parts = _rescored(past, found, parts)
    next_rowid = int(found.rowids[-1]) if len(found.rowids) else last_rowid
    times = found.timestamps.astype(np.float64)
    if len(times) <= query.points:
        columns = {"time": times}
        for name in wanted:
            columns[name] = parts[name] if name in parts else _column(found, name)
            if name == "value":
                columns |= {"value_min": found.values, "value_max": found.values}
        return _Answer(uid, columns, next_rowid, since, until)
    points = downsample(
        times,
        found.values,
        step,
        highest={name: _column(found, name) for name in wanted if name.endswith("score")} | parts,
        last={name: _column(found, name) for name in wanted if name in ("low", "high", "forecast")},
    )
    columns = {"time": points.time}
    for name in wanted:
        if name == "value":
            columns |= {"value": points.value, "value_min": points.value_min, "value_max": points.value_max}
        else:
            columns[name] = points.others[name]
    return _Answer(uid, columns, next_rowid, since, until, float(step))


def _rescored(
    past: TaughtPast, found: Series, parts: dict[str, FloatArray]
) -> tuple[Series, dict[str, FloatArray]]:
    """Return rows, and further scores of them, with what they would have scored where the past was scored again."""
    places = found.rowids - past.first
    again = (places >= 0) & (places < past.rows)
    places = places[again]

    def mended(column: FloatArray, other: FloatArray) -> FloatArray:
        result = column.copy()
        result[again] = other[places]
        return result

    scores = past.scores
    rows = found._replace(
        anomaly_scores=mended(found.anomaly_scores, scores.anomaly_score),
        log_scores=mended(found.log_scores, scores.log_score),
        forecasts=mended(found.forecasts, scores.forecast),
        usual_lows=mended(found.usual_lows, scores.usual_low),
        usual_highs=mended(found.usual_highs, scores.usual_high),
    )
    of_parts = {
        "raw": scores.raw_anomaly_score,
        "sequence": scores.sequence_score,
        "novelty": scores.novelty_score,
    }
    return rows, {name: mended(column, of_parts[name]) for name, column in parts.items()}


def _of_steps(found: Steps, parts: dict[str, FloatArray], wanted: list[str]) -> dict[str, FloatArray]:
    columns = {"time": found.timestamps.astype(np.float64)}
    for name in wanted:
        if name == "value":
            columns |= {"value": found.values, "value_min": found.min_values, "value_max": found.max_values}
        else:
            columns[name] = parts[name] if name in parts else _column(found, name)
    return columns


def _of_hours(
    conn: Connection, uid: str, wanted: list[str], since: float, until: float, step: int
) -> dict[str, FloatArray]:
    hours = series.hours_between(conn, uid, since, until)
    if not hours:
        return {"time": np.empty(0)} | {name: np.empty(0) for name in wanted}
    _, _, samples, least, mean, most, scores, _ = zip(*hours, strict=True)
    times = np.array([hour.hour for hour in hours], dtype=np.float64)
    cells = np.floor(times / step)
    starts = np.flatnonzero(np.r_[True, cells[1:] != cells[:-1]])
    weights = np.array(samples, dtype=np.float64)
    columns = {"time": cells[starts] * step}
    nothing = np.full(len(starts), np.nan)
    for name in wanted:
        if name == "value":
            columns["value"] = np.add.reduceat(np.array(mean) * weights, starts) / np.add.reduceat(
                weights, starts
            )
            columns["value_min"] = np.fmin.reduceat(np.array(least), starts)
            columns["value_max"] = np.fmax.reduceat(np.array(most), starts)
        elif name == "log_score":
            highest = np.array([np.nan if score is None else score for score in scores])
            columns[name] = np.fmax.reduceat(highest, starts)
        else:
            columns[name] = nothing
    return columns


def _column(found: Series | Steps, name: str) -> FloatArray:
    return {
        "value": found.values,
        "log_score": found.log_scores,
        "low": found.usual_lows,
        "high": found.usual_highs,
        "forecast": found.forecasts,
        "anomaly_score": found.anomaly_scores,
    }[name]


def _json(answer: _Answer) -> Data:
    columns = [np.where(np.isfinite(c), c, np.nan).tolist() for c in answer.columns.values()]
    return Data(
        uid=answer.uid,
        from_=answer.since,
        to=answer.until,
        step=answer.step,
        downsampled=answer.step is not None,
        columns=list(answer.columns),
        rows=[list(row) for row in zip(*columns, strict=True)],  # NaN becomes null
        next_rowid=answer.next_rowid,
    )


def _binary(answer: _Answer) -> Response:
    columns = list(answer.columns.values())
    body = b"".join(column.astype("<f8").tobytes() for column in columns)
    headers = {
        "X-Columns": ",".join(answer.columns),
        "X-Rows": str(len(columns[0])),
        "X-Next-Rowid": str(answer.next_rowid),
        "Cache-Control": "no-store",
    }
    if answer.step is not None:
        headers["X-Step"] = f"{answer.step:g}"
    return Response(body, media_type=BINARY, headers=headers)
