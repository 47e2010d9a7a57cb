"""Many metrics at a glance: their newest rows, and who alarmed when. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import BindParameter, Connection, bindparam, func, select

from htmengine.repository import columns, schema
from htmengine.repository.lookup import IN_LIST
from htmengine.repository.series import CHART_COLUMNS
from htmengine.repository.times import bound, epoch_seconds

_metric: Final = schema.metric.c
_alarm: Final = schema.metric_alarm.c
_UIDS: Final[BindParameter[Any]] = bindparam("uids", expanding=True)


class NewestRow(NamedTuple):
    """The newest row of a metric, its rowid and CHART_COLUMNS; its scores are None while they are not stored."""

    rowid: int
    timestamp: int
    """Seconds since the epoch."""
    value: float
    anomaly_score: float | None
    log_score: float | None
    forecast: float | None
    usual_low: float | None
    usual_high: float | None


def newest_rows(conn: Connection, uids: Sequence[str], *, scored: bool = False) -> dict[str, NewestRow]:
    """Return, by uid, the newest row of each metric, or the newest that has scores; metrics without one are left out."""
    at = schema.scored_rowid if scored else func.coalesce(_metric.last_rowid, 0)
    data = columns.recent(conn).c
    query = (
        select(
            data.uid, data.rowid, epoch_seconds(data.timestamp), *(data[name] for name in CHART_COLUMNS[1:])
        )
        .select_from(schema.watermarked)
        .join(data.rowid.table, (_metric.uid == data.uid) & (data.rowid == at))
        .where(_metric.uid.in_(_UIDS))
    )
    found = {
        row[0]: NewestRow(*row[1:])
        for start in range(0, len(uids), IN_LIST)
        for row in conn.execute(query, {"uids": uids[start : start + IN_LIST]})
    }
    for uid in columns.before_recent(conn, [uid for uid in uids if uid not in found]):
        newest = select(at).select_from(schema.watermarked).where(_metric.uid == uid)
        rowid = conn.execute(newest).scalar_one()
        for row in zip(
            *map(columns.items, columns.read(conn, uid, CHART_COLUMNS, rowid, rowid)), strict=True
        ):
            found[uid] = NewestRow._make(row)
    return found


class Ranked(NamedTuple):
    """A metric that alarmed in some time."""

    uid: str
    max_log_score: float
    alarms: int
    """Rows that alarm."""
    first: int
    """When the first of them came, in seconds since the epoch."""


def ranked(conn: Connection, since: float, until: float, *, limit: int) -> list[Ranked]:
    """Return the metrics that alarmed from one time up to another, which is left out; the highest score first."""
    highest = func.max(_alarm.log_score)
    query = (
        select(_alarm.uid, highest, func.count(), epoch_seconds(func.min(_alarm.timestamp)))
        .where(_alarm.timestamp >= bound(since), _alarm.timestamp < bound(until))
        .group_by(_alarm.uid)
        .order_by(highest.desc(), _alarm.uid)
        .limit(limit)
    )
    return [Ranked(*row) for row in conn.execute(query)]


def alarming(conn: Connection, since: int, until: int, step: int) -> dict[int, int]:
    """Return how many metrics alarmed in each step of a time, by the step's beginning; steps without any are left out.

    Parameters
    ----------
    since, until, step : seconds, the first two since the epoch; `until` is left out.
    """
    number = ((epoch_seconds(_alarm.timestamp) - since) // step).label("number")
    query = (
        select(number, func.count(_alarm.uid.distinct()))
        .where(_alarm.timestamp >= bound(since), _alarm.timestamp < bound(until))
        .group_by("number")
        .order_by("number")
    )
    return {since + int(number) * step: int(count) for number, count in conn.execute(query)}
