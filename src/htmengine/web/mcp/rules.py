"""What an alert rule would have told: a rule as a model writes it, tried on what is stored."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

from htmengine.alerts import preview, rules_file
from htmengine.alerts.rules_text import rule_of, with_rules
from htmengine.alerts.toml_blocks import NotSeparable
from htmengine.web.mcp.answers import Answer, CannotAnswer, bounded
from htmengine.web.site import Site

DAY_S: Final = 86_400.0
MAX_DAYS: Final = 366.0
NAME: Final = "tried"
NOBODY: Final = "\n[targets.nobody]\n"
"""A rule tells somebody; where there is no target, this one."""


def previewed(site: Site, base: str, rule: dict[str, Any], days: float) -> Answer:
    """Return what a rule would have told of the last days, by itself. Raises CannotAnswer with each of its faults."""
    if not (math.isfinite(days) and 0 < days <= MAX_DAYS):
        raise CannotAnswer("days must be above 0, and a year at most.", hint="Such as 30.")
    path = site.context.settings.alerts or Path("alerts.toml")
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        text = ""
    try:
        text = with_rules(text, [rule_of({"name": NAME} | rule)])
        if not rules_file.parse(text, path).targets:
            text += NOBODY
    except NotSeparable as error:
        raise CannotAnswer(
            f"The rule cannot be read: {error}.", hint="The tool's description names its settings."
        ) from error
    found = rules_file.parse(text, path)
    faults = [fault.text for fault in found.faults if fault.path[:1] == ("rules",)]
    if faults:
        raise CannotAnswer(f"{'; '.join(faults)}.", hint="Correct the rule, and ask again.")
    now = site.clock()
    with site.context.database.read() as conn:
        would = preview.preview(conn, found.rules, now - days * DAY_S, now)
    messages = [
        {
            "incident": one.incident,
            "time": one.time,
            "severity": one.severity,
            "metrics": one.metrics,
            "alarms": one.alarms,
            "max_log_score": round(one.max, 3),
            "url": f"{base}i/{one.incident}",
        }
        for one in reversed(would.messages)
    ]
    held = sum(would.silenced.values())
    said = f"The rule would have told of {len(messages)} of {would.incidents} incidents in the last {days:g} days"
    return bounded(f"{said}; {held} more were held back by times." if held else f"{said}.", messages)
