"""What StatsD records become, at the end of each interval.

| Record | Samples |
|---|---|
| counter | `name`: what happened per second; 0 while nothing does, for `IDLE` intervals. `name.count`: how often, if wanted |
| gauge | `name`: the last value, again for at most `IDLE` intervals |
| timer | `name.mean` and so on, the statistics that are wanted; of idle ones only how many there were, 0, for `IDLE` intervals |
| set | `name.count`: different members |

Percentiles, names and statistics are those of StatsD: docs/metric_types.md and docs/namespacing.md of statsd/statsd.

What a process has gathered of an interval is lost when it ends before the interval does.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from htmengine.doors.reasons import MAX_NAME, Reason
from htmengine.doors.samples import Refusals, Samples, check_value
from htmengine.doors.statsd import COUNTER, GAUGE, SET, TIMER, Record

IDLE: Final = 10
"""Intervals; what says nothing for longer is given up, so that a dead sender does not look healthy."""
MAX_NAMES: Final = 100_000
MAX_KEPT: Final = 10_000
"""Values of a timer and members of a set that are kept of an interval; of more values each is kept as likely."""
STATISTICS: Final = (
    *("count", "count_ps", "sum", "sum_squares", "lower", "upper", "mean", "median", "std"),
    *("count_p", "sum_p", "sum_squares_p", "mean_p", "upper_p"),
)
"""Of a timer; `_p` stands for each percentile."""


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """Which samples are made, and their names."""

    timers: tuple[str, ...] = ("count_ps", "mean", "upper_p", "upper")
    """Of `STATISTICS`."""
    percentiles: tuple[float, ...] = (90.0,)
    """Above 0 and up to 100; below 0, those of the largest: of -10, `lower_top10`."""
    counts: bool = False
    """Of counters also `name.count`, what happened in the interval."""
    prefix: str = ""
    """Begins all names."""
    legacy_names: bool = False
    """Names as StatsD's own `legacyNamespace` gives them: `stats.timers.name.mean`, and `stats_counts.name`."""


class _Gathered(Protocol):
    """What was gathered of a name and an interval."""

    def add(self, record: Record) -> None: ...

    def samples(self, interval_s: float, series: Series, *, idle: bool) -> dict[str, float]:
        """Return values by the ending of the name, and begin the next interval. `idle`: nothing was added."""
        ...


class Aggregation:
    """Gathers records; bounded in what it holds."""

    def __init__(
        self, interval_s: float, series: Series | None = None, *, seed: int = 0, max_names: int = MAX_NAMES
    ) -> None:
        self._interval_s = interval_s
        self._series = series or Series()
        self._max_names = max_names
        self._random = random.Random(seed)
        self._gathered: dict[tuple[str, str], _Gathered] = {}
        self._idle: dict[tuple[str, str], int] = {}
        """Intervals since something came, of names and kinds; 0: in this one."""

    def add(self, records: list[Record], samples: Samples, refusals: Refusals) -> None:
        """Take records; those with a time of their own become samples at once."""
        for record in records:
            if record.timestamp is not None:
                name = self._name(record.name, record.kind, "")
                if len(name) > MAX_NAME:
                    refusals.add(Reason.LONG_NAME, name)
                else:
                    samples.add(name, record.timestamp, record.value)
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

    def flush(self, end: float, refusals: Refusals) -> Samples:
        """Return the samples of the interval that ends at `end`, in seconds since the epoch, and begin the next."""
        samples = Samples.empty()
        for key, gathered in list(self._gathered.items()):
            idle = self._idle[key]
            if idle > IDLE:
                del self._gathered[key], self._idle[key]
                continue
            for ending, value in gathered.samples(self._interval_s, self._series, idle=idle > 0).items():
                name = self._name(*key, ending)
                if reason := check_value(value) or (Reason.LONG_NAME if len(name) > MAX_NAME else None):
                    refusals.add(reason, f"{name} {value!r}")
                else:
                    samples.add(name, end, value + 0.0)
            self._idle[key] = idle + 1
        return samples

    def _name(self, name: str, kind: str, ending: str) -> str:
        base, semicolon, tags = name.partition(";")
        series = self._series
        if series.legacy_names:
            of_kind = "stats_counts." if kind == COUNTER and ending else _LEGACY[kind]
            base, ending = of_kind + base, "" if kind == COUNTER else ending
        return f"{series.prefix}{base}{ending}{semicolon}{tags}"

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

    def samples(self, interval_s: float, series: Series, *, idle: bool) -> dict[str, float]:
        found, self._sum = self._sum, 0.0
        counts = {".count": found} if series.counts or series.legacy_names else {}
        return {"": found / interval_s, **counts}


