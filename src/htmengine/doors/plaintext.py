"""The plaintext protocol: one sample a line, `name value timestamp`.

Three fields, separated by blanks: the metric's name, a decimal number, and seconds since the Unix epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from htmengine import foreign

PROTOCOL: Final = "plain"
MAX_NAME: Final = 255
EARLIEST: Final = -30_610_224_000
"""1000-01-01: no database stores an earlier time."""
LATEST: Final = 253_402_300_799
"""9999-12-31 23:59:59."""

FIELDS: Final = "not three fields: name, value, timestamp"
VALUE: Final = "the value is not a number"
NOT_FINITE: Final = "the value is not finite"
TIMESTAMP: Final = "the timestamp is not a number of seconds"
TIMESTAMP_RANGE: Final = (
    "the timestamp lies before the year 1000 or after 9999; it is in seconds, not milliseconds"
)
LONG_NAME: Final = f"the name is longer than {MAX_NAME} characters"
NAME_CHARACTERS: Final = "the name has control characters or others that cannot be seen"

_LARGEST: Final = 1.7976931348623157e308


class BadLine(ValueError):
    """A line is no sample; the message is one of the reasons above."""


class Sample(NamedTuple):
    """What a line says."""

    name: str
    value: float
    timestamp: float
    """Seconds since the Unix epoch, UTC; fractions are kept here, though not stored."""


class Columns(NamedTuple):
    """Samples in the order of their lines."""

    names: list[str]
    values: list[float]
    timestamps: list[int]
    """Whole seconds since the epoch, rounded down."""


class Rejected(NamedTuple):
    """A line that is not used."""

    line: str
    reason: str


def parse_line(line: str) -> Sample:
    """Return the sample of a line. Raises BadLine."""
    fields = line.split()
    if len(fields) != 3:
        raise BadLine(FIELDS)
    name, value_text, timestamp_text = fields
    if len(name) > MAX_NAME:
        raise BadLine(LONG_NAME)
    if foreign.has_unseen(name):
        raise BadLine(NAME_CHARACTERS)
    value = _number(value_text, VALUE)
    if not -_LARGEST <= value <= _LARGEST:
        raise BadLine(NOT_FINITE)
    timestamp = _number(timestamp_text, TIMESTAMP)
    if not EARLIEST <= timestamp < LATEST + 1:
        raise BadLine(TIMESTAMP_RANGE)
    return Sample(name, value + 0.0, timestamp)  # -0.0 becomes 0.0: SQLite does not tell them apart


def parse_lines(lines: Iterable[str]) -> tuple[Columns, list[Rejected]]:
    """Return the samples of the lines that have one, and the other lines with the reasons; `parse_line` says which."""
    names: list[str] = []
    values: list[float] = []
    timestamps: list[int] = []
    rejected: list[Rejected] = []
    for line in lines:
        try:
            name, value_text, timestamp_text = line.split()
            value, timestamp = float(value_text), float(timestamp_text)
            plain = (
                -_LARGEST <= value <= _LARGEST
                and EARLIEST <= timestamp <= LATEST
                and len(name) <= MAX_NAME
                and line.isascii()
                and name.isprintable()
                and "_" not in value_text
                and "_" not in timestamp_text
            )
        except ValueError:
            plain = False
        if not plain:  # bad, or rare enough to be looked at slowly
            try:
                name, value, timestamp = parse_line(line)
            except BadLine as error:
                rejected.append(Rejected(line, str(error)))
                continue
        names.append(name)
        values.append(value + 0.0)
        timestamps.append(int(timestamp // 1))
    return Columns(names, values, timestamps), rejected


def _number(text: str, reason: str) -> float:
    try:
        return foreign.number(text)
    except ValueError:
        raise BadLine(reason) from None
