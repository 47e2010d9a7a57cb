"""The stage of the metric storer: lines become numbered rows in the repository, and input for the models.

A sample is stored before a model hears of it. What is lost between the two is found by the sweep; what is delivered
twice is refused the second time.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from functools import cache
from itertools import compress, repeat
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection
from typing_extensions import override

from htmengine import config
from htmengine.adapters.datasource.custom import CustomAdapter
from htmengine.bus import Delivery, Outgoing, QueueStatus
from htmengine.doors.plaintext import PROTOCOL, parse_lines
from htmengine.doors.queue_lines import TOTALS, parse_totals
from htmengine.doors.reasons import Reason
from htmengine.doors.samples import Kind, Parsed, Refusals, Samples
from htmengine.exceptions import HTMEngineError
from htmengine.htm.params import ROWS_FOR_RANGE
from htmengine.messages import (
    Backfill,
    MalformedMessage,
    MetricLines,
    decode_metric_lines,
    encode_json,
    shard_of,
)
from htmengine.model_swapper.model_input import ModelInputBuilder, requests
from htmengine.repository import backfill, metrics, running_totals, samples
from htmengine.repository.database import Database
from htmengine.repository.errors import WriteConflict
from htmengine.repository.metrics import MetricState
from htmengine.repository.status import WITH_MODEL, MetricStatus
from htmengine.runtime.metric_storer import lane, new_metrics, numbering, rates, sweep
from htmengine.runtime.metric_storer.auto_monitor import MODELS_BATCH_SIZE, AutoMonitor, Models
from htmengine.runtime.metric_storer.backfill import (
    MAX_HELD,
    Batch,
    Held,
    Senders,
    partition,
    together,
)
from htmengine.runtime.metric_storer.compactor import Compactor
from htmengine.runtime.metric_storer.draining import Drain, Marker
from htmengine.runtime.metric_storer.gathering import (
    CLOSINGS,
    closing_messages,
    parse_closings,
)
from htmengine.runtime.metric_storer.intake import Intake
from htmengine.runtime.metric_storer.lane import LaneShare, NewMetricLane
from htmengine.runtime.metric_storer.monitor_rules import RulesFile
from htmengine.runtime.metric_storer.new_metrics import NewMetrics
from htmengine.runtime.metric_storer.numbering import NewSamples, whole_seconds
from htmengine.runtime.metric_storer.own_queues import OwnQueues
from htmengine.runtime.metric_storer.sent_by import SentLines, SentRefusals
from htmengine.runtime.metric_storer.waiting import Arrived, WaitingSamples
from htmengine.service.context import Context
from htmengine.service.counters import Counters
from htmengine.service.data_queues import MARKER, DataQueues, KnownQueues
from htmengine.service.fault_injection import Step, no_step
from htmengine.service.loop import Outcome, Stage, batch_size

NAME: Final = "metric_storer"
PARSERS: Final[Mapping[str, Callable[[Iterable[str]], Parsed]]] = {
    PROTOCOL: parse_lines,
    TOTALS: parse_totals,
}
"""What reads the lines of a message, by its protocol."""
MAX_MESSAGES: Final = 200
LINES_BATCH_SIZE: Final = 4000
"""So many messages are taken as have this number of lines together, going by the last ones; and a transaction ends with
the message that reaches it."""
LAGGING_BATCH_SIZE: Final = 5000
"""So many metrics are looked at together for those that lag: what comes meanwhile waits."""
LAGGING_SHARE: Final = 0.01
"""Of the time, what may go into looking for metrics that lag, where nothing is suspected."""
MAX_POLL_S: Final = 1.0
CLOCKS_DIFFER_S: Final = 60.0

log = logging.getLogger(__name__)


class _Message(NamedTuple):
    protocol: str
    sent: SentLines
    backfill: Backfill | None
    redelivered: bool


class _Stored(NamedTuple):
    rows: numbering.NumberedRows
    states: dict[str, MetricState]
    """Of the metrics, as they were before."""
    new: list[MetricState]
    waiting: Sequence[str] = ()
    """Names of the samples that wait in the lane of new metrics; and those of which none waits any more."""
    released: Sequence[str] = ()


class MetricStorer(Stage):
    """A stage: takes messages of the metric-data queue, stores their samples, feeds the models.

    Parameters
    ----------
    settings : of the storer.
    queues : the metric-data queues; the stage stores from those that are to be stored from when it is made.
    input_queue : names the model input queue of a shard; `results_queue` likewise the queue of its results.
    queues_now : returns how the bus's queues stand; `delete_queue` deletes one.
    models : starts the models of metrics that have waited for data.
    automatic : gives models to new metrics.
    clock : seconds since the epoch; only messages that do not say when they were accepted are judged by it.
    timer : seconds that only grow.
    """

    name: str = NAME

    def __init__(
        self,
        settings: config.Storer,
        *,
        queues: KnownQueues,
        input_queue: Callable[[int], str],
        results_queue: Callable[[int], str],
        queues_now: Callable[[], Sequence[QueueStatus]],
        delete_queue: Callable[[str], None],
        database: Database,
        shards: int,
        models: Models,
        automatic: AutoMonitor,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
        step: Step = no_step,
        counters: Counters | None = None,
    ) -> None:
        self.queues: Sequence[str] = queues.now.stored
        self.max_messages = 8
        self.counters = counters or Counters(clock)
        self._settings = settings
        self._data_queues = queues
        self._drain = Drain(
            queues, self.queues, timer=timer, again_s=settings.sweep_interval_s, delete=delete_queue
        )
        self._own = OwnQueues(self.queues)
        self._input_queue = input_queue
        self._results_queue = results_queue
        self._queues_now = queues_now
        self._database = database
        self._shards = shards
        self._models = models
        self._automatic = automatic
        self._intake = Intake()
        self._compactor = Compactor(database, self.counters, compress_rows=settings.compress_rows, step=step)
        self._new_metrics = NewMetrics(settings.new_series_per_minute, timer, settings.max_series)
        self._lane = NewMetricLane()
        self._share = LaneShare(timer)
        self._waiting = WaitingSamples(self._intake, timer)
        self._waiting_seen = False
        self._clock = clock
        self._timer = timer
        self._step = step
        self._sweep = sweep.Sweep(settings.sweep_interval_s)
        self._sweep_due = timer()
        self._lagging_due = -math.inf
        self._looked_to = ""
        """The metric up to which a pass over all of them has come, by uid; empty between two."""
        self._lagged_before: list[MetricState] | None = None
        """Metrics that lagged when this storer began, until they are looked at; None before it begins."""
        self._senders = Senders()
        self._clock_is_slow = False
        self._messages: list[Outgoing] = []
        """Committed and not published yet; they stay here while something that is unavailable holds `process` up."""
        self._in_doubt = False
        """The last attempt ended in an error, perhaps behind a commit: what was stored may not have been passed on."""

    @property
    @override
    def poll_interval_s(self) -> float:
        if self._new_are_waiting:
            return 0.0
        return max(0.0, min(MAX_POLL_S, self._sweep_due - self._timer(), self._drain.wait_s))

    @override
    def process(self, deliveries: Sequence[Delivery]) -> Outcome:
        """Samples that were stored before are refused, so messages may come again."""
        self._share.behind = len(deliveries) >= self.max_messages
        messages, markers, dead = self._decoded(deliveries)
        # What another storer knew of a queue's metrics stands in the repository alone.
        if not self._own.knows(deliveries):
            self._drain.require_stored(deliveries)
        if self._own.grow(deliveries) or self._in_doubt:
            self._new_metrics.share = self._own.share
            self._automatic.look_at_all()
            self._waiting_seen = False
        if not self._waiting_seen:
            self._see_waiting()
            self._waiting_seen = True
        if self._lagged_before is None:
            with self._database.read() as conn:  # what was in the memory of a process that was killed is lost
                self._lagged_before = metrics.lagging(conn)
            self._sweep.suspect(state.uid for state in self._lagged_before)
        in_doubt, self._in_doubt = self._in_doubt, True
        for some in _transactions(messages):
            self._take(some, again=in_doubt or any(message.redelivered for message in some))
        if self._new_are_waiting and self._share.is_due(came=bool(deliveries)):
            with self._share.measured():
                if self._lane:
                    self._create_some()
                self._begin_models()
        if self._sweep.suspects or self._timer() >= self._sweep_due:
            self._look_after()
        elif self._looked_to and self._timer() >= self._lagging_due:
            with self._database.read() as conn:
                self._ask_of_lagging(conn, self._queues_now(), self._timer())
        self._messages += self._drain.go_on(self._database, markers)
        best_effort, self._messages = self._messages, []
        self._in_doubt = False
        # Also when all were stored before: perhaps by one that died before it could bring them to the disk.
        secure = self._database.sync if deliveries else None
        return Outcome(best_effort=best_effort, dead_letters=dead, secure=secure)

    @override
    def settle(self) -> None:
        """Bring rows into the order of their metrics, as many as keep up with those that come."""
        self._compactor.work()

    @override
    def close(self) -> None:
        """Nothing is kept that must be saved."""

    def _decoded(
        self, deliveries: Iterable[Delivery]
    ) -> tuple[list[_Message], list[Marker], list[tuple[Delivery, str]]]:
        messages, markers, dead = [], [], []
        for delivery in deliveries:
            try:
                lines = decode_metric_lines(delivery.body)
            except MalformedMessage as error:
                dead.append((delivery, str(error)))
                continue
            if lines.protocol == MARKER:
                markers.append(Marker(delivery.queue, lines.data))
                continue
            if lines.protocol not in PARSERS and lines.protocol != CLOSINGS:
                known = " and ".join(f'"{protocol}"' for protocol in PARSERS)
                dead.append((delivery, f'the protocol "{lines.protocol}" is not known; {known} are'))
                continue
            sent = SentLines(lines.data, lines.door, lines.peers, self._accepted_at(lines.accepted_at))
            messages.append(_Message(lines.protocol, sent, lines.backfill, delivery.deliveries > 1))
        self.counters.add("messages", len(messages))
        if lines_taken := sum(len(message.sent.lines) for message in messages):
            self.max_messages = batch_size(
                wanted=LINES_BATCH_SIZE, rows=lines_taken, messages=len(messages), least=1, most=MAX_MESSAGES
            )
        return messages, markers, dead

    def _accepted_at(self, said: float | None) -> float:
        """Return when a message was accepted: as it says itself, or else now."""
        now = self._clock()
        if said is None:
            return now
        if said - now > CLOCKS_DIFFER_S and not self._clock_is_slow:
            self._clock_is_slow = True  # said once: nothing depends on it
            log.warning(
                "%s.clock_is_slow by_s=%.0f: this machine's clock, against that of the machine that accepted samples",
                NAME,
                said - now,
            )
        return said

    # -- Storing

    def _take(self, messages: Sequence[_Message], *, again: bool) -> None:
        """Store what these messages bring, in one transaction, and put it among the messages for the models.

        `again`: it may have been stored before, and not been passed on.
        """
        arrived: list[Arrived] = []
        totals: dict[int, Samples] = {}
        """Which of them have running totals, by their places: what these give is known in the transaction."""
        refusals = SentRefusals(self._intake.sources)
        self._intake.use(self._automatic.rules)
        for message in messages:
            sent = message.sent
            if message.protocol == CLOSINGS:
                closings = parse_closings(sent.lines, refusals)
                arrived.append(Arrived(NewSamples([], [], []), closings=closings))
                continue
            given, unreadable = PARSERS[message.protocol](sent.lines)
            refusals.unreadable(unreadable, sent)
            refusals.arrived(sent)
            given = _not_future(given, int(sent.accepted_at) + self._settings.max_future_s, refusals)
            if not message.backfill:
                given = self._intake.taken(given, refusals)
                if any(given.kinds):
                    totals[len(arrived)] = given
            arrived.append(Arrived(whole_seconds(given), message.backfill))
        held, stored = self._committed(arrived, totals, refusals)
        self._step(f"{NAME}.committed")
        self.counters.add("lines", sum(len(message.sent.lines) for message in messages))
        self.counters.add("samples_held", held)
        self._pass_on(stored, refusals)
        if again:
            self._sweep.suspect(state.uid for state in stored.states.values())

    def _committed(
        self, arrived: list[Arrived], totals: Mapping[int, Samples], refusals: Refusals
    ) -> tuple[int, _Stored]:
        """Store samples in one transaction; return how many of them wait for the end of a backfill, and the others.

        Writers take turns. Usually what the samples become is worked out before ours: the statement that moves the
        metrics verifies where they stood.
        """
        gathered = self._waiting.of(arrived)
        if not (totals or gathered):
            planned = self._plan_optimistically(self._batches(arrived))
            if planned:
                with suppress(WriteConflict):
                    if planned.rows.uids:
                        with self._database.write() as conn:
                            insert(conn, planned.rows)
                    return 0, planned
        admitted: int | None = 0
        with self._database.write() as conn:
            if self._new_metrics.limited:
                admitted, totals = self._admit(conn, arrived, totals, refusals)
                gathered = self._waiting.of(arrived)
            for place, columns in _rates(conn, totals, refusals).items():
                arrived[place] = Arrived(columns)
            waiting: Mapping[str, int | None] = {}
            before: Mapping[str, MetricState] = {}
            if gathered:
                before = metrics.states_by_name(conn, sorted(gathered))
                batches, waiting = self._waiting.gather(conn, arrived, before, gathered, refusals)
            else:
                batches = self._batches(arrived)
            tokens = backfill.running(conn)
            # Held for another reason from here on, or behind what is to be made of them.
            at_once = {*tokens, *gathered, *(one.backfill.metric for one in arrived if one.backfill)}
            released = [name for name in at_once if name in self._lane]
            batches.insert(0, Batch(lane.taken(conn, released), None))
            plan = partition(batches, tokens, lambda name: _held(conn, name))
            self._note_backfills(conn, tokens, plan.tokens)
            if plan.held.names:
                backfill.hold(conn, plan.held.names, plan.held.timestamps, plan.held.values)
            stored = self._store(conn, plan.samples, at_once)._replace(released=released)
            # Metrics of running totals, and of samples that wait, may have to be passed on, even if nothing is stored now.
            names = {self._intake.name(name) for given in totals.values() for name in given.names} | gathered
            if names:
                known = {name: state for name, state in before.items() if name not in stored.states}
                stored.states.update(known)
                stored.states.update(metrics.states_by_name(conn, sorted(names - stored.states.keys())))
        self._waiting.note(waiting)
        self._new_metrics.count(self._new_ones(stored) if admitted is None else admitted)
        self._note_lane(stored)
        return len(plan.held.names), stored

    def _admit(
        self, conn: Connection, arrived: list[Arrived], totals: Mapping[int, Samples], refusals: Refusals
    ) -> tuple[int | None, Mapping[int, Samples]]:
        """Refuse samples of more new metrics than there may be now; return how many new ones there are, and the totals left.

        Nobody looks how many, and None is returned, where there is ample room. A history names its metric itself, and is
        always taken.
        """
        names: dict[str, str] = {}
        for place, one in enumerate(arrived):
            if not one.backfill:
                kinds = totals[place].kinds if place in totals else repeat(Kind.GAUGE)
                for sent, kind in zip(one.samples.names, kinds, strict=False):
                    if kind is not Kind.ENDED and sent not in names:
                        names[sent] = self._intake.name(sent)
        self._new_metrics.look(conn, len(self._lane))
        left = self._new_metrics.left()
        if left >= len(names) + new_metrics.AMPLE:
            return None, totals
        admitted = [one.backfill.metric for one in arrived if one.backfill]
        new = new_metrics.new(
            conn, names, [*admitted, *(name for name in names.values() if name in self._lane)]
        )
        if len(new) <= left:
            return len(new), totals
        beyond = set(new[left:])
        refused = {sent for sent, name in names.items() if name in beyond}
        reason = self._new_metrics.reason
        kept_totals = dict(totals)
        for place, one in enumerate(arrived):
            if one.backfill or refused.isdisjoint(one.samples.names):
                continue
            for sent, timestamp, value in zip(*one.samples, strict=True):
                if sent in refused:
                    refusals.add(reason, f"{sent} {value!r} {timestamp}")
            kept = [sent not in refused for sent in one.samples.names]
            arrived[place] = one._replace(samples=NewSamples(*_where(kept, one.samples)))
            if place in totals:
                kept_totals[place] = Samples(*_where(kept, totals[place]))
        return left, kept_totals

    def _batches(self, arrived: Iterable[Arrived]) -> list[Batch]:
        """Return what came under the names that it is stored under; a history names its metric itself."""
        return [
            Batch(one.samples if one.backfill else self._intake.named(one.samples), one.backfill)
            for one in arrived
        ]

    def _see_waiting(self) -> None:
        self._intake.use(self._automatic.rules)
        with self._database.read() as conn:
            self._waiting.see(conn)
            self._lane.see(conn, self._own)

    def _tell_overdue(self) -> None:
        """Tell the end of intervals whose metric has gone silent: behind everything that is on its way."""
        self._intake.use(self._automatic.rules)
        over = self._waiting.overdue(self._clock())
        self._messages += closing_messages(over, self._data_queues.now.of_name)

    # -- Rows

    def _plan_optimistically(self, batches: Sequence[Batch]) -> _Stored | None:
        """Return what will be stored if nobody changes the metrics meanwhile; None if one is new, or history is sent."""
        if any(batch.backfill for batch in batches):
            return None
        columns = together(batches)
        names = list(dict.fromkeys(columns.names))
        if self._lane and any(name in self._lane for name in names):
            return None
        with self._database.read() as conn:
            if backfill.running(conn):
                return None
            states = metrics.states_by_name(conn, names)
        if len(states) < len(names):
            return None
        return _Stored(numbering.number(columns, states), states, [])

    def _note_backfills(
        self, conn: Connection, before: Mapping[str, str], after: Mapping[str, str | None]
    ) -> None:
        now = int(self._clock())
        for name, token in after.items():
            if token is not None:
                backfill.begin(conn, name, token, now)
            elif name in before:
                backfill.end(conn, name, before[name])

    def _store(self, conn: Connection, columns: NewSamples, at_once: Set[str]) -> _Stored:
        """Insert samples as rows, creating metrics that are new: those of `at_once`, and some of the others, which wait."""
        names = list(dict.fromkeys(columns.names))
        states = metrics.states_by_name(conn, names)
        columns, later = self._lane.divide(columns, states, at_once, self._share.of(lane.AT_ONCE))
        if later.names:
            backfill.hold(conn, *later)
            names = list(dict.fromkeys(columns.names))
        new = [name for name in names if name not in states]
        if new:
            metrics.create_custom(conn, new)
            states.update(metrics.states_by_name(conn, new))
        rows = numbering.number(columns, states)
        insert(conn, rows)
        return _Stored(rows, states, [states[name] for name in new], later.names)

    # -- New metrics that wait

    @property
    def _new_are_waiting(self) -> bool:
        """Whether there are metrics to be created, or that may get a model."""
        return self._automatic.waiting or bool(self._lane)

    def _new_ones(self, stored: _Stored) -> int:
        """Return how many new metrics came, created or not; those that have waited so far came before."""
        waiting = {name for name in stored.waiting if name not in self._lane}
        return len(waiting) + sum(state.name not in self._lane for state in stored.new)

    def _note_lane(self, stored: _Stored) -> None:
        self._lane.left(stored.released)
        self._lane.entered(stored.waiting)

    def _create_some(self) -> None:
        """Create the metrics that have waited longest, and store all that waits of them."""
        names = self._lane.next(self._share.of(lane.AT_ONCE))
        with self._database.write() as conn:
            stored = self._store(conn, lane.taken(conn, names), set(names))._replace(released=names)
        self._step(f"{NAME}.committed")
        self._note_lane(stored)
        self._pass_on(stored, SentRefusals(self._intake.sources))

    def _begin_models(self) -> None:
        """Begin models of metrics that the rules choose."""
        if monitored := self._automatic.work(self._share.of(MODELS_BATCH_SIZE), self._own):
            self._ask(monitored)

    def _pass_on(self, stored: _Stored, refusals: SentRefusals) -> None:
        """Hand committed rows to the models, and start the models that have waited for them; count what was refused."""
        rows, states, new = stored.rows, stored.states, stored.new
        for key, count in rows.refused.items():
            refusals.add(key[0], rows.examples[key], count=count)
        refusals.report(self.counters, self._intake.shown)
        self.counters.add("rows_stored", len(rows.uids))
        self._compactor.rows_came(len(rows.uids))
        if new:
            self.counters.add("metrics_created", len(new))
            self._automatic.created(new)
        builder = ModelInputBuilder(self._shards, self._input_queue)
        generations = {state.uid: state.generation for state in states.values() if state.status in WITH_MODEL}
        builder.add_rows(generations, rows.uids, rows.rowids, rows.timestamps, rows.values, rows.digests)
        self._messages += builder.messages(transient=True)  # the sweep asks for what is lost
        waiting = {state.uid for state in states.values() if state.status == MetricStatus.PENDING_DATA}
        enough = [a.uid for a in rows.advances if a.uid in waiting and a.to_rowid >= ROWS_FOR_RANGE]
        if enough:
            self._activate(enough)

    def _activate(self, uids: Sequence[str]) -> None:
        for uid in uids:
            try:
                self._models.activateModel(uid)
            except (HTMEngineError, ValueError, TypeError) as error:
                # Its status changed meanwhile, or its rows give no range: the next sample tries again.
                log.warning("%s.not_activated uid=%s reason=%s", NAME, uid, error)
        self._ask(uids)

    def _ask(self, uids: Sequence[str]) -> None:
        """Ask for the models of metrics that have just got one."""
        with self._database.read() as conn:
            states = metrics.states(conn, uids).values()
            self._messages += requests(conn, states, self._shards, self._input_queue)

    # -- What is due from time to time

    def _look_after(self) -> None:
        """Ask for metrics that stand still, and end the backfills whose sender has died."""
        self._automatic.look_at_file()
        if len(self.queues) > 1:
            self._automatic.count_again()
            if self._intake.gathers:
                self._see_waiting()
        self._tell_overdue()
        now = self._timer()
        self._sweep_due = now + self._settings.sweep_interval_s
        statuses = self._queues_now()
        with self._database.read() as conn:
            if self._sweep.suspects or now >= self._lagging_due:
                self._ask_of_lagging(conn, statuses, now)
            runs = backfill.runs(conn)
            if not self._lane:  # a storer that was taken for dead may have let some wait
                self._lane.see(conn, self._own)
        behind_s = sweep.waiting_in(statuses, self._data_queues.now.every)
        for run in self._senders.dead(runs, now, behind_s):
            log.warning("%s.backfill_ended metric=%s reason=its sender has died", NAME, run.name)
            # As it would have done: behind everything that is on its way.
            last = Backfill(metric=run.name, token=run.token, done=True)
            body = encode_json(MetricLines(protocol=PROTOCOL, data=[], backfill=last))
            self._messages.append(Outgoing(self._data_queues.now.of_name(run.name), body))

    def _ask_of_lagging(self, conn: Connection, statuses: Sequence[QueueStatus], now: float) -> None:
        """Ask for metrics that stand still: of suspects, and of the next part of all. The next comes the later, the longer it took."""
        began = self._timer()
        waiting = [
            sweep.waiting_in(statuses, [self._input_queue(shard), self._results_queue(shard)])
            for shard in range(self._shards)
        ]
        after, upto = self._looked_to, metrics.uid_behind(conn, self._looked_to, LAGGING_BATCH_SIZE)
        # Those from the start are as they were before what came since was stored: that is on its way.
        behind = {state.uid: state for state in self._lagged_before or ()}
        others = metrics.states(conn, [uid for uid in self._sweep.suspects if uid not in behind])
        behind.update((uid, state) for uid, state in others.items() if state.is_lagging)
        self._lagged_before = []
        behind.update((state.uid, state) for state in metrics.pending(conn))
        behind.update((state.uid, state) for state in metrics.lagging(conn, after=after, upto=upto))
        chosen = self._sweep.choose(
            list(behind.values()), lambda uid: waiting[shard_of(uid, self._shards)], now, is_last=upto is None
        )
        self._messages += requests(conn, chosen, self._shards, self._input_queue)
        self._looked_to = upto or ""
        self._lagging_due = now + (self._timer() - began) / LAGGING_SHARE
        if chosen:
            log.info("%s.asked metrics=%d", NAME, len(chosen))


def insert(conn: Connection, rows: numbering.NumberedRows) -> None:
    """Insert numbered rows. Raises WriteConflict where the same numbers were given to others meanwhile."""
    if rows.uids:
        if samples.advance_last(conn, rows.advances) != len(rows.advances):
            raise WriteConflict("another storer is at work on the same metrics")
        samples.append(conn, rows.uids, rows.rowids, rows.timestamps, rows.values, rows.digests)


def _where(kept: Sequence[bool], columns: Iterable[Iterable[Any]]) -> Iterator[list[Any]]:
    """Yield columns with the elements that are kept."""
    return (list(compress(column, kept)) for column in columns)


def _held(conn: Connection, name: str) -> Held:
    """Return what waits for the end of a metric's backfill, in the order in which it came, and take it out."""
    held = backfill.held(conn, name, MAX_HELD)
    if held.ids:
        backfill.release(conn, name, held.ids[-1])
    return list(zip(held.timestamps, held.values, strict=True))


