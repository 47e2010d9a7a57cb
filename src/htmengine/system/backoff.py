"""Trying again what may succeed later, after pauses that grow."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
E = TypeVar("E", bound=BaseException)


class Backoff:
    """Pauses that double, up to `max_s` seconds, which may be changed on the way."""

    def __init__(self, first_s: float, max_s: float) -> None:
        self.max_s = max_s
        self.waited_s = 0.0
        """All pauses so far together."""
        self.pauses = 0
        self._next_s = first_s

    @property
    def next_s(self) -> float:
        """The pause that comes next."""
        return min(self._next_s, self.max_s)

    def pause(self) -> float:
        """Return the next pause, in seconds; the one after it is twice as long."""
        pause = self.next_s
        self._next_s = 2 * pause
        self.waited_s += pause
        self.pauses += 1
        return pause


def retry(
    action: Callable[[], T],
    errors: type[E] | tuple[type[E], ...],
    backoff: Backoff,
    *,
    worth: Callable[[E], bool] = lambda error: True,
    sleep: Callable[[float], object] | None = None,
) -> T:
    """Return what an action returns, calling it again after errors that may pass.

    Parameters
    ----------
    errors : those that may pass; others are raised at once.
    worth : called with each such error; where it returns False, the error is raised.
    sleep : waits so many seconds; `time.sleep` by default. What it raises ends the attempts.
    """
    while True:
        try:
            return action()
        except errors as error:
            if not worth(error):
                raise
        (sleep or time.sleep)(backoff.pause())
