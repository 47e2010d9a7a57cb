"""What the API answers with about rules for what comes in: which metrics each decides about, and why."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class MonitorRule(Struct, frozen=True):
    """A rule, and the metrics that it decides about."""

    name: str
    pattern: str
    monitor: bool
    limit: int | None
    matches: int
    examples: list[str]
    action: Literal["monitor", "ignore", "drop"] | None = None
    """None: it changes names, or says what values are, and others decide."""
    says: str = ""
    """In words."""
    line: int = 0
    """Of the file, where it begins."""


class MonitorRules(Struct, frozen=True):
    """The rules of an installation."""

    rules: list[MonitorRule]
    default: MonitorRule | None
    path: str | None
    """The file; null where there are no rules, and nothing is monitored by itself."""
    editable: bool
    """Whether `PUT /monitor-rules` can write the text."""
    text: str
    """Of the file; empty where there is none."""
    fault: str | None
    """What is wrong with it, a line each; the engine goes by what it said before, then."""


class RulesPreview(Struct, frozen=True):
    """What rules would do."""

    rules: list[MonitorRule]
    """In their order."""
    would_monitor: int
    would_leave: int
    monitored: int
    """Metrics that have a model now."""
    capacity: int | None


class RuleStep(Struct, frozen=True):
    """A rule that fits a metric."""

    section: str
    line: int
    fits: str
    """The pattern or the regular expression."""
    says: str


class RuleWay(Struct, frozen=True):
    """What the rules say of a metric, as `htmengine rules test` does."""

    name: str
    stored: str | None
    """The name under which its samples are stored; null where they are not."""
    action: Literal["monitor", "ignore", "drop"] | None
    rules: list[RuleStep]
    """Those that fit, in their order; the last one decides if it has an action."""
    outcome: str
    """In a sentence."""
