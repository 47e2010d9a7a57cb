"""Samples that wait in the repository before they become rows: which are read for a transaction, and which are overdue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import NamedTuple

from sqlalchemy import Connection

from htmengine.doors.samples import Refusals
from htmengine.messages import Backfill
from htmengine.repository import gathered_samples
from htmengine.repository.gathered_samples import Gathered
from htmengine.repository.metrics import MetricState
from htmengine.runtime.metric_storer.backfill import Batch
from htmengine.runtime.metric_storer.gathering import AT_ONCE, Closing, Gatherer, Part, stamp
from htmengine.runtime.metric_storer.intake import Intake
from htmengine.runtime.metric_storer.monitor_rules import Gathering
from htmengine.runtime.metric_storer.numbering import NewSamples


class Arrived(NamedTuple):
    """What a message brings."""

    samples: NewSamples
    """Under the names as sent."""
    backfill: Backfill | None = None
    closings: Sequence[Closing] = ()


class _Waiting(NamedTuple):
    """A metric of which samples wait."""

    until: int
    """The last row that is to be made of them."""
    heard_at: float
    """When the last of them came, by a clock that only grows."""


class WaitingSamples:
    """Knows of which metrics samples wait.

    Parameters
    ----------
    intake : says by which name and how samples wait.
    timer : seconds that only grow.
    """

    def __init__(self, intake: Intake, timer: Callable[[], float]) -> None:
        self._intake = intake
        self._timer = timer
        self._metrics: dict[str, _Waiting] = {}

    def of(self, arrived: Iterable[Arrived]) -> set[str]:
        """Return the metrics whose samples wait before they become rows, or have waited so far."""
        found: set[str] = set()
        for one in arrived:
            found.update(closing.name for closing in one.closings)
            if one.backfill or not (self._intake.gathers or self._metrics):
                continue
            for sent in set(one.samples.names):
                name = self._intake.name(sent)
                if name in self._metrics or self._intake.gathering(sent):
                    found.add(name)
        return found

    def gather(
        self,
        conn: Connection,
        arrived: Iterable[Arrived],
        states: Mapping[str, MetricState],
        names: Set[str],
        refusals: Refusals,
    ) -> tuple[list[Batch], Mapping[str, int | None]]:
        """Let samples of these metrics wait; return what becomes rows now, and the last row that each is to get."""
        rules = {name: self._rule_of(name) for name in names}
        waiting, parts = self._read(conn, arrived, rules)
        gatherer = Gatherer(
            waiting,
            {name: state.tail_timestamp for name, state in states.items()},
            rules.__getitem__,
            refusals,
            parts,
        )
        batches = []
        for one in arrived:
            if one.backfill:
                batches.append(Batch(one.samples, one.backfill))
                continue
            now = NewSamples([], [], [])
            for sent, timestamp, value in zip(*one.samples, strict=True):
                name = self._intake.name(sent)
                if name in names:
                    gatherer.add(name, sent, timestamp, value)
                else:
                    now.names.append(name)
                    now.timestamps.append(timestamp)
                    now.values.append(value)
            for closing in one.closings:
                gatherer.close(closing)
            batches += [Batch(now, None), Batch(gatherer.take(), None)]
        gathered_samples.remove(conn, gatherer.done)
        gathered_samples.store(conn, gatherer.added)
        return batches, gatherer.waiting

    def _read(
        self, conn: Connection, arrived: Iterable[Arrived], rules: Mapping[str, Gathering]
    ) -> tuple[dict[str, list[Gathered]], dict[str, Part]]:
        """Return what waits of these metrics, and of which of them it is a part.

        What can neither become rows now nor come again is not read with each sample that comes.
        """
        newest: dict[str, int] = {}
        first: dict[str, int] = {}
        closed: set[str] = set()
        for one in arrived:
            closed.update(closing.name for closing in one.closings)
            if one.backfill:
                continue
            for sent, timestamp in zip(one.samples.names, one.samples.timestamps, strict=True):
                name = self._intake.name(sent)
                if name not in rules:
                    continue
                before = newest.get(name)
                if before is None:
                    newest[name] = first[name] = timestamp
                elif timestamp > before:
                    newest[name] = timestamp
                elif timestamp < first[name]:
                    first[name] = timestamp
        came = newest.keys() - closed
        waits = gathered_samples.spans(conn, sorted(came))
        parts = {name: Part(span, max(span.newest, newest[name])) for name, span in waits.items()}
        waiting = gathered_samples.read(conn, sorted(rules.keys() - came))
        if parts:
            until = max(part.read_until(rules[name]) for name, part in parts.items())
            since = min(first[name] for name in parts)
            waiting |= gathered_samples.read(conn, sorted(parts), (until, since))
        return waiting, parts

    def note(self, waiting: Mapping[str, int | None]) -> None:
        """Remember the last row that is to be made of each metric; None where nothing waits any more."""
        now = self._timer()
        for name, until in waiting.items():
            if until is None:
                self._metrics.pop(name, None)
            else:
                self._metrics[name] = _Waiting(until, now)

    def see(self, conn: Connection) -> None:
        """Find out what waits: at the start, when others stored, and when the last attempt ended in an error."""
        until = {
            name: stamp(time, self._rule_of(name)) for name, time in gathered_samples.newest(conn).items()
        }
        # Of what did not change, it stays known when that was heard of last.
        self._metrics = {
            name: waiting for name, waiting in self._metrics.items() if until.get(name) == waiting.until
        }
        self.note({name: row for name, row in until.items() if name not in self._metrics})

    def overdue(self, clock: float) -> list[Closing]:
        """Return the intervals whose metric has gone silent, by a clock of seconds since the epoch.

        Their ends are to be told behind everything that is on its way; each is returned again later, as it may be lost.
        """
        now = self._timer()
        over = []
        for name, waiting in self._metrics.items():
            rule = self._rule_of(name)
            is_silent = now - waiting.heard_at >= rule.interval_s + rule.delay_s
            if is_silent and clock >= waiting.until + rule.delay_s:
                over.append(Closing(name, waiting.until))
        for closing in over:
            self._metrics[closing.name] = _Waiting(closing.until, now)
        return over

    def _rule_of(self, name: str) -> Gathering:
        return self._intake.gathering_of(name) or AT_ONCE
