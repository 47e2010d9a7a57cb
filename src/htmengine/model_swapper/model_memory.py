"""What is in memory: models are loaded when they have input, saved when a checkpoint is due, and evicted for others."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import chain, islice
from typing import Final, NamedTuple

from htmengine import config
from htmengine.errors import DependencyUnavailable
from htmengine.messages import ModelFailure, shard_of
from htmengine.model_swapper.backlog import Backlog
from htmengine.model_swapper.byte_allowance import ByteAllowance
from htmengine.model_swapper.checkpoint import ROWS_WORTH_A_BLOCK, Checkpoint
from htmengine.model_swapper.checkpoint_store import CheckpointStore
from htmengine.model_swapper.checkpoint_writer import LAST_TIMEOUT_S, TIMEOUT_S, CheckpointWriter, Write
from htmengine.model_swapper.model_cache import CachedModel, ModelCache, Restored
from htmengine.model_swapper.ownership import ShardOwnership
from htmengine.model_swapper.recovery import Recovery
from htmengine.model_swapper.suspected_losses import SuspectedLosses
from htmengine.model_swapper.teaching import Forgotten
from htmengine.model_swapper.teachings import Teachings
from htmengine.repository.checkpoints import ModelKey
from htmengine.repository.metrics import Definition
from htmengine.repository.status import WITH_MODEL
from htmengine.service.counters import Counters

BACKLOG_BATCH_SIZE: Final = 64
"""Of how many models missing rows are read in a round."""
MODELS_BATCH_SIZE: Final = 200
"""How many models are loaded between two looks at the budget. Their blocks are in memory twice meanwhile."""
EVICTED_BATCH_SIZE: Final = 200
LAST_BATCH_SIZE: Final = 200
"""Models that are saved together when a scheduler ends."""
SAVES_BATCH_SIZE: Final = 16
"""Checkpoints that are due are taken in so many a round, so that a round does not wait for many."""
ROWS_WRITTEN_BEHIND: Final = 40
"""A model that took so many rows since its checkpoint is saved as far as the rate allows. What is lost by a kill, and what
is left to be saved at the end, is so bounded by rows, and what is written by the bytes of a block for so many rows."""
BYTES_WRITTEN_BEHIND_S: Final = 4 << 20
"""A second, for that. What took as many rows as the settings say is saved in any case."""
SAVING_TIMEOUT_S: Final = 12.0
"""When a scheduler ends; models that are not saved by then take their last rows again."""
SAVING_FEW_ROWS_TIMEOUT_S: Final = 3.0
"""The same where all that are left took fewer rows than a block is worth: to take these again is no more work."""
GIVE_BACK_INTERVAL_S: Final = 10.0
"""While models come and go, the C library keeps more and more of what their blocks and rows were read into: so long after
they came it is given back at the latest,"""
FIRST_GIVE_BACK_S: Final = 60.0
"""After the start in any case: whoever runs in this process has read lists of all metrics by then."""
GIVE_BACK_BYTES: Final = 16 << 20
GIVE_BACK_SHARE: Final = 1 / 24
"""and as soon as it may be so much; more where there is a large budget."""

log = logging.getLogger(__name__)


class Loaded(NamedTuple):
    """Which models a round works with."""

    waiting: list[str]
    """In memory, and rows are to be read for them: those that have waited longest."""
    behind: list[str]
    """Likewise: those of live input. A model that was let go has to take its last rows again before it can take more."""
    refused: set[str]
    """Metrics without a model; their input is dropped."""
    came: int
    """How many models were loaded."""


class ModelMemory:
    """The models in memory, and the ways into it and out of it. Whatever reads or writes may raise DependencyUnavailable."""

    def __init__(
        self,
        settings: config.Scheduler,
        recovery: Recovery,
        writer: CheckpointWriter,
        store: CheckpointStore,
        *,
        shards: int,
        backlog: Backlog,
        suspected: SuspectedLosses,
        ownership: ShardOwnership,
        counters: Counters,
        teachings: Teachings,
        timer: Callable[[], float] = time.monotonic,
        give_back: Callable[[], None] = lambda: None,
    ) -> None:
        """Begin without models.

        Parameters
        ----------
        backlog, suspected : follow the models that are loaded and dropped.
        ownership : has the epochs for checkpoints.
        timer : gives seconds that only grow.
        give_back : gives the system memory that nobody uses.
        """
        self.cache = ModelCache(settings.model_bytes)
        self._failures: list[ModelFailure] = []
        """Not reported yet."""
        self._settings = settings
        self._recovery = recovery
        self._writer = writer
        self._store = store
        self._shards = shards
        self._backlog = backlog
        self._suspected = suspected
        self._ownership = ownership
        self._counters = counters
        self._teachings = teachings
        self._timer = timer
        self._failed: dict[str, int] = {}
        """Generations whose model cannot go on, by uid: reported once."""
        self._unreadable: set[str] = set()
        """Whose checkpoint has a good checksum, and cannot be unpacked: a model of another make wrote it."""
        self._due: dict[str, None] = {}
        """Whose checkpoint is due."""
        self._behind: dict[str, None] = {}
        """Who is saved as far as the rate allows; who waits longest comes first."""
        self._allowance = ByteAllowance(BYTES_WRITTEN_BEHIND_S, timer)
        self._give_back = give_back
        self._give_back_due = timer() + FIRST_GIVE_BACK_S
        """Without end, while no model has come since memory was given back."""
        self._given_back_bytes = 0
        """Of the cache's `passed_bytes`."""

    @property
    def may_save(self) -> bool:
        """Whether a checkpoint is to be written now, and the writer has room for it."""
        wanted = self._due or (self._behind and self._allowance.bytes > 0)
        return bool(wanted and self._writer.room)

    # -- Loading.

    def load(self, live: Iterable[str]) -> Loaded:
        """Load the models of live input and of the backlog, as far as the budget allows, and return which work now."""
        live = dict.fromkeys(live)
        waiting = self._backlog.first(BACKLOG_BATCH_SIZE)
        wanted = dict.fromkeys(chain(waiting, live))
        missing = [uid for uid in wanted if uid not in self.cache]
        working = set(wanted).difference(missing)
        refused: set[str] = set()
        before = len(working)
        if missing:
            # Neither of both kinds may keep the other waiting for ever: there is room for one of each at least.
            served = {False: not working.isdisjoint(live), True: not working.isdisjoint(waiting)}
            refused = self._load_missing(missing, working, served)
            for uid in refused:
                self._backlog.pop(uid)
        now = self._timer()
        # Where models come, as many may come next: to keep fewer unpacked costs less than to pack them then.
        self.cache.make_ready(working, now, coming=len(missing), ready=working)
        self._evict(working)
        self.cache.touch(working, now)
        self._counters.set("models_resident", len(self.cache))
        first = {uid: None for uid in waiting if uid in working}
        behind = [uid for uid in live if uid in self._backlog and uid in working and uid not in first]
        return Loaded(list(first), behind, refused, came=len(working) - before)

    def _load_missing(self, missing: Sequence[str], working: set[str], served: dict[bool, bool]) -> set[str]:
        """Load models that are not in memory, add them to those that work, and return the metrics without a model.

        `served` says, for live input and for backlogs, whether some model of that kind works already.
        """
        budget = self.cache.budget
        defined = self._recovery.definitions(missing)
        able = [uid for uid in missing if self._may_work(uid, defined.get(uid))]
        refused = set(missing).difference(able)
        used = self.cache.memory * len(working) / max(1, len(self.cache))
        for place in range(0, len(able), MODELS_BATCH_SIZE):
            some = able[place : place + MODELS_BATCH_SIZE]
            self.cache.make_ready(working, self._timer(), coming=len(some))
            self._evict(working)
            self.give_back()
            # Without room in the budget hardly one of them is loaded.
            newest = (
                self._recovery.newest([(uid, defined[uid].generation) for uid in some])
                if used < budget
                else None
            )
            for uid in some:
                behind = uid in self._backlog
                if served[behind] and used >= budget / (2 if behind else 1):
                    continue
                found = defined[uid]
                restored = self._restored(
                    uid, found, at_or_below=found.last_rowid, newest=newest, unpack=uid in self._unreadable
                )
                if restored is None:
                    refused.add(uid)
                    continue
                self._unreadable.discard(uid)
                served[behind] = True
                working.add(uid)
                used += self._add(restored)
        return refused

    def _add(self, restored: Restored) -> int:
        """Take a model into the cache, and return how much memory it takes."""
        cached = restored.cached
        if cached.published_rowid > cached.stored_rowid:
            # Scores that were published before its checkpoint are on their way, or lost: nothing else would tell,
            # if the model is gone again when its rows are asked for the next time.
            self._suspected.note(cached.uid, cached.generation, cached.published_rowid)
        return self.cache.add(restored)

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
        forgotten: Forgotten | None = None,
        unpack: bool = True,
    ) -> Restored | None:
        """Return a model as it was at some row at or below the given one; None where there cannot be one.

        `forgotten` : what it has not seen; None for what it is likely to have forgotten at its next row without scores.
        """
        taught = self._teachings.of(uid)
        if taught and taught.ever_forgot and forgotten is None:
            forgotten = taught.forgotten(found.scored_rowid + 1, found.tail_timestamp or -math.inf)
        try:
            restored = self._recovery.restore(
                uid,
                found,
                at_or_below=at_or_below,
                newest=newest,
                compare=compare,
                forgotten=forgotten,
                unpack=unpack,
            )
        except ValueError as error:
            self.fail(uid, found.generation, str(error))
            return None
        cached = restored.cached
        self._give_back_due = min(self._give_back_due, self._timer() + GIVE_BACK_INTERVAL_S)
        self._counters.add("models_loaded" if cached.rows else "models_made")
        if cached.next_rowid <= cached.stored_rowid:
            self._backlog.note(uid, cached.stored_rowid)
        return restored

    def begin(self, uid: str, last_rowid: int) -> None:
        """Score a metric's rows up to the last, whatever was said of its model before."""
        self._failed.pop(uid, None)
        self._backlog.note(uid, last_rowid)

    # -- Returning to an earlier state.

    def unreadable(self, uid: str, last_rowid: int) -> None:
        """Drop a model that could not be unpacked; it is loaded again from a checkpoint that can."""
        self.cache.remove(uid)
        self._unreadable.add(uid)
        self._backlog.note(uid, last_rowid)

    def rewind(self, uid: str, found: Definition) -> None:
        """Go back to a model as it was before the first row that needs scores, and let it take the rows again."""
        self._counters.add("models_set_back")
        restored = self._restored(uid, found, at_or_below=found.scored_rowid, compare=True)
        self.cache.remove(uid)
        if restored:
            self.cache.add(restored)
            self._backlog.note(uid, found.last_rowid)

    def make_again(self, astray: Sequence[CachedModel]) -> None:
        """Drop models that took samples which the repository has no more, and make them again from its rows."""
        if not astray:
            return
        defined = self._recovery.definitions([cached.uid for cached in astray])
        for cached in astray:
            uid, found = cached.uid, defined.get(cached.uid)
            log.warning("model_scheduler.other_samples uid=%s rowid=%d", uid, cached.next_rowid - 1)
            if found is not None and self._may_work(uid, found):
                self.rewind(uid, found)
            else:
                self.forget(uid)

    def forget_spans(self, cached: CachedModel, rowid: int, forgotten: Forgotten) -> None:
        """Let a model that has forgotten these spans go on at a row; earlier rows were scored by another."""
        uid = cached.uid
        found = self._recovery.definitions([uid]).get(uid)
        if found is None or found.generation != cached.generation or not self._may_work(uid, found):
            self.forget(uid)
            if found is not None:
                self._backlog.note(uid, found.last_rowid)
            return
        self._counters.add("models_taught")
        restored = self._restored(uid, found, at_or_below=rowid - 1, forgotten=forgotten)
        self.cache.remove(uid)
        if restored is None:
            return
        if found.scored_rowid < rowid - 1:
            self._suspected.note(uid, found.generation, rowid - 1)  # on their way, or lost
        restored.cached.stored_rowid = max(found.scored_rowid, rowid - 1)
        self.cache.add(restored)
        self._backlog.note(uid, found.last_rowid)

    def begin_again(self, cached: CachedModel) -> None:
        """Start a new generation of a model whose next row is not in the repository any more, or fail it."""
        uid = cached.uid
        try:
            newest = self._recovery.begin_again(cached)
        except ValueError as error:
            self.fail(uid, cached.generation, str(error))
            return
        self._backlog.pop(uid)
        if newest is not None:
            self.forget(uid)
            self._backlog.note(uid, newest)

    # -- Saving and evicting.

    def published(self, uids: Iterable[str]) -> None:
        """Note that all scores of these models were published; checkpoints may reach up to them."""
        for uid in uids:
            if cached := self.cache.get(uid):
                cached.published_rowid = cached.next_rowid - 1
                if cached.unsaved >= self._settings.requests_per_checkpoint:
                    self._due[uid] = None
                    self._behind.pop(uid, None)
                elif cached.behind >= ROWS_WRITTEN_BEHIND:
                    self._behind.setdefault(uid)

    def save_due(self) -> None:
        """Hand over the checkpoints that are due, and those that the rate allows, as far as the writer has room."""
        room = max(0, min(SAVES_BATCH_SIZE, self._writer.room))
        taken = list(islice(self._due, room))
        if self._allowance.bytes > 0:
            taken += islice(self._behind, room - len(taken))
        self._allowance.spend(self._save([cached for uid in taken if (cached := self.cache.get(uid))]))
        for uid in taken:
            self._due.pop(uid, None)
            self._behind.pop(uid, None)

    def give_back(self) -> None:
        """Give the system memory that models have left behind: some time after they came, or when it is much."""
        passed = self.cache.passed_bytes - self._given_back_bytes
        is_much = passed >= max(GIVE_BACK_BYTES, GIVE_BACK_SHARE * self.cache.budget)
        if is_much or self._timer() >= self._give_back_due:
            self._give_back_due = math.inf
            self._given_back_bytes = self.cache.passed_bytes
            self._give_back()

    def save_all(self, progress: Callable[[str], None]) -> None:
        """Save the models whose scores were published, as far as the store is available and time allows.

        Those that would have to take most rows again come first. `progress`: called with how far it is.
        """
        unsaved = sorted(
            (cached for cached in self.cache if cached.dirty), key=lambda cached: cached.behind, reverse=True
        )
        began = self._timer()
        try:
            for start in range(0, len(unsaved), LAST_BATCH_SIZE):
                is_worth_it = unsaved[start].behind >= ROWS_WORTH_A_BLOCK
                if self._timer() > began + (SAVING_TIMEOUT_S if is_worth_it else SAVING_FEW_ROWS_TIMEOUT_S):
                    log.info("model_scheduler.saved models=%d of=%d", start, len(unsaved))
                    break
                progress(f"{start:,} of {len(unsaved):,} models saved")
                self._save(unsaved[start : start + LAST_BATCH_SIZE], timeout_s=LAST_TIMEOUT_S)
        except DependencyUnavailable as error:
            log.warning("model_scheduler.not_saved reason=%s", error)

    def _save(self, models: Sequence[CachedModel], *, timeout_s: float = TIMEOUT_S) -> int:
        """Hand blocks to the writer, of the models of which they say more than the last; return their bytes.

        Raises DependencyUnavailable; then those before were handed over.
        """
        models, size = [cached for cached in models if cached.dirty], 0
        for cached, block in zip(models, self.cache.blocks(models), strict=True):
            self._writer.put(
                Write(
                    Checkpoint.of(
                        cached.uid,
                        cached.generation,
                        cached.published_rowid,
                        cached.shard,
                        block,
                        cached.checkpoint_digest,
                    ),
                    self._ownership.store_epoch(cached.shard),
                ),
                timeout_s=timeout_s,
            )
            self._counters.add("checkpoints")
            cached.checkpointed_rowid = cached.published_rowid
            size += len(block)
        if models:
            self._counters.set("checkpointed_at", int(time.time()))
        return size

    def _evict(self, keep: Collection[str]) -> None:
        """Let models go until the rest fits or is in use.

        One that took only a few rows since its checkpoint takes them again when it comes back: where there is room for
        a part of the fleet only, to write its block each time would cost more, and wear the disk out.
        """
        worth = min(ROWS_WORTH_A_BLOCK, self._settings.requests_per_checkpoint)
        while leaving := self.cache.excess(keep, self._backlog, self._timer(), EVICTED_BATCH_SIZE):
            self._save([cached for cached in leaving if cached.unsaved >= worth])
            for cached in leaving:
                self.cache.remove(cached.uid)
            self._counters.add("models_evicted", len(leaving))

    def drop_shard(self, shard: int) -> None:
        """Drop all that is known of a shard's models: another owns it, or has in the meantime."""
        for cached in self.cache:
            if cached.shard == shard:
                self.cache.remove(cached.uid)
        for noted in (self._backlog, self._suspected):
            for uid in [uid for uid in noted if shard_of(uid, self._shards) == shard]:
                noted.pop(uid)
        for due in (self._due, self._behind):
            for uid in [uid for uid in due if shard_of(uid, self._shards) == shard]:
                del due[uid]

    def forget(self, uid: str) -> None:
        """Drop a model and all that was noted of it."""
        self.cache.remove(uid)
        self._backlog.pop(uid)
        self._suspected.pop(uid)
        self._due.pop(uid, None)
        self._behind.pop(uid, None)

    def delete(self, uid: str, generation: int) -> None:
        """Drop a model of this generation or an earlier one, and have its checkpoints deleted."""
        cached = self.cache.get(uid)
        if cached and cached.generation <= generation:
            self.forget(uid)
        self._writer.put(lambda: self._store.delete_models([(uid, generation)]))

    def fail(self, uid: str, generation: int, reason: str) -> None:
        """Drop a model that cannot go on, and note the reason once for its generation."""
        log.warning("model_scheduler.model_failed uid=%s generation=%d reason=%s", uid, generation, reason)
        self._counters.add("models_failed")
        self.forget(uid)
        self._failed[uid] = generation
        self._failures.append(ModelFailure(uid=uid, generation=generation, error_message=reason))

    def take_failures(self) -> list[ModelFailure]:
        """Return the failures that were not reported yet."""
        taken, self._failures = self._failures, []
        return taken
