"""The stage between samples and scores.

See `docs/decisions/0006-scheduler.md` for the rules that it follows.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from htmengine import messages
from htmengine.bus import Delivery, Outgoing
from htmengine.config import Settings
from htmengine.errors import DependencyUnavailable
from htmengine.htm.explanation import ALARM
from htmengine.htm.pool import OUT_OF_ORDER, BatchScores
from htmengine.messages import (
    MalformedMessage,
    ModelCommand,
    ModelFailure,
    ModelOutput,
    Samples,
    Scores,
    shard_of,
)
from htmengine.model_swapper.checkpoint_store import Checkpoint, CheckpointStore, ModelKey
from htmengine.model_swapper.checkpoint_writer import LAST_TIMEOUT_S, TIMEOUT_S, CheckpointWriter, Write
from htmengine.model_swapper.commands import Commands
from htmengine.model_swapper.model_cache import CachedModel, ModelCache
from htmengine.model_swapper.recovery import Recovery, scored_rowids
from htmengine.model_swapper.score_batch import ShardBatch
from htmengine.model_swapper.suspected_losses import Ages, SuspectedLosses
from htmengine.repository import identity
from htmengine.repository.metrics import Definition
from htmengine.repository.samples import Rows
from htmengine.repository.status import WITH_MODEL
from htmengine.service.counters import Counters
from htmengine.service.fault_injection import Step, no_step
from htmengine.service.loop import Outcome

if TYPE_CHECKING:
    from sqlalchemy import Engine

NAME: Final = "model_scheduler"
MESSAGES_BATCH_SIZE: Final = 16
"""At least, and one of each shard: the more shards there are, the fewer rows stand in a message."""
IDLE_POLL_S: Final = 0.5
MODELS_BATCH_SIZE: Final = 64
"""Of how many models missing rows are read in a round, and how many models are brought in between two looks at the
budget."""
LEAST_SHARE: Final = 16
"""Rows that are read for a model at a time, at the least."""
OUTPUTS_PER_MESSAGE: Final = 500
ROWS_WORTH_A_BLOCK: Final = 20
"""To take so many rows again costs what it costs to compress and write a block."""
SAVES_BATCH_SIZE: Final = 16
"""Checkpoints that are due are taken in so many a round, so that a round does not wait for many."""
ORPHANS_INTERVAL_S: Final = 600.0

log = logging.getLogger(__name__)


class ModelScheduler:
    """Owns the models of shards: takes samples, gives scores.

    A round reads what it needs first, so that a dependency that is away leaves nothing half done; then it scores
    everything in one call. Models are saved in `settle`, when their scores are published.
    """

    name = NAME

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        store: CheckpointStore,
        *,
        shards: int,
        results_ages: Ages,
        clock: Callable[[], float] = time.monotonic,
        step: Step = no_step,
        progress: Callable[[str], None] = lambda text: None,
    ) -> None:
        """`progress`: called with how far saving is when the service ends."""
        self.queues: Sequence[str] = tuple(settings.model_input_queue(shard) for shard in range(shards))
        self.max_messages = max(MESSAGES_BATCH_SIZE, shards)
        self.counters = Counters()
        self._settings = settings.scheduler
        self._shards = shards
        self._shard_of_queue = {queue: shard for shard, queue in enumerate(self.queues)}
        self._results_queues = [settings.results_shard_queue(shard) for shard in range(shards)]
        self._store = store
        self._results_ages = results_ages
        self._clock = clock
        self._step = step
        self._progress = progress
        self._writer = CheckpointWriter(store, partial(scored_rowids, engine), step=step)
        self._recovery = Recovery(engine, store, self._writer, settings.scheduler, shards=shards)
        self._cache = ModelCache(settings.scheduler.resident_bytes)
        self._commands = Commands(self._recovery, self._cache.get, begin=self._begin, delete=self._delete)
        self._epochs: dict[str, int] = {}
        """The bus's epoch of each queue."""
        self._claims: dict[int, int] = {}
        """Our epoch of each shard in the checkpoint store."""
        self._backlog: dict[str, int] = {}
        """Up to which rowid rows are to be read from the repository, by uid; who waits longest comes first."""
        self._suspected = SuspectedLosses(shards)
        self._failed: dict[str, int] = {}
        """Generations whose model cannot go on, by uid: said once."""
        self._failures: list[ModelFailure] = []
        """Not said yet."""
        self._scored_last: set[str] = set()
        """Whose samples were scored in the round that is not settled yet."""
        self._due: dict[str, None] = {}
        """Whose checkpoint is due."""
        self._outdated: set[str] = set()
        """Models in memory of which there is a newer generation."""
        self._orphans_due = clock() + ORPHANS_INTERVAL_S

    @property
    def poll_interval_s(self) -> float:
        """Not to wait at all while there are rows to read or models to save."""
        return 0.0 if self._backlog or (self._due and self._writer.room) else IDLE_POLL_S

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
                    inputs.append(_Input(self._shard_of_queue[delivery.queue], item))
                else:
                    commands.append(item)
        outputs += self._commands.execute(commands)
        self.counters.add("commands", len(commands))
        if self._suspected:
            self._resolve_suspected()
        work = self._load(inputs)
        batches = [ShardBatch() for _ in range(self._shards)]
        self._take_backlog(work.waiting, batches)
        # No database from here on: what is counted below is scored below.
        for shard, samples in inputs:
            self._take_live(shard, samples, batches[shard], work.refused)
        outputs += self._score(batches)
        outputs += self._failures
        self._failures = []
        return Outcome(self._outgoing(outputs), dead_letters)

    def settle(self) -> None:
        """Let what was scored and published become checkpoints, as far as these are due and the writer has room."""
        requests = self._settings.requests_per_checkpoint
        now = self._clock()
        for uid in self._scored_last:
            if cached := self._cache.get(uid):
                cached.published_rowid = cached.next_rowid - 1
                if cached.published_rowid - cached.checkpointed_rowid >= requests:
                    self._due[uid] = None
        self._scored_last.clear()
        self._suspected.published(now)
        for _ in range(min(len(self._due), SAVES_BATCH_SIZE, self._writer.room)):
            uid = next(iter(self._due))
            del self._due[uid]
            if cached := self._cache.get(uid):
                self._save(cached)
        if now >= self._orphans_due and self._writer.room:
            self._orphans_due = now + ORPHANS_INTERVAL_S
            self._writer.put(self._recovery.remove_orphans)

    def close(self) -> None:
        """Save every model whose scores were published."""
        unsaved = [cached for cached in self._cache if cached.dirty]
        try:
            for number, cached in enumerate(unsaved):
                self._progress(f"{number:,} of {len(unsaved):,} models saved")
                self._save(cached, timeout_s=LAST_TIMEOUT_S)
        except DependencyUnavailable as error:
            log.warning("model_scheduler.not_saved reason=%s", error)
        self._writer.close()
        self._store.require_whole()

    # -- Who owns what.

    def _own(self, deliveries: Sequence[Delivery]) -> None:
        """Claim the shards whose queue was given to us anew; drop what we know of shards that others own by now."""
        for shard in self._writer.lost_shards():
            self._drop_shard(shard)
            self._epochs.pop(self.queues[shard], None)
        for delivery in deliveries:
            if self._epochs.get(delivery.queue) != delivery.epoch:
                shard = self._shard_of_queue[delivery.queue]
                self._drop_shard(shard)
                self._claims[shard] = self._store.claim(shard)
                self._epochs[delivery.queue] = delivery.epoch

    def _drop_shard(self, shard: int) -> None:
        for cached in self._cache:
            if cached.shard == shard:
                self._cache.remove(cached.uid)
        for noted in (self._backlog, self._suspected, self._due):
            for uid in [uid for uid in noted if shard_of(uid, self._shards) == shard]:
                noted.pop(uid)

    def _forget(self, uid: str) -> None:
        """Drop a model and all that was noted of it."""
        self._cache.remove(uid)
        self._backlog.pop(uid, None)
        self._suspected.pop(uid)
        self._due.pop(uid, None)

    def _begin(self, uid: str, last_rowid: int) -> None:
        """Score a metric's rows up to the last, whatever was said of its model before."""
        self._failed.pop(uid, None)
        self._note(uid, last_rowid)

    def _delete(self, uid: str, generation: int) -> None:
        cached = self._cache.get(uid)
        if cached and cached.generation <= generation:
            self._forget(uid)
        self._writer.put(lambda: self._store.delete_models([(uid, generation)]))

    # -- Scores that may be lost.

    def _resolve_suspected(self) -> None:
        """Score again what was scored, but is neither stored nor on its way."""
        lost = self._suspected.confirmed(self._clock(), self._results_ages)
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
                self._rewind(uid, found)
            self._suspected.pop(uid)

    def _turn_back(self, astray: Sequence[CachedModel]) -> None:
        """Let go of models that took samples which the repository has no more, and make them again from its rows."""
        if not astray:
            return
        defined = self._recovery.definitions([cached.uid for cached in astray])
        for cached in astray:
            uid, found = cached.uid, defined.get(cached.uid)
            log.warning("model_scheduler.other_samples uid=%s rowid=%d", uid, cached.next_rowid - 1)
            if found is not None and self._may_work(uid, found):
                self._rewind(uid, found)
            else:
                self._forget(uid)

    def _rewind(self, uid: str, found: Definition) -> None:
        """Go back to a model as it was before the first row that needs scores, and let it take the rows again."""
        self.counters.add("models_set_back")
        restored = self._restored(uid, found, at_or_below=found.scored_rowid, compare=True)
        self._cache.remove(uid)
        if restored:
            self._cache.add(restored)
            self._note(uid, found.last_rowid)

    # -- What a round works on.

    def _note(self, uid: str, rowid: int) -> None:
        """Note that rows up to this one are to be read from the repository."""
        self._backlog[uid] = max(rowid, self._backlog.get(uid, 0))

    def _load(self, inputs: Sequence[_Input]) -> _Round:
        """Bring models into memory, as far as the budget allows; for the others, input is noted and read later."""
        live = dict.fromkeys(chain.from_iterable(item.samples.uids for item in inputs))
        waiting = list(islice(self._backlog, MODELS_BATCH_SIZE))
        wanted = dict.fromkeys(chain(waiting, live))
        missing = [uid for uid in wanted if uid not in self._cache]
        working = set(wanted).difference(missing)
        refused: set[str] = set()
        if missing:
            # Neither of both kinds may keep the other waiting for ever: there is room for one of each at least.
            served = {False: not working.isdisjoint(live), True: not working.isdisjoint(waiting)}
            refused = self._load_missing(missing, working, served)
            for uid in refused:
                self._backlog.pop(uid, None)
        if self._cache.bytes > self._cache.budget:
            self._evict(working)
        self._cache.touch(working)
        return _Round([uid for uid in waiting if uid in working], refused)

    def _load_missing(self, missing: Sequence[str], working: set[str], served: dict[bool, bool]) -> set[str]:
        """Bring models that are not in memory, add them to those that work, and return the metrics without a model.

        `served` says, for live input and for backlogs, whether some model of that kind works already.
        """
        budget = self._cache.budget
        defined = self._recovery.definitions(missing)
        able = [uid for uid in missing if self._may_work(uid, defined.get(uid))]
        refused = set(missing).difference(able)
        used = sum(self._cache[uid].bytes for uid in working)
        newest: Mapping[ModelKey, Checkpoint] | None = None
        for place, uid in enumerate(able):
            if place % MODELS_BATCH_SIZE == 0:
                some = able[place : place + MODELS_BATCH_SIZE]
                # Without room in the budget hardly one of them is brought in.
                newest = (
                    self._recovery.newest([(it, defined[it].generation) for it in some])
                    if used < budget
                    else None
                )
            behind = uid in self._backlog
            if served[behind] and used >= budget / (2 if behind else 1):
                continue
            found = defined[uid]
            cached = self._restored(uid, found, at_or_below=found.last_rowid, newest=newest)
            if cached is None:
                refused.add(uid)
                continue
            self._cache.add(cached)
            served[behind] = True
            working.add(uid)
            used += cached.bytes
            if self._cache.bytes > budget:
                self._evict(working)
        return refused

    def _may_work(self, uid: str, found: Definition | None) -> bool:
        """Whether there is to be a model, and it has not failed."""
        return found is not None and found.status in WITH_MODEL and self._failed.get(uid) != found.generation

    def _restored(
        self,
        uid: str,
        found: Definition,
        *,
        at_or_below: int,
        newest: Mapping[ModelKey, Checkpoint] | None = None,
        compare: bool = False,
    ) -> CachedModel | None:
        """Return a model as it was at some row at or below the given one; None where there cannot be one."""
        try:
            cached = self._recovery.restore(
                uid, found, at_or_below=at_or_below, newest=newest, compare=compare
            )
        except ValueError as error:
            self._fail(uid, found.generation, str(error))
            return None
        self.counters.add("models_loaded" if cached.model.rows else "models_made")
        if cached.next_rowid <= cached.stored_rowid:
            self._note(uid, cached.stored_rowid)
        return cached

    def _fail(self, uid: str, generation: int, reason: str) -> None:
        log.warning("model_scheduler.model_failed uid=%s generation=%d reason=%s", uid, generation, reason)
        self.counters.add("models_failed")
        self._forget(uid)
        self._failed[uid] = generation
        self._failures.append(ModelFailure(uid=uid, generation=generation, error_message=reason))

    def _take_backlog(self, waiting: Sequence[str], batches: Sequence[ShardBatch]) -> None:
        """Take rows from the repository, a bounded number for all metrics together, each a share."""
        chunk = self._settings.chunk_size
        share = max(LEAST_SHARE, chunk // max(1, len(waiting)))
        requests = []
        for uid in waiting:
            cached, target = self._cache[uid], self._backlog[uid]
            if target < cached.next_rowid:
                del self._backlog[uid]
            elif chunk > 0:
                last = min(target, cached.next_rowid + min(share, chunk) - 1)
                requests.append((cached, last))
                chunk -= last - cached.next_rowid + 1
        if not requests:
            return
        found = self._recovery.rows(requests)
        astray = []
        for cached, before in _digests_before(requests, found):
            if not found[cached.uid].rowids:
                self._miss(cached)
            elif not cached.may_follow(before) and self._recovery.is_astray(cached):
                astray.append(cached)
        self._turn_back(astray)
        for cached, _ in requests:
            uid, rows = cached.uid, found[cached.uid]
            if not rows.rowids or cached in astray:
                continue
            batch, count = batches[cached.shard], len(rows.rowids)
            stored = min(max(0, cached.stored_rowid - cached.next_rowid + 1), count)
            batch.suppressed.update(range(len(batch), len(batch) + stored))
            digests = [identity.with_model(digest, cached.model_digest) for digest in rows.digests]
            batch.extend(
                [uid] * count,
                [cached.generation] * count,
                rows.rowids,
                rows.timestamps,
                rows.values,
                digests,
            )
            self.counters.add("rows_read", count)
            cached.next_rowid += count
            cached.digest = rows.digests[-1]
            target = self._backlog.pop(uid)
            if cached.next_rowid <= target:
                self._backlog[uid] = target  # behind all others

    def _miss(self, cached: CachedModel) -> None:
        """Decide what becomes of a model whose next row is not in the repository."""
        uid = cached.uid
        try:
            newest = self._recovery.begin_again(cached)
        except ValueError as error:
            self._fail(uid, cached.generation, str(error))
            return
        self._backlog.pop(uid, None)
        if newest is not None:
            self._forget(uid)
            self._note(uid, newest)

    def _take_live(self, shard: int, samples: Samples, batch: ShardBatch, refused: Collection[str]) -> None:
        """Take the samples that are their models' next; note what the others say."""
        get = self._cache.get
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
            ):
                cached.next_rowid = rowid + 1
                cached.digest = digest = samples.digests[position]
                taken.append(position)
                digests.append(identity.with_model(digest, cached.model_digest))
            elif cached is None or generation > cached.generation:
                if uid not in refused:
                    self._note(uid, rowid)
                    if cached is not None:
                        self._outdated.add(uid)
            elif generation < cached.generation:
                pass  # of a model that there is no more
            elif rowid >= cached.next_rowid:
                self._note(uid, rowid)
            else:
                # Also where its scores are stored: the repository may have been rolled back since the model came.
                self._suspected.note(uid, generation, rowid)
        columns = (samples.uids, samples.generations, samples.rowids, samples.timestamps, samples.values)
        if len(taken) < len(samples):
            columns = tuple([column[position] for position in taken] for column in columns)  # type: ignore[assignment]
        batch.extend(*columns, digests)

    def _score(self, batches: Sequence[ShardBatch]) -> list[ModelOutput]:
        """Score all that was taken, in one call."""
        outputs: list[ModelOutput] = []
        keys = [uid for batch in batches for uid in batch.uids]
        if keys:
            timestamps = np.array(
                [second for batch in batches for second in batch.timestamps], dtype=np.float64
            )
            values = np.array([value for batch in batches for value in batch.values], dtype=np.float64)
            # A database may store -0.0 as 0.0, so that a row that is read again would be another one.
            scored = self._cache.pool.score(
                keys, timestamps, values + 0.0, threads=self._settings.threads, explain_from=ALARM
            )
            self._step(f"{NAME}.scored")
            self.counters.add("rows_scored", len(keys))
            self._scored_last.update(keys)
            start = 0
            refusals = bool((scored.outcomes == OUT_OF_ORDER).any())
            for batch in batches:
                if refusals:
                    self._refuse(batch, scored, start)
                outputs += batch.messages(scored, start)
                start += len(batch)
        for uid in self._outdated:
            self._cache.remove(uid)
        self._outdated.clear()
        return outputs

    def _refuse(self, batch: ShardBatch, scored: BatchScores, start: int) -> None:
        """Fail the models whose rows go back in time; their scores end before the first such row."""
        failed: set[str] = set()
        for position, uid in enumerate(batch.uids):
            if uid not in failed and scored.outcomes[start + position] == OUT_OF_ORDER:
                failed.add(uid)
                reason = (
                    f"row {batch.rowids[position]} has timestamp {batch.timestamps[position]}, "
                    "which lies before the row before it; the model cannot go on"
                )
                self._fail(uid, batch.generations[position], reason)
            if uid in failed:
                batch.suppressed.add(position)

    def _outgoing(self, outputs: Sequence[ModelOutput]) -> list[Outgoing]:
        """Return messages with these outputs, a shard's in their order; scores end a message, so that it is bounded."""
        open_: dict[int, list[ModelOutput]] = {}
        found = []

        def close(shard: int) -> None:
            body = messages.encode_model_output(open_.pop(shard))
            found.append(Outgoing(self._results_queues[shard], body))

        for output in outputs:
            uid = output.uids[0] if isinstance(output, Scores) else output.uid
            shard = shard_of(uid, self._shards)
            open_.setdefault(shard, []).append(output)
            if isinstance(output, Scores) or len(open_[shard]) == OUTPUTS_PER_MESSAGE:
                close(shard)
        for shard in list(open_):
            close(shard)
        return found

    # -- Saving.

    def _save(self, cached: CachedModel, *, timeout_s: float = TIMEOUT_S) -> None:
        """Hand a model's block to the writer, if it says more than the last. Raises DependencyUnavailable, nothing done."""
        if not cached.dirty:
            return
        block = cached.model.save()
        self._writer.put(
            Write(
                Checkpoint.of(
                    cached.uid,
                    cached.generation,
                    cached.published_rowid,
                    cached.shard,
                    block,
                    identity.with_model(cached.digest, cached.model_digest),
                ),
                self._claims.get(cached.shard, 0),
            ),
            timeout_s=timeout_s,
        )
        self.counters.add("checkpoints")
        cached.checkpointed_rowid = cached.published_rowid
        self._cache.resize(cached, len(block))

    def _evict(self, keep: Collection[str]) -> None:
        """Let the least recently used models go until the rest fits or is in use.

        One that took only a few rows since its checkpoint takes them again when it comes back: where there is room for
        a part of the fleet only, to write its block each time would cost more, and wear the disk out.
        """
        for cached in self._cache.least_used(keep):
            if cached.published_rowid - cached.checkpointed_rowid >= min(
                ROWS_WORTH_A_BLOCK, self._settings.requests_per_checkpoint
            ):
                self._save(cached)
            self._cache.remove(cached.uid)
            self.counters.add("models_evicted")


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


class _Round(NamedTuple):
    """What a round works on."""

    waiting: list[str]
    """In memory, and rows are to be read for them."""
    refused: set[str]
    """Metrics without a model; their input is dropped."""


class _Input(NamedTuple):
    shard: int
    samples: Samples