def _rates(conn: Connection, totals: Mapping[int, Samples], refusals: Refusals) -> dict[int, NewSamples]:
    """Return the samples of running totals by the places of their batches, and store the totals."""
    if not totals:
        return {}
    names = list(
        dict.fromkeys(
            name
            for given in totals.values()
            for name, kind in zip(given.names, given.kinds, strict=True)
            if kind is not Kind.GAUGE
        )
    )
    before = running_totals.read(conn, names)
    known = dict(before)
    found = {place: rates.samples_of(given, known, refusals) for place, given in totals.items()}
    running_totals.store(
        conn, before, {name: total for name, total in known.items() if total != before.get(name)}
    )
    return found


def _not_future(given: Samples, latest: int, refusals: Refusals) -> Samples:
    """Return the samples up to a second; the others are refused."""
    if not given.timestamps or max(given.timestamps) < latest + 1:
        return given
    kept = Samples.empty()
    for name, timestamp, value, *rest in zip(*given, strict=True):
        if timestamp >= latest + 1:
            refusals.add(Reason.FUTURE, f"{name} {value!r} {int(timestamp // 1)}")
        else:
            kept.add(name, timestamp, value, *rest)
    return kept


def _transactions(messages: Sequence[_Message]) -> Iterator[list[_Message]]:
    """Divide messages into runs of some thousand lines."""
    some: list[_Message] = []
    lines = 0
    for message in messages:
        some.append(message)
        lines += len(message.sent.lines)
        if lines >= LINES_BATCH_SIZE:
            yield some
            some, lines = [], 0
    if some:
        yield some


def need(queues: DataQueues) -> tuple[str, ...]:
    """Return what the storer depends on."""
    return queues.stored


def build(context: Context) -> MetricStorer:
    """Return the storer of an installation."""
    settings = context.settings

    def models(model: config.ModelName | None) -> Models:
        chosen = settings if model is None else settings.with_scheduler(model=model)
        return CustomAdapter(context.database, None, chosen)  # the storer asks for the models itself

    return MetricStorer(
        settings.storer,
        queues=context.queues,
        input_queue=settings.model_input_queue,
        results_queue=settings.results_shard_queue,
        queues_now=context.bus.status,
        delete_queue=context.bus.delete_queue,
        database=context.database,
        shards=context.shards,
        models=models(None),
        automatic=AutoMonitor(
            RulesFile(settings.storer.rules, "metric_storer", without=settings.storer.rules_without_file),
            context.database,
            cache(models),
        ),
        clock=context.clock,
        timer=context.timer,
        step=context.step,
    )
