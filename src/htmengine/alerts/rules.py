"""Rules: of which incidents who is told. What they say of an incident depends on its alarms alone, and on nothing that passes.

So the same answer is found when the incident grows, when a service begins again, and when history is looked at.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

from htmengine.alerts.notice import Severity
from htmengine.alerts.windows import Window

Mode: TypeAlias = Literal["first", "all"]
"""Whether the first rule that matches decides, or all that do are followed."""
Direction: TypeAlias = Literal["both", "up", "down"]
MIN_SCORE: Final = 0.5
"""Every alarm has at least this log score."""
COOLDOWN_S: Final = 1800.0
MAX_AGE_S: Final = 3600.0
DEFAULT_NAME: Final = "default"
DEFAULT_METRICS: Final = 2
DEFAULT_ROWS: Final = 3
"""What makes an incident a warning: one of both is enough. Less is what chance brings."""
_SEVERITIES: Final[tuple[Severity, ...]] = ("info", "warning", "critical")


class AlarmFacts(NamedTuple):
    """What rules ask of an alarm."""

    uid: str
    name: str
    time: int
    """Seconds since the epoch, by the sample."""
    score: float
    """On the log scale."""
    value: float
    forecast: float | None = None
    cause: str | None = None
    direction: str | None = None
    """up, down, or pattern."""


class Rule(NamedTuple):
    """A rule; each of its conditions is one of a single alarm, but for `rows` and `metrics`."""

    name: str
    fits: Callable[[str], object] = bool
    """Returns something true for the name of a metric that the rule is about."""
    severity: Severity | None = None
    """Of what is told; None: the incident's own."""
    min_score: float = MIN_SCORE
    direction: Direction = "both"
    min_absolute: float | None = None
    """How far from its forecast the value lies at least. An alarm without a forecast is not held back."""
    min_percent: float | None = None
    """The same, of the forecast's size."""
    causes: frozenset[str] = frozenset()
    """Empty: all."""
    rows: int | None = None
    """How many alarms an incident must have that fulfil the rest, or else so many `metrics`; both None: one alarm."""
    metrics: int | None = None
    active: tuple[Window, ...] = ()
    """Alarms count within one of these; always, where there is none."""
    maintenance: tuple[Window, ...] = ()
    """Alarms within one of these do not count."""
    targets: tuple[str, ...] = ()
    cooldown_s: float = COOLDOWN_S
    """Of each metric: for so long after its last alarm in an incident that was told of, other incidents of it are not."""
    budget: float | None = None
    """At most so many incidents a week: the score that this takes is found from stored ones."""

    def concerns(self, alarm: AlarmFacts) -> bool:
        """Tell whether an alarm fulfils every condition but those of score and time."""
        if not self.fits(alarm.name):
            return False
        if self.causes and alarm.cause not in self.causes:
            return False
        if self.direction != "both" and alarm.direction != self.direction:
            return False
        if alarm.forecast is None:
            return True
        off = abs(alarm.value - alarm.forecast)
        if self.min_absolute is not None and off < self.min_absolute:
            return False
        return self.min_percent is None or off >= self.min_percent / 100 * abs(alarm.forecast)

    def silence(self, time: float) -> str | None:
        """Return why alarms of a time do not count; None if they do."""
        for window in self.maintenance:
            if window.covers(time):
                return f"maintenance: {window.name}"
        if self.active and not any(window.covers(time) for window in self.active):
            return "outside of its active times"
        return None

    def is_enough(self, rows: int, metrics: int) -> bool:
        """Tell whether so many alarms of so many metrics are told of."""
        if self.rows is None and self.metrics is None:
            return rows > 0
        return (self.rows is not None and rows >= self.rows) or (
            self.metrics is not None and metrics >= self.metrics
        )


class Rules(NamedTuple):
    """All rules, in their order."""

    rules: tuple[Rule, ...] = ()
    mode: Mode = "first"
    max_age_s: float = MAX_AGE_S
    """An incident that was over for longer when it was found is not told of: history came in."""


