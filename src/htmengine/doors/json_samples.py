"""Samples as JSON, one object each: `{"name": "web.requests", "tags": {"dc": "a"}, "time": 1700000000, "value": 1.5}`.

Or many of one series: `{"name": "web.requests", "times": [1700000000, 1700000060], "values": [1.5, 2]}`. Objects come one
a line, or as one document: an object or an array. A time is in seconds since 1970, or a text as RFC 3339 writes it;
without one it is now.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec

from htmengine.doors import json_records, names
from htmengine.doors.limits import Limits
from htmengine.doors.reasons import BadSample, Reason
from htmengine.doors.samples import (
    EARLIEST,
    LARGEST,
    LATEST,
    Gauges,
    Parsed,
    Refusals,
    check_timestamp,
    check_value,
)

Time = float | str


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """A sample, or many of one series."""

    name: str
    tags: dict[str, str] = {}
    time: Time | None = None
    value: float | None = None
    times: list[Time] | None = None
    values: list[float] | None = None


_DECODER: Final = msgspec.json.Decoder(Record)


def parse_lines(body: bytes, now: float, limits: Limits) -> Parsed:
    """Return the samples of lines. `now`: seconds since the epoch. Raises UnreadableBody: more than the limits allow."""
    refusals = Refusals()
    return _parsed(json_records.lines(body, _DECODER, refusals), refusals, now, limits)


def parse_document(body: bytes, now: float, limits: Limits) -> Parsed:
    """Return the samples of a document. Raises UnreadableBody: no JSON, or more than the limits allow."""
    refusals = Refusals()
    return _parsed(json_records.records(body, _DECODER, refusals), refusals, now, limits)


def _parsed(numbered: Iterator[tuple[int, Record]], refusals: Refusals, now: float, limits: Limits) -> Parsed:
    gauges = Gauges(limits.samples)
    for number, record in numbered:
        try:
            name = names.canonical(record.name, record.tags) if record.tags else names.read(record.name)
            own_times, own_values = _columns(record, now)
        except BadSample as error:
            refusals.add(error.reason, json_records.shown(record), number)
            continue
        for time, value in zip(own_times, own_values, strict=True):
            if type(time) is float and EARLIEST <= time <= LATEST and -LARGEST <= value <= LARGEST:
                seconds = time
            else:
                try:
                    seconds = _seconds(time)
                    if reason := check_value(value) or check_timestamp(seconds):
                        raise BadSample(reason)
                except BadSample as error:
                    refusals.add(error.reason, f"{name} {value!r} {time}", number)
                    continue
            gauges.add(name, seconds, value)
    return Parsed(gauges.samples(), refusals)


def _columns(record: Record, now: float) -> tuple[list[Time], list[float]]:
    if record.value is not None and record.times is None and record.values is None:
        return [now if record.time is None else record.time], [record.value]
    if (
        record.value is None
        and record.time is None
        and record.times is not None
        and record.values is not None
    ):
        if len(record.times) != len(record.values):
            raise BadSample(Reason.UNEQUAL_COLUMNS)
        return record.times, record.values
    raise BadSample(Reason.SHAPE)


def _seconds(time: Time) -> float:
    if not isinstance(time, str):
        return time
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        raise BadSample(Reason.TIMESTAMP) from None
    if moment.tzinfo is None:
        raise BadSample(Reason.TIMESTAMP)
    return moment.timestamp()


# -- Answers


class Answer(NamedTuple):
    """What the sender gets."""

    status: int
    body: dict[str, Any]
    """As JSON."""


def answer(parsed: Parsed) -> Answer:
    """Return the answer to a request whose samples are safe."""
    accepted, refused = len(parsed.samples.names), parsed.refusals.errors
    errors = [
        {"record": refusal.record, "sample": refusal.example, "reason": str(refusal.reason)}
        for refusal in parsed.refusals.mistakes()
    ]
    body = {
        "accepted": accepted,
        "refused": refused,
        "errors": errors,
        "errors_left_out": refused - len(errors),
    }
    return Answer(400 if refused and not accepted else 200, body)
