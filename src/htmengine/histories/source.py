"""What a source of histories is: it lists series, and gives the samples of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from htmengine.doors.samples import Kind


class Origin(NamedTuple):
    """A series where it lies."""

    name: str
    """Of its metric here, the same that its samples have when they come in live."""
    key: Any
    """By which its source finds it again."""
    kind: Kind = Kind.GAUGE
    """GAUGE, or COUNTER: a running total."""


class Points(NamedTuple):
    """Samples of one series, in columns of equal length, in the order of time."""

    timestamps: list[float]
    """Seconds since the Unix epoch, UTC."""
    values: list[float]
    """NaN where there is none."""


class Source(Protocol):
    """A place where histories lie. Its methods raise `ExplainedError` where it cannot be read."""

    def series(self, since: float, until: float) -> Iterator[Origin]:
        """Yield the series that have samples between two times, as far as the source knows; a name may come twice."""

    def points(self, origin: Origin, since: float, until: float) -> Iterator[Points]:
        """Yield the samples of a series from one time to another, both inclusive, piece by piece, the oldest first."""
