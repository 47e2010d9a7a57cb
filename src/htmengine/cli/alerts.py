"""What `htmengine alerts` does: notices and their states, targets that are tried, rules that are tried on history."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from htmengine.alerts import configuration, deliveries, service, trial
from htmengine.alerts import preview as previews
from htmengine.alerts.configuration import Configuration
from htmengine.alerts.deliveries import STATES, Delivery, State
from htmengine.alerts.rules import Rule
from htmengine.cli import incidents
from htmengine.cli.session import print_json, print_table, utc
from htmengine.cli.terminal import echo_stderr, echo_stdout
from htmengine.errors import ExplainedError, MisuseError
from htmengine.incidents import ids
from htmengine.readable import counted, duration
from htmengine.service.context import Context

MAX_SENT_AGAIN: Final = 10_000
"""At most so many are sent again by one command."""


class ListRequest(NamedTuple):
    """What the user asked for; see the options of `htmengine.cli.commands.alerts`."""

    states: tuple[State, ...]
    target: str | None
    incident: int | None
    since: float | None
    limit: int
    json: bool


def states_of(given: Sequence[str]) -> tuple[State, ...]:
    """Return the states that were named. Raises MisuseError."""
    if unknown := [one for one in given if one not in STATES]:
        raise MisuseError(
            f"--state {unknown[0]} is not known.", hint=f"Give one or more of {', '.join(STATES)}."
        )
    return tuple(state for state in STATES if state in given)


def number_of(incident: str | None) -> int | None:
    """Return the number of an incident that was named. Raises MisuseError."""
    if incident is None:
        return None
    number = ids.number_of(incident)
    if number is None:
        raise MisuseError(
            f"--incident {incident} is no id of an incident.",
            hint="`htmengine incidents` shows them, such as i12.",
        )
    return number


def since_of(text: str | None) -> float | None:
    """Return the time that was named. Raises MisuseError."""
    return None if text is None else incidents.time_of(text)


# -- Notices


def show(context: Context, request: ListRequest) -> None:
    """Print notices, the newest first."""
    with context.database.read() as conn:
        found = deliveries.list_deliveries(
            conn,
            states=request.states,
            target=request.target,
            incident=request.incident,
            since=request.since,
            limit=request.limit + 1,
        )
    more, found = len(found) > request.limit, found[: request.limit]
    if request.json:
        for row in found:
            print_json(deliveries.document(row))
    elif found:
        print_table(
            ("Id", "Since (UTC)", "Target", "Incident", "Kind", "Severity", "State", "Tries", "Reason"),
            [_cells(row) for row in found],
        )
        if any(row.state == "dead" for row in found):
            echo_stderr(
                "Those that are dead were given up: `htmengine alerts send-again ID` sends one again."
            )
    else:
        echo_stderr(_nothing(context))
    if more:
        echo_stderr(f"There are more: see them with --limit {2 * request.limit}.")


def _cells(row: Delivery) -> tuple[object, ...]:
    incident = "engine" if row.incident is None else ids.id_of(row.incident)
    reason = row.reason or ""
    if row.state == "retrying" and row.due is not None:
        reason = f"{reason}; again at {utc(row.due)}"
    return (
        row.id,
        utc(row.created),
        row.target,
        incident,
        row.kind,
        row.severity,
        row.state,
        row.tries,
        reason,
    )


def _nothing(context: Context) -> str:
    path = context.settings.alerts
    if path is not None and not path.exists():
        return (
            f"There is no notice; nobody is to be told: there is no {path}. docs/howto/alerts.md shows one."
        )
    return "There is no such notice. `htmengine alerts preview` says what the rules would have sent."


def send_again(context: Context, ids: Sequence[int], *, everything: bool) -> int:
    """Let notices be sent again, and return how many. Raises MisuseError or ExplainedError."""
    if bool(ids) == everything:
        raise MisuseError(
            "Give the numbers of notices, or --all.", hint="`htmengine alerts list --state dead` shows them."
        )
    now = time.time()
    with context.database.write() as conn:
        if everything:
            dead = deliveries.list_deliveries(conn, states=["dead"], limit=MAX_SENT_AGAIN)
            ids = [row.id for row in reversed(dead)]
        unknown = [id_ for id_ in ids if deliveries.send_again(conn, id_, now) is None]
        if unknown:
            raise ExplainedError(
                f"There is no notice {unknown[0]}; nothing was changed.",
                hint="`htmengine alerts list` shows them.",
            )
    return len(ids)


# -- Targets and rules


def check(path: Path | None) -> None:
    """Print what a file says. Raises ConfigError with every fault."""
    found = _configuration(path)
    try:
        for name, target in found.targets.items():
            settings = ", ".join(f"{key} {value}" for key, value in target.describe().items())
            echo_stdout(f"target {name}: {target.kind}, {settings}")
    finally:
        configuration.close(found)
    for rule in found.rules.rules:
        echo_stdout(f"rule {rule.name}: {_rule_in_short(rule)}")
    echo_stderr(f"{path}: no fault. A running engine takes it within seconds.")


def _rule_in_short(rule: Rule) -> str:
    least = (
        f"at most {rule.budget:g} a week" if rule.budget is not None else f"from score {rule.min_score:g} on"
    )
    return f"{least}, to {', '.join(rule.targets)}"


def _configuration(path: Path | None) -> Configuration:
    if path is None or not path.exists():
        raise MisuseError(
            f"There is no {path}: nobody is told of incidents." if path else "No file says who is told.",
            hint="Write one: docs/howto/alerts.md begins with a short one.",
        )
    return configuration.load(path)


def test(context: Context, name: str) -> None:
    """Send a test message to a target. Raises ExplainedError where it does not take it."""
    found = _configuration(context.settings.alerts)
    try:
        target = found.targets.get(name)
        if target is None:
            raise MisuseError(
                f"{context.settings.alerts}: names no target {name}.",
                hint=f"There are {', '.join(found.targets)}." if found.targets else "Add it: [targets.NAME].",
            )
        result = trial.send(context.database, target, page=service.page_of(context.settings.http) or "")
    finally:
        configuration.close(found)
    if not result.delivered:
        raise ExplainedError(
            f"{name} did not take the test message: {result.reason}.",
            hint=f"See its settings with `htmengine alerts check`, correct them in {context.settings.alerts}, and try again.",
        )
    echo_stdout(f"{name} took the test message{f': {result.reason}' if result.reason else ''}.")


def preview(context: Context, path: Path | None, since: float, *, limit: int, json: bool) -> None:
    """Print what rules would have sent since a time."""
    found = _configuration(path)
    configuration.close(found)
    now = time.time()
    with context.database.read() as conn:
        would = previews.preview(conn, found.rules, since, now)
    if json:
        print_json(previews.document(would))
        return
    messages = would.messages
    by_rule = Counter(message.rule for message in messages)
    rules = ", ".join(f"{name} {count:,}" for name, count in by_rule.most_common())
    echo_stdout(
        f"The rules would have told of {counted(len(messages), 'incident')} in the last {duration(now - since)}"
        f"{f' ({rules})' if len(found.rules.rules) > 1 and messages else ''}, of {would.incidents:,} that there were."
    )
    for name, score in would.thresholds.items():
        echo_stdout(f"The budget of {name} takes a score of {score:.3g} now.")
    for reason, count in would.silenced.items():
        echo_stdout(f"Not told, {reason}: {count:,}.")
    if messages:
        echo_stdout()
        print_table(
            ("Time (UTC)", "Incident", "Rule", "Severity", "Targets", "Metrics", "Alarms", "Score"),
            [_message_cells(message) for message in reversed(messages[-limit:])],
        )
    if len(messages) > limit:
        echo_stderr(f"There are more: see them with --limit {len(messages)}.")
    if would.first is not None and would.first - since > 86_400:
        echo_stderr(f"The first incident that is stored began on {utc(would.first)} UTC.")


def _message_cells(message: previews.Message) -> tuple[object, ...]:
    return (
        utc(message.time),
        message.incident,
        message.rule,
        message.severity,
        ", ".join(message.targets),
        message.metrics,
        message.alarms,
        f"{message.max:.2f}",
    )
