"""How services wait for a dependency: with growing pauses, and log entries at growing intervals."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final, TypeVar

from htmengine.bus import QueueFull
from htmengine.errors import DependencyUnavailable
from htmengine.system.backoff import Backoff, retry

T = TypeVar("T")

log = logging.getLogger(__name__)

FIRST_PAUSE_S: Final = 0.05
MAX_PAUSE_S: Final = 5.0
MAX_PAUSE_WHEN_FULL_S: Final = 0.2
"""A full queue has room again as soon as its consumer goes on; a server may be unavailable for long."""
LOG_AFTER_S: Final = 5.0
"""Before this a wait for a full queue is not logged: its consumer may be slower for a moment."""
MAX_LOG_INTERVAL_S: Final = 600.0


class ShutdownRequested(Exception):
    """The service was asked to stop while it waited for a dependency."""


class WaitingLog:
    """Logs that something waits, and that it goes on; at growing intervals, so that a night of waiting fills no disk.

    The first entry for a dependency that is unavailable comes at once, for a full queue after `LOG_AFTER_S`; the next
    ones when the wait has doubled, and at least every `MAX_LOG_INTERVAL_S`.
    """

    def __init__(self, name: str) -> None:
        """`name` begins the names of the events."""
        self._name = name
        self._next_s = 0.0
        self._reported = False

    def waits(self, waited_s: float, reason: Exception) -> None:
        """Log the reason, if it is time to."""
        if waited_s < (self._next_s if self._reported or not isinstance(reason, QueueFull) else LOG_AFTER_S):
            return
        log.warning("%s.waiting waited_s=%.1f reason=%s", self._name, waited_s, reason)
        self._reported = True
        self._next_s = waited_s + min(max(waited_s, LOG_AFTER_S), MAX_LOG_INTERVAL_S)

    def ends(self, waited_s: float) -> None:
        """Log that the wait is over, if it was logged that there is one."""
        if self._reported:
            log.warning("%s.goes_on waited_s=%.1f", self._name, waited_s)


def retry_while_unavailable(
    action: Callable[[], T],
    name: str,
    stop: threading.Event,
    errors: tuple[type[Exception], ...] = (DependencyUnavailable, QueueFull),
) -> T:
    """Return what the action returns, trying again while a dependency is unavailable or a queue full.

    Parameters
    ----------
    name : of the service that waits, for the log.
    errors : those that may pass.

    Raises
    ------
    ShutdownRequested : `stop` was set meanwhile.
    """
    backoff, waiting = Backoff(FIRST_PAUSE_S, MAX_PAUSE_S), WaitingLog(name)

    def worth(error: Exception) -> bool:
        backoff.max_s = MAX_PAUSE_WHEN_FULL_S if isinstance(error, QueueFull) else MAX_PAUSE_S
        waiting.waits(backoff.waited_s, error)
        return True

    def sleep(pause_s: float) -> None:
        if stop.wait(pause_s):
            raise ShutdownRequested

    result = retry(action, errors, backoff, worth=worth, sleep=sleep)
    waiting.ends(backoff.waited_s)
    return result
