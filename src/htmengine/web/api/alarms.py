"""Alarms: of one metric, of all metrics, and which metrics were the most unusual within a window."""

from __future__ import annotations

import base64
import heapq
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Annotated, Final, Literal, TypeVar

import msgspec
import numpy as np
from msgspec import Meta, Struct
from sqlalchemy import Connection

from htmengine.incidents import labels
from htmengine.incidents.sentences import calm_sentence, sentence
from htmengine.messages import Why
from htmengine.model_swapper.score_batch import why_of
from htmengine.repository import alarms as stored
from htmengine.repository import metrics, series
from htmengine.repository.alarms import Position
from htmengine.repository.fleet import Ranked, ranked
from htmengine.repository.schema import ALARM_LOG_SCORE
from htmengine.runtime.anomaly_service.alarms import direction_of
from htmengine.runtime.metric_storer import name_patterns
from htmengine.web import problems
from htmengine.web.api.metrics import parsed
from htmengine.web.operations import Call, Operations
from htmengine.web.problems import FieldError, Problem, unknown_metric
from htmengine.web.search import matching
from htmengine.web.shapes import (
    Alarm,
    AlarmPage,
    Cursor,
    Explanation,
    Limit,
    Pattern,
    RankedMetric,
    RankedMetrics,
    RowId,
    Time,
    Uid,
    number,
)
from htmengine.web.site import Site

operations = Operations()
T = TypeVar("T")
PART: Final = 1000
MAX_EXPLANATIONS: Final = 256
MAX_RANKED: Final = 200_000

DAY_S: Final = 86400.0


class AlarmsQuery(Struct, frozen=True, rename={"from_": "from"}):
    """Which alarms of a metric."""

    from_: Time | None = None
    to: Time | None = None
    """Left out itself."""
    since_rowid: RowId | None = None
    """Rows behind this one, ascending; without it the newest come first."""
    limit: Limit = 100
    after: Cursor | None = None


@operations("GET", "/metrics/{uid}/alarms", "read", problems.METRIC_NOT_FOUND)
def alarms_of_metric(call: Call, uid: Uid, query: AlarmsQuery) -> AlarmPage:
    """List the alarms of a metric with their reasons, the newest first."""
    site = call.site
    if uid not in site.fleet.index:
        raise unknown_metric(uid)
    after = decoded(query.after, int) if query.after else None
    since = query.since_rowid
    if since is not None and after is not None:
        since, after = after, None
    with site.context.database.read() as conn:
        if query.from_ is not None or query.to is not None:
            found = _between(conn, uid, query, after)
        else:
            found = stored.alarms_of(conn, uid, before_rowid=after, since_rowid=since, limit=query.limit + 1)
    following = encoded(found[query.limit - 1].rowid) if len(found) > query.limit else None
    return AlarmPage(labelled(site, [shown(site, alarm) for alarm in found[: query.limit]], uid), following)


def _between(conn: Connection, uid: str, query: AlarmsQuery, after: int | None) -> list[stored.Alarm]:
    """Return the alarms of a metric in a time, the newest first, one more than asked for."""
    since = -math.inf if query.from_ is None else query.from_
    until = math.inf if query.to is None else query.to
    before = after
    if query.to is not None:
        # Alarms stay when rows are removed: where no row is left before that time, all alarms are looked at.
        end = series.first_from(conn, uid, query.to)
        before = min((rowid for rowid in (after, end) if rowid), default=None)
    found: list[stored.Alarm] = []
    while len(found) <= query.limit:
        some = stored.alarms_of(conn, uid, before_rowid=before, limit=PART)
        found += [alarm for alarm in some if since <= alarm.timestamp < until]
        if len(some) < PART or some[-1].timestamp < since:
            break
        before = some[-1].rowid
    return found[: query.limit + 1]


