"""Services that are threads of one process: one that dies of an error is started again."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from htmengine.errors import DependencyUnavailable, ExplainedError
from htmengine.service import shutdown
from htmengine.service.context import Context
from htmengine.service.program import Work
from htmengine.system import garbage
from htmengine.system.thread_names import show_thread_name

log = logging.getLogger(__name__)

MAX_RESTARTS: Final = 20
WITHIN_S: Final = 300.0
"""A service that was started again so often within this time is given up, and the engine with it. A message that
kills its consumer is set aside after five deaths, so one or two of them are survived."""
PAUSE_S: Final = 0.5
"""Before a service is started again."""
SWITCH_INTERVAL_S: Final = 0.0005
"""A service that wants Python's lock waits for it so long at most. It does so behind each statement of SQL, dozens of times in a
batch, and by default ten times as long wherever another one works without a pause."""


class EngineFailed(ExplainedError):
    """A service dies again and again, or does not stop."""


class Supervisor:
    """Keeps services running, each in a thread of its own, until its context's `stop` is set.

    Parameters
    ----------
    works : the services by name.
    context : given to each; its `stop` ends all of them.
    clock : seconds that only grow.
    standstill_s : how long nothing may move in services that should stop.
    """

    def __init__(
        self,
        works: Mapping[str, Work],
        context: Context,
        *,
        clock: Callable[[], float] = time.monotonic,
        pause_s: float = PAUSE_S,
        standstill_s: float = shutdown.STANDSTILL_S,
    ) -> None:
        self.context = context
        self.failure: ExplainedError | None = None
        self.restarts: dict[str, int] = dict.fromkeys(works, 0)
        self._clock = clock
        self._pause_s = pause_s
        self._standstill_s = standstill_s
        self._threads = [
            threading.Thread(target=self._keep_running, args=(name, work), name=name, daemon=True)
            for name, work in works.items()
        ]

    def start(self) -> None:
        """Start every service."""
        garbage.collect_rarely_and_freeze()
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        for thread in self._threads:
            thread.start()

    def wait(self, say: Callable[[str], None] = lambda text: None) -> None:
        """Wait until `stop` is set, and let every service end in good order, however long that takes.

        `say` is called every few seconds with how far they are.

        Raises
        ------
        ExplainedError : what a service cannot go on without; a service was given up, or hangs.
        """
        self.context.stop.wait()
        shutdown.outlasted(self._ended, self.context.progress, standstill_s=self._standstill_s, say=say)
        if self.failure:
            raise self.failure
        if hanging := self._running():
            raise EngineFailed(
                f"{', '.join(hanging)}: does not stop; it made no progress for {self._standstill_s:.0f} seconds.",
                hint="Nothing is lost: the work is finished at the next start.",
            )

    def _running(self) -> list[str]:
        return [thread.name for thread in self._threads if thread.is_alive()]

    def _ended(self, timeout_s: float) -> bool:
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout_s)
                break
        return not self._running()

    def _keep_running(self, name: str, work: Work) -> None:
        show_thread_name()
        stop = self.context.stop
        deaths: deque[float] = deque(maxlen=MAX_RESTARTS)
        while not stop.is_set():
            try:
                work(self.context)
                if stop.is_set():
                    return
                log.error("%s.ended: nothing asked it to stop", name)
            except DependencyUnavailable as error:
                log.warning("%s.waiting reason=%s", name, error)
                stop.wait(self._pause_s)
                continue
            except ExplainedError as error:
                self._give_up(error)
                return
            except Exception:
                log.exception("%s.died", name)
            now = self._clock()
            if len(deaths) == MAX_RESTARTS and now - deaths[0] < WITHIN_S:
                self._give_up(
                    EngineFailed(
                        f"{name}: died {MAX_RESTARTS + 1} times within {WITHIN_S:.0f} seconds.",
                        hint="The log above says why. Nothing is lost: start again once the cause is removed.",
                    )
                )
                return
            deaths.append(now)
            self.restarts[name] += 1
            stop.wait(self._pause_s)

    def _give_up(self, error: ExplainedError) -> None:
        self.failure = self.failure or error
        self.context.stop.set()
