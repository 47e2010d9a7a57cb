"""The stage of the anomaly service: scores become final in order, once, committed; then they are published."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import nan
from typing import TYPE_CHECKING, Final, NamedTuple

from htmengine import htmengineerrno, messages
from htmengine.bus import Bus, Delivery, Fanout
from htmengine.config import Settings
from htmengine.messages import CommandResult, MalformedMessage, ModelFailure, Scores, Why
from htmengine.repository import alarms, hours, metrics, samples, schema, teachings, watermarks
from htmengine.repository import scores as repository_scores
from htmengine.repository.alarms import Alarm
from htmengine.repository.errors import WriteConflict
from htmengine.repository.metrics import MetricState, StatusChange
from htmengine.repository.status import WITH_MODEL, MetricStatus
from htmengine.repository.teachings import Silenced
from htmengine.runtime.anomaly_service import results_messages
from htmengine.runtime.anomaly_service.alarms import new_alarms
from htmengine.runtime.anomaly_service.hourly_sums import HourlySums
from htmengine.runtime.anomaly_service.open_hours import OpenHours
from htmengine.runtime.anomaly_service.results_messages import DEFINE_MODEL, Described, described
from htmengine.runtime.anomaly_service.watermark import (
    Progress,
    joined,
    of_rows,
    pick,
    row_digests,
    select,
    spans,
)
from htmengine.service.context import Context
from htmengine.service.counters import Counters
from htmengine.service.fault_injection import Step, no_step
from htmengine.service.loop import MessageBatch, Outcome

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from htmengine.repository.database import Database

NAME: Final = "anomaly_service"
POLL_INTERVAL_S: Final = 0.5
ATTEMPTS: Final = 3
"""How often a batch is tried when others change its metrics at the same time."""
DESCRIPTIONS_KEPT: Final = 10_000

log = logging.getLogger(__name__)


class AnomalyStage:
    """The stage behind the models: takes their results from the queues of all shards.

    Scores are accepted exactly in order and once, by rowid, metric and generation. All that a batch changes is one
    transaction, which moves each watermark only from where it was read: whoever else moved it makes us read again.

    Scores beyond a gap are dropped. The gap means that their predecessors are lost, or still to come again from a
    queue that changed its consumer: rare, and the sweep asks the scheduler for everything above the watermark anyway.
    To keep them here would need acknowledgements held back without bound or a second place that must survive a crash.
    """

    name = NAME
    poll_interval_s = POLL_INTERVAL_S

    def __init__(
        self,
        database: Database,
        bus: Bus,
        settings: Settings,
        *,
        shards: int,
        timer: Callable[[], float] = time.monotonic,
        step: Step = no_step,
    ) -> None:
        """`bus` is only asked whether anyone listens; the loop publishes. `timer`: seconds that only grow."""
        self.counters = Counters()
        self.queues: Sequence[str] = [settings.results_shard_queue(shard) for shard in range(shards)]
        self._batch = MessageBatch(shards)
        self.max_messages = self._batch.messages
        self._database = database
        self._bus = bus
        self._exchange = settings.results_exchange
        self._batches_exchange = settings.batches_exchange
        self._step = step
        self._described: dict[tuple[str, int], Described] = {}
        self._open_hours = OpenHours()
        self._hourly_sums = HourlySums(database, timer=timer)
        self._in_doubt = False
        """The last attempt ended in an error, perhaps behind its commit: what is stored may not have been published."""

    def process(self, deliveries: Sequence[Delivery]) -> Outcome:
        """Store what is next, change statuses, and return what is to be published."""
        received, dead_letters = _decoded(deliveries, everything_again=self._in_doubt)
        if not received.uids:
            return Outcome(dead_letters=dead_letters)
        self.max_messages = self._batch.follow(rows=len(received.scores), messages=len(deliveries))
        self._in_doubt = True
        wanted = _Subscriptions(
            documented=self._bus.has_subscribers(self._exchange),
            batches=self._bus.has_subscribers(self._batches_exchange),
        )
        publication = self._committed(received, wanted)
        self._in_doubt = False
        self._step("anomaly_service.committed")
        publications = self._publications(received, publication, wanted)
        for name, count in (*publication.counts.items(), ("messages_published", len(publications))):
            self.counters.add(name, count)
        return Outcome(publications, dead_letters, as_owner=True)

    def settle(self) -> None:
        """Sum up some of the hours that ended without being seen whole: nobody waits for them."""
        self._hourly_sums.add(self._open_hours.missed)
        self._open_hours.missed.clear()
        if rows := self._hourly_sums.advance():
            self.counters.add("rows_summed_up", rows)
            self._step("anomaly_service.summed_up")

    def close(self) -> None:
        """Nothing is to be saved: all state is in the repository."""

    def _committed(self, received: _Received, wanted: _Subscriptions) -> _Publication:
        for attempt in range(ATTEMPTS):
            try:
                return self._store(received, wanted, compare=attempt > 0)
            except WriteConflict as error:
                self._open_hours.forget(received.uids)
                log.info("anomaly_service.write_conflict reason=%s", error)
            except Exception:
                self._open_hours.forget(received.uids)
                raise
        raise RuntimeError(
            f"scores cannot be stored: in {ATTEMPTS} attempts the rows or watermarks of their metrics were not as the "
            "repository had just said; `htmengine verify` tells what is wrong with them"
        )

    def _store(self, received: _Received, wanted: _Subscriptions, *, compare: bool) -> _Publication:
        """Store what is next.

        Scores of other samples than those of the rows are found out at the latest by the update; `compare` reads the
        rows first and leaves such scores out.
        """
        if received.commands or received.failures:
            with self._database.write() as conn:
                watermarks.lock(conn, received.uids)
                metrics.lock(conn, received.uids)  # statuses are changed one by one, after the watermarks
                chosen = self._choose(conn, received, wanted, compare=compare)
                _write(conn, chosen)
                _change_statuses(conn, received, chosen.states)
            return chosen.publication
        # Writers take turns, so that what can be done before ours is; the watermarks verify what was read here.
        with self._database.read() as conn:
            chosen = self._choose(conn, received, wanted, compare=compare)
        if chosen.advances:
            with self._database.write() as conn:
                _write(conn, chosen)
        return chosen.publication

    def _choose(
        self, conn: Connection, received: _Received, wanted: _Subscriptions, *, compare: bool
    ) -> _Chosen:
        """Return what is to be stored and to be published of what came."""
        states = metrics.states(conn, received.uids)
        progress = {
            uid: Progress(state.generation, state.scored_rowid, state.last_rowid, state.model_digest)
            for uid, state in states.items()
        }
        open_to_scores = {uid: one for uid, one in progress.items() if states[uid].status in WITH_MODEL}
        # Read before the watermarks move: what is accepted now is published from the messages.
        repeated = list(_stored(conn, spans(received.again, progress), progress)) if wanted.anything else []
        came, others = received.scores, 0
        if compare:
            came = of_rows(came, open_to_scores, _rows_of(conn, spans(came, open_to_scores, above=True)))
            others = len(received.scores) - len(came)
        selection = select(came, open_to_scores)
        accepted = pick(came, selection.accepted)
        if others:
            log.warning("anomaly_service.other_samples scores=%d", others)
        if selection.repeated or selection.beyond_gap or selection.stale:
            log.info(
                "anomaly_service.dropped repeated=%d beyond_gap=%d stale=%d",
                selection.repeated,
                selection.beyond_gap,
                selection.stale,
            )
        scores = joined([*repeated, accepted])
        # Nobody has the model that a late answer to a definition speaks of.
        commands = [
            one for one in received.commands if one.method != DEFINE_MODEL or _is_current(one, states)
        ]
        publication = _Publication(
            scores,
            commands,
            self._describe(conn, received, scores, progress) if wanted.anything else {},
            {
                "scores_stored": len(accepted),
                "scores_repeated": selection.repeated,
                "scores_beyond_gap": selection.beyond_gap,
                "scores_stale": selection.stale,
                "scores_of_other_samples": others,
                "commands": len(received.commands),
                "models_failed": len(received.failures),
            },
        )
        return _Chosen(
            states, selection.advances, accepted, self._open_hours.take(accepted, states), publication
        )

    def _describe(
        self, conn: Connection, received: _Received, scores: Scores, progress: Mapping[str, Progress]
    ) -> dict[str, Described]:
        """Return what messages say of the metrics that are published, by uid."""
        asked = dict.fromkeys(scores.uids)
        asked.update((command.uid, None) for command in received.commands if _is_current(command, progress))
        found: dict[str, Described] = {}
        unknown: list[str] = []
        for uid in asked:
            known = self._described.get((uid, progress[uid].generation))
            if known is None:
                unknown.append(uid)
            else:
                found[uid] = known
        if unknown:
            if len(self._described) + len(unknown) > DESCRIPTIONS_KEPT:
                self._described.clear()
            for uid, description in metrics.descriptions(conn, unknown).items():
                found[uid] = self._described[uid, progress[uid].generation] = described(description)
        return found

    def _publications(
        self, received: _Received, publication: _Publication, wanted: _Subscriptions
    ) -> list[Fanout]:
        found: list[Fanout] = []
        if wanted.documented:
            for command in publication.commands:
                result = results_messages.command_result(command, publication.metrics.get(command.uid))
                if result is not None:
                    body = messages.encode_compressed(result)
                    found.append(Fanout(self._exchange, body, {"dataType": messages.COMMAND_RESULT_TYPE}))
            found += [
                Fanout(self._exchange, messages.encode_compressed(result))
                for result in results_messages.by_metric(publication.scores, publication.metrics)
            ]
        if wanted.batches and publication.scores:
            body = messages.encode_json(results_messages.batch(publication.scores, publication.metrics))
            found.append(Fanout(self._batches_exchange, body))
        return found


def _write(conn: Connection, chosen: _Chosen) -> None:
    """Move the watermarks and store the scores. Raises WriteConflict."""
    if not chosen.advances:
        return
    # The watermarks first: they fence off a second owner.
    if repository_scores.advance_watermarks(conn, chosen.advances) != len(chosen.advances):
        raise WriteConflict("watermarks moved")
    digests = row_digests(chosen.accepted, chosen.states)
    if store_scores(conn, chosen.accepted, digests) != len(chosen.accepted):
        raise WriteConflict("rows are missing, or are of other samples")
    if not hours.store(conn, chosen.hours):
        raise WriteConflict("hours were summed up meanwhile")
    teachings.store_silenced(conn, _silenced(chosen.accepted))
    alarms.store(conn, new_alarms(chosen.accepted))


def _silenced(scores: Scores) -> list[Silenced]:
    return [
        Silenced(scores.uids[place], scores.rowids[place], label, scores.timestamps[place])
        for place, label in enumerate(scores.silenced or ())
        if label
    ]


def store_scores(conn: Connection, scores: Scores, digests: Sequence[int] | None = None) -> int:
    """Store the scores of a message's rows; parameters and result as of `repository.scores.store`."""
    return repository_scores.store(
        conn,
        uids=scores.uids,
        rowids=scores.rowids,
        digests=digests,
        raw_anomaly_scores=scores.raw_anomaly_scores,
        anomaly_scores=scores.anomaly_scores,
        log_scores=scores.log_scores,
        sequence_scores=scores.sequence_scores,
        novelty_scores=scores.novelty_scores,
        predictions=scores.predictions,
        forecasts=scores.forecasts,
        usual_lows=scores.usual_lows,
        usual_highs=scores.usual_highs,
    )


