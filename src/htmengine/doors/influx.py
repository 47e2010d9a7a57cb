"""InfluxDB's line protocol: `measurement,tag=value field=value,field=value timestamp`.

Each numeric field is a sample, named `measurement.field`, or `measurement` for a field called `value`; the tags are its
tags. True and false are 1 and 0. Text is left out, and counted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from htmengine.doors import names
from htmengine.doors.limits import Limits
from htmengine.doors.reasons import BadSample, Reason
from htmengine.doors.remembered import MAX_SIZE, remembered
from htmengine.doors.samples import (
    EARLIEST,
    LATEST,
    Gauges,
    Parsed,
    Refusals,
    check_value,
    in_seconds,
    read_number,
    shortened,
)

TICKS: Final = {"n": 10**9, "ns": 10**9, "u": 10**6, "µ": 10**6, "us": 10**6, "ms": 1000, "s": 1}
"""Units of a timestamp in a second, by the name of the precision."""
SECONDS: Final = {"m": 60, "h": 3600}
"""Seconds in a unit of a timestamp, of the precisions coarser than a second."""
_YEAR_S: Final = 365 * 86_400
_MAX_TIME: Final = 20
_MAX_QUOTE: Final = 100
"""Characters of a line in an answer."""

_BOOLEANS: Final = {
    **dict.fromkeys(("t", "T", "true", "True", "TRUE"), 1.0),
    **dict.fromkeys(("f", "F", "false", "False", "FALSE"), 0.0),
}
_WORD: Final = r"(?:\\.|[^\\,= ])+"
_SERIES: Final = re.compile(rf"((?:\\.|[^\\, ])+)((?:,{_WORD}={_WORD})*)")
_HEAD: Final = re.compile(rf"({_SERIES.pattern}) +")
_TAG: Final = re.compile(rf",({_WORD})=({_WORD})")
_FIELD: Final = re.compile(rf'({_WORD})=("(?:\\.|[^\\"])*"|[^," ]+)')
_ESCAPE: Final = re.compile(r"\\([,= ])")
_INTEGER: Final = re.compile(r"-?[0-9]+").fullmatch


def precision(text: str) -> tuple[int, int]:
    """Return units in a second and seconds in a unit of a precision; nanoseconds for "". Raises ValueError."""
    if text in SECONDS:
        return 1, SECONDS[text]
    try:
        return TICKS[text or "ns"], 1
    except KeyError:
        raise ValueError(text) from None


def parse(body: bytes, unit: tuple[int, int], now: float, limits: Limits) -> Parsed:
    """Return the samples of a request.

    Parameters
    ----------
    unit : of the timestamps, from `precision`.
    now : seconds since the epoch, for lines without a timestamp.

    Raises
    ------
    UnreadableBody : more samples than the limits allow.
    """
    gauges = Gauges(limits.samples)
    refusals = Refusals()
    times: dict[str, float] = {"": now}
    """What is collected together has the same."""
    for number, raw in enumerate(body.split(b"\n"), start=1):
        if not (raw := raw.strip()) or raw.startswith(b"#"):
            continue
        line = ""
        try:
            line = raw.decode()
            head, fields, rest = _split(line)
            measurement_of(head)  # a line without one is refused once, however many fields it has
            if (timestamp := times.get(rest)) is None:
                timestamp = times[rest] = _time(rest, unit)
        except UnicodeDecodeError:
            refusals.add(Reason.NOT_UTF8, raw, number)
            continue
        except BadSample as error:
            refusals.add(error.reason, line, number)
            continue
        for key, text in fields.items():
            try:
                value = _value(text)
                name = _name(head, key)
            except BadSample as error:
                refusals.add(error.reason, line, number)
                continue
            gauges.add(name, timestamp, value)
    return Parsed(gauges.samples(), refusals)


def _split(line: str) -> tuple[str, dict[str, str], str]:
    """Return measurement with tags, fields, and the timestamp or "", all still escaped. Raises BadSample."""
    if "\\" in line or '"' in line:
        return _split_slowly(line)
    head, _, rest = line.partition(" ")
    given, _, rest = rest.lstrip(" ").partition(" ")
    fields = {}
    for field in given.split(","):
        key, _, text = field.partition("=")
        if not key or not text:
            raise BadSample(Reason.SYNTAX)
        fields[key] = text
    return head, fields, rest.strip(" ")


def _split_slowly(line: str) -> tuple[str, dict[str, str], str]:
    """Do what `_split` does for a line with escapes or text."""
    head = _HEAD.match(line)
    if not head:
        raise BadSample(Reason.SYNTAX)
    fields, at = {}, head.end()
    while True:
        field = _FIELD.match(line, at)
        if not field:
            raise BadSample(Reason.SYNTAX)
        fields[field[1]] = field[2]
        at = field.end()
        if line[at : at + 1] != ",":
            break
        at += 1
    rest = line[at:]
    if rest and rest[0] != " ":
        raise BadSample(Reason.SYNTAX)
    return head[1], fields, rest.strip(" ")


def _name(head: str, key: str) -> str:
    """Return the name of the series of a head and a field, both still escaped. Raises BadSample."""
    return _known_name(head, key) if len(head) + len(key) <= MAX_SIZE else _worked_out(head, key)


def _worked_out(head: str, key: str) -> str:
    return series_name(*measurement_of(head), _unescaped(key))


_known_name = remembered(_worked_out)


def measurement_of(head: str) -> tuple[str, Mapping[str, str]]:
    """Return measurement and tags, no longer escaped. Raises BadSample."""
    return _known_measurement(head) if len(head) <= MAX_SIZE else _measurement_of(head)


def _measurement_of(head: str) -> tuple[str, Mapping[str, str]]:
    if "\\" in head:
        found = _SERIES.fullmatch(head)
        if not found:
            raise BadSample(Reason.SYNTAX)
        tags = {_unescaped(key): _unescaped(value) for key, value in _TAG.findall(found[2])}
        return _unescaped(found[1]), tags
    measurement, *parts = head.split(",")
    try:
        tags = dict([part.split("=") for part in parts])
    except ValueError:
        raise BadSample(Reason.SYNTAX) from None
    if not measurement or "" in tags or "" in tags.values():
        raise BadSample(Reason.SYNTAX)
    return measurement, tags


_known_measurement = remembered(_measurement_of)


def series_name(measurement: str, tags: Mapping[str, str], field: str) -> str:
    """Return the name of a field's series. Raises BadSample."""
    return names.canonical(measurement if field == "value" else f"{measurement}.{field}", tags)


