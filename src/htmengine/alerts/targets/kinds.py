"""The kinds of targets, and how a table of `alerts.toml` becomes a target."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from htmengine.alerts.targets import alertmanager, apprise, mail, pagerduty, script, slack, terminal, webhook
from htmengine.alerts.targets.api import Target
from htmengine.alerts.targets.settings import Settings
from htmengine.alerts.toml_tables import Table, choice

READERS: Final[Mapping[str, Callable[[Settings], Target | None]]] = {
    webhook.KIND: webhook.read,
    alertmanager.KIND: alertmanager.read,
    pagerduty.KIND: pagerduty.read,
    slack.KIND: slack.read,
    mail.KIND: mail.read,
    script.KIND: script.read,
    terminal.KIND: terminal.read,
    apprise.KIND: apprise.read,
}
"""By kind, what makes a target of its settings; it returns None for settings that are wrong, and notes what is."""


def make(
    name: str, table: Table, folder: Path, *, environment: Mapping[str, str] = os.environ
) -> Target | None:
    """Return the target of a table; None where something in it is wrong, which is noted there with its line.

    Nothing is connected to, and no secret stands in what is noted.

    Parameters
    ----------
    folder : where files are that it names by relative paths: that of `alerts.toml`.
    environment : environment variables, which may hold secrets.
    """
    if "kind" not in table:
        table.fault(
            None, f'has no kind; add for example kind = "{webhook.KIND}"; there are {", ".join(READERS)}'
        )
        return None
    kind = table.get("kind", choice(*READERS))
    if kind is None:
        return None
    before = len(table.faults)
    target = READERS[kind](Settings(name, table, folder, environment))
    table.refuse_others()
    if target is not None and len(table.faults) > before:
        target.close()
        return None
    return target


def make_all(
    tables: Mapping[str, Table], folder: Path, *, environment: Mapping[str, str] = os.environ
) -> dict[str, Target]:
    """Return the targets of `RulesFile.targets` whose tables can be used, by name; of the others faults are noted."""
    made = {name: make(name, table, folder, environment=environment) for name, table in tables.items()}
    return {name: target for name, target in made.items() if target is not None}