def _stored(
    conn: Connection, wanted: Mapping[str, tuple[int, int]], progress: Mapping[str, Progress]
) -> Iterator[Scores]:
    """Return what is stored of these metrics between two rowids each."""
    for uid, (first, last) in wanted.items():
        rows = repository_scores.stored(conn, uid, first, last)
        if rows:
            rowids = [row.rowid for row in rows]
            alarming = [row.rowid for row in rows if (row.log_score or 0.0) >= schema.ALARM_LOG_SCORE]
            found = alarms.alarms_at(conn, uid, alarming)
            yield Scores(
                uids=[uid] * len(rows),
                generations=[progress[uid].generation] * len(rows),
                rowids=rowids,
                timestamps=[row.timestamp for row in rows],
                values=[row.value for row in rows],
                raw_anomaly_scores=[row.raw_anomaly_score for row in rows],
                anomaly_scores=[row.anomaly_score for row in rows],
                log_scores=[row.log_score or 0.0 for row in rows],
                sequence_scores=[row.sequence_score or 0.0 for row in rows],
                novelty_scores=[row.novelty_score or 0.0 for row in rows],
                forecasts=[_number(row.forecast) for row in rows],
                usual_lows=[_number(row.usual_low) for row in rows],
                usual_highs=[_number(row.usual_high) for row in rows],
                one_in=[_number(found[rowid].one_in) if rowid in found else nan for rowid in rowids],
                predictions=[row.predictions for row in rows],
                why=[_why(found.get(rowid)) for rowid in rowids],
            )


