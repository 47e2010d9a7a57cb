"""Metrics as the API shows them: the server's memory, and what it has to ask the repository for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

import numpy as np

from htmengine.htm.params import ROWS_FOR_RANGE
from htmengine.incidents.store import OpenMember
from htmengine.repository import series
from htmengine.repository.fleet import newest_rows
from htmengine.repository.status import WITH_MODEL, MetricStatus
from htmengine.web.fleet import CELL_S, CELLS, DIRECTIONS, FULL, OVER_S, STATES, Fleet
from htmengine.web.shapes import LastRow, MetricRow, State, WhyNoScore, number, tags_of
from htmengine.web.site import Site

HOUR_S: Final = 3600


def metric_rows(site: Site, uids: Sequence[str]) -> list[MetricRow]:
    """Return metrics in the order of their uids; those that are gone are left out."""
    _know_last_rows(site, uids)
    fleet, now = site.fleet, site.clock()
    with fleet.lock:
        indexes = [i for uid in uids if (i := fleet.index.get(uid)) is not None]
        states = fleet.states(now, indexes)
        oddness = fleet.oddness(86400.0, indexes)
        members, alarms = fleet.open_members, fleet.alarm_counts()
        return [
            _row(fleet, i, STATES[state], odd, int(alarms[i]), members.get(fleet.uids[i]), now)
            for i, state, odd in zip(indexes, states.tolist(), oddness.tolist(), strict=True)
        ]


def _know_last_rows(site: Site, uids: Sequence[str]) -> None:
    """Ask for the newest rows of metrics of which no batch told: those without a model, and all after the start."""
    fleet = site.fleet
    with fleet.lock:
        behind = [
            uid
            for uid in uids
            if (i := fleet.index.get(uid)) is not None
            and fleet.column("rowid")[i] < fleet.column("last_rowid")[i]
        ]
    if not behind:
        return
    with site.context.database.read() as conn:
        newest = newest_rows(conn, behind)
        unscored = [uid for uid, row in newest.items() if row.log_score is None]
        scored = newest_rows(conn, unscored, scored=True)
    with fleet.lock:
        for uid, row in newest.items():
            fleet.know_newest(uid, row, scored.get(uid, row))


INTERVAL_ROWS: Final = 100
"""Newest rows of which the interval of a metric is the median gap, until results tell it."""


def fill_cells(site: Site, uids: Sequence[str]) -> None:
    """Read what was before into the cells of metrics of which no values are kept yet; from now on they are."""
    fleet = site.fleet
    with fleet.lock:
        empty = [
            uid for uid in uids if (i := fleet.index.get(uid)) is not None and fleet.column("shown")[i] < 0
        ]
    if not empty:
        return
    now = site.clock()
    with site.context.database.read() as conn:
        for uid in empty:
            rowids = series.rowids_between(conn, uid, now - CELLS * CELL_S, now + HOUR_S)
            newest = range(max(rowids.stop - INTERVAL_ROWS, 1), rowids.stop)
            hours = series.hours_between(conn, uid, now - 25 * HOUR_S, now + HOUR_S)
            gaps = np.diff(series.values_of(conn, uid, newest)[0])
            fleet.fill(
                uid,
                series.values_of(conn, uid, rowids),
                (
                    [hour.hour for hour in hours],
                    [hour.mean_value for hour in hours],
                    [np.nan if hour.max_log_score is None else hour.max_log_score for hour in hours],
                ),
                float(np.median(gaps)) if len(gaps) else np.nan,
            )


def _row(
    fleet: Fleet, i: int, state: str, oddness: float, alarms: int, member: OpenMember | None, now: float
) -> MetricRow:
    def of(name: str) -> float | None:
        return number(fleet.column(name)[i])

    time, interval = of("time"), of("interval")
    low, high = of("usual_low"), of("usual_high")
    stored = int(fleet.column("last_rowid")[i])
    over = max(OVER_S, 6.0 * (interval or 0.0))
    alarm_time = of("alarm_time")
    lasts = alarm_time is not None and now - alarm_time <= over
    cause, direction = int(fleet.column("cause")[i]), int(fleet.column("direction")[i])
    name = fleet.names[i]
    return MetricRow(
        uid=fleet.uids[i],
        name=name,
        tags=tags_of(name),
        state=cast("State", state),
        last=LastRow(stored, time, of("value")) if stored else None,
        interval=interval,
        log_score=of("log_score"),
        max_1h=float(fleet.minutes.columns["score"][:, i].max()) / FULL,
        max_24h=float(fleet.day.columns["score"][:, i].max()) / FULL,
        one_in=of("one_in"),
        alarms_24h=alarms,
        usual=(low, high) if low is not None and high is not None else None,
        forecast=of("forecast"),
        incident=member and member.incident,
        snoozed_until=member.snoozed_until if member and member.is_snoozed(now) else None,
        why_no_score=_why_no_score(fleet, i, state, interval, time, now),
        oddness=oddness,
        cause=fleet.causes[cause] if cause >= 0 else None,
        direction=DIRECTIONS[direction] if direction >= 0 else None,
        since=of("silent_since") if state == "silent" else of("since") if lasts else None,
        stored=stored,
        acknowledged_by=member and member.acknowledged_by,
    )


def _why_no_score(
    fleet: Fleet, i: int, state: str, interval: float | None, time: float | None, now: float
) -> WhyNoScore | None:
    """Return why a metric has no score, or no new one, in a few words for a cell of the list."""
    status = int(fleet.column("status")[i])
    stored, scored, base = (
        int(fleet.column(name)[i]) for name in ("last_rowid", "scored_rowid", "base_rowid")
    )
    if state == "error":
        return WhyNoScore("model_error", "the model stopped with an error")
    if state == "unmonitored":
        return WhyNoScore("no_model", "not monitored")
    if not stored:
        return WhyNoScore("never_scored", "no sample yet")
    if status == MetricStatus.UNMONITORED:
        return WhyNoScore("new", "new: in a moment it is known whether it gets a model")
    if status not in WITH_MODEL:
        missing = max(ROWS_FOR_RANGE - stored, 1)
        return WhyNoScore(
            "pending_data",
            f"sample {stored} of {ROWS_FOR_RANGE} that the metric's range is taken from",
            stored,
            ROWS_FOR_RANGE,
            missing * interval if interval else None,
        )
    if state == "no_model":
        return WhyNoScore("no_model", "the model was asked for and is not there yet")
    if behind := stored - max(scored, base):
        return WhyNoScore(
            "queue_behind", f"{behind} samples wait for their scores", scored - base, stored - base
        )
    if state == "silent" and time is not None:
        return WhyNoScore("silent", f"no sample for {_duration(now - time)}")
    if state == "learning":
        seen = scored - base
        return WhyNoScore(
            "too_few_samples",
            f"sample {seen} of {ROWS_FOR_RANGE}",
            seen,
            ROWS_FOR_RANGE,
            (ROWS_FOR_RANGE - seen) * interval if interval else None,
        )
    return None


def _duration(seconds: float) -> str:
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 129600 else f"{seconds / 86400:.0f} days"
