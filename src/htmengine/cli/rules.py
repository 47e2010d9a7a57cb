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
from htmengine.repository import metrics, renaming
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
    rename: list[tuple[MetricState, str]]
    """They go on under the name that their samples are stored under now."""
    stays: list[tuple[MetricState, str]]
    """Their samples are stored under the name of another metric now, which has rows of its own."""

    def lines(self) -> Iterator[str]:
        for state in self.delete:
            yield f"delete     {state.name}"
        for state, name in self.rename:
            yield f"rename     {state.name}  {name}"
        for state in self.unmonitor:
            yield f"unmonitor  {state.name}"
        for state, rule in self.monitor:
            yield f"monitor    {state.name}  [{rule.name}]"


def apply(context: Context, *, dry_run: bool, yes: bool) -> None:
    """Do with the metrics that there are what the rules say of them."""
    plan = _plan(context, _load(context.settings.storer.rules_in_use))
    for line in plan.lines():
        echo_stdout(line)
    for state, name in plan.stays[: monitoring.MAX_SHOWN]:
        echo_stderr(
            f"{state.name}: new samples of it are stored as {name}, which has rows of its own; what is stored stays."
        )
    if len(plan.stays) > monitoring.MAX_SHOWN:
        echo_stderr(
            f"… and {len(plan.stays) - monitoring.MAX_SHOWN:,} more are stored under other names now."
        )
    count = len(list(plan.lines()))
    if not count:
        echo_stderr("All metrics are as the rules say.")
        return
    if plan.rename:
        echo_stderr(
            f"{counted(len(plan.rename), 'metric')} would go on under the new name, with history, scores and model."
        )
    if dry_run:
        echo_stderr(f"{counted(count, 'change')} would be made; nothing was changed.")
        return
    confirm(
        f"Delete {len(plan.delete):,}, rename {len(plan.rename):,}, unmonitor {len(plan.unmonitor):,}, "
        f"monitor {len(plan.monitor):,}: change",
        count,
        yes=yes,
        always=True,
    )
    _do(context, plan)
    echo_stderr(f"{counted(count, 'change')} made.")


def _plan(context: Context, rules: Rules) -> _Plan:
    with context.database.read() as conn:
        known = metrics.custom(conn)
    quota = Quota(rules, known)
    plan = _Plan([], [], [], [], [])
    names = _new_names(rules, known)
    for state in sorted(known, key=lambda state: state.name):
        rule = rules.first(names.get(state.name, state.name))
        way = rules.way(state.name)
        if way.refusal is Reason.DROPPED or (rule and rule.action == "drop"):
            plan.delete.append(state)
            continue
        if state.name in names:
            plan.rename.append((state, names[state.name]))
        elif way.name != state.name and not way.refusal:
            plan.stays.append((state, way.name))
        if rule is None:
            continue
        unmonitored = state.status == MetricStatus.UNMONITORED
        if not rule.monitor and not unmonitored:
            plan.unmonitor.append(state)
        elif rule.monitor and unmonitored and not quota.reached(rule):
            quota.count(rule)
            plan.monitor.append((state, rule))
    return plan


def _new_names(rules: Rules, known: Sequence[MetricState]) -> dict[str, str]:
    """Return the new names of metrics that can go on under them, by their names.

    Of several that become one, that is the one whose rows are the newest. A name that the rules would change again is left:
    it may be one that they have made.
    """
    taken = {state.name for state in known}
    found: dict[str, MetricState] = {}
    for state in known:
        way = rules.way(state.name)
        if way.refusal or way.name in taken or rules.way(way.name).name != way.name:
            continue
        other = found.get(way.name)
        if other is None or _newest(state) > _newest(other):
            found[way.name] = state
    return {state.name: name for name, state in found.items()}


def _newest(state: MetricState) -> tuple[float, str]:
    last = state.tail_timestamp
    return (float("-inf") if last is None else last), state.name


def _do(context: Context, plan: _Plan) -> None:
    custom = monitoring.adapter(context)
    uids = {state.name: state.uid for state in plan.unmonitor}
    rules = {state.name: (state.uid, rule) for state, rule in plan.monitor}
    new = {state.name: (state.uid, name) for state, name in plan.rename}

    def rename(some: Sequence[str]) -> None:
        uid, name = new[some[0]]
        with context.database.write() as conn:
            if not renaming.rename(conn, uid, name):
                raise MisuseError(
                    f"{some[0]} was not renamed: {name} is there meanwhile, or history of it is being sent.",
                    hint="Apply the rules again later.",
                )

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
        monitoring.changed(list(new), rename, "Renaming"),
        monitoring.changed(list(uids), lambda some: custom.unmonitorMetric(uids[some[0]]), "Unmonitoring"),
        monitoring.changed(list(rules), start, "Monitoring"),
    ]
    for one in done:
        one.require_all()
