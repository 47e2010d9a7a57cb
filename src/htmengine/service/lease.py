"""The lease of a writer: of several, one is active, and another takes over when it has stood still for `TAKE_OVER_S`.

The active one keeps its name in the repository, in a row of its own, with a beat that it renews. Whether it lives is told by
the beats that are seen, not by anybody's clock.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from typing import Final

BEAT_S: Final = 2.0
"""So often the active writer renews its beat, even if there is nothing to write."""
TAKE_OVER_S: Final = 10.0


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
