"""Which notices an incident is due, by its rules, what was told of it already, and what people did about it.

What is due follows from what is stored and from the clock alone: asked again, it is the same, until it is in the deliveries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from htmengine.alerts import notice as notices
from htmengine.alerts.deliveries import Delivery, Disabled, State, Told
from htmengine.alerts.notice import First, Kind, Link, MetricFacts, Notice, Severity
from htmengine.alerts.rules import AlarmFacts, Cooling, Rule, Rules, followed, graver
from htmengine.incidents.ids import number_of
from htmengine.incidents.store import MERGED, OPEN, Incident
from htmengine.readable import duration

GREW_EVERY_S: Final = 600.0
"""What is new of an incident is told so often at most."""


class Surroundings(NamedTuple):
    """What holds for all incidents at a time."""

    now: float
    """Seconds since the epoch."""
    rules: Rules
    thresholds: Mapping[str, float]
    """By the name of a rule: the score that its budget takes."""
    disabled: Mapping[str, Disabled]
    """Targets that want nothing any more."""
    installation: str
    page: str | None
    """Where users reach the page, with a slash at its end; None if nobody has told."""
    recent: Mapping[str, Sequence[Told]]
    """By metric, the incidents told of in which it alarmed lately."""


class Due(NamedTuple):
    """A notice that is due to a target, or is noted as not to be sent."""

    target: str
    rule: str
    kind: Kind
    severity: Severity
    state: State
    reason: str | None = None
    previous: Notice | None = None
    """What the target was told last; None: this is the first that it hears of the incident."""


def due(
    incident: Incident, alarms: Sequence[AlarmFacts], rows: Sequence[Delivery], around: Surroundings
) -> list[Due]:
    """Return what is due of an incident.

    Parameters
    ----------
    incident : as `htmengine.incidents.store` gives it.
    alarms : of it, by their times.
    rows : of it in the outbox, in their order.
    """
    threads = _threads(rows)
    if incident["state"] != OPEN:
        found = [_end(thread) for thread in threads.values() if thread.is_open]
        if incident["state"] != MERGED and not any(thread.last for thread in threads.values()):
            found += _late(incident, alarms, threads, around)
        return found
    wanted, silent = _wanted(incident, alarms, around)
    found = []
    for target, one in silent.items():
        thread = threads.get(target, _NOTHING)
        if not thread.is_open and thread.held != one.reason:
            found.append(one)
    for target, (rule, severity) in wanted.items():
        thread = threads.get(target, _NOTHING)
        last = thread.last
        if last is None or not thread.is_open:
            reason = _kept_back(incident, target, last, around)
            if reason is None:
                found.append(Due(target, rule.name, "opened", severity, "pending", None, thread.notice))
            elif reason != thread.held:
                found.append(Due(target, rule.name, "opened", severity, "suppressed", reason))
        elif _has_news(incident, severity, thread, around.now):
            found.append(Due(target, rule.name, "grew", severity, "pending", None, thread.notice))
    return found


class _Thread(NamedTuple):
    """What a target was told of an incident."""

    last: Delivery | None = None
    began: int = 0
    """When it was told that the incident is open."""
    notice: Notice | None = None
    """The last notice."""
    held: str | None = None
    """Why it was not told, the last time."""

    @property
    def is_open(self) -> bool:
        """Whether it waits for the end."""
        return self.last is not None and self.last.kind != "resolved"


_NOTHING: Final = _Thread()


def _threads(rows: Sequence[Delivery]) -> dict[str, _Thread]:
    found: dict[str, _Thread] = {}
    for row in rows:
        thread = found.get(row.target, _NOTHING)
        if not row.is_told:
            # What was overtaken by the end is no reason to be told of.
            found[row.target] = thread._replace(held=row.reason)
            continue
        began = row.created if row.kind == "opened" or not thread.began else thread.began
        found[row.target] = _Thread(row, began, notices.decode(row.notice), None)
    return found


def _end(thread: _Thread) -> Due:
    last = thread.last
    assert last is not None
    return Due(last.target, last.rule, "resolved", last.severity, "pending", None, thread.notice)


def _late(
    incident: Incident, alarms: Sequence[AlarmFacts], threads: Mapping[str, _Thread], around: Surroundings
) -> list[Due]:
    """Return what is due of an incident that was over when it was found."""
    wanted, silent = _wanted(incident, alarms, around)
    found = [one for target, one in silent.items() if threads.get(target, _NOTHING).held != one.reason]
    age = around.now - (incident["resolved"] or 0)
    for target, (rule, severity) in wanted.items():
        if age > around.rules.max_age_s:
            reason: str | None = (
                f"was over for more than {duration(around.rules.max_age_s)} when it was found"
            )
        else:
            reason = _kept_back(incident, target, None, around)
        if reason is None:
            found.append(Due(target, rule.name, "resolved", severity, "pending"))
        elif reason != threads.get(target, _NOTHING).held:
            found.append(Due(target, rule.name, "opened", severity, "suppressed", reason))
    return found


def _wanted(
    incident: Incident, alarms: Sequence[AlarmFacts], around: Surroundings
) -> tuple[dict[str, tuple[Rule, Severity]], dict[str, Due]]:
    """Return by target the rule and the severity with which it is told, and the targets that are not, for now."""
    own: Severity = incident["severity"]
    matches, silenced = followed(
        around.rules, alarms, thresholds=around.thresholds, cooling=_cooling(incident, around)
    )
    wanted: dict[str, tuple[Rule, Severity]] = {}
    for match in matches:
        severity = match.rule.severity or own
        for target in match.rule.targets:
            rule, known = wanted.get(target, (match.rule, severity))
            wanted[target] = (rule, graver(known, severity))
    silent = {
        target: Due(target, one.rule.name, "opened", one.rule.severity or own, "suppressed", one.reason)
        for one in silenced
        for target in one.rule.targets
        if target not in wanted
    }
    return wanted, silent


def _cooling(incident: Incident, around: Surroundings) -> Cooling:
    number = number_of(incident["id"])

    def cooling(rule: Rule, uid: str, time: int) -> str | None:
        for one in around.recent.get(uid, ()):
            if one.rule == rule.name and one.incident != number and 0 <= time - one.last < rule.cooldown_s:
                return "cool-down: its metrics were told of shortly before"
        return None

    return cooling


def _kept_back(incident: Incident, target: str, last: Delivery | None, around: Surroundings) -> str | None:
    """Return why a target is not told that an incident is open; None if it is."""
    if target in around.disabled:
        return f"the target is disabled: {around.disabled[target].reason}"
    until = incident["snoozed_until"]
    if until is not None and until > around.now:
        return "snoozed"
    ack = incident["ack"]
    if ack is not None and (last is None or ack["at"] > last.created):
        return f"acknowledged by {ack['by']}"
    return None


def _has_news(incident: Incident, severity: Severity, thread: _Thread, now: float) -> bool:
    """Tell whether a target is told again of an incident that it knows."""
    last, previous = thread.last, thread.notice
    assert last is not None
    assert previous is not None
    until = incident["snoozed_until"]
    if until is not None and until > now:
        return False
    ack = incident["ack"]
    if ack is not None and ack["at"] >= thread.began:
        return False
    if until is not None and until > last.created:
        return True  # it was snoozed, and still goes on
    first = incident["first_mover"]
    changed = severity != last.severity or first["name"] != previous.first_mover
    return changed and now - last.created >= GREW_EVERY_S


def notice_of(found: Due, incident: Incident, delivery_id: int, around: Surroundings) -> Notice:
    """Return the notice that is due, under the identity that it keeps."""
    id_ = f"{incident['id']}-{delivery_id}"
    previous = found.previous
    is_over = found.kind == "resolved"
    if previous is not None and incident["state"] == MERGED:  # what it was is part of another one now
        return msgspec.structs.replace(
            previous,
            id=id_,
            kind=found.kind,
            time=around.now,
            ended=around.now,
            merged_into=incident["merged_into"],
            actions=(),
        )
    mover = incident["first_mover"]["name"]
    page = f"{around.page}{incident['url']}" if around.page else ""
    return Notice(
        id=id_,
        kind=found.kind,
        time=around.now,
        installation=around.installation,
        incident=incident["id"],
        severity=found.severity,
        first=previous.first if previous else First(id_, found.severity, mover),
        started=incident["opened"],
        sentence=incident["sentence"],
        rule=found.rule,
        ended=incident["resolved"] if is_over else None,
        first_mover=mover,
        metrics=tuple(_facts(metric) for metric in incident["metrics"][: notices.MAX_METRICS]),
        metric_count=incident["metric_count"],
        alarm_count=incident["alarm_count"],
        url=page,
        actions=_actions(page) if page and not is_over else (),
    )


def _actions(page: str) -> tuple[Link, ...]:
    return Link("Acknowledge", f"{page}?do=ack"), Link("Snooze for 1 h", f"{page}?do=snooze")


def _facts(metric: Mapping[str, Any]) -> MetricFacts:
    return MetricFacts(
        name=metric["name"],
        first=metric["first"],
        uid=metric["uid"],
        lag_s=metric["lag"],
        alarms=metric["alarms"],
        time=metric["time"],
        value=metric["value"],
        score=metric["max"],
        one_in=metric["one_in"],
        forecast=metric["forecast"],
        usual=metric["usual"],
        cause=metric["cause"],
        direction=metric["direction"],
        reason=metric["reason"],
        sentence=metric["sentence"],
    )


def longest_cooldown_s(rules: Rules) -> float:
    """Return how far back what was told has a say."""
    return max((rule.cooldown_s for rule in rules.rules), default=0.0)