@operations("GET", "/metrics/{uid}/explain/{rowid}", "read", problems.METRIC_NOT_FOUND, problems.CONFLICT)
def explain(call: Call, uid: Uid, rowid: RowId) -> Explanation:
    """Explain the score of any row: its model is made again as it was before the row, from the nearest checkpoint."""
    site = call.site
    if uid not in site.fleet.index:
        raise unknown_metric(uid)
    with site.context.database.read() as conn:
        key = (uid, metrics.state(conn, uid).generation, rowid)
    known = site.explanations.get(key)
    if known is not None:
        return known
    found = site.explain(site.context, uid, rowid)
    explanation = found.explanation
    why = why_of(explanation)
    channels: dict[str, float] = {}
    for cause, strength in explanation.strengths.items():
        channel = cause if cause in ("sequence", "jump", "extreme") else "deviation"
        channels[channel] = max(strength, channels.get(channel, 0.0))
    alarms = explanation.scores.log_score >= ALARM_LOG_SCORE
    forecast = math.nan if explanation.forecast is None else explanation.forecast
    answer = Explanation(
        uid=uid,
        name=_name(site, uid),
        rowid=rowid,
        time=float(found.timestamp),
        value=found.value,
        log_score=explanation.scores.log_score,
        one_in=explanation.one_in,
        cause=explanation.cause,
        channel=explanation.channel,
        direction=direction_of(why, found.value, forecast),  # type: ignore[arg-type]
        forecast=explanation.forecast,
        usual=explanation.usual,
        foreseen=explanation.foreseen(),
        alarms_before=explanation.alarms_before,
        last_alarm=explanation.last_alarm,
        sentence=(sentence if alarms or found.silenced_by is not None else calm_sentence)(why, found.value),
        channels=channels,
        strengths={str(cause): strength for cause, strength in explanation.strengths.items()},
        damped=explanation.damped,
        silenced_by=None if found.silenced_by is None else f"l{found.silenced_by}",
    )
    while len(site.explanations) >= MAX_EXPLANATIONS:
        site.explanations.pop(next(iter(site.explanations)), None)
    site.explanations[key] = answer
    return answer


class AnomaliesQuery(Struct, frozen=True, rename={"from_": "from"}):
    """Which alarms of all metrics."""

    from_: Time | None = None
    """Without it a day before `to`."""
    to: Time | None = None
    """Left out itself; without it now."""
    min_score: Annotated[float, Meta(ge=ALARM_LOG_SCORE, le=1)] = ALARM_LOG_SCORE
    prefix: Pattern = ""
    """Only metrics whose names begin like this."""
    q: Pattern = ""
    """Only metrics that this search finds; as for the list of metrics."""
    rank: Literal["time", "window"] = "time"
    """`window`: metrics instead of alarms, the most unusual of the window first."""
    limit: Limit = 100
    after: Cursor | None = None


@operations("GET", "/anomalies", "read")
def anomalies(call: Call, query: AnomaliesQuery) -> AlarmPage | RankedMetrics:
    """List the alarms of all metrics, the newest first; or rank the metrics of a window."""
    site = call.site
    until = query.to if query.to is not None else site.clock() + 1
    since = query.from_ if query.from_ is not None else until - DAY_S
    if since > until:
        raise Problem(problems.BAD_REQUEST, f"from={since:g} lies behind to={until:g}.")
    if query.rank == "window":
        return _ranked(site, since, until, query)
    wanted = _wanted(site, query)
    position = decoded(query.after, Position) if query.after else None
    items: list[Alarm] = []
    with site.context.database.read() as conn:
        while True:
            found = stored.alarms_between(
                conn, since, until, min_score=query.min_score, after=position, limit=query.limit + 1
            )
            for alarm in found[: query.limit]:
                position = Position(alarm.timestamp, alarm.uid, alarm.rowid)
                if wanted(alarm.uid):
                    items.append(shown(site, alarm))
                if len(items) == query.limit:
                    break
            more = len(found) > query.limit
            if len(items) == query.limit or not more:
                break
    return AlarmPage(labelled(site, items), encoded(position) if more and position else None)


def _ranked(site: Site, since: float, until: float, query: AnomaliesQuery) -> RankedMetrics:
    """Rank metrics by the highest score of the window; of equal ones the first to alarm comes first."""
    found = _ranked_in_memory(site, since, until)
    if found is None:
        with site.context.database.read() as conn:
            found = ranked(conn, since, until, limit=MAX_RANKED)
    wanted = _wanted(site, query)
    best = heapq.nsmallest(
        query.limit,
        (row for row in found if row.max_log_score >= query.min_score and wanted(row.uid)),
        key=lambda row: (-row.max_log_score, row.first, row.uid),
    )
    return RankedMetrics(
        [
            RankedMetric(
                row.uid,
                _name(site, row.uid),
                row.max_log_score,
                row.max_log_score,
                row.alarms,
                float(row.first),
            )
            for row in best
        ]
    )


