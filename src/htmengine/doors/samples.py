"""What a door hands on: samples in columns, and what it refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import IntEnum
from itertools import compress
from typing import Any, Final, Literal, NamedTuple

from htmengine import foreign
from htmengine.doors.reasons import BadSample, Reason

EARLIEST: Final = -30_610_224_000
"""1000-01-01: no database stores an earlier time."""
LATEST: Final = 253_402_300_799
"""9999-12-31 23:59:59."""
LARGEST: Final = 1.7976931348623157e308
"""A larger value is infinite."""
MAX_DETAILS: Final = 100
"""So many refusals of one request are kept one by one; all are counted."""
MAX_EXAMPLE: Final = 200
"""Characters of a refused record that are kept."""


class Kind(IntEnum):
    """What a value is; the numbers stand in messages and stay."""

    GAUGE = 0
    """The value itself is the sample."""
    COUNTER = 1
    """A running total that only grows, or starts again; the sample is its growth per second."""
    MEAN = 2
    """A running sum, with the running count beside it; the sample is the growth of the one by that of the other."""
    ENDED = 3
    """No value: the series has ended. What is known of its counter is forgotten."""
    INCREASE = 4
    """A running total; the sample is its growth since the value before."""


Counters = Literal["rate", "delta", "raw"]
"""What becomes of running totals: growth per second, growth since the value before, or the total itself."""
OF_COUNTERS: Final[dict[Counters, Kind]] = {
    "rate": Kind.COUNTER,
    "delta": Kind.INCREASE,
    "raw": Kind.GAUGE,
}


class Samples(NamedTuple):
    """Samples in the order in which they came, in columns of equal length."""

    names: list[str]
    """Canonical: `htmengine.doors.names`."""
    timestamps: list[float]
    """Seconds since the Unix epoch, UTC. Rows have whole seconds, rounded down; rates go by the fractions too."""
    values: list[float]
    """Finite; 0.0 where the kind has none."""
    kinds: list[Kind]
    starts: list[float | None]
    """When a running total began at 0, in seconds since the epoch; None where that is not known, and for gauges."""
    counts: list[float | None]
    """The running count of a MEAN; None for all else."""

    @classmethod
    def empty(cls) -> Samples:
        """Return no samples, to add to."""
        return cls([], [], [], [], [], [])

    @classmethod
    def gauges(cls, names: list[str], timestamps: list[float], values: list[float]) -> Samples:
        """Return samples that all are gauges."""
        n = len(names)
        return cls(names, timestamps, values, [Kind.GAUGE] * n, [None] * n, [None] * n)

    def add(
        self,
        name: str,
        timestamp: float,
        value: float,
        kind: Kind = Kind.GAUGE,
        start: float | None = None,
        count: float | None = None,
    ) -> None:
        """Add a sample."""
        self.names.append(name)
        self.timestamps.append(timestamp)
        self.values.append(value)
        self.kinds.append(kind)
        self.starts.append(start)
        self.counts.append(count)

    def extend(self, other: Samples) -> None:
        """Add all samples of another."""
        self.names.extend(other.names)
        self.timestamps.extend(other.timestamps)
        self.values.extend(other.values)
        self.kinds.extend(other.kinds)
        self.starts.extend(other.starts)
        self.counts.extend(other.counts)


class Refusal(NamedTuple):
    """A record that is not used."""

    reason: Reason
    example: str
    """The record or its beginning and end, at most `MAX_EXAMPLE` characters."""
    record: int | None = None
    """Its line or its place in the request, from 1; None in a stream."""


class Refusals:
    """What a door refused: all counted by reason, the first of a request one by one."""

    def __init__(self) -> None:
        self.counts: Counter[Reason] = Counter()
        self.newest: dict[Reason, Refusal] = {}
        """The newest of each reason."""
        self.details: list[Refusal] = []

    def add(
        self, reason: Reason, example: str | bytes = "", record: int | None = None, count: int = 1
    ) -> None:
        """Count a record that is not used. Bytes that are no UTF-8 are shown as escapes."""
        self.counts[reason] += count
        self.newest[reason] = refusal = Refusal(reason, shortened(example), record)
        if len(self.details) < MAX_DETAILS:
            self.details.append(refusal)

    def extend(self, other: Refusals) -> None:
        """Add all of another."""
        self.counts.update(other.counts)
        self.newest.update(other.newest)
        self.details += other.details[: MAX_DETAILS - len(self.details)]

    @property
    def errors(self) -> int:
        """How many records were refused by the sender's mistake."""
        return sum(count for reason, count in self.counts.items() if not reason.by_policy)

    def mistakes(self) -> Iterable[Refusal]:
        """Return the refusals kept one by one that are the sender's mistakes."""
        return (refusal for refusal in self.details if not refusal.reason.by_policy)

    def __bool__(self) -> bool:
        return bool(self.counts)


