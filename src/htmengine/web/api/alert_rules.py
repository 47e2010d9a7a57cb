"""The rules of alerts: of which incidents who is told. They are written as text or one by one, and tried on what is stored."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta, Struct

from htmengine.alerts import configuration, from_afar, preview, rules_file
from htmengine.alerts.configuration import Configuration
from htmengine.alerts.rules_text import WrittenRule, with_rules, written_rules
from htmengine.alerts.tables_text import (
    WrittenTarget,
    WrittenWindow,
    with_maintenance,
    with_targets,
    with_windows,
    written_targets,
    written_windows,
)
from htmengine.alerts.targets import kinds
from htmengine.alerts.toml_blocks import NotSeparable
from htmengine.alerts.toml_tables import Fault
from htmengine.alerts.windows import Window
from htmengine.errors import ConfigError
from htmengine.web import configuration_files, problems
from htmengine.web.alert_shapes import (
    AlertRules,
    AlertsPreview,
    AlertWindow,
    BudgetCurve,
    BudgetPoint,
    WindowPreview,
)
from htmengine.web.api.alerts import current
from htmengine.web.configuration_files import Text, tag
from htmengine.web.operations import Call, Operations
from htmengine.web.problems import FieldError, Problem

operations = Operations()
T = TypeVar("T")

MAX_DAYS: Final = 366.0
MAX_RULES: Final = 200
DAY_S: Final = 86_400.0

NEXT_TIMES: Final = 5
_TABLES: Final = ("rules", "targets", "windows", "maintenance")

Rules = Annotated[list[WrittenRule], Meta(max_length=MAX_RULES)]
Targets = Annotated[list[WrittenTarget], Meta(max_length=MAX_RULES)]
Windows = Annotated[list[WrittenWindow], Meta(max_length=MAX_RULES)]


class RulesBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The new text of alerts.toml, or the rules, targets and windows that it is to have instead of those that it has."""

    text: Text | None = None
    rules: Rules | None = None
    targets: Targets | None = None
    windows: Windows | None = None
    maintenance: Annotated[list[str], Meta(max_length=MAX_RULES)] | None = None
    """Names of windows in which no rule tells of anything."""


@operations("GET", "/rules", "admin", tagged=tag)
def alert_rules(call: Call) -> AlertRules:
    """Return alerts.toml as it stands, its rules and windows, and what is wrong with it. `PUT /rules` wants the answer's ETag."""
    return _rules(call)


@operations("PUT", "/rules", "admin", problems.CONFLICT, problems.CHANGED, tagged=tag)
def write_rules(call: Call, body: RulesBody) -> AlertRules:
    """Write alerts.toml, if all of it can be used; a running engine takes it within seconds.

    The header If-Match has the ETag of what is replaced. Of tables that are given one by one each fault names its field. What runs
    programs or reads files of this machine is changed in the file itself: targets of the kind script, and certificates. Secrets
    of targets are in files of the folder `secrets` beside it, or in environment variables `HTMENGINE_SECRET_…`.
    """
    path = call.site.context.settings.alerts
    if path is None:
        raise Problem(problems.CONFLICT, "This engine has no place for alerts.toml.")
    text = _wanted(body, path)
    if text is None:
        raise Problem(problems.BAD_REQUEST, f"Give either text, or some of {', '.join(_TABLES)}.")
    configuration_files.write(call, path, text, lambda: configuration.close(_parsed(text, path)))
    return _rules(call)


class PreviewBody(RulesBody, frozen=True, forbid_unknown_fields=True):
    """What to try, a text or rules; what is in use without both."""

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
    text = None if path is None else _wanted(body, path)
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
    answer = msgspec.structs.replace(
        answer,
        rules=_separate(written_rules, found.text),
        written_targets=_separate(written_targets, found.text),
        written_windows=_separate(written_windows, found.text),
    )
    try:
        parsed = rules_file.parse(found.text, path)
    except ConfigError:  # told as the fault
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


def _separate(read: Callable[[str], T], text: str) -> T | None:
    try:
        return read(text)
    except NotSeparable:
        return None


def _window(window: Window, now: float) -> AlertWindow:
    return AlertWindow(window.name, window.words, next(iter(_next_times(window, now, 1)), None))


