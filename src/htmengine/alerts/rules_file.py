r"""The file `alerts.toml`: targets, windows of time, rules, of which incidents who is told, and limits of the engine itself.

    [targets.ops]
    kind = "webhook"
    url = "https://chat.example/hooks/ops"

    [windows.office]
    cron = "0 8 * * mon-fri"
    duration = "10h"
    timezone = "Europe/Berlin"

    [[rules]]
    name = "databases"
    match = "db.*"
    at_least = { rows = 3, metrics = 2 }
    active = "office"
    targets = "ops"

    [engine]
    no_samples_for = "10m"

All of a file holds, or, where anything is wrong, nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any, Final, NamedTuple, cast, get_args
from zoneinfo import ZoneInfo

from htmengine.alerts import engine_limits, toml_tables
from htmengine.alerts.engine_limits import Limits
from htmengine.alerts.notice import Severity
from htmengine.alerts.rules import (
    COOLDOWN_S,
    MAX_AGE_S,
    MIN_SCORE,
    Direction,
    Mode,
    Rule,
    Rules,
    default_rule,
)
from htmengine.alerts.toml_tables import (
    Fault,
    Table,
    choice,
    count,
    duration,
    number,
    raise_faults,
    text,
    texts,
)
from htmengine.alerts.windows import CalendarWindow, CronWindow, Span, Window
from htmengine.extras import PackageMissing
from htmengine.incidents.sentences import SILENCE
from htmengine.runtime.metric_storer import name_patterns

MAX_NAME: Final = 50
CAUSES: Final = ("sequence", "jump", "extreme", "distance", "error", "offset", "unrest", SILENCE)
"""What models say of alarms, and that there is no sample."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]*")
_TAG: Final = re.compile(r"([^!=~;^]+)(=~|!=~|=|!=)(.*)", re.DOTALL)
_WINDOW_KINDS: Final = ("cron", "ical", "from")


class RulesFile(NamedTuple):
    """What a file says."""

    rules: Rules
    engine: Limits
    targets: Mapping[str, Table]
    """The tables of targets by name; they are checked by whoever opens them."""
    text: str
    faults: list[Fault]
    """Faults of targets are added here, before `check` is called."""
    files: tuple[Path, ...]
    """Others that it names: calendars."""
    windows: tuple[Window, ...] = ()


def load(path: Path) -> RulesFile:
    """Return what a file says; targets are not opened.

    Raises
    ------
    OSError : it cannot be read.
    ConfigError : it cannot be used. The message lists every fault with its line.
    """
    written, table = toml_tables.read(path)
    return _read(table, written, path)


def parse(written: str, path: Path) -> RulesFile:
    """Return what a text says that may become the file at `path`. Raises ConfigError."""
    return _read(toml_tables.parse(written, str(path)), written, path)


def _read(table: Table, written: str, path: Path) -> RulesFile:
    targets = {name: one for name, one in table.tables("targets") if _is_name(one, name)}
    files: list[Path] = []
    windows = {name: _window(name, one, path.parent, files) for name, one in table.tables("windows")}
    reader = _RuleReader(windows, tuple(targets))
    everywhere = reader.windows(table, "maintenance")
    rules = [reader.rule(one, everywhere) for one in table.array("rules")]
    mode = cast(Mode | None, table.get("mode", choice(*get_args(Mode))))
    max_age = table.get("max_age", duration)
    limits = engine_limits.read(table.table("engine"))
    table.refuse_others()
    if not targets and rules:
        table.fault("rules", "have no target; add one: [targets.NAME]")
    if not rules and targets and not table.faults:
        rules = [default_rule(tuple(targets))._replace(maintenance=everywhere)]
    return RulesFile(
        Rules(tuple(rules), mode or "first", MAX_AGE_S if max_age is None else max_age),
        limits,
        targets,
        written,
        table.faults,
        tuple(files),
        tuple(window for window in windows.values() if window is not None),
    )


def check(path: Path, found: RulesFile) -> None:
    """Raise ConfigError if anything is wrong."""
    raise_faults(str(path), found.text, found.faults)