def _ranked_in_memory(site: Site, since: float, until: float) -> list[Ranked] | None:
    """Return the metrics that alarmed within a time; None if the server does not remember all of it."""
    fleet = site.fleet
    with fleet.lock:
        if since < fleet.alarms.since:
            return None
        indexes, times, scores = fleet.alarms.between(since, until)
        metrics, places = np.unique(indexes, return_inverse=True)
        highest, first = np.zeros(len(metrics)), np.full(len(metrics), np.inf)
        np.maximum.at(highest, places, scores)
        np.minimum.at(first, places, times)
        counts = np.bincount(places, minlength=len(metrics))
        return [
            Ranked(fleet.uids[i], score, count, int(time))
            for i, score, count, time in zip(
                metrics.tolist(), highest.tolist(), counts.tolist(), first.tolist(), strict=True
            )
        ]


def _wanted(site: Site, query: AnomaliesQuery) -> Callable[[str], bool]:
    """Return what tells whether a metric is wanted, by its uid."""
    if not (query.q or query.prefix):
        return lambda uid: True
    fleet = site.fleet
    with fleet.lock:
        mask = matching(fleet, parsed(query.q), query.prefix, site.name_matches, site.clock())
        uids = {fleet.uids[i] for i in np.flatnonzero(mask).tolist()}
    return uids.__contains__


def shown(site: Site, alarm: stored.Alarm) -> Alarm:
    """Return a stored alarm as the API shows it."""
    why = msgspec.json.decode(alarm.why, type=Why) if alarm.why else None
    low, high = number(alarm.usual_low), number(alarm.usual_high)
    return Alarm(
        uid=alarm.uid,
        name=_name(site, alarm.uid),
        rowid=alarm.rowid,
        time=float(alarm.timestamp),
        value=alarm.value,
        log_score=alarm.log_score,
        peak=alarm.peak,
        one_in=alarm.one_in,
        cause=alarm.cause,
        channel=alarm.channel,
        direction=alarm.direction,  # type: ignore[arg-type]
        forecast=number(alarm.forecast),
        usual=(low, high) if low is not None and high is not None else None,
        foreseen=why.foreseen if why else [],
        alarms_before=why.alarms_before if why else None,
        last_alarm=why.last_alarm if why else None,
        sentence=sentence(why, alarm.value),
    )


def labelled(site: Site, alarms: Sequence[Alarm], uid: str | None = None) -> list[Alarm]:
    """Return alarms with what labels say of their times; `uid`: of the metric, where all are of one."""
    if not alarms:
        return []
    times = [alarm.time for alarm in alarms]
    with site.context.database.read() as conn:
        found = labels.labels(conn, now=site.clock(), uid=uid, since=min(times), until=max(times))
    of_patterns = [(name_patterns.glob(label.match), label) for label in found if label.match is not None]
    of_metric: defaultdict[str, list[labels.Label]] = defaultdict(list)
    for label in found:
        of_metric[label.uid or ""].append(label)
    shown_ones = []
    for alarm in alarms:
        own = [*of_metric[alarm.uid], *(label for fits, label in of_patterns if fits(alarm.name))]
        around = [label for label in own if label.begins <= alarm.time <= label.ends]
        newest = max(around, key=lambda label: label.created, default=None)
        shown_ones.append(msgspec.structs.replace(alarm, label=newest.kind) if newest else alarm)
    return shown_ones


def _name(site: Site, uid: str) -> str:
    i = site.fleet.index.get(uid)
    return site.fleet.names[i] if i is not None else ""


def encoded(place: object) -> str:
    """Return a place within a list as a cursor."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def decoded(cursor: str, kind: type[T]) -> T:
    """Return the place that a cursor tells. Raises Problem for one that this server did not give."""
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=kind)
    except (ValueError, msgspec.MsgspecError):
        detail = "it is none that this server gave; begin without it"
        raise Problem(
            problems.BAD_REQUEST, f"after: {detail}.", errors=[FieldError("?after", detail)]
        ) from None
