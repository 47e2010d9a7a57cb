"""Samples that wait: for the end of their interval, of which one row is made, and for others that come late.

What is decided depends on samples alone, in the order in which they come, and on what was decided before; no clock is
read. An interval is over when a sample of the metric comes that lies so far behind it as the delay says, or when its end
is told, which is itself a message in the order of samples. Samples that wait are kept one by one, so that one that is
delivered again is known.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from htmengine.bus import Outgoing
from htmengine.doors.reasons import Reason
from htmengine.doors.samples import Refusals, check_value
from htmengine.messages import MetricLines, encode_json
from htmengine.repository.chunks import in_chunks
from htmengine.repository.gathered_samples import Gathered, Span
from htmengine.runtime.metric_storer.monitor_rules import Aggregation, Gathering
from htmengine.runtime.metric_storer.numbering import NewSamples

CLOSINGS: Final = "closings"
"""The protocol of a message that says which intervals are over."""
CLOSINGS_BATCH_SIZE: Final = 1000
"""Metrics of which one message says that an interval is over."""
AT_ONCE: Final = Gathering()
"""Of metrics whose rule gathers no more: what waits becomes rows with the next sample."""

_AGGREGATES: Final[Mapping[Aggregation, Callable[[list[float]], float]]] = {
    "mean": lambda values: math.fsum(values) / len(values),
    "sum": math.fsum,
    "min": min,
    "max": max,
    "last": lambda values: values[-1],
    "count": lambda values: float(len(values)),
}
"""Of the values of an interval, by time, those of one second in the order in which they came."""


def stamp(timestamp: int, rule: Gathering) -> int:
    """Return the time of the row that a sample becomes part of: the end of its interval, or its own."""
    if not rule.interval_s:
        return timestamp
    return (timestamp // rule.interval_s + 1) * rule.interval_s


class Closing(NamedTuple):
    """Nothing more comes of what lies before a time."""

    name: str
    until: int

    def line(self) -> str:
        """Return it as it stands in a message."""
        return f"{self.name} {self.until}"


def parse_closings(lines: Iterable[str], refusals: Refusals) -> list[Closing]:
    """Return what lines say that `Closing.line` made."""
    found = []
    for line in lines:
        name, _, until = line.rpartition(" ")
        try:
            found.append(Closing(name, int(until)))
        except ValueError:
            refusals.add(Reason.SYNTAX, line)
    return found


def closing_messages(closings: Iterable[Closing], queue_of: Callable[[str], str]) -> list[Outgoing]:
    """Return messages with closings, each to the queue of its metric."""
    by_queue: defaultdict[str, list[Closing]] = defaultdict(list)
    for closing in closings:
        by_queue[queue_of(closing.name)].append(closing)
    return [
        Outgoing(queue, encode_json(MetricLines(protocol=CLOSINGS, data=[one.line() for one in some])))
        for queue, own in by_queue.items()
        for some in in_chunks(own, CLOSINGS_BATCH_SIZE)
    ]


class Part(NamedTuple):
    """What is known of a metric's samples of which not all that wait are read."""

    waits: Span
    """The times between which samples wait."""
    newest: int
    """The newest time of these and of the samples that come."""

    def read_until(self, rule: Gathering) -> int:
        """Return up to which time samples must be read: those that can become rows are not newer."""
        until = self.newest - rule.delay_s
        return until // rule.interval_s * rule.interval_s - 1 if rule.interval_s else until


class _Metric:
    """What waits of a metric."""

    __slots__ = ("first", "known", "newest", "part", "rule", "tail", "waiting")

    def __init__(
        self, waiting: Iterable[Gathered], tail: int | None, rule: Gathering, part: Part | None
    ) -> None:
        self.waiting = list(waiting)
        """In the order in which it came; of a part without those that can neither become rows nor come again."""
        self.tail = tail
        self.rule = rule
        self.part = part
        self.known = {(sample.source, sample.timestamp) for sample in self.waiting}
        self.newest: int | None = None
        self.first: int | None = None
        """The first row that is to be made; of a part it may be a later one."""
        if part:
            self.newest, self.first = part.waits.newest, stamp(part.waits.first, rule)
        elif self.waiting:
            times = [sample.timestamp for sample in self.waiting]
            self.newest, self.first = max(times), stamp(min(times), rule)