def _is_name(table: Table, name: str) -> bool:
    if len(name) <= MAX_NAME and _NAME.fullmatch(name):
        return True
    table.fault(
        None, f"the name has other characters than letters, digits, blanks and . _ -, or more than {MAX_NAME}"
    )
    return False


# -- Windows


def _window(name: str, table: Table, folder: Path, files: list[Path]) -> Window | None:
    given = [kind for kind in _WINDOW_KINDS if kind in table]
    if len(given) != 1:
        table.fault(None, "is to have one of cron (with duration), ical, or from (with to)")
        return None
    before = len(table.faults)
    zone = table.get("timezone", _zone) or ZoneInfo("UTC")
    window: Window | None = None
    match given[0]:
        case "cron":
            length = table.get("duration", duration)
            if "duration" not in table:
                table.fault(None, 'has cron and no duration; add for example duration = "2h"')
            window = table.get("cron", lambda value: CronWindow(name, text(value), length or 0.0, zone))
        case "ical":

            def opened(value: Any) -> Window:
                file = folder / text(value)
                files.append(file)
                return _calendar(name, file, zone)

            window = table.get("ical", opened)
        case _:
            begin, end = table.get("from", _moment(zone)), table.get("to", _moment(zone))
            if "to" not in table:
                table.fault(None, "has from and no to")
            elif begin is not None and end is not None and end <= begin:
                table.fault("to", "is not later than from")
            if begin is not None and end is not None:
                window = Span(name, begin, end)
    table.refuse_others()
    return window if len(table.faults) == before else None


def _calendar(name: str, file: Path, zone: tzinfo) -> CalendarWindow:
    try:
        return CalendarWindow(name, file, zone)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}: {file}") from None
    except PackageMissing as error:
        raise ValueError(f"cannot be used: {error} {error.hint}") from None
    except Exception as error:  # whatever a calendar makes the libraries raise
        raise ValueError(f"is no calendar that can be used: {error or type(error).__name__}") from None


def _zone(value: Any) -> ZoneInfo:
    try:
        return ZoneInfo(text(value))
    except (OSError, LookupError, ValueError):
        raise ValueError('is no time zone; write it as "Europe/Berlin" or "UTC"') from None


def _moment(zone: tzinfo) -> Callable[[Any], float]:
    def convert(value: Any) -> float:
        if not isinstance(value, datetime):
            raise ValueError(
                "is no time; write it without quotes, as 2030-12-24T18:00:00 or 2030-12-24T18:00:00+01:00"
            )
        return (value if value.tzinfo else value.replace(tzinfo=zone)).timestamp()

    return convert


# -- Rules


