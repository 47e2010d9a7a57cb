"""The thread that compresses and writes checkpoints, so that scoring does not wait for it."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from htmengine.errors import DependencyUnavailable, ExplainedError
from htmengine.model_swapper.checkpoint import Checkpoint
from htmengine.model_swapper.checkpoint_store import CheckpointStore
from htmengine.repository.checkpoints import ModelKey
from htmengine.service.fault_injection import Step, no_step
from htmengine.service.retry import WaitingLog
from htmengine.system.backoff import Backoff, retry

CAPACITY: Final = 256
"""Checkpoints that may wait. Each is a copy of a model's state, so this bounds memory."""
BATCH_SIZE: Final = 100
TIMEOUT_S: Final = 5.0
LAST_TIMEOUT_S: Final = 10.0
"""When a scheduler ends: a disk that is slow for a moment is no reason to save no more models."""
FIRST_PAUSE_S: Final = 0.05
MAX_PAUSE_S: Final = 5.0
CLOSING_S: Final = 3.0
"""How long `close` goes on trying where the store is unavailable; models without a checkpoint are rebuilt from their rows."""

log = logging.getLogger(__name__)


class CheckpointsWaiting(DependencyUnavailable):
    """The store of checkpoints is unavailable, and as many checkpoints wait for it as may."""


class Write(NamedTuple):
    """A checkpoint that is to be stored."""

    checkpoint: Checkpoint
    epoch: int
    """Under which its shard was claimed by whoever made it."""


Job = Write | Callable[[], None]


