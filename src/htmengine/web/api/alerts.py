"""Alerts: what was told to whom, and the targets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from htmengine.alerts import configuration, deliveries, service, trial
from htmengine.alerts.configuration import Configuration
from htmengine.alerts.deliveries import State
from htmengine.alerts.targets.api import Target
from htmengine.errors import ConfigError
from htmengine.incidents.ids import number_of
from htmengine.repository.database import Database
from htmengine.web import problems
from htmengine.web.alert_shapes import Delivery, DeliveryPage, TargetAnswer, TargetList, TargetTest
from htmengine.web.api.alarms import decoded, encoded
from htmengine.web.operations import Call, Operations
from htmengine.web.problems import Problem
from htmengine.web.shapes import Cursor, Limit, Time

operations = Operations()

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
    found = current(call)
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
    found = current(call)
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


def current(call: Call) -> Configuration:
    """Return what alerts.toml says; its targets are to be closed. Raises Problem where it cannot be used."""
    try:
        return configuration.current(call.site.context.settings.alerts)
    except ConfigError as error:
        raise Problem(problems.CONFLICT, f"{error} {error.hint}") from error
