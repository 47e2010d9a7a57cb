"""Work that takes longer than a request: it goes on in the background, tells how far it is, and can be cancelled."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from htmengine.errors import ExplainedError
from htmengine.web.shapes import JobState

WORKERS: Final = 2
MAX_KEPT: Final = 200
"""Jobs that are over are forgotten, the oldest first, when there are more."""
MAX_RESULTS: Final = 20
"""Results are forgotten before their jobs: some take a megabyte."""

log = logging.getLogger(__name__)


class Cancelled(Exception):
    """The job was cancelled while it ran."""


@dataclass
class Job:
    """One piece of work."""

    kind: str
    stage: str
    """What is being done, for a person."""
    id: str = field(default_factory=lambda: secrets.token_hex(6))
    state: JobState = "queued"
    done: int = 0
    total: int | None = None
    started: float | None = None
    """Seconds since the epoch."""
    error: str | None = None
    result: dict[str, Any] | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens."""
        return self.state in ("done", "failed", "cancelled")

    def show(self, done: int) -> None:
        """Tell how much is done. Raises Cancelled."""
        self.done = done
        if self.cancelled.is_set():
            raise Cancelled


class Jobs:
    """The jobs of this process."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="web-job")
        self._lock = threading.Lock()
        self._jobs: OrderedDict[str, Job] = OrderedDict()

    def start(self, job: Job, work: Callable[[Job], dict[str, Any] | None]) -> Job:
        """Begin a job as soon as a worker is free; `work` returns its result."""
        with self._lock:
            self._jobs[job.id] = job
            for old in [one for one in self._jobs.values() if one.is_over][
                : max(0, len(self._jobs) - MAX_KEPT)
            ]:
                del self._jobs[old.id]
            with_result = [one for one in self._jobs.values() if one.result is not None]
            for old in with_result[: max(0, len(with_result) - MAX_RESULTS)]:
                old.result = None
        self._pool.submit(self._run, job, work)
        return job

    def get(self, job_id: str) -> Job | None:
        """Return a job."""
        with self._lock:
            return self._jobs.get(job_id)

    def all(self) -> list[Job]:
        """Return every job, the newest first."""
        with self._lock:
            return list(self._jobs.values())[::-1]

    def close(self) -> None:
        """Cancel everything, and wait until it has ended."""
        for job in self.all():
            job.cancelled.set()
        self._pool.shutdown(cancel_futures=True)

    def _run(self, job: Job, work: Callable[[Job], dict[str, Any] | None]) -> None:
        if job.cancelled.is_set():
            job.state = "cancelled"
            return
        job.state, job.started = "running", self._clock()
        try:
            job.result = work(job)
            job.state = "done"
        except Cancelled:
            job.state = "cancelled"
        except ExplainedError as error:
            job.error, job.state = f"{error} {error.hint}", "failed"
        except Exception as error:
            log.exception("web.job_failed job=%s kind=%s", job.id, job.kind)
            job.error, job.state = f"{type(error).__name__}: {error}", "failed"
