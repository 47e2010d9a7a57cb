"""The list of metrics: ranked, searched, grouped, paged; and one metric."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import numpy as np
from msgspec import Meta, Struct, field

from htmengine.admin.metric_report import inspect
from htmengine.doors.door_names import divided
from htmengine.doors.reasons import remedy_of
from htmengine.model_swapper import definition
from htmengine.repository import samples, series
from htmengine.web import problems, ranking, rows, search
from htmengine.web.fleet import CELLS, FULL, Ring
from htmengine.web.operations import Call, Operations
from htmengine.web.problems import FieldError, Problem, unknown_metric
from htmengine.web.shapes import (
    Cursor,
    Limit,
    MetricDetail,
    MetricPage,
    ModelDetail,
    Pattern,
    RefusedLines,
    Spark,
    Sparks,
    State,
    Time,
    TreeAnswer,
    TreeNode,
    Uid,
    number,
)

operations = Operations()

Window = Literal["1h", "3h", "6h", "12h", "24h", "3d", "7d"]
WINDOWS: Final[dict[str, float]] = {
    "1h": 3600.0,
    "3h": 10800.0,
    "6h": 21600.0,
    "12h": 43200.0,
    "24h": 86400.0,
    "3d": 259200.0,
    "7d": 604800.0,
}
MAX_SPARKS: Final = 200
MAX_SPARK_ROWS: Final = 200_000
"""That one answer is made of; more are summed up by hours."""
GAP_INTERVALS: Final = 3.5
"""A line has a gap where a metric sent nothing for so many of its intervals, as in its chart."""
"""More rows than these are drawn from hours."""


class ListQuery(Struct, frozen=True):
    """Which metrics, in which order."""

    q: Pattern = ""
    """Words of the name, patterns such as `web.*`, `tag:dc=a`, `state:silent`, `score:>0.5`, `cause:jump`."""
    sort: ranking.Sort = "oddness"
    state: State | None = None
    prefix: Pattern = ""
    """Only metrics whose names begin like this."""
    w: Window = "24h"
    """By oddness: a score counts half when it is a quarter of this old."""
    uid: Annotated[list[Uid], Meta(max_length=1000)] = field(default_factory=list)
    """Only these metrics, in this order, on one page; may be given many times."""
    name: Annotated[str, Meta(min_length=1, max_length=255)] | None = None
    """Only the metric of exactly this name."""
    limit: Limit = 100
    after: Cursor | None = None


@operations("GET", "/metrics", "read", etag=True)
def list_metrics(call: Call, query: ListQuery) -> MetricPage:
    """List metrics: the oddest first, or in another order."""
    site, now = call.site, call.site.clock()
    if query.name is not None:
        with site.fleet.lock:
            named = [
                uid for uid, name in zip(site.fleet.uids, site.fleet.names, strict=True) if name == query.name
            ]
        found = rows.metric_rows(site, named)
        return MetricPage(found, None, len(found))
    if query.uid:
        found = rows.metric_rows(site, list(dict.fromkeys(query.uid)))
        return MetricPage(found, None, len(found))
    wanted = parsed(query.q)
    if query.state:
        wanted = wanted._replace(states=(*wanted.states, query.state))
    fleet = site.fleet
    with fleet.lock:
        mask = search.matching(fleet, wanted, query.prefix, site.name_matches, now)
        order = site.rankings.order(fleet, query.sort, WINDOWS[query.w], now)
        mask = mask[: len(order.indexes)]
        try:
            chosen, following = ranking.page(order, mask, query.sort, query.after, query.limit)
        except ValueError as error:
            raise Problem(
                problems.BAD_REQUEST,
                f"after: {error}; begin without it.",
                errors=[FieldError("?after", str(error))],
            ) from None
        uids = [fleet.uids[i] for i in chosen]
    return MetricPage(rows.metric_rows(site, uids), following, int(mask.sum()))


def parsed(text: str) -> search.Search:
    """Return what a search asks for. Raises Problem."""
    try:
        return search.parse(text)
    except search.SearchError as error:
        raise Problem(problems.BAD_REQUEST, str(error), errors=[FieldError("?q", str(error))]) from None


class TreeQuery(Struct, frozen=True):
    """Whose children."""

    prefix: Pattern = ""
    """As a node gives it, with or without the dot at its end; empty for the roots."""
    q: Pattern = ""
    tag: Annotated[str, Meta(max_length=100)] = ""
    """Group by this tag instead; metrics without it are left out."""


@operations("GET", "/metrics/tree", "read", etag=True)
def tree(call: Call, query: TreeQuery) -> TreeAnswer:
    """Group metrics by the next segment of their names, or by a tag."""
    site = call.site
    fleet = site.fleet
    wanted = parsed(query.q)
    prefix = query.prefix if query.prefix.endswith(".") or not query.prefix else f"{query.prefix}."
    with fleet.lock:
        grouped = site.groupings(fleet, prefix, query.tag)
        found = search.matching(fleet, wanted, prefix, site.name_matches, site.clock())
        unusual, worst = fleet.unusual(3600.0), fleet.worst(3600.0)
        items = [
            TreeNode(
                group.prefix,
                group.label,
                len(some),
                int(unusual[some].sum()),
                float(worst[some].max()) / FULL,
                group.uid,
            )
            for group in grouped.groups
            if len(some := group.indexes[found[group.indexes]])
        ]
    items.sort(key=lambda node: (-node.worst if node.worst >= 0.5 else 0.0, node.label))
    return TreeAnswer(prefix, items[:MAX_CHILDREN], grouped.tags[:MAX_CHILDREN])


MAX_CHILDREN: Final = 1000


class SparksQuery(Struct, frozen=True, rename={"from_": "from"}):
    """Which metrics, and which time."""

    uid: Annotated[list[Uid], Meta(max_length=MAX_SPARKS)] = field(default_factory=list)
    from_: Time | None = None
    """Without it a day before `to`."""
    to: Time | None = None
    """Without it now."""


@operations("GET", "/metrics/sparks", "read")
def sparks(call: Call, query: SparksQuery) -> Sparks:
    """Give the values and scores of some metrics in sixty cells each."""
    site, now = call.site, call.site.clock()
    until = query.to if query.to is not None else now
    since = query.from_ if query.from_ is not None else until - 86400.0
    if since >= until:
        raise Problem(problems.BAD_REQUEST, f"from={since:g} does not lie before to={until:g}.")
    uids = [uid for uid in dict.fromkeys(query.uid) if uid in site.fleet.index]
    for ring in (site.fleet.minutes, site.fleet.day):
        length = ring.step_s * ring.cells
        if abs(until - now) <= ring.step_s and abs(until - since - length) <= ring.step_s:
            return _sparks_in_memory(call, uids, ring)
    step = (until - since) / CELLS
    rows.fill_cells(site, uids)
    intervals = _intervals(call, uids)
    items = {}
    with site.context.database.read() as conn:
        spans = {uid: series.rowids_between(conn, uid, since, until + 1) for uid in uids}
        by_rows = sum(map(len, spans.values())) <= MAX_SPARK_ROWS
        for uid, rowids in spans.items():
            values, scores = np.full(CELLS, np.nan), np.zeros(CELLS)
            if by_rows:
                times, found, log_scores = series.values_of(conn, uid, rowids)
                cells = np.clip((times - since) // step, 0, CELLS - 1).astype(np.int64)
                values[cells] = found
                np.fmax.at(scores, cells, log_scores)
            else:
                for hour in series.hours_between(conn, uid, since - 3600, until):
                    first, last = (int((time - since) // step) for time in (hour.hour, hour.hour + 3599))
                    some = slice(max(first, 0), max(last + 1, 0))
                    values[some] = hour.mean_value
                    scores[some] = np.fmax(scores[some], hour.max_log_score or 0.0)
            items[uid] = _spark(values, np.round(scores * FULL), intervals[uid] / step)
    return Sparks(step, until, items)


def _sparks_in_memory(call: Call, uids: list[str], ring: Ring) -> Sparks:
    site, fleet = call.site, call.site.fleet
    rows.fill_cells(site, uids)
    fleet.advance(site.clock())
    intervals = _intervals(call, uids)
    with fleet.lock:
        known = [uid for uid in uids if uid in fleet.index]
        indexes = [fleet.index[uid] for uid in known]
        values, scores = fleet.sparks(ring, indexes)
        step, end = float(ring.step_s), float((ring.newest + 1) * ring.step_s)
    items = {uid: _spark(values[:, i], scores[:, i], intervals[uid] / step) for i, uid in enumerate(known)}
    return Sparks(step, end, items)


def _intervals(call: Call, uids: list[str]) -> dict[str, float]:
    """Return the intervals of metrics, in seconds; 0 where none is known yet."""
    fleet = call.site.fleet
    with fleet.lock:
        found = {uid: fleet.column("interval")[fleet.index[uid]] for uid in uids if uid in fleet.index}
    return {uid: float(np.nan_to_num(found.get(uid, np.nan))) for uid in uids}


def _spark(values: np.ndarray, scores: np.ndarray, cells_apart: float) -> Spark:
    """Put values and scores into bytes; `cells_apart`: cells from a sample to the next, usually."""
    bridge = int(GAP_INTERVALS * cells_apart)
    known = np.isfinite(values)
    if not known.any():
        return Spark([None] * len(values), None, None, [int(score) for score in scores], bridge)
    low, high = float(values[known].min()), float(values[known].max())
    span = (high - low) or 1.0
    cells = [
        round(FULL * ((float(value) / span) - low / span)) if is_known else None
        for value, is_known in zip(values, known, strict=True)
    ]
    return Spark(
        [None if cell is None else min(max(cell, 0), FULL) for cell in cells],
        number(low),
        number(high),
        [int(score) for score in scores],
        bridge,
    )


@operations("GET", "/metrics/{uid}", "read", problems.METRIC_NOT_FOUND)
def metric(call: Call, uid: Uid) -> MetricDetail:
    """Tell everything that is known of a metric, and why it has no score, as `htmengine doctor` says it."""
    site = call.site
    rows.fill_cells(site, [uid])
    found = rows.metric_rows(site, [uid])
    if not found:
        raise unknown_metric(uid)
    row = found[0]
    health = site.watch.health()
    (report,) = inspect(site.context, [row.name], health)
    if report.metric is None:
        raise unknown_metric(uid)
    with site.context.database.read() as conn:
        stored = samples.stored_range(conn, uid)
        oldest = samples.read(conn, uid, stored.oldest, stored.oldest, 1) if stored else None
    of_model = report.metric
    model = None
    if of_model.monitored:
        model = ModelDetail(
            parameter_set=_parameter_set(of_model.model_params),
            samples=max(0, of_model.scored_rowid - of_model.base_rowid),
            generation=of_model.generation,
            checkpoint_rowid=report.last_checkpoint,
            checkpoint_age_s=report.checkpoint_age_s,
        )
    return MetricDetail(
        **{name: getattr(row, name) for name in row.__struct_fields__},
        first=float(oldest.timestamps[0]) if oldest and oldest.timestamps else None,
        rows=stored.rows if stored else 0,
        unit=None,
        status=of_model.status_name,
        message=of_model.message,
        scored=of_model.scored_rowid,
        unscored=of_model.unscored,
        lag_s=report.lag_s,
        model=model,
        doctor=report.diagnosis.sentence,
        needs_attention=report.needs_attention,
        refused=[
            RefusedLines(divided(reported)[1], counted["count"], example, remedy_of(reported) or None)
            for service in health.services
            for reported, counted in service.counters.get("rejected", {}).items()
            for example in counted["examples"][-1:]
            if example.split(maxsplit=1)[:1] == [row.name]
        ],
    )


def _parameter_set(model_params: str | None) -> str | None:
    """Return the name of the set that a model's parameters are of."""
    try:
        return definition.parse(model_params).name
    except ValueError:
        return None