def _unescaped(word: str) -> str:
    """Return a word without its escapes; a backslash before anything else is itself."""
    return _ESCAPE.sub(r"\1", word) if "\\" in word else word


def _value(text: str) -> float:
    """Return a field's value. Raises BadSample."""
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text[0] == '"':
        raise BadSample(Reason.TEXT_FIELD)
    if text[-1] in "iu":
        if not _INTEGER(text[:-1]) or (text[-1] == "u" and text[0] == "-"):
            raise BadSample(Reason.VALUE)
        text = text[:-1]
    value = read_number(text, Reason.VALUE)
    if reason := check_value(value):
        raise BadSample(reason)
    return value


def _time(text: str, unit: tuple[int, int]) -> float:
    """Return seconds since the epoch. Raises BadSample."""
    if not _INTEGER(text) or len(text) > _MAX_TIME:
        raise BadSample(Reason.TIMESTAMP)
    per_second, seconds_each = unit
    seconds = in_seconds(int(text) * seconds_each, per_second)
    # Seconds that are read as nanoseconds lie in 1970, milliseconds that are read as seconds in the far future.
    if not (EARLIEST <= seconds < LATEST + 1) or 0 <= seconds < _YEAR_S:
        raise BadSample(Reason.PRECISION)
    return seconds


# -- Answers


class Answer(NamedTuple):
    """What the sender gets."""

    status: int
    headers: dict[str, str]
    body: dict[str, str]
    """As JSON; empty for none. Clients of version 1 read `error`, those of version 2 `code` and `message`."""


def answer(parsed: Parsed) -> Answer:
    """Return the answer to a request whose samples are safe."""
    if not (dropped := parsed.refusals.errors):
        return Answer(204, {}, {})
    first = next(iter(parsed.refusals.mistakes()))
    example = shortened(first.example, _MAX_QUOTE)
    said = f'partial write: line {first.record}: {first.reason}: "{example}" dropped={dropped}'
    return failure(400, "invalid", said)


def failure(status: int, code: str, message: str) -> Answer:
    """Return an answer for a request of which something is not taken."""
    header = message.encode("ascii", "backslashreplace").decode()
    return Answer(status, {"X-Influx-Error": header}, {"error": message, "code": code, "message": message})
