"""What `htmengine rules` does: which rules apply to a name, and the rules applied to the metrics that there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from htmengine.adapters.datasource.custom import CustomAdapter
from htmengine.cli import monitoring
from htmengine.cli.selection import confirm
from htmengine.cli.session import print_json
from htmengine.cli.terminal import echo_stderr, echo_stdout
from htmengine.doors import names
from htmengine.doors.reasons import BadSample, Reason
from htmengine.errors import MisuseError
from htmengine.readable import counted
from htmengine.repository import metrics
from htmengine.repository.metrics import MetricState
from htmengine.repository.status import MetricStatus
from htmengine.runtime.metric_storer import monitor_rules, rule_words
from htmengine.runtime.metric_storer.monitor_rules import Quota, Rule, Rules, Way
from htmengine.service.context import Context


def tell(path: Path | None, given: Sequence[str], *, json: bool) -> None:
    """Print what the rules of a file say of names as they are sent."""
    rules = _load(path)
    for name in given:
        try:
            sent = names.read(name)
        except BadSample as error:
            raise MisuseError(
                f"{name!r} cannot be a metric's name: {error}.", hint="Give another."
            ) from error
        way = rules.way(sent)
        if json:
            print_json(_document(sent, way))
        else:
            _print(sent, way, path)


def _load(path: Path | None) -> Rules:
    if path is None:
        raise MisuseError(
            "There is no monitor-rules.conf: no metric gets a model by itself, and all samples are stored as they come.",
            hint="Write one beside application.conf; docs/reference/rules.md has examples.",
        )
    return monitor_rules.load(path)


def _document(sent: str, way: Way) -> dict[str, Any]:
    decides = way.decides
    return {
        "metric": sent,
        "stored": None if way.refusal else way.name,
        "refused": way.refusal,
        "action": decides.action if decides else None,
        "kind": way.kind,
        "gathering": way.gathering._asdict() if way.gathering else None,
        "silence": way.silence_s if way.silence_s != float("inf") else "off",
        "rules": [
            {"section": step.rule.name, "line": step.rule.line, "fits": step.rule.text, "name": step.name}
            for step in way.steps
        ],
    }


def _print(sent: str, way: Way, path: Path | None) -> None:
    echo_stdout(sent, bold=True)
    before = sent
    for step in way.steps:
        rule = step.rule
        echo_stdout(
            f"  line {rule.line}: [{rule.name}] fits ({rule.text}): {rule_words.said(rule, before, step.name)}"
        )
        before = step.name
    echo_stdout(f"  {rule_words.outcome(sent, way, str(path))}")


class _Plan(NamedTuple):
    """What the rules change of the metrics that there are."""

    delete: list[MetricState]
    unmonitor: list[MetricState]
    monitor: list[tuple[MetricState, Rule]]
    renamed: list[tuple[MetricState, str]]
    """Their samples are stored under another name now."""

    def lines(self) -> Iterator[str]:
        for state in self.delete:
            yield f"delete     {state.name}"
        for state in self.unmonitor:
            yield f"unmonitor  {state.name}"
        for state, rule in self.monitor:
            yield f"monitor    {state.name}  [{rule.name}]"


def apply(context: Context, *, dry_run: bool, yes: bool) -> None:
    """Do with the metrics that there are what the rules say of them."""
    plan = _plan(context, _load(context.settings.storer.rules))
    for line in plan.lines():
        echo_stdout(line)
    for state, name in plan.renamed[: monitoring.MAX_SHOWN]:
        echo_stderr(f"{state.name}: new samples of it are stored as {name}; what is stored stays.")
    if len(plan.renamed) > monitoring.MAX_SHOWN:
        echo_stderr(
            f"… and {len(plan.renamed) - monitoring.MAX_SHOWN:,} more are stored under other names now."
        )
    count = len(plan.delete) + len(plan.unmonitor) + len(plan.monitor)
    if not count:
        echo_stderr("All metrics are as the rules say.")
        return
    if dry_run:
        echo_stderr(f"{counted(count, 'metric')} would be changed; nothing was.")
        return
    confirm(
        f"Delete {len(plan.delete):,}, unmonitor {len(plan.unmonitor):,}, monitor {len(plan.monitor):,}: change",
        count,
        yes=yes,
        always=True,
    )
    _do(context, plan)
    echo_stderr(f"{counted(count, 'metric')} changed.")


def _plan(context: Context, rules: Rules) -> _Plan:
    with context.database.read() as conn:
        known = metrics.custom(conn)
    quota = Quota(rules, known)
    plan = _Plan([], [], [], [])
    for state in sorted(known, key=lambda state: state.name):
        rule = rules.first(state.name)
        way = rules.way(state.name)
        if way.refusal is Reason.DROPPED or (rule and rule.action == "drop"):
            plan.delete.append(state)
            continue
        if way.name != state.name and not way.refusal:
            plan.renamed.append((state, way.name))
        if rule is None:
            continue
        unmonitored = state.status == MetricStatus.UNMONITORED
        if not rule.monitor and not unmonitored:
            plan.unmonitor.append(state)
        elif rule.monitor and unmonitored and not quota.reached(rule):
            quota.count(rule)
            plan.monitor.append((state, rule))
    return plan


def _do(context: Context, plan: _Plan) -> None:
    custom = monitoring.adapter(context)
    uids = {state.name: state.uid for state in plan.unmonitor}
    rules = {state.name: (state.uid, rule) for state, rule in plan.monitor}
    adapters: dict[str | None, CustomAdapter] = {}

    def start(some: Sequence[str]) -> None:
        for name in some:
            uid, rule = rules[name]
            model = adapters.setdefault(rule.model, monitoring.adapter(context, rule.model))
            model.monitorMetric(rule.specification(uid))

    done = [
        monitoring.changed(
            [state.name for state in plan.delete],
            lambda some: custom.deleteMetricByName(some[0]),
            "Deleting",
        ),
        monitoring.changed(list(uids), lambda some: custom.unmonitorMetric(uids[some[0]]), "Unmonitoring"),
        monitoring.changed(list(rules), start, "Monitoring"),
    ]
    for one in done:
        one.require_all()
