"""Rules that say which new metrics get a model by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import numpy as np
from msgspec import Meta, Struct

from htmengine.config import RULES_FILE
from htmengine.doors import names
from htmengine.doors.reasons import BadSample
from htmengine.errors import ConfigError
from htmengine.runtime.metric_storer import monitor_rules, name_patterns, rule_words
from htmengine.runtime.metric_storer.monitor_rules import Rules
from htmengine.web import configuration_files, problems
from htmengine.web.configuration_files import Text, TextBody, tag
from htmengine.web.operations import Call, Operations
from htmengine.web.problems import FieldError, Problem
from htmengine.web.rule_shapes import (
    MonitorRule,
    MonitorRules,
    RulesPreview,
    RuleStep,
    RuleWay,
)

operations = Operations()

MAX_RULES: Final = 100
EXAMPLES: Final = 5
MAX_NAME: Final = 1000


@operations("GET", "/monitor-rules", "read", tagged=tag)
def rules(call: Call) -> MonitorRules:
    """Return monitor-rules.conf as it stands, its rules in their order, and how many metrics each decides about.

    `PUT /monitor-rules` wants the answer's ETag, which is that of the text.
    """
    return _rules(call)


@operations("PUT", "/monitor-rules", "admin", problems.CONFLICT, problems.CHANGED, tagged=tag)
def write_monitor_rules(call: Call, body: TextBody) -> MonitorRules:
    """Write monitor-rules.conf, or make it, if all of it can be used; a running engine takes it within seconds.

    The header If-Match has the ETag of what is replaced.
    """
    storer = call.site.context.settings.storer
    path = storer.rules
    if path is None:
        raise Problem(problems.CONFLICT, f"This engine has no place for {RULES_FILE}.")

    def check() -> None:
        configuration_files.checked(body.text, path, lambda text, path: monitor_rules.parse(text, str(path)))

    configuration_files.write(call, path, body.text, check, without=storer.rules_without_file)
    return _rules(call)


def _rules(call: Call) -> MonitorRules:
    storer = call.site.context.settings.storer
    path = storer.rules
    text, fault = configuration_files.read(path, monitor_rules.load, without=storer.rules_without_file)
    try:
        found = Rules() if path is None else monitor_rules.parse(text, str(path))
    except ConfigError:  # told as the fault
        found = Rules()
    return MonitorRules(
        _listed(found, _names(call)), None, None if path is None else str(path), path is not None, text, fault
    )


def _names(call: Call) -> list[str]:
    fleet = call.site.fleet
    with fleet.lock:
        return list(fleet.names)


def _listed(rules: Rules, metrics: Sequence[str]) -> list[MonitorRule]:
    """Return rules with the metrics that each decides about."""
    decided: dict[str, list[str]] = {}
    for name in metrics:
        if rule := rules.first(name):
            decided.setdefault(rule.name, []).append(name)
    listed = []
    for rule in rules.rules:
        mine = decided.get(rule.name, [])
        says = "changes the name" if rule.change else rule_words.said(rule, "", "")
        listed.append(
            MonitorRule(
                name=rule.name,
                pattern=rule.text,
                monitor=rule.monitor,
                limit=rule.limit,
                matches=len(mine),
                examples=sorted(mine)[:EXAMPLES],
                action=rule.action,
                says=says,
                line=rule.line,
            )
        )
    return listed


class WayQuery(Struct, frozen=True):
    """Of which metric."""

    name: Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]
    stored: bool = False
    """Whether it is the name of a metric that is stored, and not one that is sent: names are not changed again, then."""


@operations("GET", "/monitor-rules/way", "read", problems.CONFLICT)
def way(call: Call, query: WayQuery) -> RuleWay:
    """Say which rules apply to a metric, and what becomes of its samples; as `htmengine rules test` does."""
    path = call.site.context.settings.storer.rules_in_use
    try:
        sent = names.read(query.name)
        rules = Rules() if path is None else monitor_rules.load(path)
    except BadSample as error:
        raise Problem(
            problems.BAD_REQUEST,
            f"It cannot be a metric's name: {error}.",
            errors=[FieldError("?name", str(error))],
        ) from error
    except ConfigError as error:
        raise Problem(problems.CONFLICT, f"The rules cannot be used: {error}") from error
    found = rules.way_of_stored(sent) if query.stored else rules.way(sent)
    before, steps = sent, []
    for step in found.steps:
        steps.append(
            RuleStep(
                step.rule.name, step.rule.line, step.rule.text, rule_words.said(step.rule, before, step.name)
            )
        )
        before = step.name
    return RuleWay(
        name=sent,
        stored=None if found.refusal else found.name,
        action=found.decides.action if found.decides else None,
        rules=steps,
        outcome=rule_words.outcome(sent, found, RULES_FILE),
    )


class WantedRule(Struct, frozen=True):
    """A rule to try."""

    pattern: Annotated[str, Meta(min_length=1, max_length=300)]
    monitor: bool
    name: str | None = None
    limit: int | None = None


class WantedRules(Struct, frozen=True):
    """Rules to try, in their order: the first that fits a name decides. Either some, or a text of monitor-rules.conf."""

    rules: Annotated[list[WantedRule], Meta(max_length=MAX_RULES)] = []
    text: Text | None = None


@operations("POST", "/monitor-rules/preview", "read", audited=False)
def preview_rules(call: Call, body: WantedRules) -> RulesPreview:
    """Say which of the metrics that there are rules would give a model; nothing is changed."""
    fleet = call.site.fleet
    with fleet.lock:
        left, monitored = list(fleet.names), int(np.count_nonzero(fleet.monitored()))
    if body.text is not None:
        return _preview_of_text(body.text, left, monitored)
    found, would_monitor = [], 0
    for rule in body.rules:
        fits = name_patterns.glob(rule.pattern)
        mine = [name for name in left if fits(name)]
        left = [name for name in left if not fits(name)]
        found.append(
            MonitorRule(
                name=rule.name or "",
                pattern=rule.pattern,
                monitor=rule.monitor,
                limit=rule.limit,
                matches=len(mine),
                examples=sorted(mine)[:EXAMPLES],
            )
        )
        if rule.monitor:
            would_monitor += len(mine) if rule.limit is None else min(len(mine), rule.limit)
    return RulesPreview(found, would_monitor, len(fleet) - would_monitor, monitored, None)


def _preview_of_text(text: str, metrics: Sequence[str], monitored: int) -> RulesPreview:
    rules = configuration_files.checked(
        text, Path(RULES_FILE), lambda text, path: monitor_rules.parse(text, str(path))
    )
    listed = _listed(rules, metrics)
    would = sum(
        one.matches if one.limit is None else min(one.matches, one.limit) for one in listed if one.monitor
    )
    would = would if rules.limit is None else min(would, rules.limit)
    return RulesPreview(listed, would, len(metrics) - would, monitored, None)
