"""StatsD and DogStatsD: `name:value|type|@rate|#tag:value`, one a line.

What lines say are `Record`s; `statsd_aggregation` makes samples of them, one for each interval.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, Literal, NamedTuple

import msgspec

from htmengine.doors import names
from htmengine.doors.reasons import BadSample, Reason
from htmengine.doors.samples import Refusals, check_timestamp, check_value, read_number

MAX_LINE: Final = 1 << 16
COUNTER: Final = "counter"
GAUGE: Final = "gauge"
TIMER: Final = "timer"
SET: Final = "set"
TYPES: Final = {"c": COUNTER, "m": COUNTER, "g": GAUGE, "ms": TIMER, "h": TIMER, "d": TIMER, "s": SET}

_TAGS: Final = re.compile(r"\|#([^|]*)")
_OF_DATADOG: Final = re.compile(r"\|(?:c:(?:ci|in)-|e:|card:)[^|]*")
"""Where a packet came from, and how its tags are to be treated: not used."""
_BLANKS: Final = re.compile(r"\s+")
_REMOVED: Final = re.compile(r"[^A-Za-z0-9_\-.;=]")
_NAMES: Final = 8192


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """How lines are read where servers differ."""

    signed_gauges: Literal["delta", "absolute"] = "delta"
    """Whether `+1` and `-1` change a gauge, as StatsD has it, or are its value, as Datadog has it."""
    sanitize: Literal["statsd", "none"] = "statsd"
    """How names are cleaned up: as StatsD does, or as those of all doors alone."""


STATSD: Final = Dialect()


class Record(NamedTuple):
    """A value of a line."""

    name: str
    """Canonical: `htmengine.doors.names`."""
    kind: str
    """COUNTER, GAUGE, TIMER or SET."""
    value: float
    """0.0 of a set."""
    relative: bool = False
    """Of a gauge: the value is added to what it is."""
    rate: float = 1.0
    """The share of what happened that is sent."""
    member: str = ""
    """Of a set."""
    timestamp: float | None = None
    """Seconds since the epoch, if the sender says it: such a value is a sample itself."""


def parse(data: bytes, refusals: Refusals, dialect: Dialect = STATSD) -> list[Record]:
    """Return what a datagram or whole lines say; a bad line costs only itself."""
    records: list[Record] = []
    for raw in data.split(b"\n"):
        if not (raw := raw.strip()):
            continue
        try:
            records += _line(raw.decode(), dialect)
        except UnicodeDecodeError:
            refusals.add(Reason.NOT_UTF8, raw)
        except BadSample as error:
            refusals.add(error.reason, raw)
    return records


class Reader:
    """Cuts what a connection sends into lines. Holds no more than the beginning of one."""

    def __init__(self, dialect: Dialect = STATSD) -> None:
        self._dialect = dialect
        self._rest = b""
        self._skipping = False
        """Within a line that is too long."""

    def feed(self, data: bytes, refusals: Refusals) -> list[Record]:
        """Return what the lines say that are complete now."""
        complete, newline, rest = (self._rest + data).rpartition(b"\n")
        if newline and self._skipping:
            _, _, complete = complete.partition(b"\n")
            self._skipping = False
        self._rest = b"" if self._skipping else rest
        if len(self._rest) > MAX_LINE:
            refusals.add(Reason.LONG_LINE, self._rest)
            self._rest, self._skipping = b"", True
        return parse(complete, refusals, self._dialect) if newline else []


def _line(line: str, dialect: Dialect) -> list[Record]:
    if line.startswith(("_e{", "_sc|")):
        raise BadSample(Reason.EVENT)
    name, colon, rest = line.partition(":")
    fields = rest.split("|")
    if len(fields) == 2 and ":" not in rest and colon:  # as most lines are
        return [_record(_name(name, "", dialect.sanitize), fields[0], fields[1], 1.0, None, dialect)]
    tags = ",".join(_TAGS.findall(rest))
    rest = _OF_DATADOG.sub("", _TAGS.sub("", rest))
    return list(_values(_name(name, tags, dialect.sanitize), rest, dialect))


def _values(name: str, rest: str, dialect: Dialect) -> Iterator[Record]:
    """Yield the values of a line, `1|c:2|c` or `1:2|c`. Raises BadSample."""
    waiting: list[str] = []
    for part in rest.split(":"):
        value, *options = part.split("|")
        waiting.append(value)
        if options:
            rate, timestamp = 1.0, None
            for option in options[1:]:
                if option.startswith("@"):
                    rate = _rate(option[1:])
                elif option.startswith("T"):
                    timestamp = read_number(option[1:], Reason.TIMESTAMP)
            for one in waiting:
                yield _record(name, one, options[0], rate, timestamp, dialect)
            waiting = []
    if waiting:
        raise BadSample(Reason.SYNTAX)


def _record(
    name: str, value: str, letters: str, rate: float, timestamp: float | None, dialect: Dialect
) -> Record:
    kind = TYPES.get(letters)
    if kind is None:
        raise BadSample(Reason.STATSD_TYPE)
    if kind == SET:
        if not value:
            raise BadSample(Reason.SYNTAX)
        return Record(name, SET, 0.0, member=value)
    number = read_number(value, Reason.VALUE)
    if reason := check_value(number) or (timestamp is not None and check_timestamp(timestamp)):
        raise BadSample(reason)
    if kind == TIMER:
        timestamp = None
    relative = kind == GAUGE and value[0] in "+-" and dialect.signed_gauges == "delta"
    return Record(name, kind, number, relative, 1.0 if kind == GAUGE else rate, "", timestamp)


def _rate(text: str) -> float:
    rate = read_number(text, Reason.SAMPLE_RATE)
    if not 0 < rate <= 1:
        raise BadSample(Reason.SAMPLE_RATE)
    return rate


@lru_cache(_NAMES)
def _name(text: str, tags: str, sanitize: str) -> str:
    """Return the name of a series. Raises BadSample."""
    if sanitize == "statsd":
        text = _REMOVED.sub("", _BLANKS.sub("_", text.strip()).replace("/", "-"))
    base, *own = text.split(";")
    found = dict(pair for pair in (part.split("=", 1) for part in own) if len(pair) == 2)
    for tag in filter(None, tags.split(",")):
        key, colon, value = tag.partition(":")
        found[key] = value if colon else "true"
    return names.canonical(base, found)