def _number(stored: float | None) -> float:
    return nan if stored is None else stored


def _why(alarm: Alarm | None) -> Why | None:
    return messages.decode_why(alarm.why) if alarm and alarm.why else None


def _rows_of(conn: Connection, wanted: Mapping[str, tuple[int, int]]) -> dict[str, samples.Rows]:
    """Return the rows of these metrics between two rowids each."""
    return {
        uid: samples.read(conn, uid, first, last, last - first + 1) for uid, (first, last) in wanted.items()
    }


def _change_statuses(conn: Connection, received: _Received, states: Mapping[str, MetricState]) -> None:
    """Set the statuses that commands and failures lead to; each only as a change of the status that was read."""
    changes: dict[str, StatusChange] = {}

    def change(uid: str, status: MetricStatus, message: str | None, *, of: Iterable[int]) -> None:
        before = states[uid].status
        if (changes[uid].after if uid in changes else before) in of:
            changes[uid] = StatusChange(uid, states[uid].generation, before, status, message)

    for command in received.commands:
        failed = command.status != htmengineerrno.SUCCESS
        if failed and (command.method != DEFINE_MODEL or _is_current(command, states)):
            log.error(
                "anomaly_service.command_failed method=%s uid=%s status=%d message=%s",
                command.method,
                command.uid,
                command.status,
                command.error_message,
            )
        # A copy that failed says nothing of its source, and a deletion nothing of the model that came after.
        if command.method == DEFINE_MODEL and _is_current(command, states):
            if failed:
                change(command.uid, MetricStatus.ERROR, command.error_message, of=WITH_MODEL)
            else:
                change(command.uid, MetricStatus.ACTIVE, None, of=(MetricStatus.CREATE_PENDING,))
    for failure in received.failures:
        if _is_current(failure, states):
            change(failure.uid, MetricStatus.ERROR, failure.error_message, of=WITH_MODEL)
    if metrics.change_statuses(conn, list(changes.values())) != len(changes):
        raise WriteConflict("the status of a metric was changed")
    broken = [change for change in changes.values() if change.after == MetricStatus.ERROR]
    for uid, _, _, _, message in broken:
        log.error("anomaly_service.model_failed metric=%s reason=%s", states[uid].name, message)
    if begun := len(changes) - len(broken):
        log.info("anomaly_service.models_active models=%d", begun)


