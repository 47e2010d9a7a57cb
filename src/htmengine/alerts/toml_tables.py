"""Tables of a TOML file: values read and checked, and every fault gathered with the line where it is."""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any, Final, NamedTuple, TypeVar

from htmengine.alerts.toml_lines import Path, lines_of
from htmengine.errors import ConfigError
from htmengine.foreign import visible

T = TypeVar("T")

MAX_BYTES: Final = 1 << 20
MAX_SHOWN: Final = 60
HINT: Final = "Correct what is listed: a running engine takes the file as soon as all of it can be used."

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|m|h|d|w)")
_PERCENT: Final = re.compile(r"(\d+(?:\.\d+)?)\s*%")
_UNITS: Final = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}


class Fault(NamedTuple):
    """What is wrong, and with what."""

    path: Path
    text: str


class Table:
    """A table of a file. What is asked for is known; `refuse_others` notes the rest."""

    def __init__(self, values: Mapping[str, Any], path: Path, faults: list[Fault]) -> None:
        """`faults` gets what is wrong with it."""
        self.values = values
        self.path = path
        self.faults = faults
        self._asked: set[str] = set()

    def __contains__(self, key: str) -> bool:
        """Tell whether it has a value of this name."""
        return key in self.values

    def fault(self, key: str | None, what: str) -> None:
        """Note what is wrong with a value, or with the table."""
        if key is None:
            self.faults.append(Fault(self.path, what))
        else:
            self.faults.append(Fault((*self.path, key), f"{key} {what}"))

    def get(self, key: str, convert: Callable[[Any], T]) -> T | None:
        """Return a value; None where it is missing, or wrong, which is noted.

        `convert` raises ValueError that says what is wrong, and what is right.
        """
        self._asked.add(key)
        if key not in self.values:
            return None
        try:
            return convert(self.values[key])
        except ValueError as error:
            self.fault(key, f"= {shown(self.values[key])} {error}")
            return None

    def table(self, key: str) -> Table:
        """Return the table under a name; an empty one where it is missing."""
        self._asked.add(key)
        found = self.values.get(key, {})
        if not isinstance(found, Mapping):
            self.fault(key, f"is no table; write [{key}]")
            found = {}
        return Table(found, (*self.path, key), self.faults)

    def tables(self, key: str) -> Iterator[tuple[str, Table]]:
        """Yield the tables that a table of tables holds, by their names."""
        self._asked.add(key)
        found = self.values.get(key, {})
        if not isinstance(found, Mapping):
            self.fault(key, f"is no table; write [{key}.NAME]")
            return
        for name, values in found.items():
            path = (*self.path, key, name)
            if isinstance(values, Mapping):
                yield name, Table(values, path, self.faults)
            else:
                self.faults.append(Fault(path, f"is no table; write [{key}.NAME] above it"))

    def array(self, key: str) -> Iterator[Table]:
        """Yield the tables of an array of tables."""
        self._asked.add(key)
        found = self.values.get(key, [])
        if not isinstance(found, list):
            self.fault(key, f"is no list of tables; write [[{key}]], with two brackets")
            return
        for place, values in enumerate(found):
            path = (*self.path, key, place)
            if isinstance(values, Mapping):
                yield Table(values, path, self.faults)
            else:
                self.faults.append(Fault(path, f"is no table; write [[{key}]]"))

    def refuse_others(self) -> None:
        """Note what nobody has asked for: its name is wrong."""
        for key in self.values:
            if key not in self._asked:
                near = difflib.get_close_matches(key, self._asked, n=1)
                meant = f"do you mean {near[0]}?" if near else f"known here: {', '.join(sorted(self._asked))}"
                self.fault(key, f"is not known; {meant}")


def read(path: FilePath) -> tuple[str, Table]:
    """Return the text of a file, and its tables. Raises ConfigError for what is no TOML, and OSError."""
    with path.open("rb") as file:
        raw = file.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise ConfigError(f"{path}: has more than {MAX_BYTES:,} bytes.", hint=HINT)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}:{line}: is no text in UTF-8.", hint=HINT) from None
    return text, parse(text, str(path))


