"""Rules that say which new metrics get a model by themselves."""

from __future__ import annotations

from typing import Annotated, Final

import numpy as np
from msgspec import Meta, Struct

from htmengine.errors import ConfigError
from htmengine.runtime.metric_storer import monitor_rules, name_patterns
from htmengine.web import problems
from htmengine.web.operations import Call, Operations
from htmengine.web.problems import Problem
from htmengine.web.shapes import MonitorRule, MonitorRules, RuleMatches, RulesPreview

operations = Operations()

MAX_RULES: Final = 100
EXAMPLES: Final = 5


@operations("GET", "/monitor-rules", "read", problems.CONFLICT)
def rules(call: Call) -> MonitorRules:
    """List the rules of monitor-rules.conf in their order, and how many metrics each decides about."""
    path = call.site.context.settings.storer.rules
    if path is None:
        return MonitorRules([], None, None, False)
    try:
        found = monitor_rules.load(path)
    except ConfigError as error:
        raise Problem(problems.CONFLICT, f"{error} {error.hint}") from error
    fleet = call.site.fleet
    with fleet.lock:
        names = list(fleet.names)
    decided: dict[str, list[str]] = {}
    for name in names:
        if rule := found.first(name):
            decided.setdefault(rule.name, []).append(name)
    listed = []
    for rule in found.rules:
        mine = decided.get(rule.name, [])
        listed.append(
            MonitorRule(rule.name, rule.text, rule.monitor, rule.limit, len(mine), sorted(mine)[:EXAMPLES])
        )
    return MonitorRules(listed, None, str(path), False)


class WantedRule(Struct, frozen=True):
    """A rule to try."""

    pattern: Annotated[str, Meta(min_length=1, max_length=300)]
    monitor: bool
    name: str | None = None
    limit: int | None = None


class WantedRules(Struct, frozen=True):
    """Rules to try, in their order: the first that fits a name decides."""

    rules: Annotated[list[WantedRule], Meta(max_length=MAX_RULES)]


@operations("POST", "/monitor-rules/preview", "read", audited=False)
def preview_rules(call: Call, body: WantedRules) -> RulesPreview:
    """Say which of the metrics that there are rules would give a model; nothing is changed."""
    fleet = call.site.fleet
    with fleet.lock:
        left, monitored = list(fleet.names), int(np.count_nonzero(fleet.monitored()))
    found, would_monitor = [], 0
    for rule in body.rules:
        fits = name_patterns.glob(rule.pattern)
        mine = [name for name in left if fits(name)]
        left = [name for name in left if not fits(name)]
        found.append(RuleMatches(len(mine), sorted(mine)[:EXAMPLES]))
        if rule.monitor:
            would_monitor += len(mine) if rule.limit is None else min(len(mine), rule.limit)
    return RulesPreview(found, would_monitor, len(fleet) - would_monitor, monitored, None)
