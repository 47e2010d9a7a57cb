"""The list of metrics: ranked, searched, grouped, paged; and one metric."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import numpy as np
from msgspec import Meta, Struct, field

from htmengine.repository import series
from htmengine.repository.engine import reading
from htmengine.web import problems, ranking, rows, search
from htmengine.web.fleet import CELLS, FULL
from htmengine.web.operations import Call, Operations
from htmengine.web.problems import FieldError, Problem
from htmengine.web.shapes import (
    Cursor,
    Limit,
    MetricPage,
    Pattern,
    Spark,
    Sparks,
    State,
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
    limit: Limit = 100
    after: Cursor | None = None


@operations("GET", "/metrics", "read", etag=True)
def list_metrics(call: Call, query: ListQuery) -> MetricPage:
    """List metrics: the oddest first, or in another order."""
    site, now = call.site, call.site.clock()
    wanted = parsed(query.q)
    if query.state:
        wanted = wanted._replace(states=(*wanted.states, query.state))
    fleet = site.fleet
    with fleet.lock:
        mask = search.matching(fleet, wanted, query.prefix, site.name_matches, now)
        order = site.rankings.order(fleet, query.sort, WINDOWS[query.w], site.in_incidents(), now)
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
    """As a node gives it; empty for the roots."""
    q: Pattern = ""
    by: Annotated[str, Meta(max_length=100)] = ""
    """Group by this tag instead."""


@operations("GET", "/metrics/tree", "read", etag=True)
def tree(call: Call, query: TreeQuery) -> TreeAnswer:
    """Group metrics by the next segment of their names, or by a tag."""
    site = call.site
    fleet = site.fleet
    wanted = parsed(query.q)
    with fleet.lock:
        found = search.matching(fleet, wanted, query.prefix, site.name_matches, site.clock())
        unusual, worst = fleet.unusual(3600.0), fleet.worst(3600.0)
        groups: dict[tuple[str, str, str | None], list[int]] = {}
        for i in np.flatnonzero(found).tolist():
            groups.setdefault(_group(fleet.names[i], fleet.uids[i], query), []).append(i)
        items = [
            TreeNode(prefix, label, len(some), int(unusual[some].sum()), float(worst[some].max()) / FULL, uid)
            for (label, prefix, uid), some in groups.items()
        ]
    items.sort(key=lambda node: (-node.worst if node.worst >= 0.5 else 0.0, node.label))
    return TreeAnswer(query.prefix, items[:MAX_CHILDREN])


MAX_CHILDREN: Final = 1000


def _group(name: str, uid: str, query: TreeQuery) -> tuple[str, str, str | None]:
    """Return label and prefix of the group that a metric belongs to, and its uid if it is one by itself."""
    if query.by:
        tags = dict(pair.split("=", 1) for pair in name.split(";")[1:] if "=" in pair)
        value = tags.get(query.by, "")
        return value or f"without {query.by}", f"tag:{query.by}={value}" if value else "", None
    base = name.partition(";")[0]
    end = base.find(".", len(query.prefix))
    if end == -1:
        return name[len(query.prefix) :], name, uid
    return name[len(query.prefix) : end], name[: end + 1], None


class SparksQuery(Struct, frozen=True):
    """Which metrics, and how far back."""

    uid: Annotated[list[Uid], Meta(max_length=MAX_SPARKS)] = field(default_factory=list)
    w: Window = "24h"


@operations("GET", "/metrics/sparks", "read")
def sparks(call: Call, query: SparksQuery) -> Sparks:
    """Give the values and scores of some metrics in sixty cells each."""
    site, window = call.site, WINDOWS[query.w]
    uids = list(dict.fromkeys(query.uid))
    if window in (3600.0, 86400.0):
        return _sparks_in_memory(call, uids, window)
    step, now = window / CELLS, site.clock()
    end = (now // step + 1) * step
    items = {}
    with reading(site.context.engine) as conn:
        for uid in uids:
            if uid not in site.fleet.index:
                continue
            values, scores = np.full(CELLS, np.nan), np.zeros(CELLS)
            for hour in series.hours_between(conn, uid, end - window - 3600, end):
                first = int((hour.hour - (end - window)) // step)
                last = int((hour.hour + 3599 - (end - window)) // step)
                cells = slice(max(first, 0), max(last + 1, 0))
                values[cells] = hour.mean_value
                scores[cells] = np.fmax(scores[cells], hour.max_log_score or 0.0)
            items[uid] = _spark(values, np.round(scores * FULL))
    return Sparks(step, end, items)


def _sparks_in_memory(call: Call, uids: list[str], window: float) -> Sparks:
    site, fleet = call.site, call.site.fleet
    rows.fill_cells(site, uids)
    fleet.advance(site.clock())
    with fleet.lock:
        ring = fleet.minutes if window == 3600.0 else fleet.day
        known = [uid for uid in uids if uid in fleet.index]
        indexes = [fleet.index[uid] for uid in known]
        values, scores = ring.in_order("value", indexes), ring.in_order("score", indexes)
        step, end = float(ring.step_s), float((ring.newest + 1) * ring.step_s)
    return Sparks(step, end, {uid: _spark(values[:, i], scores[:, i]) for i, uid in enumerate(known)})


def _spark(values: np.ndarray, scores: np.ndarray) -> Spark:
    told = np.isfinite(values)
    if not told.any():
        return Spark([None] * len(values), None, None, [int(score) for score in scores])
    low, high = float(values[told].min()), float(values[told].max())
    span = (high - low) or 1.0
    cells = [
        round(FULL * ((float(value) / span) - low / span)) if there else None
        for value, there in zip(values, told, strict=True)
    ]
    return Spark(
        [None if cell is None else min(max(cell, 0), FULL) for cell in cells],
        number(low),
        number(high),
        [int(score) for score in scores],
    )
