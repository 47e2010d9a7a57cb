"""What rules for what comes in say of a metric, in words."""

from __future__ import annotations

from htmengine.doors.reasons import Reason
from htmengine.readable import duration
from htmengine.runtime.metric_storer.monitor_rules import Rule, Way


def said(rule: Rule, before: str, after: str) -> str:
    """Return what a rule says of a metric whose name it takes from `before` to `after`."""
    if rule.change:
        return f"the name becomes {after}" if after != before else "the name stays as it is"
    parts = [f"action = {rule.action}"] if rule.action else []
    if rule.kind:
        parts.append(f"kind = {rule.kind}")
    if rule.interval_s is not None:
        parts.append(f"{rule.aggregation or 'mean'} of {duration(rule.interval_s)}")
    if rule.delay_s is not None:
        parts.append(f"samples may come {duration(rule.delay_s)} late")
    if rule.silence_s is not None:
        parts.append(
            "silence = off" if rule.silence_s == float("inf") else f"silence after {duration(rule.silence_s)}"
        )
    if rule.minimum is not None:
        parts.append(f"range {rule.minimum:g} to {rule.maximum:g}")
    for name, value in (("model", rule.model), ("resource", rule.resource), ("limit", rule.limit)):
        if value is not None:
            parts.append(f"{name} = {value}")
    return ", ".join(parts)


def outcome(sent: str, way: Way, file: str) -> str:
    """Return what becomes of the samples that are sent under a name, by all rules of a file."""
    if way.refusal:
        why = "" if way.refusal is Reason.DROPPED else f": {way.refusal}"
        return f"Its samples are not stored{why}."
    stored = "Its samples are stored" + (f" as {way.name}" if way.name != sent else "")
    if way.kind == "counter":
        stored += ", as growth per second"
    if (gathering := way.gathering) and gathering.interval_s:
        stored += f", one row for {duration(gathering.interval_s)}"
    if way.decides is None:
        return f"{stored}, and it is not monitored: no rule of {file} with an action fits."
    return f"{stored}, and it is {'monitored' if way.decides.monitor else 'not monitored'}."
