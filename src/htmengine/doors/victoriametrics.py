"""VictoriaMetrics' `/api/v1/import`: series as JSON, one a line, in columns.

`{"metric": {"__name__": "up", "job": "node"}, "values": [0, 1], "timestamps": [1700000000000, 1700000060000]}`, with
timestamps in milliseconds. This is what its `/api/v1/export` writes.
"""

from __future__ import annotations

from typing import Final, NamedTuple

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
)

NAME: Final = "__name__"


class Series(msgspec.Struct, frozen=True):
    """A line."""

    metric: dict[str, str]
    values: list[float | str | None]
    """A value that is not finite comes as a text or as null."""
    timestamps: list[int]


_DECODER: Final = msgspec.json.Decoder(Series)


def parse(body: bytes, limits: Limits) -> Parsed:
    """Return the samples of a request. Raises UnreadableBody: more than the limits allow."""
    gauges = Gauges(limits.samples)
    refusals = Refusals()
    for number, line in json_records.lines(body, _DECODER, refusals):
        base = line.metric.pop(NAME, "")
        count = max(len(line.values), 1)
        try:
            name = names.canonical(base, line.metric)
        except BadSample as error:
            refusals.add(error.reason, names.joined(base, line.metric), number, count)
            continue
        if len(line.values) != len(line.timestamps):
            refusals.add(Reason.UNEQUAL_COLUMNS, name, number, count)
            continue
        for value, ticks in zip(line.values, line.timestamps, strict=True):
            time = ticks / 1000
            if value is None:
                refusals.add(Reason.NO_VALUE, f"{name} null {ticks}", number)
            elif isinstance(value, str) or not -LARGEST <= value <= LARGEST:
                refusals.add(Reason.NOT_FINITE, f"{name} {value} {ticks}", number)
            elif not EARLIEST <= time <= LATEST:
                refusals.add(Reason.TIMESTAMP_RANGE, f"{name} {value!r} {ticks}", number)
            else:
                gauges.add(name, time, value)
    return Parsed(gauges.samples(), refusals)


class Answer(NamedTuple):
    """What the sender gets."""

    status: int
    text: str


def answer(parsed: Parsed) -> Answer:
    """Return the answer to a request whose samples are safe."""
    if not (refused := parsed.refusals.errors):
        return Answer(204, "")
    first = next(iter(parsed.refusals.mistakes()))
    return Answer(400, f"{refused} samples were refused; the first, in line {first.record}: {first.reason}\n")
