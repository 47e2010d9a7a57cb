"""The rules of alerts: of which incidents who is told. They are written as text or one by one, and tried on what is stored."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from htmengine.alerts import configuration, preview, rules_file
from htmengine.alerts.configuration import Configuration
from htmengine.alerts.rules_text import RulesNotSeparable, WrittenRule, with_rules, written_rules
from htmengine.alerts.windows import Window
from htmengine.errors import ConfigError
from htmengine.web import configuration_files, problems
from htmengine.web.alert_shapes import AlertRules, AlertsPreview, AlertWindow, BudgetCurve, BudgetPoint
from htmengine.web.api.alerts import current
from htmengine.web.configuration_files import Text, tag
from htmengine.web.operations import Call, Operations
from htmengine.web.problems import FieldError, Problem

operations = Operations()

MAX_DAYS: Final = 366.0
MAX_RULES: Final = 200
DAY_S: Final = 86_400.0

Rules = Annotated[list[WrittenRule], Meta(max_length=MAX_RULES)]


class RulesBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The new text of alerts.toml, or the rules that it is to have instead of those that it has."""

    text: Text | None = None
    rules: Rules | None = None


@operations("GET", "/rules", "admin", tagged=tag)
def alert_rules(call: Call) -> AlertRules:
    """Return alerts.toml as it stands, its rules and windows, and what is wrong with it. `PUT /rules` wants the answer's ETag."""
    return _rules(call)


@operations("PUT", "/rules", "admin", problems.CONFLICT, problems.CHANGED, tagged=tag)
def write_rules(call: Call, body: RulesBody) -> AlertRules:
    """Write alerts.toml, if all of it can be used; a running engine takes it within seconds.

    The header If-Match has the ETag of what is replaced. Of rules that are given one by one each fault names its field. Targets
    stay as they are: they name files, programs and addresses, and who may write those into the file is up to this machine.
    """
    path = call.site.context.settings.alerts
    if path is None:
        raise Problem(problems.CONFLICT, "This engine has no place for alerts.toml.")
    text = _wanted(body.text, body.rules, path)
    if text is None:
        raise Problem(problems.BAD_REQUEST, "Give either text or rules.")
    configuration_files.write(call, path, text, lambda: configuration.close(_parsed(text, path)))
    return _rules(call)


class PreviewBody(RulesBody, frozen=True, forbid_unknown_fields=True):
    """What to try: a text or rules, with the targets that the file has now; what is in use without both."""

    days: Annotated[float, Meta(gt=0, le=MAX_DAYS)] = 30.0
    """So far back."""
    curve_of: Annotated[str, Meta(max_length=60)] | None = None
    """Name of a rule: how many incidents a week it tells of, by its least score."""
    per_week: Annotated[float, Meta(gt=0, le=1e6)] | None = None
    """The budget to find that rule's score of; its own without it."""


@operations("POST", "/rules/preview", "admin", problems.CONFLICT, audited=False)
def preview_alerts(call: Call, body: PreviewBody) -> AlertsPreview:
    """Say what rules would have told of the incidents that are stored. Nothing is sent or changed."""
    path = call.site.context.settings.alerts
    text = None if path is None else _wanted(body.text, body.rules, path)
    found = current(call) if text is None or path is None else _parsed(text, path)
    configuration.close(found)
    now = call.site.clock()
    rule = next((one for one in found.rules.rules if one.name == body.curve_of), None)
    if body.curve_of is not None and rule is None:
        raise Problem(
            problems.BAD_REQUEST,
            "There is no such rule.",
            errors=[FieldError("/curve_of", "No rule has this name")],
        )
    with call.site.context.database.read() as conn:
        would = preview.preview(conn, found.rules, now - body.days * DAY_S, now)
        curve = None if rule is None else preview.budget_curve(conn, rule, now, body.per_week)
    return msgspec.convert(
        preview.document(would)
        | {
            "curve": curve
            and BudgetCurve([BudgetPoint(*point) for point in curve.points], curve.weeks, curve.min_score)
        },
        AlertsPreview,
    )


def _rules(call: Call) -> AlertRules:
    path = call.site.context.settings.alerts
    found = configuration_files.read(path, lambda path: configuration.close(configuration.load(path)))
    answer = AlertRules(found.text, None if path is None else str(path), found.fault)
    if path is None:
        return answer
    try:
        answer = msgspec.structs.replace(answer, rules=written_rules(found.text))
        parsed = rules_file.parse(found.text, path)
    except (RulesNotSeparable, ConfigError):  # told as the fault, where it is one
        return answer
    everywhere = tomllib.loads(found.text.replace("\r\n", "\n")).get("maintenance", [])
    return msgspec.structs.replace(
        answer,
        windows=[_window(window, call.site.clock()) for window in parsed.windows],
        targets=list(parsed.targets),
        maintenance=[everywhere] if isinstance(everywhere, str) else list(everywhere),
        mode=parsed.rules.mode,
        max_age_s=parsed.rules.max_age_s,
    )


def _window(window: Window, now: float) -> AlertWindow:
    following = window.at_or_after(now)
    return AlertWindow(window.name, window.words, following and (following.begin, following.end))


def _wanted(text: str | None, rules: Sequence[WrittenRule] | None, path: Path) -> str | None:
    """Return the text that is wanted; None where none is. Raises Problem with the fields of rules that are wrong."""
    if text is not None and rules is not None:
        raise Problem(problems.BAD_REQUEST, "Give either text or rules.")
    if rules is None:
        return text
    try:
        made = with_rules(_text_of(path), rules)
    except RulesNotSeparable as error:
        raise Problem(
            problems.CONFLICT, f"The rules of {path} can only be changed in its text: {error}."
        ) from error
    faults = [fault for fault in rules_file.parse(made, path).faults if fault.path[:1] == ("rules",)]
    if faults:
        raise Problem(
            problems.BAD_REQUEST,
            f"{'; '.join(fault.text for fault in faults)}. Nothing was changed.",
            errors=[FieldError("/" + "/".join(map(str, fault.path)), fault.text) for fault in faults],
        )
    return made


def _parsed(text: str, path: Path) -> Configuration:
    """Return what a text says. Raises Problem where it cannot be used, or has other targets than the file."""
    if _targets(text) != _targets(_text_of(path)):  # before anything that they name is looked at
        raise Problem(
            problems.CONFLICT,
            "Targets are changed in the file itself, on the machine where it is; here they stay as they are.",
        )
    return configuration_files.checked(text, path, configuration.parse)


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _targets(text: str) -> Any:
    try:
        return tomllib.loads(text.replace("\r\n", "\n")).get("targets", {})
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}
