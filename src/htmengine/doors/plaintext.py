"""Graphite's plaintext protocol: one sample a line, `name value timestamp`.

Three fields, separated by blanks: the metric's name, a decimal number, and seconds since the Unix epoch, UTC. A name may
carry tags, as `name;key=value` or `name{key="value"}`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from htmengine.doors import names, wrong_door
from htmengine.doors.reasons import MAX_NAME, BadSample, Reason
from htmengine.doors.samples import (
    EARLIEST,
    LARGEST,
    LATEST,
    Parsed,
    Refusals,
    Samples,
    check_timestamp,
    check_value,
    read_number,
)

PROTOCOL: Final = "plain"


class Sample(NamedTuple):
    """What a line says."""

    name: str
    """Canonical: `htmengine.doors.names`."""
    timestamp: float
    """Seconds since the Unix epoch, UTC; fractions are kept here, though not stored."""
    value: float


def parse_line(line: str) -> Sample:
    """Return the sample of a line. Raises BadSample."""
    fields = line.split()
    if len(fields) != 3:
        raise BadSample(Reason.FIELDS)
    path, value_text, timestamp_text = fields
    name = names.read(path)
    value = read_number(value_text, Reason.VALUE)
    timestamp = read_number(timestamp_text, Reason.TIMESTAMP)
    if reason := check_value(value) or check_timestamp(timestamp):
        raise BadSample(reason)
    return Sample(name, timestamp, value + 0.0)  # -0.0 becomes 0.0: SQLite does not tell them apart


def parse_lines(lines: Iterable[str]) -> Parsed:
    """Return the samples of the lines that have one, and the other lines with the reasons; `parse_line` says which.

    A line of another protocol is refused by that protocol's name.
    """
    series: list[str] = []
    timestamps: list[float] = []
    values: list[float] = []
    refusals, refused = Refusals(), 0
    for line in lines:
        try:
            name, value_text, timestamp_text = line.split()
            value, timestamp = float(value_text), float(timestamp_text)
            plain = (
                -LARGEST <= value <= LARGEST
                and EARLIEST <= timestamp <= LATEST
                and len(name) <= MAX_NAME
                and line.isascii()
                and name.isprintable()
                and ";" not in name
                and "_" not in value_text
                and "_" not in timestamp_text
                and name[-1] != "}"
            )
        except ValueError:
            plain = False
        if not plain:  # bad, or rare enough to be looked at slowly
            try:
                name, timestamp, value = parse_line(line)
            except BadSample as error:
                refused += 1
                refusals.add(wrong_door.of_line(line) or error.reason, line, len(series) + refused)
                continue
        series.append(name)
        timestamps.append(timestamp)
        values.append(value + 0.0)
    return Parsed(Samples.gauges(series, timestamps, values), refusals)