class _RuleReader:
    """Reads rules that name windows and targets."""

    def __init__(self, windows: Mapping[str, Window | None], targets: Sequence[str]) -> None:
        self._windows = windows
        self._targets = targets
        self._names: set[str] = set()

    def windows(self, table: Table, key: str) -> tuple[Window, ...]:
        """Return the windows that a table names."""
        names = table.get(key, lambda value: self._known(texts(value), self._windows, "windows"))
        return tuple(window for name in names or () if (window := self._windows[name]) is not None)

    @staticmethod
    def _known(
        names: Sequence[str], known: Mapping[str, object] | Sequence[str], kind: str
    ) -> tuple[str, ...]:
        for name in names:
            if name not in known:
                has = f"there are {', '.join(known)}" if known else f"add [{kind}.{name}]"
                raise ValueError(f"names {name}, which is not among the {kind}; {has}")
        return tuple(names)

    def rule(self, table: Table, everywhere: tuple[Window, ...]) -> Rule:
        name = table.get("name", self._name)
        if "name" not in table:
            table.fault(None, 'has no name; add for example name = "databases"')
        fits = table.get("match", _fits)
        excluded = table.get("exclude", _fits)
        tags = table.get("tags", lambda value: [_tag(one) for one in texts(value)]) or []
        rows, metrics = self._at_least(table)
        absolute, percent = self._deviation(table)
        budget = table.get("budget", number(0.01))
        least = table.get("min_score", number(MIN_SCORE, 1))
        if budget is not None and least is not None:
            table.fault("budget", "and min_score are both given; a budget finds the score")
        cooldown = table.get("cooldown", duration)
        rule = Rule(
            name=name or "",
            fits=_combined(fits, excluded, tags),
            severity=cast(Severity | None, table.get("severity", choice(*get_args(Severity)))),
            min_score=MIN_SCORE if least is None else least,
            direction=cast(Direction, table.get("direction", choice(*get_args(Direction))) or "both"),
            min_absolute=absolute,
            min_percent=percent,
            causes=frozenset(
                table.get("causes", lambda value: [choice(*CAUSES)(one) for one in texts(value)]) or ()
            ),
            rows=rows,
            metrics=metrics,
            active=self.windows(table, "active"),
            maintenance=(*everywhere, *self.windows(table, "maintenance")),
            targets=table.get("targets", lambda value: self._known(texts(value), self._targets, "targets"))
            or tuple(self._targets),
            cooldown_s=COOLDOWN_S if cooldown is None else cooldown,
            budget=budget,
        )
        table.refuse_others()
        return rule

    def _name(self, value: Any) -> str:
        name = text(value)
        if len(name) > MAX_NAME or not _NAME.fullmatch(name):
            raise ValueError(
                f"has other characters than letters, digits, blanks and . _ -, or more than {MAX_NAME}"
            )
        if name in self._names:
            raise ValueError("is the name of another rule; give each its own")
        self._names.add(name)
        return name

    @staticmethod
    def _at_least(table: Table) -> tuple[int | None, int | None]:
        given = table.get("at_least", _table)
        if given is None:
            return None, None
        inner = Table(given, (*table.path, "at_least"), table.faults)
        found = inner.get("rows", count), inner.get("metrics", count)
        inner.refuse_others()
        return found

    @staticmethod
    def _deviation(table: Table) -> tuple[float | None, float | None]:
        given = table.get("min_deviation", _table)
        if given is None:
            return None, None
        inner = Table(given, (*table.path, "min_deviation"), table.faults)
        found = inner.get("absolute", number(0)), inner.get("percent", number(0))
        inner.refuse_others()
        return found


def _table(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not value:
        raise ValueError("is no table; write { name = value }")
    return value


def _fits(value: Any) -> Callable[[str], bool]:
    """Return what one of several patterns fits."""
    patterns = [name_patterns.glob(pattern) for pattern in texts(value)]
    return lambda name: any(fits(name) for fits in patterns)


def _tag(expression: str) -> Callable[[Mapping[str, str]], bool]:
    r"""Return what tells whether tags are as Graphite's expression says: `dc=fra`, `dc!=fra`, `host=~web\d+`, `host!=~…`.

    A tag that a metric has not is empty.
    """
    found = _TAG.fullmatch(expression)
    if found is None:
        raise ValueError(
            f"has {toml_tables.shown(expression)}, which is none of tag=value, tag!=value, tag=~regex, tag!=~regex"
        )
    key, operator, value = found.groups()
    if operator in ("=", "!="):
        return lambda tags: (tags.get(key, "") == value) == (operator == "=")
    # Graphite's expressions fit from the beginning on.
    fits = name_patterns.regex(f"(?:{value}).*")
    return lambda tags: bool(fits(tags.get(key, ""))) == (operator == "=~")


def _combined(
    fits: Callable[[str], bool] | None,
    excluded: Callable[[str], bool] | None,
    tags: Sequence[Callable[[Mapping[str, str]], bool]],
) -> Callable[[str], bool]:
    def combined(name: str) -> bool:
        if (fits is not None and not fits(name)) or (excluded is not None and excluded(name)):
            return False
        if not tags:
            return True
        base, *parts = name.split(";")
        own = {"name": base} | dict(part.split("=", 1) for part in parts if "=" in part)
        return all(holds(own) for holds in tags)

    return combined
