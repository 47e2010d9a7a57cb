"""Alert budgets: the score from which a rule tells of so many incidents a week, found from what is stored.

For each incident of the last weeks the rule has a score with which it would just have told of it. The budget takes the score
that as many of these reach as the weeks may have. It is looked for again every hour, so that it follows the metrics.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection

from htmengine.alerts.history import PastIncident, past_incidents
from htmengine.alerts.rules import MIN_SCORE, Rule, Rules, matching_score

WEEK_S: Final = 7 * 86_400.0
WEEKS: Final = 4
"""So far back a budget looks."""
NEVER: Final = 1.0
"""The highest score; there are budgets that even it does not keep."""


class Point(NamedTuple):
    """A score, and how many incidents a week a rule tells of with it as its least."""

    min_score: float
    per_week: float


def thresholds(conn: Connection, rules: Rules, now: float) -> dict[str, float]:
    """Return by its name the score that each rule with a budget takes now."""
    if all(rule.budget is None for rule in rules.rules):
        return {}
    return thresholds_of(list(past_incidents(conn, now - WEEKS * WEEK_S, now)), rules, now)


def thresholds_of(past: Sequence[PastIncident], rules: Rules, now: float) -> dict[str, float]:
    """Return the same of these incidents."""
    weeks = weeks_of(past, now)
    return {
        rule.name: threshold(scores_of(rule, past), rule.budget, weeks)
        for rule in rules.rules
        if rule.budget is not None
    }


def scores_of(rule: Rule, past: Iterable[PastIncident]) -> list[float]:
    """Return for each incident that a rule tells of with the least score there is, the highest with which it does."""
    lenient = rule._replace(min_score=MIN_SCORE)
    scores = (matching_score(lenient, incident.alarms) for incident in past)
    return [score for score in scores if score is not None]


def weeks_of(past: Sequence[PastIncident], now: float) -> float:
    """Return how many weeks these incidents are of: since the first, at least one."""
    first = min((incident.opened for incident in past), default=now)
    return min(max((now - first) / WEEK_S, 1.0), WEEKS)


def threshold(scores: Sequence[float], budget: float, weeks: float) -> float:
    """Return the least score that at most so many of these a week reach.

    Parameters
    ----------
    scores : of the incidents of so many weeks.
    budget : incidents a week.
    """
    allowed = math.floor(budget * weeks)
    if len(scores) <= allowed:
        return MIN_SCORE
    # The first that is too many; all that have its score are.
    beyond = sorted(scores, reverse=True)[allowed]
    return min(math.nextafter(beyond, math.inf), NEVER)


def curve(scores: Sequence[float], weeks: float, *, points: int = 51) -> list[Point]:
    """Return how many incidents a week are told of by the least score, from the lowest to the highest score."""
    step = (NEVER - MIN_SCORE) / (points - 1)
    found = []
    for place in range(points):
        least = MIN_SCORE + place * step
        found.append(Point(round(least, 6), sum(score >= least for score in scores) / weeks))
    return found
