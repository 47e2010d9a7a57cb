"""The file `alerts.toml` as it is used: with its targets opened, and read again when it has changed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from htmengine.alerts import rules_file, toml_tables
from htmengine.alerts.engine_limits import Limits
from htmengine.alerts.rules import Rules
from htmengine.alerts.rules_file import RulesFile
from htmengine.alerts.targets import kinds
from htmengine.alerts.targets.api import Target
from htmengine.errors import ConfigError

_Stamp: TypeAlias = tuple[int, int, int]

log = logging.getLogger(__name__)


class Configuration(NamedTuple):
    """Who is told of what."""

    rules: Rules = Rules()
    engine: Limits = Limits()
    """What is told of the engine itself."""
    targets: Mapping[str, Target] = {}
    settings: Mapping[str, Mapping[str, Any]] = {}
    """By target, its table in the file."""
    text: str = ""


NOTHING: Final = Configuration()
"""What holds where there is no file: nobody is told of anything."""


def load(path: Path, *, before: Configuration = NOTHING) -> Configuration:
    """Return what a file says, with its targets opened. Those whose settings are as `before` are taken over.

    Raises ConfigError where it cannot be read or used.
    """
    return _opened(path, _read(path), before)


def parse(text: str, path: Path) -> Configuration:
    """Return what a text says that may become the file at `path`. Raises ConfigError."""
    return _opened(path, rules_file.parse(text, path), NOTHING)


def current(path: Path | None) -> Configuration:
    """Return what a file says; NOTHING where there is none. Raises ConfigError where it cannot be read or used."""
    return load(path) if path is not None and path.exists() else NOTHING


def close(found: Configuration, *, but: Configuration = NOTHING) -> None:
    """Close the targets of a configuration; those that are in another one, too, stay open."""
    kept = {id(target) for target in but.targets.values()}
    for target in found.targets.values():
        if id(target) not in kept:
            target.close()


def _read(path: Path) -> RulesFile:
    try:
        return rules_file.load(path)
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read: {error.strerror or error}.", hint=toml_tables.HINT
        ) from None


def _opened(path: Path, found: RulesFile, before: Configuration) -> Configuration:
    targets: dict[str, Target] = {}
    for name, table in found.targets.items():
        if name in before.targets and before.settings[name] == table.values:
            targets[name] = before.targets[name]
        elif (target := kinds.make(name, table, path.parent)) is not None:
            targets[name] = target
    settings = {name: found.targets[name].values for name in targets}
    opened = Configuration(found.rules, found.engine, targets, settings, found.text)
    try:
        rules_file.check(path, found)
    except ConfigError:
        close(opened, but=before)
        raise
    return opened


class Follower:
    """Follows a file, which need not exist: one that can be used takes the place of the last one that could.

    Parameters
    ----------
    path : None: there is none, and never will be.
    """

    def __init__(self, path: Path | None) -> None:
        self.configuration = NOTHING
        self.is_usable = path is None
        """Whether a configuration was read, or there is no file. Until then nobody knows who is to be told."""
        self._path = path
        self._files: tuple[Path, ...] = () if path is None else (path,)
        self._stamps: list[_Stamp | None] | None = None

    def look(self) -> bool:
        """Read the file if it, or a calendar that it names, has changed; return whether another configuration holds now.

        The targets of the one before stay open.
        """
        stamps = [_stamp(file) for file in self._files]
        if self._path is None or stamps == self._stamps:
            return False
        self._stamps = stamps
        if stamps[0] is None and self.configuration is NOTHING:
            self.is_usable = True
            return False
        try:
            found = _read(self._path)
            self._files = (self._path, *found.files)
            self._stamps = [stamps[0], *map(_stamp, found.files)]
            self.configuration = _opened(self._path, found, self.configuration)
        except ConfigError as error:
            so = (
                "the one before stays"
                if self.is_usable
                else "nobody is told of anything until it is corrected"
            )
            log.error("alerts.file_not_used reason=%s: %s", error, so)
            return False
        self.is_usable = True
        rules, targets = self.configuration.rules.rules, self.configuration.targets
        log.info("alerts.file_read rules=%d targets=%d", len(rules), len(targets))
        return True


def _stamp(path: Path) -> _Stamp | None:
    """Return what is another one when a file was written, or another one was put in its place; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
