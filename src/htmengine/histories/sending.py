"""Sends the histories of a source, metric by metric; meanwhile live samples of the metric wait.

A metric's history begins behind its newest row, so that what broke off goes on where it was. Running totals become rates
here, as the storer makes them of live ones; the last total follows, so that the first live one gives a rate, too.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from math import isfinite
from typing import Final, NamedTuple

from htmengine.admin import backfill
from htmengine.doors import queue_lines
from htmengine.doors.samples import Kind, Refusals, Samples
from htmengine.errors import ExplainedError
from htmengine.histories.source import Origin, Points, Source
from htmengine.repository import overview
from htmengine.repository.running_totals import Total
from htmengine.runtime.metric_storer import rates
from htmengine.service.context import Context
from htmengine.service.lines import publish_lines

NOT_FINITE: Final = "no value"
SAME_SECOND: Final = "another one is of the same second"
FIRST_OF_COUNTER: Final = "the first of a counter, which has no rate"


class Sent(NamedTuple):
    """What became of one metric."""

    name: str
    samples: int
    since: float | None
    """It had rows up to this time, in seconds since the epoch, and only later ones were sent; None for none."""
    last: int | None
    """Second of the newest sample that was sent."""
    left_out: Counter[str]
    """Samples that were not sent, by reason."""
    error: ExplainedError | None = None
    """The source could not be read to the end."""


def send(
    context: Context,
    source: Source,
    since: float,
    until: float | None,
    *,
    prefix: str = "",
    before: Callable[[str], None] = lambda _: None,
    show: Callable[[str, int], None] = lambda _name, _samples: None,
    clock: Callable[[], float] = time.time,
) -> Iterator[Sent]:
    """Send every history of a source and yield what became of each. Raises what the list of series raises.

    Parameters
    ----------
    since, until : the time that is sent, in seconds since the epoch; `until` None: up to when a metric's turn comes, so
        that what comes in live follows without a gap.
    prefix : of all names.
    before : called with the name of each metric before its first sample is sent.
    show : told while samples of a metric are sent how many were.
    """
    done: set[str] = set()
    for origin in source.series(since, clock() if until is None else until):
        if prefix:
            origin = origin._replace(name=f"{prefix}{origin.name}")
        if origin.name in done or context.stop.is_set():
            continue
        done.add(origin.name)
        before(origin.name)
        yield _send_one(context, source, origin, since, until, show, clock)


def _send_one(
    context: Context,
    source: Source,
    origin: Origin,
    since: float,
    until: float | None,
    show: Callable[[str, int], None],
    clock: Callable[[], float],
) -> Sent:
    name = origin.name
    sent, last = 0, None
    made = _Samples(origin)
    with backfill.begun(context, name) as publish:
        with context.database.read() as conn:
            state = overview.metric(conn, name)
        tail = state.tail_timestamp if state else None
        begin = since
        if tail is not None:
            # The running total of the newest row is needed for the rate of the next; the row itself is not sent again.
            begin = max(since, float(tail) if origin.kind is Kind.COUNTER else tail + 1.0)
        error = None
        try:
            for points in source.points(origin, begin, clock() if until is None else until):
                seconds, values = made.of(points, tail)
                for _ in backfill.sent(name, seconds, values, publish):
                    pass
                sent += len(seconds)
                last = seconds[-1] if seconds else last
                show(name, sent)
        except ExplainedError as failure:
            error = failure
        if total := made.last_total():
            for protocol, lines in queue_lines.written(total).items():
                publish_lines(context, lines, protocol=protocol)
    return Sent(name, sent, tail, last, made.left_out, error)


class _Samples:
    """Makes samples of the points of a series: one a second, finite, rates of running totals."""

    def __init__(self, origin: Origin) -> None:
        self.left_out: Counter[str] = Counter()
        self._origin = origin
        self._known: dict[str, Total] = {}
        self._second: int | None = None

    def of(self, points: Points, tail: int | None) -> tuple[list[int], list[float]]:
        """Return the seconds and values of the samples behind a metric's newest row."""
        known = [(moment, value) for moment, value in zip(*points, strict=True) if isfinite(value)]
        self._leave_out(NOT_FINITE, len(points.timestamps) - len(known))
        if self._origin.kind is Kind.COUNTER:
            known = self._rates(known)
        seconds: list[int] = []
        values: list[float] = []
        for moment, value in known:
            second = int(moment // 1)
            if second == self._second:
                self._leave_out(SAME_SECOND, 1)
            elif tail is None or second > tail:
                self._second = second
                seconds.append(second)
                values.append(value + 0.0)
        return seconds, values

    def last_total(self) -> Samples | None:
        """Return the newest running total."""
        total = self._known.get(self._origin.name)
        if total is None:
            return None
        samples = Samples.empty()
        samples.add(self._origin.name, total.timestamp, total.value, Kind.COUNTER)
        return samples

    def _rates(self, totals: list[tuple[float, float]]) -> list[tuple[float, float]]:
        given, refusals = Samples.empty(), Refusals()
        for moment, value in totals:
            given.add(self._origin.name, moment, value, Kind.COUNTER)
        made = rates.samples_of(given, self._known, refusals)
        self._leave_out(FIRST_OF_COUNTER, sum(refusals.counts.values()))
        return list(zip(map(float, made.timestamps), made.values, strict=True))

    def _leave_out(self, reason: str, count: int) -> None:
        if count:
            self.left_out[reason] += count
