"""A queue of one's own at an exchange, for as long as it is wanted."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from htmengine.bus import Bus

ABANDONED_S: Final = 60.0
"""A queue that nobody took from for so long was left behind by a process that was killed."""


@contextmanager
def subscribed(bus: Bus, exchange: str, kind: str, *, limit: int) -> Iterator[str]:
    """Bind a new queue to an exchange, and delete it at the end; those of this kind that others left behind go, too.

    Parameters
    ----------
    kind : what the queue is for, a part of its name.
    limit : messages that it holds; when it is full, the oldest are dropped.
    """
    prefix = f"{exchange}.{kind}."
    for status in bus.status():
        left_behind = status.consumers == 0 and (status.oldest_age_s or 0) > ABANDONED_S
        if status.name.startswith(prefix) and left_behind:
            bus.delete_queue(status.name)
    queue = f"{prefix}{os.getpid()}.{time.time_ns()}"
    bus.declare_queue(queue, limit=limit, expendable=True, exclusive=True)
    try:
        bus.bind(queue, exchange)
        yield queue
    finally:
        bus.delete_queue(queue)