class Match(NamedTuple):
    """A rule tells of an incident."""

    rule: Rule
    time: int
    """Of the alarm with which it had enough."""
    uids: frozenset[str]
    """The metrics whose alarms counted."""


class Silenced(NamedTuple):
    """A rule would tell of an incident, and must not."""

    rule: Rule
    reason: str
    uids: frozenset[str]


Cooling: TypeAlias = Callable[[Rule, str, int], str | None]
"""Returns why a metric's alarm at a time does not count, since the rule has told of the metric shortly before."""


def never_cooling(_rule: Rule, _uid: str, _time: int) -> None:
    """Let every alarm count."""


def judge(
    rule: Rule,
    alarms: Iterable[AlarmFacts],
    *,
    min_score: float | None = None,
    cooling: Cooling = never_cooling,
) -> Match | Silenced | None:
    """Return what a rule says of an incident; None: nothing.

    Parameters
    ----------
    alarms : of the incident, by their times.
    min_score : instead of the rule's own: the score that its budget takes.
    """
    least = rule.min_score if min_score is None else min_score
    counted: set[str] = set()
    rows, at = 0, None
    held: set[str] = set()
    held_rows, reason = 0, None
    silences: dict[int, str | None] = {}
    for alarm in alarms:
        if alarm.score < least or not rule.concerns(alarm):
            continue
        if alarm.time not in silences:
            silences[alarm.time] = rule.silence(alarm.time)
        silent = silences[alarm.time] or cooling(rule, alarm.uid, alarm.time)
        held.add(alarm.uid)
        held_rows += 1
        if silent:
            reason = reason or silent
            continue
        counted.add(alarm.uid)
        rows += 1
        if at is None and rule.is_enough(rows, len(counted)):
            at = alarm.time
    if at is not None:
        return Match(rule, at, frozenset(counted))
    if reason is not None and rule.is_enough(held_rows, len(held)):
        return Silenced(rule, reason, frozenset(held))
    return None


def matching_score(rule: Rule, alarms: Iterable[AlarmFacts]) -> float | None:
    """Return the highest `min_score` with which a rule would tell of an incident, times aside; None: with none.

    Parameters
    ----------
    alarms : of the incident, in any order.
    """
    scores: list[float] = []
    best: defaultdict[str, float] = defaultdict(float)
    for alarm in alarms:
        if alarm.score >= rule.min_score and rule.concerns(alarm) and rule.silence(alarm.time) is None:
            scores.append(alarm.score)
            best[alarm.uid] = max(best[alarm.uid], alarm.score)
    if rule.rows is None and rule.metrics is None:
        return max(scores, default=None)
    found = [_nth(scores, rule.rows), _nth(list(best.values()), rule.metrics)]
    return max((score for score in found if score is not None), default=None)


def _nth(scores: Sequence[float], place: int | None) -> float | None:
    if place is None or len(scores) < place:
        return None
    return heapq.nlargest(place, scores)[-1]


def followed(
    rules: Rules,
    alarms: Sequence[AlarmFacts],
    *,
    thresholds: Mapping[str, float],
    cooling: Cooling = never_cooling,
) -> tuple[list[Match], list[Silenced]]:
    """Return what is told of an incident, and what would be if it were not for times.

    Parameters
    ----------
    alarms : of the incident, by their times.
    thresholds : by the rule's name, the scores that budgets take.
    """
    matches: list[Match] = []
    silenced: list[Silenced] = []
    for rule in rules.rules:
        said = judge(rule, alarms, min_score=thresholds.get(rule.name), cooling=cooling)
        if isinstance(said, Match):
            matches.append(said)
        elif said is not None:
            silenced.append(said)
        if said is not None and rules.mode == "first":
            break
    return matches, silenced


def graver(one: Severity, other: Severity) -> Severity:
    """Return the graver of two severities."""
    return max(one, other, key=_SEVERITIES.index)


def default_rule(targets: Sequence[str]) -> Rule:
    """Return the rule that holds where none is written: all incidents but lone alarms, to all targets."""
    return Rule(DEFAULT_NAME, rows=DEFAULT_ROWS, metrics=DEFAULT_METRICS, targets=tuple(targets))