class _Gauge:
    def __init__(self) -> None:
        self._value = 0.0

    def add(self, record: Record) -> None:
        self._value = self._value + record.value if record.relative else record.value

    def samples(self, interval_s: float, series: Series, *, idle: bool) -> dict[str, float]:
        return {"": self._value}


class _Set:
    def __init__(self) -> None:
        self._members: set[str] = set()

    def add(self, record: Record) -> None:
        if len(self._members) < MAX_KEPT:
            self._members.add(record.member)

    def samples(self, interval_s: float, series: Series, *, idle: bool) -> dict[str, float]:
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
        self._sum = self._squares = 0.0
        self._lower, self._upper = math.inf, -math.inf

    def add(self, record: Record) -> None:
        self._values += 1
        self._count += 1 / record.rate
        self._sum += record.value
        self._squares += record.value * record.value
        self._lower = min(self._lower, record.value)
        self._upper = max(self._upper, record.value)
        if len(self._kept) < MAX_KEPT:
            self._kept.append(record.value)
        elif (place := self._random.randrange(self._values)) < MAX_KEPT:
            self._kept[place] = record.value

    def samples(self, interval_s: float, series: Series, *, idle: bool) -> dict[str, float]:
        found = {"count": self._count, "count_ps": self._count / interval_s}
        if not idle:
            kept, mean = sorted(self._kept), self._sum / self._values
            middle = len(kept) // 2
            found |= {
                "sum": self._sum,
                "sum_squares": self._squares,
                "lower": self._lower,
                "upper": self._upper,
                "mean": mean,
                "median": kept[middle] if len(kept) % 2 else (kept[middle - 1] + kept[middle]) / 2,
                "std": math.sqrt(sum((value - mean) ** 2 for value in kept) / len(kept)),
            }
            for percentile in series.percentiles:
                found |= self._beyond(kept, percentile)
        self._begin()
        return {
            f".{name}": found[name]
            for statistic in series.timers
            for name in _names_of(statistic, series.percentiles)
            if name in found
        }

    def _beyond(self, kept: list[float], percentile: float) -> dict[str, float]:
        """Return the statistics of the smallest values, up to a percentile, or of the largest."""
        share = abs(percentile) / 100
        count = len(kept) if len(kept) == 1 else _rounded(share * len(kept))
        if not count:
            return {}
        chosen = kept[:count] if percentile > 0 else kept[-count:]
        # Those that are kept stand for all.
        whole = count if len(kept) == self._values else _rounded(share * self._values)
        found = {
            "count_p": float(whole),
            "sum_p": sum(chosen) * whole / count,
            "sum_squares_p": sum(value * value for value in chosen) * whole / count,
            "mean_p": sum(chosen) / count,
            "upper_p": chosen[-1] if percentile > 0 else chosen[0],
        }
        return {_name_of(statistic, percentile): value for statistic, value in found.items()}


_LEGACY: Final = {COUNTER: "stats.", GAUGE: "stats.gauges.", TIMER: "stats.timers.", SET: "stats.sets."}


def _rounded(number: float) -> int:
    return math.floor(number + 0.5)


def _names_of(statistic: str, percentiles: Sequence[float]) -> list[str]:
    if not statistic.endswith("_p"):
        return [statistic]
    return [_name_of(statistic, percentile) for percentile in percentiles]


def _name_of(statistic: str, percentile: float) -> str:
    """Return the name of a statistic of a percentile: `upper_99_9`, `lower_top10`."""
    stem = statistic.removesuffix("p")
    if percentile < 0:
        stem = "lower_top" if stem == "upper_" else f"{stem}top"
    return stem + f"{abs(percentile):g}".replace(".", "_")