class CheckpointWriter:
    """Does one thing after the other: writes checkpoints, many in one transaction, and runs other jobs between them."""

    def __init__(
        self,
        store: CheckpointStore,
        scored: Callable[[Sequence[str]], Mapping[str, int]],
        *,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
        step: Step = no_step,
        capacity: int = CAPACITY,
    ) -> None:
        """Start the thread.

        Parameters
        ----------
        scored : says, by uid, up to which rowid scores are stored; it may raise DependencyUnavailable.
        clock : seconds since the epoch, by which checkpoints are dated.
        timer : seconds that only grow.
        """
        self._store = store
        self._scored = scored
        self._clock = clock
        self._timer = timer
        self._step = step
        self._capacity = capacity
        self._changed = threading.Condition()
        self._jobs: deque[Job] = deque()
        self._waiting: dict[ModelKey, list[Checkpoint]] = {}
        """Those that are not in the store yet, by model, the newest last."""
        self._busy = False
        self._closing = threading.Event()
        self._give_up_at = math.inf
        self._stale: set[int] = set()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="checkpoint_writer", daemon=True)
        self._thread.start()

    @property
    def room(self) -> int:
        """How many jobs can be put without waiting."""
        return self._capacity - len(self._jobs)

    def put(self, job: Job, *, timeout_s: float = TIMEOUT_S) -> None:
        """Hand over a checkpoint or another job; waits while there is no room, so many seconds at most.

        Raises
        ------
        CheckpointsWaiting : there was no room in this time.
        RuntimeError : the thread ended with an error.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self.room > 0 or self._error, timeout_s):
                raise CheckpointsWaiting(f"{len(self._jobs)} checkpoints wait to be written")
            self._raise()
            self._jobs.append(job)
            if isinstance(job, Write):
                self._waiting.setdefault(job.checkpoint[:2], []).append(job.checkpoint)
            self._changed.notify_all()

    def waiting(self, models: Iterable[ModelKey]) -> dict[ModelKey, Checkpoint]:
        """Return the newest checkpoint of each of these models that has one which is not in the store yet."""
        with self._changed:
            return {model: self._waiting[model][-1] for model in models if model in self._waiting}

    def flush(self) -> None:
        """Wait until everything that was handed over is done. Raises what `put` does."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._error or not (self._jobs or self._busy), TIMEOUT_S):
                raise CheckpointsWaiting(f"{len(self._jobs)} checkpoints wait to be written")
            self._raise()

    def lost_shards(self) -> set[int]:
        """Return, once, the shards whose checkpoints were refused because they have another owner."""
        with self._changed:
            lost, self._stale = self._stale, set()
        return lost

    def close(self) -> None:
        """Do what was handed over, and end. Gives up after a while where the store stays unavailable."""
        self._give_up_at = self._timer() + CLOSING_S
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
        self._thread.join()
        self._raise()

    def _raise(self) -> None:
        if isinstance(self._error, ExplainedError):
            raise self._error
        if self._error:
            raise RuntimeError("checkpoints cannot be written") from self._error

    def _run(self) -> None:
        try:
            while batch := self._next():
                self._do_when_available(batch)
                self._done(batch)
        except (
            BaseException
        ) as error:  # raised to whoever hands over the next job, in a thread that is watched
            if isinstance(error, ExplainedError):
                log.error("model_scheduler.checkpoints_failed reason=%s", error)
            else:
                log.exception("model_scheduler.checkpoints_failed")
            with self._changed:
                self._error = error
                self._jobs.clear()
                self._waiting.clear()
                self._changed.notify_all()

    def _next(self) -> list[Job]:
        """Return what to do next: checkpoints, or one other job; nothing when all is done and the writer is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._closing.is_set())
            batch: list[Job] = []
            while self._jobs and len(batch) < BATCH_SIZE:
                if batch and not (isinstance(batch[-1], Write) and isinstance(self._jobs[0], Write)):
                    break
                batch.append(self._jobs.popleft())
            self._busy = bool(batch)
            self._changed.notify_all()
            return batch

    def _done(self, batch: Sequence[Job]) -> None:
        with self._changed:
            for job in batch:
                if isinstance(job, Write):
                    model = job.checkpoint[:2]
                    self._waiting[model].remove(job.checkpoint)
                    if not self._waiting[model]:
                        del self._waiting[model]
            self._busy = False
            self._changed.notify_all()

    def _do_when_available(self, batch: Sequence[Job]) -> None:
        """Do jobs as soon as the store is available; a writer that is closed gives up after a while."""
        backoff, waiting = Backoff(FIRST_PAUSE_S, MAX_PAUSE_S), WaitingLog("checkpoint_writer")

        def worth(error: Exception) -> bool:
            waiting.waits(backoff.waited_s, error)
            return self._timer() <= self._give_up_at

        def sleep(pause_s: float) -> None:
            if self._closing.is_set():
                time.sleep(pause_s)
            else:
                self._closing.wait(pause_s)

        try:
            retry(lambda: self._do(batch), DependencyUnavailable, backoff, worth=worth, sleep=sleep)
        except DependencyUnavailable as error:
            log.warning("model_scheduler.checkpoints_lost jobs=%d reason=%s", len(batch), error)
        else:
            waiting.ends(backoff.waited_s)

    def _do(self, batch: Sequence[Job]) -> None:
        writes = [job for job in batch if isinstance(job, Write)]
        for job in batch:
            if not isinstance(job, Write):
                job()
        if not writes:
            return
        # A checkpoint's epoch is the one under which its owner scored, not the one of whoever owns the shard by now.
        epochs: dict[int, int] = {}
        for checkpoint, epoch in writes:
            epochs[checkpoint.shard] = max(epoch, epochs.get(checkpoint.shard, 0))
        current = [checkpoint for checkpoint, epoch in writes if epoch == epochs[checkpoint.shard]]
        stale = self._store.write(
            current,
            epochs,
            scored=self._scored([checkpoint.uid for checkpoint in current]),
            now=int(self._clock()),
        )
        if stale:
            log.warning("model_scheduler.shards_lost shards=%s", sorted(stale))
            with self._changed:
                self._stale |= stale
        self._step("model_scheduler.checkpointed")
