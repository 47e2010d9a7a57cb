"""The end of a program that should stop: it may take as long as there is progress, and no longer."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

STANDSTILL_S: Final = 20.0
"""A program that should stop, and in which nothing moved for so long, is ended: as safely as by a kill -9. Shorter
than supervisord waits (`stopwaitsecs`), so that the log says why."""
REPORT_INTERVAL_S: Final = 5.0
_LOOK_EVERY_S: Final = 0.2

log = logging.getLogger(__name__)


class Progress:
    """Notes that something moves in a program, and what it says of how far it is. For several threads."""

    def __init__(self, timer: Callable[[], float] = time.monotonic) -> None:
        self.text = ""
        self.timer = timer
        self._moved_at = timer()

    def moved(self, text: str = "") -> None:
        """Note that something moved; `text` says how far, for people."""
        self._moved_at = self.timer()
        if text:
            self.text = text

    def following(self, step: Callable[[str], None]) -> Callable[[str], None]:
        """Return what does the same as a step, and notes it."""

        def moved(name: str) -> None:
            self.moved()
            step(name)

        return moved

    @property
    def quiet_s(self) -> float:
        """How long nothing has moved."""
        return self.timer() - self._moved_at


def outlasted(
    ended: Callable[[float], bool],
    progress: Progress,
    *,
    standstill_s: float = STANDSTILL_S,
    say: Callable[[str], None] = lambda text: None,
) -> bool:
    """Wait for an end for as long as something moves; return whether it came.

    Parameters
    ----------
    ended : waits for the end so many seconds, and returns whether it has come.
    standstill_s : how long nothing may move.
    say : called every few seconds with how far it is, where that is known.
    """
    progress.moved()
    said, say_at = "", progress.timer() + REPORT_INTERVAL_S
    while not ended(_LOOK_EVERY_S):
        if progress.quiet_s >= standstill_s:
            return False
        if progress.timer() >= say_at and progress.text != said:
            said, say_at = progress.text, progress.timer() + REPORT_INTERVAL_S
            say(said)
    return True


@contextmanager
def in_time(
    stop: threading.Event,
    progress: Progress,
    name: str,
    *,
    standstill_s: float = STANDSTILL_S,
    say: Callable[[str], None] = lambda text: None,
) -> Iterator[None]:
    """End the process with 1 if it hangs within the block once `stop` is set: a server may not answer, or a disk."""
    done = threading.Event()

    def watch() -> None:
        stop.wait()
        if not outlasted(done.wait, progress, standstill_s=standstill_s, say=say):
            log.error(
                "%s.does_not_stop standstill_s=%.0f: ended as it is; what was not done is done at the next start",
                name,
                standstill_s,
            )
            logging.shutdown()
            os._exit(1)

    threading.Thread(target=watch, name="end-in-time", daemon=True).start()
    try:
        yield
    finally:
        done.set()