class Parsed(NamedTuple):
    """What a door made of bytes."""

    samples: Samples
    refusals: Refusals


def once_a_second(samples: Samples) -> Parsed:
    """Return samples without the gauges of whose name and second there is an earlier one, at another part of the second.

    Only here are these parts known: in messages gauges have whole seconds. What is sent again has the same time, and is left
    to the metric storer.
    """
    refusals = Refusals()
    if not any(timestamp % 1.0 for timestamp in samples.timestamps):
        return Parsed(samples, refusals)
    firsts: dict[tuple[str, float], float] = {}
    kept = []
    for name, timestamp, value, kind in zip(*samples[:4], strict=True):
        first = firsts.setdefault((name, timestamp // 1), timestamp) if kind is Kind.GAUGE else timestamp
        kept.append(first == timestamp)
        if first != timestamp:
            refusals.add(Reason.FASTER, f"{name} {value!r} {timestamp!r}")
    if refusals:
        columns: tuple[list[Any], ...] = samples
        samples = Samples(*(list(compress(column, kept)) for column in columns))
    return Parsed(samples, refusals)


class UnreadableBody(ValueError):
    """Nothing of a request can be used."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason


class Gauges:
    """Gathers the samples of a request that all are gauges."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._names: list[str] = []
        self._timestamps: list[float] = []
        self._values: list[float] = []

    def add(self, name: str, timestamp: float, value: float) -> None:
        """Add a sample that is checked. Raises UnreadableBody: more than `most`."""
        self._names.append(name)
        self._timestamps.append(timestamp)
        self._values.append(value + 0.0)  # -0.0 becomes 0.0: SQLite does not tell them apart
        if len(self._names) > self._most:
            raise UnreadableBody(Reason.TOO_MANY)

    def samples(self) -> Samples:
        """Return what was added."""
        return Samples.gauges(self._names, self._timestamps, self._values)


def shortened(record: str | bytes, most: int = MAX_EXAMPLE) -> str:
    """Return a record, cut in the middle where it is long: what stands at its end, as a value and a time, is seen."""
    if isinstance(record, bytes):
        record = (record[:most] + record[most:][-most:]).decode(errors="backslashreplace")
    half = (most - 1) // 2
    return record if len(record) <= most else f"{record[:half]}…{record[-half:]}"


def check_value(value: float) -> Reason | None:
    """Return why a value is refused."""
    return None if -LARGEST <= value <= LARGEST else Reason.NOT_FINITE


def check_timestamp(timestamp: float) -> Reason | None:
    """Return why a time in seconds is refused."""
    return None if EARLIEST <= timestamp < LATEST + 1 else Reason.TIMESTAMP_RANGE


def read_number(text: str, reason: Reason) -> float:
    """Return a decimal number. Raises BadSample with the reason where the text is none."""
    try:
        return foreign.number(text)
    except ValueError:
        raise BadSample(reason) from None


def in_seconds(ticks: int, per_second: int) -> float:
    """Return a time in seconds, with its fraction, but never rounded up to the next second."""
    whole, rest = divmod(ticks, per_second)
    return whole + min(rest / per_second, 0.999999) if rest else float(whole)