def _is_current(
    message: CommandResult | ModelFailure, states: Mapping[str, Progress] | Mapping[str, MetricState]
) -> bool:
    """Tell whether a message is about the model that its metric has now."""
    state = states.get(message.uid)
    return state is not None and state.generation == message.generation


class _Subscriptions(NamedTuple):
    """Which exchanges anyone listens to."""

    documented: bool
    batches: bool

    @property
    def anything(self) -> bool:
        return self.documented or self.batches


class _Publication(NamedTuple):
    """What is to be published once it is committed."""

    scores: Scores
    commands: Sequence[CommandResult]
    metrics: Mapping[str, Described]
    counts: Mapping[str, int]
    """What was done with what came, by name of the counter."""


class _Chosen(NamedTuple):
    """What to store and publish of a batch, if nobody changes the metrics meanwhile."""

    states: Mapping[str, MetricState]
    advances: Sequence[repository_scores.WatermarkAdvance]
    """The watermarks that move."""
    accepted: Scores
    """To be stored."""
    hours: Sequence[hours.Sums]
    """That end with these scores."""
    publication: _Publication


class _Received(NamedTuple):
    """Messages, decoded."""

    scores: Scores
    """Of all messages, in the order in which they came."""
    again: Scores
    """Of those that may have been worked on before."""
    commands: Sequence[CommandResult]
    failures: Sequence[ModelFailure]
    uids: Sequence[str]
    """The metrics that they are about."""


def _decoded(
    deliveries: Sequence[Delivery], *, everything_again: bool
) -> tuple[_Received, list[tuple[Delivery, str]]]:
    scores: list[Scores] = []
    again: list[Scores] = []
    commands: list[CommandResult] = []
    failures: list[ModelFailure] = []
    dead_letters: list[tuple[Delivery, str]] = []
    for delivery in deliveries:
        try:
            outputs = messages.decode_model_output(delivery.body)
        except MalformedMessage as error:
            dead_letters.append((delivery, str(error)))
            continue
        for output in outputs:
            if isinstance(output, Scores):
                scores.append(output)
                if delivery.deliveries > 1 or everything_again:
                    again.append(output)
            elif isinstance(output, CommandResult):
                commands.append(output)
            else:
                failures.append(output)
    gathered = joined(scores)
    uids = dict.fromkeys(gathered.uids)
    uids.update((command.uid, None) for command in commands)
    uids.update((failure.uid, None) for failure in failures)
    return _Received(gathered, joined(again), commands, failures, list(uids)), dead_letters


def build(context: Context) -> AnomalyStage:
    """Return the stage of an installation."""
    return AnomalyStage(
        context.database,
        context.bus,
        context.settings,
        shards=context.shards,
        timer=context.timer,
        step=context.step,
    )
