"""What rules would have told, looked at in the incidents that are stored. Nothing is sent or changed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection

from htmengine.alerts import budget
from htmengine.alerts.budget import Point
from htmengine.alerts.history import PastIncident, past_incidents
from htmengine.alerts.notice import Severity
from htmengine.alerts.rules import MIN_SCORE, Cooling, Rule, Rules, followed, graver
from htmengine.incidents.ids import id_of
from htmengine.incidents.store import INFO, WARNING


class Message(NamedTuple):
    """An incident that would have been told of."""

    incident: str
    time: int
    """When there was enough to tell: seconds since the epoch, by the samples."""
    rule: str
    severity: Severity
    targets: tuple[str, ...]
    resolved: int | None
    metrics: int
    alarms: int
    max: float
    """Highest log score."""


class Preview(NamedTuple):
    """What would have been told of the incidents of some time."""

    messages: list[Message]
    silenced: dict[str, int]
    """By reason, how many would have been told of at other times."""
    incidents: int
    """How many there were, lone alarms among them."""
    first: int | None
    """When the first of them began: less is not stored."""
    thresholds: dict[str, float]
    """By the name of a rule, the score that its budget takes now."""


def document(would: Preview) -> dict[str, Any]:
    """Return it as commands and the API show it."""
    shown = would._asdict()
    return shown | {"messages": [message._asdict() for message in would.messages]}


def preview(conn: Connection, rules: Rules, since: float, until: float) -> Preview:
    """Return what rules would have told of the incidents that began from one time up to another."""
    return preview_of(past_incidents(conn, since, until), rules, budget.thresholds(conn, rules, until))


def preview_of(past: Iterable[PastIncident], rules: Rules, thresholds: dict[str, float]) -> Preview:
    """Return what rules would have told of these incidents.

    Parameters
    ----------
    thresholds : by the name of a rule, the score that its budget takes.
    """
    last: defaultdict[str, dict[str, int]] = defaultdict(dict)
    """By rule and metric, its last alarm in an incident that was told of."""

    def cooling(rule: Rule, uid: str, time: int) -> str | None:
        before = last[rule.name].get(uid)
        return "cool-down" if before is not None and 0 <= time - before < rule.cooldown_s else None

    messages: list[Message] = []
    silenced: Counter[str] = Counter()
    incidents, first = 0, None
    for incident in past:
        incidents += 1
        first = incident.opened if first is None else first
        found = _message(incident, rules, thresholds, cooling, silenced)
        if found is not None:
            messages.append(found)
            for alarm in incident.alarms:
                times = last[found.rule]
                times[alarm.uid] = max(times.get(alarm.uid, alarm.time), alarm.time)
    return Preview(messages, dict(silenced), incidents, first, thresholds)


def _message(
    incident: PastIncident,
    rules: Rules,
    thresholds: dict[str, float],
    cooling: Cooling,
    silenced: Counter[str],
) -> Message | None:
    matches, held = followed(rules, incident.alarms, thresholds=thresholds, cooling=cooling)
    if not matches:
        silenced.update({one.reason for one in held})
        return None
    own: Severity = WARNING if incident.is_warning else INFO
    severity = matches[0].rule.severity or own
    for match in matches[1:]:
        severity = graver(severity, match.rule.severity or own)
    return Message(
        incident=id_of(incident.number),
        time=min(match.time for match in matches),
        rule=matches[0].rule.name,
        severity=severity,
        targets=tuple(sorted({target for match in matches for target in match.rule.targets})),
        resolved=incident.resolved,
        metrics=incident.metrics,
        alarms=incident.alarm_count,
        max=max((alarm.score for alarm in incident.alarms), default=0.0),
    )


class BudgetCurve(NamedTuple):
    """How many incidents a week a rule tells of, by its least score."""

    points: list[Point]
    weeks: float
    """So many weeks were looked at."""
    min_score: float
    """What a budget takes now; the lowest score where none was asked for."""


def budget_curve(conn: Connection, rule: Rule, now: float, per_week: float | None = None) -> BudgetCurve:
    """Return the curve of a rule over the last weeks.

    `per_week`: the budget to find the score of; that of the rule if None.
    """
    past = list(past_incidents(conn, now - budget.WEEKS * budget.WEEK_S, now))
    scores, weeks = budget.scores_of(rule, past), budget.weeks_of(past, now)
    wanted = rule.budget if per_week is None else per_week
    least = MIN_SCORE if wanted is None else budget.threshold(scores, wanted, weeks)
    return BudgetCurve(budget.curve(scores, weeks), weeks, least)
