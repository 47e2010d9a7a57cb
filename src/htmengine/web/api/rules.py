"""Rules that say which new metrics get a model by themselves."""

from __future__ import annotations

from typing import Annotated, Final

import numpy as np
from msgspec import Meta, Struct

from htmengine.config.settings import MONITOR_EVERYTHING, RULES_FILE
from htmengine.errors import ConfigError
from htmengine.runtime.metric_storer import monitor_rules, name_patterns
from htmengine.web import configuration_files, problems
from htmengine.web.configuration_files import TextBody, tag
from htmengine.web.operations import Call, Operations
from htmengine.web.problems import Problem
from htmengine.web.shapes import MonitorRule, MonitorRules, RuleMatches, RulesPreview

operations = Operations()

MAX_RULES: Final = 100
EXAMPLES: Final = 5


@operations("GET", "/monitor-rules", "read", tagged=tag)
def rules(call: Call) -> MonitorRules:
    """Return monitor-rules.conf as it stands, its rules in their order, and how many metrics each decides about.

    `PUT /monitor-rules` wants the answer's ETag, which is that of the text.
    """
    return _rules(call)


@operations("PUT", "/monitor-rules", "admin", problems.CONFLICT, problems.CHANGED, tagged=tag)
def write_monitor_rules(call: Call, body: TextBody) -> MonitorRules:
    """Write monitor-rules.conf, if all of it can be used; a running engine takes it within seconds.

    The header If-Match has the ETag of what is replaced.
    """
    path = call.site.context.settings.storer.rules
    if path is None or path == MONITOR_EVERYTHING:
        raise Problem(
            problems.CONFLICT,
            f"This engine was started without a {RULES_FILE}. Create one in its folder, on the machine where it is, and start it again.",
        )

    def check() -> None:
        configuration_files.checked(body.text, path, lambda text, path: monitor_rules.parse(text, str(path)))

    configuration_files.write(call, path, body.text, check)
    return _rules(call)


def _rules(call: Call) -> MonitorRules:
    path = call.site.context.settings.storer.rules
    text, fault = configuration_files.read(path, monitor_rules.load)
    try:
        found = monitor_rules.Rules() if path is None else monitor_rules.parse(text, str(path))
    except ConfigError:  # told as the fault
        found = monitor_rules.Rules()
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
    return MonitorRules(listed, None, None if path is None else str(path), False, text, fault)


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
