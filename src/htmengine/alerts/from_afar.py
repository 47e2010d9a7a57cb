"""What of `alerts.toml` may be changed over HTTP: nothing by which a token would run programs on this machine, or read its files.

Who may write targets decides where their secrets are sent. So a target that is written over HTTP has them in the folder
`secrets` beside the file, or in environment variables whose names say that they are for this.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from htmengine.alerts.targets import script
from htmengine.alerts.targets.connections import ALLOW
from htmengine.alerts.toml_tables import Fault

SECRETS: Final = "secrets"
"""The folder beside the file."""
ENVIRONMENT: Final = "HTMENGINE_SECRET_"
"""How the names of environment variables begin."""
CALENDAR: Final = ".ics"
_KEPT: Final = ("command", "ca_file", "certificate", "key", ALLOW)
"""Settings that are changed in the file itself alone."""
_TRUSTED: Final = "ca_file"


def faults(before: str, after: str, folder: Path) -> list[Fault]:
    """Return what is not changed from afar, of the text of a file in `folder`. Texts that are no TOML have none."""
    old, new = _read(before), _read(after)
    return [
        *_of_targets(_tables(old, "targets"), _tables(new, "targets"), folder),
        *_of_windows(old, new, folder),
    ]


def _of_targets(before: Mapping[str, Any], after: Mapping[str, Any], folder: Path) -> Iterator[Fault]:
    for name, table in after.items():
        was = before.get(name, {})
        if table == was:
            continue
        path = "targets", name
        if script.KIND in (table.get("kind"), was.get("kind")):
            yield Fault(
                (*path, "kind"),
                f"kind {script.KIND} runs a program, so that it is written in the file itself, on its machine",
            )
        for key in _KEPT:
            if table.get(key) != was.get(key):
                yield Fault((*path, key), f"{key} is changed in the file itself alone, on its machine")
        for key, value in table.items():
            if not isinstance(value, str):
                continue
            if key.endswith("_file") and key != _TRUSTED and not _lies_in(folder / value, folder / SECRETS):
                yield Fault(
                    (*path, key),
                    f"{key} is to be in the folder {SECRETS} beside the file, where it is written from here: {SECRETS}/NAME",
                )
            if key.endswith("_env") and not value.startswith(ENVIRONMENT):
                yield Fault(
                    (*path, key), f"{key} is to begin with {ENVIRONMENT}, where it is written from here"
                )


def _of_windows(old: Mapping[str, Any], new: Mapping[str, Any], folder: Path) -> Iterator[Fault]:
    before = _tables(old, "windows")
    for name, table in _tables(new, "windows").items():
        value = table.get("ical")
        if not isinstance(value, str) or value == before.get(name, {}).get("ical"):
            continue
        if not (value.endswith(CALENDAR) and _lies_in(folder / value, folder)):
            yield Fault(
                ("windows", name, "ical"),
                f"ical is to be a file *{CALENDAR} in the folder of the file, where it is written from here",
            )


def _lies_in(path: Path, folder: Path) -> bool:
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):  # loops of links, or a NUL
        return False


def _read(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text.replace("\r\n", "\n"))
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


def _tables(found: Mapping[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    tables = found.get(kind, {})
    if not isinstance(tables, dict):
        return {}
    return {name: table for name, table in tables.items() if isinstance(table, dict)}
