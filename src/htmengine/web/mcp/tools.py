"""The tools: each answers with a sentence first, then data, few enough for a model to read.

Names of metrics and what people wrote are untrusted: they stand in fields of the data, never among instructions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from htmengine.admin.metric_report import inspect
from htmengine.incidents import store
from htmengine.readable import counted, duration
from htmengine.repository import fleet as alarms_of_fleet
from htmengine.repository import series
from htmengine.repository.schema import ALARM_LOG_SCORE
from htmengine.runtime.metric_storer import name_patterns
from htmengine.web import rows
from htmengine.web.downsampling import downsample, step_for
from htmengine.web.mcp.answers import Answer, CannotAnswer, bounded
from htmengine.web.mcp.rules import previewed
from htmengine.web.site import Site

MAX_ITEMS: Final = 100
MAX_POINTS: Final = 200
MAX_COMPARED: Final = 20
MAX_ROWS: Final = 200_000
"""Of a metric that are read for an answer."""
MAX_WINDOW_S: Final = 400 * 86400.0


class Tools:
    """What can be asked of an installation.

    Parameters
    ----------
    base : address of the page, with a slash at its end.
    """

    def __init__(self, site: Site, base: str) -> None:
        self.site = site
        self._base = base

    def whats_odd(self, minutes: float = 60, limit: int = 20) -> Answer:
        """List the metrics that alarmed within the last minutes, the most unusual first."""
        now = self.site.clock()
        with self.site.context.database.read() as conn:
            found = alarms_of_fleet.ranked(
                conn, now - _minutes(minutes) * 60, now + 3600, limit=_count(limit)
            )
        shown = {row.uid: row for row in rows.metric_rows(self.site, [one.uid for one in found])}
        items = [
            {
                "metric": shown[one.uid].name,
                "max_log_score": round(one.max_log_score, 3),
                "alarms": one.alarms,
                "first_alarm": one.first,
                "cause": shown[one.uid].cause,
                "direction": shown[one.uid].direction,
                "value_now": shown[one.uid].last.value if shown[one.uid].last else None,  # type: ignore[union-attr]
                "usual_now": shown[one.uid].usual,
                "incident": shown[one.uid].incident,
                "url": f"{self._base}m/{one.uid}",
            }
            for one in found
            if one.uid in shown
        ]
        said = f"{counted(len(items), 'metric')} alarmed within the last {duration(minutes * 60)}"
        return bounded(f"{said}." if items else f"Nothing: {said}.", items)

    def list_incidents(self, state: str = "open", since_minutes: float = 1440, limit: int = 20) -> Answer:
        """List incidents (state: open, resolved or all) that alarmed within the last minutes."""
        if state not in ("open", "resolved", "all"):
            raise CannotAnswer(
                f"state {state[:20]!r} is not known.", hint="There are open, resolved and all."
            )
        since = self.site.clock() - _minutes(since_minutes) * 60
        with self.site.context.database.read() as conn:
            found = store.list_incidents(
                conn, state=None if state == "all" else state, since=since, limit=_count(limit)
            )
        kinds = "" if state == "all" else f"{state} "
        said = f"{counted(len(found), f'{kinds}incident')} within the last {duration(since_minutes * 60)}."
        return bounded(said, [self._incident(one, metrics=3) for one in found])

    def get_incident(self, incident: str) -> Answer:
        """Give an incident with its metrics, those that moved first before the others, and what people did about it."""
        with self.site.context.database.read() as conn:
            found = store.get_incident(conn, incident)
        if found is None:
            raise CannotAnswer(f"There is no incident {incident[:40]!r}.", hint="list_incidents tells ids.")
        return bounded(
            f"The incident {found['id']} is {found['state']}.",
            [self._incident(found, metrics=40) | {"history": found["history"][-20:]}],
        )

    def find_metrics(self, pattern: str = "*", limit: int = 50) -> Answer:
        """Find metrics by a pattern of their names, such as web.* or *cpu*, with what they are now."""
        try:
            fits = name_patterns.glob(pattern[:300])
        except ValueError as error:
            raise CannotAnswer(f"pattern: {error}.", hint="* fits every metric.") from None
        fleet = self.site.fleet
        with fleet.lock:
            found = [uid for uid, name in zip(fleet.uids, fleet.names, strict=True) if fits(name)]
        items = [
            {
                "metric": row.name,
                "state": row.state,
                "value": row.last.value if row.last else None,
                "time": row.last.time if row.last else None,
                "usual": row.usual,
                "max_log_score_1h": round(row.max_1h or 0.0, 3),
                "url": f"{self._base}m/{row.uid}",
            }
            for row in rows.metric_rows(self.site, found[: _count(limit)])
        ]
        return bounded(f"{counted(len(found), 'metric')} fit the pattern; {len(items)} are shown.", items)

    def get_series(self, metric: str, start: float, end: float, points: int = 100) -> Answer:
        """Give a metric's values, log scores and usual band between two times (seconds since the epoch), in few points."""
        uid = self.uid(metric)
        since, until = _window(start, end)
        found = self._rows(uid, since, until)
        step = step_for(until - since, min(max(points, 1), MAX_POINTS))
        drawn = downsample(
            found.timestamps.astype(np.float64),
            found.values,
            step,
            highest={"log_score": found.log_scores},
            last={"low": found.usual_lows, "high": found.usual_highs},
        )
        columns = [drawn.time, drawn.value, *(drawn.others[name] for name in ("log_score", "low", "high"))]
        items = [
            [_number(one) for one in row]
            for row in zip(*(column.tolist() for column in columns), strict=True)
        ]
        answer = bounded(
            f"{counted(len(found.rowids), 'row')} in points of {step} seconds; of several rows in a point the last "
            "value and the highest log score.",
            items,
        )
        return answer | {
            "columns": ["time", "value", "log_score", "usual_low", "usual_high"],
            "url": f"{self._base}m/{uid}",
        }

    def explain(self, metric: str, time: float) -> Answer:
        """Say why the row of a metric at a time, or the last one before it, got its score: the model's own reason."""
        uid = self.uid(metric)
        with self.site.context.database.read() as conn:
            rowid = series.first_from(conn, uid, time + 1) - 1
        if rowid < 1:
            raise CannotAnswer("The metric has no row at that time or before it.", hint="See get_series.")
        found = self.site.explain(self.site.context, uid, rowid)
        why = found.explanation
        item = {
            "time": found.timestamp,
            "value": found.value,
            "log_score": round(why.scores.log_score, 3),
            "alarm": why.scores.log_score >= ALARM_LOG_SCORE,
            "one_in": _number(why.one_in),
            "cause": why.cause,
            "forecast": _number(why.forecast),
            "usual": why.usual,
            "alarms_before": why.alarms_before,
            "how_unusual_by_cause": {
                str(cause): round(strength, 3) for cause, strength in why.strengths.items()
            },
            "url": f"{self._base}m/{uid}",
        }
        kind = "an alarm" if item["alarm"] else "no alarm"
        return bounded(f"The row is {kind}, with a log score of {item['log_score']}.", [item])

    def metric_status(self, metric: str) -> Answer:
        """Say how a metric stands, and why it has no score or no new one."""
        (report,) = inspect(self.site.context, [metric], self.site.watch.health())
        return bounded("What the doctor says of the metric is in the data.", [report.document()])

    def compare(self, metrics: list[str], start: float, end: float) -> Answer:
        """Say which of several metrics moved first between two times: when each alarmed first, and how high it scored."""
        if not 2 <= len(metrics) <= MAX_COMPARED:
            raise CannotAnswer(
                f"{counted(len(metrics), 'metric')} cannot be compared.", hint=f"Name 2 to {MAX_COMPARED}."
            )
        since, until = _window(start, end)
        items = []
        for name in metrics:
            found = self._rows(self.uid(name), since, until)
            alarms = found.timestamps[found.log_scores >= ALARM_LOG_SCORE]
            known = found.log_scores[~np.isnan(found.log_scores)]
            items.append(
                {
                    "metric": name,
                    "first_alarm": int(alarms[0]) if len(alarms) else None,
                    "alarms": len(alarms),
                    "max_log_score": round(float(known.max()), 3) if len(known) else None,
                    "rows": len(found.rowids),
                }
            )
        items.sort(key=lambda one: math.inf if one["first_alarm"] is None else one["first_alarm"])
        moved = sum(one["first_alarm"] is not None for one in items)
        return bounded(
            f"{moved} of {counted(len(items), 'metric')} alarmed; the first one stands first.", items
        )

    def doctor(self) -> Answer:
        """Say whether the engine itself is well: services, what waits, what was refused, and findings."""
        found = self.site.watch.health()
        services = [
            {"service": one.name, "alive": one.alive, "waiting": one.queued, "restarts": one.restarts}
            for one in found.services
        ]
        said = (
            "All is well."
            if not found.findings
            else f"{counted(len(found.findings), 'finding')}: see the data."
        )
        return bounded(said, services) | {
            "findings": found.findings[:20],
            "metrics": found.totals.by_status,
            "waiting_for_scores": found.totals.unscored,
            "dead_letters": found.dead_letters,
            "url": f"{self._base}health",
        }

    def preview_rule(self, rule: dict[str, Any], days: float = 30) -> Answer:
        """Say which of the incidents of the last days an alert rule would have told of; nothing is sent or changed.

        A rule may have match, exclude (patterns of names), tags ("dc=fra"), min_score (0.5 to 1) or budget (incidents a week),
        direction (up, down), min_deviation ({"percent": 20}), causes, at_least ({"rows": 3, "metrics": 2}), active and
        maintenance (names of windows), severity, cooldown ("30min").
        """
        return previewed(self.site, self._base, rule, days)

    @property
    def all(self) -> Sequence[Callable[..., Answer]]:
        """Every tool."""
        return (
            self.whats_odd,
            self.list_incidents,
            self.get_incident,
            self.find_metrics,
            self.get_series,
            self.explain,
            self.metric_status,
            self.compare,
            self.doctor,
            self.preview_rule,
        )

    def uid(self, metric: str) -> str:
        """Return the uid of a metric by its name. Raises CannotAnswer."""
        fleet = self.site.fleet
        with fleet.lock:
            for uid, name in zip(fleet.uids, fleet.names, strict=True):
                if name == metric:
                    return uid
        raise CannotAnswer("There is no metric of this name.", hint="find_metrics finds names by a pattern.")

    def _rows(self, uid: str, since: float, until: float) -> series.Series:
        with self.site.context.database.read() as conn:
            first, last = series.first_from(conn, uid, since), series.first_from(conn, uid, until)
            if last - first > MAX_ROWS:
                raise CannotAnswer(
                    f"The metric has {last - first:,} rows in this time, more than {MAX_ROWS:,}.",
                    hint="Ask for a shorter time.",
                )
            return series.rows_between(conn, uid, since, until)

    def _incident(self, incident: store.Incident, *, metrics: int) -> dict[str, Any]:
        return {
            "id": incident["id"],
            "state": incident["state"],
            "severity": incident["severity"],
            "sentence": incident["sentence"],
            "opened": incident["opened"],
            "changed": incident["changed"],
            "resolved": incident["resolved"],
            "metric_count": incident["metric_count"],
            "alarm_count": incident["alarm_count"],
            "acknowledged": incident["ack"],
            "snoozed_until": incident["snoozed_until"],
            "verdict": incident["verdict"],
            "metrics": [
                {
                    "metric": one["name"],
                    "seconds_after_the_first": one["lag"],
                    "max_log_score": round(one["max"], 3),
                    "value": one["value"],
                    "usual": one["usual"],
                    "reason": one["reason"],
                }
                for one in incident["metrics"][:metrics]
            ],
            "url": f"{self._base}{incident['url']}",
        }


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _minutes(minutes: float) -> float:
    if not 0 < minutes <= MAX_WINDOW_S / 60:
        raise CannotAnswer("The number of minutes must be above 0, and a year at most.", hint="Such as 60.")
    return minutes


def _window(start: float, end: float) -> tuple[float, float]:
    if not (math.isfinite(start) and math.isfinite(end) and 0 < end - start <= MAX_WINDOW_S):
        raise CannotAnswer(
            "end must lie behind start, by a year at most.", hint="Both are seconds since the epoch."
        )
    return start, end


def _count(limit: int) -> int:
    return min(max(limit, 1), MAX_ITEMS)
