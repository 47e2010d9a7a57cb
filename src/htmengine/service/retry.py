"""How services wait for what is away: with growing pauses, and a log that grows rarer."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final, TypeVar

from htmengine.bus import QueueFull
from htmengine.errors import DependencyUnavailable

T = TypeVar("T")

log = logging.getLogger(__name__)

FIRST_PAUSE_S: Final = 0.05
MAX_PAUSE_S: Final = 5.0
MAX_PAUSE_WHEN_FULL_S: Final = 0.2
"""A queue that is full has room again as soon as its consumer goes on; a server that is away may be so for long."""
LOG_AFTER_S: Final = 5.0
"""When it is said first that a service waits for a full queue: a consumer that is slower for a moment is no news."""
MAX_LOG_INTERVAL_S: Final = 600.0


class ShutdownRequested(Exception):
    """The service was asked to stop while it waited for a dependency."""


class WaitingLog:
    """Says that a service waits, the more seldom the longer it lasts, so that a night of it fills no disk; and its end.

    What is away is told at once, and a full queue when it has lasted; again when it has lasted twice as long, and at
    least every ten minutes.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._next_s = 0.0
        self._told = False

    def waits(self, waited_s: float, reason: Exception) -> None:
        """Say why, if it is time to."""
        if waited_s < (self._next_s if self._told or not isinstance(reason, QueueFull) else LOG_AFTER_S):
            return
        log.warning("%s.waiting waited_s=%.1f reason=%s", self._name, waited_s, reason)
        self._told = True
        self._next_s = waited_s + min(max(waited_s, LOG_AFTER_S), MAX_LOG_INTERVAL_S)

    def ends(self, waited_s: float) -> None:
        """Say that the service goes on, if it was said that it waits."""
        if self._told:
            log.warning("%s.goes_on waited_s=%.1f", self._name, waited_s)


def retry_while_unavailable(action: Callable[[], T], name: str, stop: threading.Event) -> T:
    """Return what the action returns, trying again while a dependency is away, in the name of a service.

    Raises ShutdownRequested.
    """
    pause, waited, told = FIRST_PAUSE_S, 0.0, WaitingLog(name)
    while True:
        try:
            result = action()
        except (DependencyUnavailable, QueueFull) as error:
            longest = MAX_PAUSE_WHEN_FULL_S if isinstance(error, QueueFull) else MAX_PAUSE_S
            told.waits(waited, error)
        else:
            told.ends(waited)
            return result
        pause = min(pause, longest)
        if stop.wait(pause):
            raise ShutdownRequested
        waited += pause
        pause *= 2
