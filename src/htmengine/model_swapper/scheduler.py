"""What is scored: the stage between samples and scores.

What is in memory is in `model_memory`, what is still to be read in `backlog`, who owns what in `ownership`.
See `docs/decisions/0006-scheduler.md` for the rules that it follows.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from htmengine import messages
from htmengine.bus import Delivery
from htmengine.config import Settings
from htmengine.htm.explanation import ALARM
from htmengine.htm.pool import OUT_OF_ORDER, UNREADABLE, BatchScores
from htmengine.messages import (
    MalformedMessage,
    ModelCommand,
    ModelOutput,
    Samples,
)
from htmengine.model_swapper.backlog import Backlog
from htmengine.model_swapper.checkpoint import ROWS_WORTH_A_BLOCK
from htmengine.model_swapper.checkpoint_store import CheckpointStore
from htmengine.model_swapper.checkpoint_writer import CheckpointWriter
from htmengine.model_swapper.commands import Commands
from htmengine.model_swapper.model_cache import THREADS, CachedModel
from htmengine.model_swapper.model_memory import Loaded, ModelMemory
from htmengine.model_swapper.model_output import output_messages
from htmengine.model_swapper.ownership import ShardOwnership
from htmengine.model_swapper.recovery import Recovery, scored_rowids
from htmengine.model_swapper.score_batch import ShardBatch
from htmengine.model_swapper.suspected_losses import Ages, SuspectedLosses
from htmengine.model_swapper.teaching import without
from htmengine.model_swapper.teachings import Teachings
from htmengine.repository import identity
from htmengine.repository.samples import Rows
from htmengine.repository.status import WITH_MODEL
from htmengine.service.counters import Counters
from htmengine.service.fault_injection import Step, no_step
from htmengine.service.loop import MessageBatch, Outcome

if TYPE_CHECKING:
    from htmengine.repository.database import Database

NAME: Final = "model_scheduler"
IDLE_POLL_S: Final = 0.5
ORPHANS_INTERVAL_S: Final = 600.0
MODELS_WORTH_THREADS: Final = 64
"""Where so many models have come in a round, several threads unpack and score them."""
MAX_ROWS_BEHIND: Final = 20_000
"""Rows that models of live input take again in a round, at most."""

log = logging.getLogger(__name__)


class ModelScheduler:
    """Owns the models of shards: takes samples, gives scores.

    A round reads what it needs first, so that a dependency that is unavailable leaves nothing half done; then it scores
    everything in one call. Models are saved in `settle`, when their scores are published.
    """

    name = NAME

    def __init__(
        self,
        settings: Settings,
        database: Database,
        store: CheckpointStore,
        *,
        shards: int,
        results_ages: Ages,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
        step: Step = no_step,
        progress: Callable[[str], None] = lambda text: None,
        give_back: Callable[[], None] = lambda: None,
    ) -> None:
        """Make the stage; it owns no shard yet.

        Parameters
        ----------
        clock : seconds since the epoch, by which checkpoints are dated.
        timer : seconds that only grow.
        progress : called with how far saving is when the service ends.
        give_back : gives the system memory that nobody uses; called now and then, while models come and go.
        """
        self.queues: Sequence[str] = tuple(settings.model_input_queue(shard) for shard in range(shards))
        self._batch = MessageBatch(shards)
        self.max_messages = self._batch.messages
        self.counters = Counters()
        self._settings = settings.scheduler
        self._shards = shards
        self._results_queues = [settings.results_shard_queue(shard) for shard in range(shards)]
        self._store = store
        self._results_ages = results_ages
        self._timer = timer
        self._step = step
        self._progress = progress
        self._writer = CheckpointWriter(
            store, partial(scored_rowids, database), clock=clock, timer=timer, step=step
        )
        self._recovery = Recovery(
            database, store, self._writer, settings.scheduler, shards=shards, clock=clock
        )
        self._ownership = ShardOwnership(store, self.queues)
        self._backlog = Backlog()
        self._suspected = SuspectedLosses(shards)
        self._teachings = Teachings(database)
        self._memory = ModelMemory(
            settings.scheduler,
            self._recovery,
            self._writer,
            store,
            shards=shards,
            backlog=self._backlog,
            suspected=self._suspected,
            ownership=self._ownership,
            counters=self.counters,
            teachings=self._teachings,
            timer=timer,
            give_back=give_back,
        )
        self._commands = Commands(
            self._recovery, self._memory.cache, begin=self._memory.begin, delete=self._memory.delete
        )
        self._scored_last: set[str] = set()
        """Whose samples were scored in the round that is not settled yet."""
        self._outdated: set[str] = set()
        """Models in memory of which there is a newer generation."""
        self._orphans_due = timer() + ORPHANS_INTERVAL_S

    @property
    def poll_interval_s(self) -> float:
        """Not to wait at all while there are rows to read or models to save."""
        return 0.0 if self._backlog or self._memory.may_save else IDLE_POLL_S

    # -- A round.

    def process(self, deliveries: Sequence[Delivery]) -> Outcome:
        """Score what is next, and note what else there is to do."""
        self._own(deliveries)
        inputs: list[_Input] = []
        commands: list[ModelCommand] = []
        outputs: list[ModelOutput] = []
        dead_letters: list[tuple[Delivery, str]] = []
        for delivery in deliveries:
            try:
                decoded = messages.decode_model_input(delivery.body)
            except MalformedMessage as error:
                dead_letters.append((delivery, str(error)))
                continue
            for item in decoded:
                if isinstance(item, Samples):
                    inputs.append(_Input(self._ownership.shard(delivery.queue), item))
                else:
                    commands.append(item)
        rows = sum(len(samples.uids) for _, samples in inputs)
        self.max_messages = self._batch.follow(rows=rows, messages=len(deliveries))
        outputs += self._commands.execute(commands)
        self.counters.add("commands", len(commands))
        if self._suspected:
            self._resolve_suspected()
        if inputs or self._backlog:
            self._teachings.refresh()  # behind the samples that came
        work = self._memory.load(chain.from_iterable(item.samples.uids for item in inputs))
        batches = [ShardBatch() for _ in range(self._shards)]
        self._take_backlog(self._spans(work), batches)
        # No database from here on: what is counted below is scored below.
        for shard, samples in inputs:
            self._take_live(shard, samples, batches[shard], work.refused)
        outputs += self._score(batches, came=work.came)
        outputs += self._memory.take_failures()
        return Outcome(output_messages(outputs, self._results_queues), dead_letters)

    def settle(self) -> None:
        """Let what was scored and published become checkpoints, as far as these are due and the writer has room."""
        now = self._timer()
        self._memory.published(self._scored_last)
        self._scored_last.clear()
        self._suspected.published(now)
        self._memory.save_due()
        self._memory.give_back()
        if now >= self._orphans_due and self._writer.room:
            self._orphans_due = now + ORPHANS_INTERVAL_S
            self._writer.put(self._recovery.remove_orphans)

    def close(self) -> None:
        """Save every model whose scores were published."""
        self._memory.save_all(self._progress)
        self._writer.close()
        self._store.require_whole()

    def _own(self, deliveries: Sequence[Delivery]) -> None:
        """Claim the shards whose queue was given to us anew; drop what we know of shards that others own by now."""
        lost = self._writer.lost_shards()
        self._ownership.lost(lost)
        for shard in (*lost, *self._ownership.claim(deliveries)):
            self._memory.drop_shard(shard)

    # -- Scores that may be lost.

    def _resolve_suspected(self) -> None:
        """Score again what was scored, but is neither stored nor on its way."""
        lost = self._suspected.confirmed(self._timer(), self._results_ages)
        if not lost:
            return
        # Read after the queue was looked at: what had left it by then is stored, or will never be.
        defined = self._recovery.definitions(list(lost))
        for uid, loss in lost.items():
            found = defined.get(uid)
            if (
                found is not None
                and found.generation == loss.generation
                and found.status in WITH_MODEL
                and found.scored_rowid < min(loss.rowid, found.last_rowid)
            ):
                log.warning("model_scheduler.scores_lost uid=%s scored_rowid=%d", uid, found.scored_rowid)
                self._memory.rewind(uid, found)
            self._suspected.pop(uid)

    # -- What a round works on.

    def _spans(self, work: Loaded) -> list[tuple[CachedModel, int]]:
        """Return up to which rowid rows are read for each model: a bounded number for all together, each a share.

        What live input has loaded is not loaded in vain: left for later, most of it would have been let go by then.
        """
        cache = self._memory.cache
        few = min(ROWS_WORTH_A_BLOCK * len(work.behind), MAX_ROWS_BEHIND)
        return [
            *self._backlog.spans([cache[uid] for uid in work.waiting], self._settings.chunk_size),
            *self._backlog.spans([cache[uid] for uid in work.behind], few),
        ]

    def _take_backlog(
        self, requests: Sequence[tuple[CachedModel, int]], batches: Sequence[ShardBatch]
    ) -> None:
        """Take rows from the repository, for each model up to a rowid."""
        if not requests:
            return
        found = self._recovery.rows(requests)
        self._teachings.refresh()  # behind the rows: what counts for them is stored before them
        requests = self._with_own_models(requests, found)
        if not requests:
            return
        astray = []
        for cached, before in _digests_before(requests, found):
            if not found[cached.uid].rowids:
                self._memory.begin_again(cached)
            elif not cached.may_follow(before) and self._recovery.is_astray(cached):
                astray.append(cached)
        self._memory.make_again(astray)
        for cached, _ in requests:
            uid, rows = cached.uid, found[cached.uid]
            if not rows.rowids or cached in astray:
                continue
            batch, count = batches[cached.shard], len(rows.rowids)
            stored = min(max(0, cached.stored_rowid - cached.next_rowid + 1), count)
            batch.suppressed.update(range(len(batch), len(batch) + stored))
            digests = [identity.with_model(digest, cached.model_digest) for digest in rows.digests]
            batch.samples.extend(
                [uid] * count,
                [cached.generation] * count,
                rows.rowids,
                rows.timestamps,
                without(cached.forgotten, rows.timestamps, rows.values),
                digests,
            )
            self.counters.add("rows_read", count)
            cached.next_rowid += count
            cached.digest = rows.digests[-1]
            self._backlog.advance(cached)

    def _with_own_models(
        self, requests: Sequence[tuple[CachedModel, int]], found: dict[str, Rows]
    ) -> list[tuple[CachedModel, int]]:
        """Return the requests of models that score the rows which were found, and leave out what others score."""
        kept = []
        for cached, last in requests:
            uid = cached.uid
            taught, rows = self._teachings.of(uid), found[uid]
            if taught and taught.ever_forgot and rows.rowids:
                count = taught.same_until(rows, cached.forgotten, cached.stored_rowid)
                if count == 0:
                    rowid = rows.rowids[0]
                    self._memory.forget_spans(cached, rowid, taught.forgotten(rowid, rows.timestamps[0]))
                    continue
                found[uid] = rows.part(0, count)
            kept.append((cached, last))
        return kept

    def _take_live(self, shard: int, samples: Samples, batch: ShardBatch, refused: Collection[str]) -> None:
        """Take the samples that are their models' next; note what the others say."""
        get = self._memory.cache.get
        taught = bool(self._teachings)
        taken: list[int] = []
        digests: list[int] = []
        before = identity.before(samples.digests, samples.timestamps, samples.values)
        for position, (uid, generation, rowid, digest_before) in enumerate(
            zip(samples.uids, samples.generations, samples.rowids, before, strict=True)
        ):
            cached = get(uid)
            if (
                cached is not None
                and cached.next_rowid == rowid > cached.stored_rowid
                and cached.generation == generation
                and cached.shard == shard
                and (cached.digest == digest_before or cached.may_follow(digest_before))
                and not (taught and self._is_of_another(cached, rowid, samples.timestamps[position]))
            ):
                cached.next_rowid = rowid + 1
                cached.digest = digest = samples.digests[position]
                taken.append(position)
                digests.append(identity.with_model(digest, cached.model_digest))
            elif cached is None or generation > cached.generation:
                if uid not in refused:
                    self._backlog.note(uid, rowid)
                    if cached is not None:
                        self._outdated.add(uid)
            elif generation < cached.generation:
                pass  # of a model that there is no more
            elif rowid >= cached.next_rowid:
                self._backlog.note(uid, rowid)
            else:
                # Also where its scores are stored: the repository may have been rolled back since the model came.
                self._suspected.note(uid, generation, rowid)
        columns = (samples.uids, samples.generations, samples.rowids, samples.timestamps, samples.values)
        if len(taken) < len(samples):
            columns = tuple([column[position] for position in taken] for column in columns)  # type: ignore[assignment]
        batch.samples.extend(*columns, digests)

    def _is_of_another(self, cached: CachedModel, rowid: int, timestamp: int) -> bool:
        """Whether a row is scored by a model that has forgotten something else."""
        taught = self._teachings.of(cached.uid)
        return taught is not None and taught.forgotten(rowid, timestamp) != cached.forgotten

    def _judge(self, batches: Sequence[ShardBatch], scored: BatchScores) -> BatchScores:
        """Apply what models were taught to their scores; what is silenced is noted in the batches."""
        why = dict(scored.why)
        start = 0
        for batch in batches:
            samples = batch.samples
            by_uid: defaultdict[str, list[int]] = defaultdict(list)
            for position, uid in enumerate(samples.uids):
                if self._teachings.of(uid) and position not in batch.suppressed:
                    by_uid[uid].append(position)
            for uid, own in by_uid.items():
                taught = self._teachings.of(uid)
                assert taught is not None
                silenced = taught.judge(
                    [samples.rowids[position] for position in own],
                    [samples.timestamps[position] for position in own],
                    [samples.values[position] for position in own],
                    scored.scores,
                    why,
                    [start + position for position in own],
                )
                for place, label in silenced.items():
                    batch.silenced[place - start] = label
                    why.pop(place, None)
            start += len(batch)
        return scored._replace(why=why)

    def _score(self, batches: Sequence[ShardBatch], *, came: int) -> list[ModelOutput]:
        """Score all that was taken, in one call; so many of the models have just come, and are unpacked for it."""
        outputs: list[ModelOutput] = []
        keys = [uid for batch in batches for uid in batch.samples.uids]
        if keys:
            timestamps = np.array(
                [second for batch in batches for second in batch.samples.timestamps], dtype=np.float64
            )
            values = np.array(
                [value for batch in batches for value in batch.samples.values], dtype=np.float64
            )
            # A database may store -0.0 as 0.0, so that a row that is read again would be another one.
            threads = max(self._settings.threads, THREADS if came >= MODELS_WORTH_THREADS else 1)
            scored = self._memory.cache.pool.score(
                keys, timestamps, values + 0.0, threads=threads, explain_from=ALARM
            )
            if self._teachings:
                scored = self._judge(batches, scored)
            self._step(f"{NAME}.scored")
            self.counters.add("rows_scored", len(keys))
            self._scored_last.update(keys)
            start = 0
            refusals = bool((scored.outcomes >= OUT_OF_ORDER).any())
            for batch in batches:
                if refusals:
                    self._refuse(batch, scored, start)
                outputs += batch.messages(scored, start)
                start += len(batch)
        for uid in self._outdated:
            self._memory.cache.remove(uid)
        self._outdated.clear()
        return outputs

    def _refuse(self, batch: ShardBatch, scored: BatchScores, start: int) -> None:
        """Fail the models whose rows go back in time: their scores end before the first such row; drop damaged ones."""
        failed: set[str] = set()
        for position, uid in enumerate(batch.samples.uids):
            outcome = scored.outcomes[start + position]
            if outcome == UNREADABLE:
                self._memory.unreadable(uid, batch.samples.rowids[position])
            elif uid not in failed and outcome == OUT_OF_ORDER:
                failed.add(uid)
                reason = (
                    f"row {batch.samples.rowids[position]} has timestamp {batch.samples.timestamps[position]}, "
                    "which lies before the row before it; the model cannot go on"
                )
                self._memory.fail(uid, batch.samples.generations[position], reason)
            if uid in failed:
                batch.suppressed.add(position)


def _digests_before(
    requests: Sequence[tuple[CachedModel, int]], found: Mapping[str, Rows]
) -> Iterator[tuple[CachedModel, int]]:
    """Return, with each model, the digest of the row before the first that was found for it."""
    firsts = [
        (rows.digests[0], rows.timestamps[0], rows.values[0]) if rows.rowids else (identity.UNKNOWN, 0, 0.0)
        for cached, _ in requests
        for rows in (found[cached.uid],)
    ]
    before = identity.before(*zip(*firsts, strict=True))
    return zip([cached for cached, _ in requests], before, strict=True)


class _Input(NamedTuple):
    shard: int
    samples: Samples