def _next_times(window: Window, now: float, count: int) -> list[tuple[float, float]]:
    found: list[tuple[float, float]] = []
    while len(found) < count and (following := window.at_or_after(now)):
        found.append((following.begin, following.end))
        now = following.end
    return found


@operations("POST", "/windows/preview", "admin", problems.CONFLICT, audited=False)
def preview_window(call: Call, body: WrittenWindow) -> WindowPreview:
    """Say in words when a window of time is, and the next times. Nothing is changed."""
    path = call.site.context.settings.alerts
    if path is None:
        raise Problem(problems.CONFLICT, "This engine has no place for alerts.toml.")
    before = _text_of(path)
    text = with_windows("", [body])
    faults = from_afar.faults(before, text, path.parent)
    found = None if faults else rules_file.parse(text, path)
    faults = faults or (found.faults if found else [])
    if found is None or faults or not found.windows:
        raise Problem(
            problems.BAD_REQUEST,
            f"{'; '.join(fault.text for fault in faults) or 'It cannot be used'}.",
            errors=[FieldError("/" + "/".join(map(str, fault.path[2:])), fault.text) for fault in faults],
        )
    (window,) = found.windows
    return WindowPreview(window.words, _next_times(window, call.site.clock(), NEXT_TIMES))


def _wanted(body: RulesBody, path: Path) -> str | None:
    """Return the text that is wanted; None where none is. Raises Problem with the fields of tables that are wrong."""
    given = {name: getattr(body, name) for name in _TABLES if getattr(body, name) is not None}
    if body.text is not None and given:
        raise Problem(problems.BAD_REQUEST, f"Give either text or {', '.join(given)}.")
    if not given:
        return body.text
    before = made = _text_of(path)
    faults = [*_doubled("windows", body.windows or []), *_doubled("targets", body.targets or [])]
    try:
        if body.windows is not None:
            made = with_windows(made, body.windows)
        if body.targets is not None:
            made = with_targets(made, body.targets)
        if body.maintenance is not None:
            made = with_maintenance(made, body.maintenance)
        if body.rules is not None:
            made = with_rules(made, body.rules)
    except NotSeparable as error:
        raise Problem(problems.CONFLICT, f"{path} can only be changed in its text: {error}.") from error
    faults = faults or from_afar.faults(before, made, path.parent)
    if not faults:  # what targets name is not looked at before
        found = rules_file.parse(made, path)
        if body.targets is not None:
            for target in kinds.make_all(found.targets, path.parent).values():
                target.close()
        faults = [fault for fault in found.faults if fault.path[:1] and fault.path[0] in given]
    if faults:
        raise Problem(
            problems.BAD_REQUEST,
            f"{'; '.join(fault.text for fault in faults)}. Nothing was changed.",
            errors=[FieldError(_pointer(fault, body), fault.text) for fault in faults],
        )
    return made


def _doubled(kind: str, tables: Sequence[WrittenWindow | WrittenTarget]) -> list[Fault]:
    """Return what is wrong with names that become keys."""
    names = [one.name for one in tables]
    return [
        Fault((kind, place, "name"), "the name is that of another" if name.strip() else "the name is missing")
        for place, name in enumerate(names)
        if not name.strip() or name in names[:place]
    ]


def _pointer(fault: Fault, body: RulesBody) -> str:
    """Return where in the request a fault is: tables that have names stand there in a list."""
    kind, *rest = fault.path
    if kind in ("windows", "targets") and rest and isinstance(rest[0], str):
        tables: Sequence[WrittenWindow | WrittenTarget] = getattr(body, kind) or []
        rest[0] = next((place for place, one in enumerate(tables) if one.name == rest[0]), rest[0])
        if kind == "targets" and rest[1:] and rest[1] != "kind":
            rest.insert(1, "settings")
    return "/" + "/".join(map(str, (kind, *rest)))


def _parsed(text: str, path: Path) -> Configuration:
    """Return what a text says. Raises Problem where it cannot be used, or where it changes what is not changed from afar."""
    if refused := from_afar.faults(
        _text_of(path), text, path.parent
    ):  # before anything that they name is looked at
        raise Problem(
            problems.CONFLICT,
            f"{'; '.join(fault.text for fault in refused)}. Nothing was changed.",
            errors=[FieldError("/text", fault.text) for fault in refused],
        )
    return configuration_files.checked(text, path, configuration.parse)


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
