"""The service that puts alarms into incidents: `python -m htmengine.incidents`, or a part of `htmengine up`."""

from __future__ import annotations

import logging
from functools import partial
from typing import Final

from htmengine.errors import DependencyUnavailable
from htmengine.incidents.writer import NAME as NAME
from htmengine.incidents.writer import Writer
from htmengine.service.context import Context
from htmengine.service.retry import ShutdownRequested, retry_while_unavailable

POLL_INTERVAL_S: Final = 1.0

log = logging.getLogger(__name__)


def work(context: Context) -> None:
    """Write incidents until `context.stop` is set."""
    writer = Writer(context.database, clock=context.clock, timer=context.timer, step=context.step)
    context.counters[NAME] = writer.counters.snapshot
    try:
        while not context.stop.is_set():
            if not retry_while_unavailable(partial(writer.work), NAME, context.stop):
                context.stop.wait(POLL_INTERVAL_S)
    except ShutdownRequested:
        pass
    try:
        writer.close()
    except DependencyUnavailable as error:
        log.warning("%s.not_released reason=%s", NAME, error)  # another takes over when it has waited
