"""Alerts: what was told to whom, the targets, and the rules."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from htmengine.alerts import configuration, deliveries, preview, service, trial
from htmengine.alerts.configuration import Configuration
from htmengine.alerts.deliveries import State
from htmengine.alerts.targets.api import Target
from htmengine.errors import ConfigError
from htmengine.incidents.store import number_of
from htmengine.repository.database import Database
from htmengine.web import configuration_files, problems
from htmengine.web.alert_shapes import (
    AlertRules,
    AlertsPreview,
    BudgetCurve,
    BudgetPoint,
    Delivery,
    DeliveryPage,
    TargetAnswer,
    TargetList,
    TargetTest,
)
from htmengine.web.api.alarms import decoded, encoded
from htmengine.web.configuration_files import Text, TextBody, tag
from htmengine.web.operations import Call, Operations
from htmengine.web.problems import FieldError, Problem
from htmengine.web.shapes import Cursor, Limit, Time

operations = Operations()

MAX_DAYS: Final = 366.0
DAY_S: Final = 86_400.0
_SECRET_PLACES: Final = {"_file": "the file", "_env": "the environment variable"}
"""How settings end that name where a secret is kept."""
_TRUSTED: Final = "ca_file"
"""Certificates are no secret."""

Number = Annotated[int, Meta(ge=1, le=2**53)]


# -- Deliveries


class DeliveriesQuery(Struct, frozen=True, rename={"from_": "from"}):
    """Which notices to targets."""

    state: list[State] = []
    """In one of these states."""
    target: Annotated[str, Meta(max_length=60)] | None = None
    incident: Annotated[str, Meta(max_length=40)] | None = None
    from_: Time | None = None
    """Only those that are due since then."""
    limit: Limit = 100
    after: Cursor | None = None


@operations("GET", "/deliveries", "read")
def list_deliveries(call: Call, query: DeliveriesQuery) -> DeliveryPage:
    """List notices to targets, the newest first, with what became of each."""
    incident = None
    if query.incident is not None:
        incident = number_of(query.incident)
        if incident is None:
            return DeliveryPage([], None)
    with call.site.context.database.read() as conn:
        found = deliveries.list_deliveries(
            conn,
            states=query.state,
            target=query.target,
            incident=incident,
            since=query.from_,
            before_id=decoded(query.after, int) if query.after else None,
            limit=query.limit + 1,
        )
    items = found[: query.limit]
    more = len(found) > query.limit
    return DeliveryPage([shown(row) for row in items], encoded(items[-1].id) if more else None)


@operations("POST", "/deliveries/{delivery}/send-again", "admin", problems.NOT_FOUND)
def send_again(call: Call, delivery: Number) -> Delivery:
    """Send a notice again, whatever became of it, under the id that it has."""
    with call.site.context.database.write() as conn:
        found = deliveries.send_again(conn, delivery, call.site.clock())
    if found is None:
        raise Problem(
            problems.NOT_FOUND, f"There is no notice {delivery}; GET /api/v1/deliveries lists them."
        )
    return shown(found)


def of_incident(database: Database, incident: str) -> list[Delivery]:
    """Return what was told of an incident, the oldest first."""
    number = number_of(incident) or 0
    with database.read() as conn:
        return [shown(row) for row in deliveries.of_incidents(conn, [number]).get(number, [])]


def shown(row: deliveries.Delivery) -> Delivery:
    """Return a notice to a target as the API shows it."""
    return msgspec.convert(deliveries.document(row), Delivery)


# -- Targets


@operations("GET", "/targets", "read", problems.CONFLICT)
def targets(call: Call) -> TargetList:
    """List the targets of alerts.toml with their settings, without secrets, and how each took its last notice."""
    path = call.site.context.settings.alerts
    found = _current(call)
    try:
        with call.site.context.database.read() as conn:
            last, disabled = deliveries.last_of_targets(conn), deliveries.disabled_targets(conn)
        return TargetList(
            [
                TargetAnswer(
                    name=name,
                    kind=target.kind,
                    settings=dict(target.describe()),
                    secrets=_secrets(found.settings[name]),
                    enabled=name not in disabled,
                    disabled_reason=disabled[name].reason if name in disabled else None,
                    last=shown(last[name]) if name in last else None,
                )
                for name, target in found.targets.items()
            ],
            None if path is None else str(path),
        )
    finally:
        configuration.close(found)


def _secrets(table: Mapping[str, Any]) -> dict[str, str]:
    """Return what the table of a target keeps secret, and where: never the secrets themselves."""
    found = {}
    for key, value in table.items():
        for ending, place in _SECRET_PLACES.items():
            if key.endswith(ending) and key != _TRUSTED:
                found[key.removesuffix(ending)] = f"{place} {value}"
    return found


@operations("POST", "/targets/{target}/test", "admin", problems.NOT_FOUND, problems.CONFLICT)
def try_target(call: Call, target: Annotated[str, Meta(min_length=1, max_length=60)]) -> TargetTest:
    """Send a test message to a target. One that wanted nothing any more is used again if it takes it."""
    found = _current(call)
    try:
        result = trial.send(
            call.site.context.database,
            _known(found, target),
            page=service.page_of(call.site.context.settings.http) or "",
        )
    finally:
        configuration.close(found)
    return TargetTest(result.delivered, result.reason)


def _known(found: Configuration, name: str) -> Target:
    target = found.targets.get(name)
    if target is None:
        raise Problem(problems.NOT_FOUND, "alerts.toml names no such target; GET /api/v1/targets lists them.")
    return target


def _current(call: Call) -> Configuration:
    try:
        return configuration.current(call.site.context.settings.alerts)
    except ConfigError as error:
        raise Problem(problems.CONFLICT, f"{error} {error.hint}") from error


# -- Rules


@operations("GET", "/rules", "admin", tagged=tag)
def alert_rules(call: Call) -> AlertRules:
    """Return alerts.toml as it stands, and what is wrong with it. `PUT /rules` wants the answer's ETag."""
    return _rules(call.site.context.settings.alerts)


@operations("PUT", "/rules", "admin", problems.CONFLICT, problems.CHANGED, tagged=tag)
def write_rules(call: Call, body: TextBody) -> AlertRules:
    """Write alerts.toml, if all of it can be used; a running engine takes it within seconds.

    The header If-Match has the ETag of what is replaced. Targets stay as they are: they name files, programs and addresses, and
    who may write those into the file is up to this machine.
    """
    path = call.site.context.settings.alerts
    if path is None:
        raise Problem(problems.CONFLICT, "This engine has no place for alerts.toml.")
    configuration_files.write(call, path, body.text, lambda: configuration.close(_parsed(body.text, path)))
    return _rules(path)


class PreviewBody(Struct, frozen=True, forbid_unknown_fields=True):
    """What to try."""

    text: Text | None = None
    """Of alerts.toml, with the targets that it has now; what is in use without it."""
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
    found = _current(call) if body.text is None or path is None else _parsed(body.text, path)
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


def _rules(path: Path | None) -> AlertRules:
    found = configuration_files.read(path, lambda path: configuration.close(configuration.load(path)))
    return AlertRules(found.text, None if path is None else str(path), found.fault)


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