class Gatherer:
    """Takes samples of a transaction in their order, and gives rows.

    Parameters
    ----------
    waiting : what waits of each metric that has a sample here, in the order in which it came.
    parts : what is known of metrics of which `waiting` has only what may become rows here, `Part.read_until`, and what is as
        late as the first sample that comes.
    tails : the time of each metric's newest row, None where there is none.
    rule_of : returns how a metric's samples are gathered.
    """

    def __init__(
        self,
        waiting: Mapping[str, Iterable[Gathered]],
        tails: Mapping[str, int | None],
        rule_of: Callable[[str], Gathering],
        refusals: Refusals,
        parts: Mapping[str, Part] | None = None,
    ) -> None:
        self._before = waiting
        self._parts = parts or {}
        self._tails = tails
        self._rule_of = rule_of
        self._refusals = refusals
        self._metrics: dict[str, _Metric] = {}
        self.rows = NewSamples([], [], [])
        """In the order in which they are to be numbered, until they are taken."""
        self.done: list[int] = []
        """Ids of samples that waited before, and do not any more."""

    def add(self, name: str, source: str, timestamp: int, value: float) -> None:
        """Take a sample; `source` is the name that it was sent under."""
        metric = self._of(name)
        if reason := self._refused(metric, source, timestamp):
            self._refusals.add(reason, f"{name} {value!r} {timestamp}")
            return
        metric.waiting.append(Gathered(None, name, source, timestamp, value))
        metric.known.add((source, timestamp))
        own = stamp(timestamp, metric.rule)
        metric.first = own if metric.first is None else min(metric.first, own)
        metric.newest = timestamp if metric.newest is None else max(metric.newest, timestamp)
        self._release(name, metric, metric.newest - metric.rule.delay_s)

    def take(self) -> NewSamples:
        """Return the rows that were made since the last time."""
        rows, self.rows = self.rows, NewSamples([], [], [])
        return rows

    def close(self, closing: Closing) -> None:
        """Make rows of what lies before a time."""
        self._release(closing.name, self._of(closing.name), closing.until)

    @property
    def added(self) -> list[Gathered]:
        """Samples that came now and wait."""
        return [sample for metric in self._metrics.values() for sample in metric.waiting if sample.id is None]

    @property
    def waiting(self) -> dict[str, int | None]:
        """Of the metrics that had a sample or a closing here, the last row that is to be made; None where nothing waits."""
        return {
            name: None if metric.newest is None else stamp(metric.newest, metric.rule)
            for name, metric in self._metrics.items()
        }

    def _of(self, name: str) -> _Metric:
        if name not in self._metrics:
            self._metrics[name] = _Metric(
                self._before.get(name, ()), self._tails.get(name), self._rule_of(name), self._parts.get(name)
            )
        return self._metrics[name]

    @staticmethod
    def _refused(metric: _Metric, source: str, timestamp: int) -> Reason | None:
        if (source, timestamp) in metric.known:
            return Reason.DUPLICATE
        if metric.tail is None or stamp(timestamp, metric.rule) > metric.tail:
            return None
        is_same = not metric.rule.interval_s and timestamp == metric.tail
        return Reason.DUPLICATE if is_same else Reason.LATE

    def _release(self, name: str, metric: _Metric, until: int) -> None:
        """Make rows of a metric up to a time."""
        if metric.first is None or metric.first > until:
            return
        if metric.part and until > metric.part.newest - metric.rule.delay_s:
            raise RuntimeError(f"rows of {name} are made of a part of what waits")
        rows: dict[int, list[Gathered]] = {}
        left = []
        for sample in metric.waiting:
            own = stamp(sample.timestamp, metric.rule)
            if own <= until:
                rows.setdefault(own, []).append(sample)
            else:
                left.append(sample)
        metric.waiting = left
        metric.known = {(sample.source, sample.timestamp) for sample in left}
        if metric.newest is None or stamp(metric.newest, metric.rule) <= until:
            metric.newest = metric.first = None
        elif metric.part:
            metric.first = until + 1  # or later
        else:
            metric.first = stamp(min(sample.timestamp for sample in left), metric.rule)
        for time, samples in sorted(rows.items()):
            self.done += [sample.id for sample in samples if sample.id is not None]
            self._make(name, metric, time, sorted(samples, key=lambda sample: sample.timestamp))

    def _make(self, name: str, metric: _Metric, time: int, samples: list[Gathered]) -> None:
        rule = metric.rule
        if rule.interval_s:
            try:
                values = [_AGGREGATES[rule.aggregation]([sample.value for sample in samples])]
            except OverflowError:
                values = [math.inf]
        else:
            values = [
                sample.value for sample in samples
            ]  # of one second; which of them stays is decided by numbers
        for value in values:
            if reason := check_value(value):
                self._refusals.add(reason, f"{name} {value!r} {time}")
                continue
            self.rows.names.append(name)
            self.rows.timestamps.append(time)
            self.rows.values.append(value + 0.0)
            metric.tail = time
