"""What the API answers with about alerts: notices, targets, rules and what they would have told."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from htmengine.alerts.rules_text import WrittenRule
from htmengine.alerts.tables_text import WrittenTarget, WrittenWindow


class Delivery(Struct, frozen=True):
    """A notice to a target, and what became of it."""

    id: int
    incident: str | None
    """None where it is about the engine."""
    target: str
    rule: str
    kind: Literal["opened", "grew", "resolved", "test"]
    severity: Literal["info", "warning", "critical"]
    state: Literal["pending", "retrying", "delivered", "dead", "suppressed"]
    """Not tried yet; tried, to be tried again; taken by the receiver; given up; not to be sent."""
    reason: str | None
    """Why it was not sent, or not yet; or what the receiver said."""
    created: int
    tries: int
    due: float | None
    """When it is tried next."""
    done: int | None
    """When it was delivered or given up."""
    title: str


class DeliveryPage(Struct, frozen=True):
    """Some notices."""

    items: list[Delivery]
    next: str | None


class TargetAnswer(Struct, frozen=True):
    """Somebody who is told."""

    name: str
    kind: str
    settings: dict[str, str]
    """Without secrets."""
    secrets: dict[str, str]
    """What it keeps secret, and where that is kept: a file, or an environment variable."""
    enabled: bool
    disabled_reason: str | None
    """Why nothing is sent to it."""
    last: Delivery | None
    """The last notice that was tried."""


class TargetList(Struct, frozen=True):
    """All targets."""

    items: list[TargetAnswer]
    path: str | None
    """The file in which they stand."""


class TargetTest(Struct, frozen=True):
    """What came of a test message."""

    delivered: bool
    reason: str
    """What the receiver said, or why it was not delivered."""


class AlertWindow(Struct, frozen=True):
    """When alarms count, or do not."""

    name: str
    words: str
    """When it is."""
    next: tuple[float, float] | None
    """From when to when it is now, or next; null where nobody knows of another."""


class WindowPreview(Struct, frozen=True):
    """When a window of time is."""

    words: str
    next: list[tuple[float, float]]
    """From when to when it is now, or next, and after that."""


class AlertRules(Struct, frozen=True):
    """The file of targets, windows and rules."""

    text: str
    """Empty where there is none."""
    path: str | None
    fault: str | None
    """What is wrong with it, a line each; the engine goes by what it said before, then."""
    rules: list[WrittenRule] | None = None
    """As they are written; null where the file writes them in another way than as tables `[[rules]]`, or is no TOML."""
    windows: list[AlertWindow] = []
    targets: list[str] = []
    written_targets: list[WrittenTarget] | None = None
    """As they are written, with the names of what holds their secrets; null like `rules`."""
    written_windows: list[WrittenWindow] | None = None
    maintenance: list[str] = []
    """Windows in which no rule tells of anything."""
    mode: str = "first"
    """Whether the first rule decides that an incident fulfils, or all are followed."""
    max_age_s: float = 0.0
    """An incident that was over for longer when it was found is not told of."""


class ToldIncident(Struct, frozen=True):
    """An incident that would have been told of."""

    incident: str
    time: int
    rule: str
    severity: Literal["info", "warning", "critical"]
    targets: list[str]
    resolved: int | None
    metrics: int
    alarms: int
    max: float


class BudgetPoint(Struct, frozen=True):
    """A score, and how many incidents a week a rule tells of with it as its least."""

    min_score: float
    per_week: float


class BudgetCurve(Struct, frozen=True):
    """How many incidents a week a rule tells of, by its least score."""

    points: list[BudgetPoint]
    weeks: float
    """So many weeks were looked at."""
    min_score: float
    """What the budget takes."""


class AlertsPreview(Struct, frozen=True):
    """What rules would have told."""

    messages: list[ToldIncident]
    silenced: dict[str, int]
    """By reason, how many would have been told of at other times."""
    incidents: int
    first: int | None
    """When the first incident began that was looked at."""
    thresholds: dict[str, float]
    """By rule, the score that its budget takes now."""
    curve: BudgetCurve | None = None