def parse(text: str, where: str) -> Table:
    """Return the tables of a text. Raises ConfigError for what is no TOML."""
    try:
        values = tomllib.loads(text.replace("\r\n", "\n"))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        said = visible(str(error))
        place = re.search(r"\s*\(at (?:line (\d+), column \d+|end of document)\)$", said)
        number = text.count("\n") + 1 if place is None or place[1] is None else int(place[1])
        what = said[: place.start()] if place else said
        raise ConfigError(f"{where}:{number}: is no TOML: {what[:1].lower()}{what[1:]}.", hint=HINT) from None
    return Table(values, (), [])


def raise_faults(where: str, text: str, faults: Collection[Fault]) -> None:
    """Raise ConfigError with every fault and its line, if there is one."""
    if not faults:
        return
    lines = lines_of(text.replace("\r\n", "\n"), {fault.path for fault in faults})
    listed = sorted((lines[fault.path], _named(fault)) for fault in faults)
    raise ConfigError("\n".join(f"{where}:{line}: {what}." for line, what in listed), hint=HINT)


def _named(fault: Fault) -> str:
    """Return a fault with the table that it is in, which its own text names but for the last part."""
    names = [str(part + 1) if isinstance(part, int) else part for part in fault.path]
    if fault.path and isinstance(fault.path[-1], str) and fault.text.startswith(f"{fault.path[-1]} "):
        names = names[:-1]
    table = visible(" ".join(names))
    return f"{table}: {fault.text}" if table else fault.text


def shown(value: Any) -> str:
    """Return a value of a file for people, on one line."""
    if isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, str):
        text = f'"{value}"'
    else:
        text = str(value)
    text = visible(text).replace("\n", "\\n")
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"


# -- Conversions: each raises ValueError that says what is wrong


def text(value: Any) -> str:
    """Return a text that is not empty."""
    if not isinstance(value, str):
        raise ValueError("is no text; put it into quotes")
    if not value.strip():
        raise ValueError("is empty")
    return value


def flag(value: Any) -> bool:
    """Return whether something is switched on."""
    if not isinstance(value, bool):
        raise ValueError("is neither true nor false")
    return value


def texts(value: Any) -> tuple[str, ...]:
    """Return a list of texts; one alone may stand without brackets."""
    if isinstance(value, str):
        return (text(value),)
    if not isinstance(value, list) or not value:
        raise ValueError('is no list of texts; write ["…", "…"]')
    return tuple(text(one) for one in value)


def number(low: float, high: float = math.inf) -> Callable[[Any], float]:
    """Return what converts to a number from `low` to `high`."""

    def convert(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError("is no number")
        if not low <= value <= high:
            raise ValueError(
                f"is less than {low:g}"
                if value < low
                else f"is above {high:g}; give a number from {low:g} to {high:g}"
            )
        return float(value)

    return convert


def count(value: Any) -> int:
    """Return a whole number from 1."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("is no whole number")
    if value < 1:
        raise ValueError("is less than 1")
    return value


def choice(*known: str) -> Callable[[Any], str]:
    """Return what converts to one of these."""

    def convert(value: Any) -> str:
        if value not in known:
            raise ValueError(f"is none of {', '.join(known)}")
        return str(value)

    return convert


def duration(value: Any) -> float:
    """Return seconds of a text such as `90s`, `30 min`, `8h`, `2d` or `1w`."""
    found = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError('is no duration; write it as "90s", "30min", "8h", "2d" or "1w"')
    return float(found[1]) * _UNITS[found[2]]


def duration_from(low: float) -> Callable[[Any], float]:
    """Return what converts to seconds, at least so many."""

    def convert(value: Any) -> float:
        found = duration(value)
        if found < low:
            raise ValueError(f"is less than {low:g} s")
        return found

    return convert


def percent(value: Any) -> float:
    """Return the part that a text such as `5%` means, from 0 to 1, neither of which is any."""
    found = _PERCENT.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError('is no percentage; write it as "5%" or "0.5%"')
    part = float(found[1]) / 100
    if not 0 < part < 1:
        raise ValueError("does not lie between 0% and 100%")
    return part
