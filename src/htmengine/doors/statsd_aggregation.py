"""What StatsD records become, at the end of each interval.

| Record | Samples |
|---|---|
| counter | `name`: what happened per second; 0 while nothing does, for `IDLE` intervals |
| gauge | `name`: the last value, again for at most `IDLE` intervals |
| timer | `name.count_ps`, `.mean`, `.upper_90` and `.upper`; of idle ones only `.count_ps`, 0, for `IDLE` intervals |
| set | `name.count`: different members |

What a process has gathered of an interval is lost when it ends before the interval does.
"""

from __future__ import annotations

import math
import random
from typing import Final, Protocol

from htmengine.doors.reasons import MAX_NAME, Reason
from htmengine.doors.samples import Refusals, Samples, check_value
from htmengine.doors.statsd import COUNTER, GAUGE, SET, Record

IDLE: Final = 10
"""Intervals; what says nothing for longer is given up, so that a dead sender does not look healthy."""
MAX_NAMES: Final = 100_000
MAX_KEPT: Final = 10_000
"""Values of a timer and members of a set that are kept of an interval; of more values each is kept as likely."""
PERCENTILE: Final = 90


class _Gathered(Protocol):
    """What was gathered of a name and an interval."""

    def add(self, record: Record) -> None: ...

    def samples(self, interval_s: float, *, idle: bool) -> dict[str, float]:
        """Return values by the ending of the name, and begin the next interval. `idle`: nothing was added."""
        ...


class Aggregation:
    """Gathers records; bounded in what it holds."""

    def __init__(self, interval_s: float, *, seed: int = 0, max_names: int = MAX_NAMES) -> None:
        self._interval_s = interval_s
        self._max_names = max_names
        self._random = random.Random(seed)
        self._gathered: dict[tuple[str, str], _Gathered] = {}
        self._idle: dict[tuple[str, str], int] = {}
        """Intervals since something came, of names and kinds; 0: in this one."""

    def add(self, records: list[Record], samples: Samples, refusals: Refusals) -> None:
        """Take records; those with a time of their own become samples at once."""
        for record in records:
            if record.timestamp is not None:
                samples.add(record.name, record.timestamp, record.value)
                continue
            key = record.name, record.kind
            gathered = self._gathered.get(key)
            if gathered is None:
                if len(self._gathered) >= self._max_names:
                    refusals.add(Reason.MANY_NAMES, record.name)
                    continue
                gathered = self._gathered[key] = self._new(record.kind)
            gathered.add(record)
            self._idle[key] = 0

    def flush(self, end: float) -> Samples:
        """Return the samples of the interval that ends at `end`, in seconds since the epoch, and begin the next."""
        samples = Samples.empty()
        for key, gathered in list(self._gathered.items()):
            name, _ = key
            idle = self._idle[key]
            if idle > IDLE:
                del self._gathered[key], self._idle[key]
                continue
            base, semicolon, tags = name.partition(";")
            for ending, value in gathered.samples(self._interval_s, idle=idle > 0).items():
                whole = f"{base}{ending}{semicolon}{tags}"
                if len(whole) <= MAX_NAME and check_value(value) is None:
                    samples.add(whole, end, value + 0.0)
            self._idle[key] = idle + 1
        return samples

    def _new(self, kind: str) -> _Gathered:
        if kind == COUNTER:
            return _Counter()
        if kind == GAUGE:
            return _Gauge()
        return _Set() if kind == SET else _Timer(self._random)


class _Counter:
    def __init__(self) -> None:
        self._sum = 0.0

    def add(self, record: Record) -> None:
        self._sum += record.value / record.rate

    def samples(self, interval_s: float, *, idle: bool) -> dict[str, float]:
        found, self._sum = self._sum / interval_s, 0.0
        return {"": found}


class _Gauge:
    def __init__(self) -> None:
        self._value = 0.0

    def add(self, record: Record) -> None:
        self._value = self._value + record.value if record.relative else record.value

    def samples(self, interval_s: float, *, idle: bool) -> dict[str, float]:
        return {"": self._value}


class _Set:
    def __init__(self) -> None:
        self._members: set[str] = set()

    def add(self, record: Record) -> None:
        if len(self._members) < MAX_KEPT:
            self._members.add(record.member)

    def samples(self, interval_s: float, *, idle: bool) -> dict[str, float]:
        found, self._members = len(self._members), set()
        return {} if idle else {".count": float(found)}


class _Timer:
    def __init__(self, random: random.Random) -> None:
        self._random = random
        self._begin()

    def _begin(self) -> None:
        self._kept: list[float] = []
        self._values = 0
        self._count = 0.0
        self._sum = 0.0
        self._upper = -math.inf

    def add(self, record: Record) -> None:
        self._values += 1
        self._count += 1 / record.rate
        self._sum += record.value
        self._upper = max(self._upper, record.value)
        if len(self._kept) < MAX_KEPT:
            self._kept.append(record.value)
        elif (place := self._random.randrange(self._values)) < MAX_KEPT:
            self._kept[place] = record.value

    def samples(self, interval_s: float, *, idle: bool) -> dict[str, float]:
        found = {".count_ps": self._count / interval_s}
        if not idle:
            kept = sorted(self._kept)
            place = max(math.floor(PERCENTILE / 100 * len(kept) + 0.5), 1)
            found[".mean"] = self._sum / self._values
            found[f".upper_{PERCENTILE}"] = kept[place - 1]
            found[".upper"] = self._upper
        self._begin()
        return found
