"""The lease of a writer: of several, one is active, and another takes over when it has stood still for `TAKE_OVER_S`.

The active one keeps its name in the repository, in a row of its own, with a beat that it renews. Whether it lives is told by
the beats that are seen, not by anybody's clock.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from htmengine.errors import DependencyUnavailable
from htmengine.service.retry import ShutdownRequested, retry_while_unavailable

BEAT_S: Final = 2.0
"""So often the active writer renews its beat, even if there is nothing to write."""
TAKE_OVER_S: Final = 10.0
WORKING_SHARE: Final = 0.1
"""Of the time, what a writer works at most while little waits: turns that take long come less often, up to BEAT_S."""

log = logging.getLogger(__name__)


class Lease:
    """What one writer knows of whose turn it is.

    Parameters
    ----------
    timer : seconds that only grow.
    """

    def __init__(self, timer: Callable[[], float]) -> None:
        self.owner: Final = f"{socket.gethostname()[:40]}:{os.getpid()}:{time.time_ns():x}"
        """Names this writer among all."""
        self._timer = timer
        self._renewed = -TAKE_OVER_S
        self._seen: tuple[str, int] = ("", -1)
        """Whose beat was seen last, and which."""
        self._seen_at = timer()

    def may_write(self, owner: str, beat: int) -> bool:
        """Tell whether this writer is the active one, or the active one has stood still for long.

        Parameters
        ----------
        owner, beat : as the repository has them; the owner is empty if nobody writes.
        """
        if owner in ("", self.owner):
            return True
        now = self._timer()
        if self._seen != (owner, beat):
            self._seen, self._seen_at = (owner, beat), now
        return now - self._seen_at >= TAKE_OVER_S

    def renewed(self) -> None:
        """Note that this writer's beat was stored."""
        self._renewed = self._timer()

    def is_due(self) -> bool:
        """Tell whether the beat has to be renewed."""
        return self._timer() - self._renewed >= BEAT_S

    def is_fresh(self) -> bool:
        """Tell whether no other writer can have taken over since the beat was renewed."""
        return self._timer() - self._renewed < TAKE_OVER_S - BEAT_S


class Writer(Protocol):
    """One that writes as long as it has the lease."""

    def work(self) -> int:
        """Do one step, and return something other than 0 where more may wait to be done."""

    def close(self) -> None:
        """Let another writer take over at once."""


def keep_writing(writer: Writer, name: str, stop: threading.Event, pause_s: float) -> None:
    """Let a writer work until `stop` is set, with a pause wherever nothing waits to be done; then give the lease back.

    `name`: of the service, for messages.
    """
    try:
        while not stop.is_set():
            began = time.monotonic()
            if not retry_while_unavailable(writer.work, name, stop):
                rest_s = (time.monotonic() - began) / WORKING_SHARE
                stop.wait(max(pause_s, min(rest_s, BEAT_S)))
    except ShutdownRequested:
        pass
    give_back(writer, name)


def give_back(writer: Writer, name: str) -> None:
    """Give the lease back; where that is not possible, another writer takes over when it has waited."""
    try:
        writer.close()
    except DependencyUnavailable as error:
        log.warning("%s.not_released reason=%s", name, error)
