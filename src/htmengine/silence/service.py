"""The service that finds out which metrics are silent: `python -m htmengine.silence`, or a part of `htmengine up`."""

from __future__ import annotations

import logging
import math
from functools import partial
from typing import Final

from htmengine.bus import BusError
from htmengine.errors import DependencyUnavailable
from htmengine.runtime.metric_storer.sweep import waiting_in
from htmengine.service.context import Context
from htmengine.service.retry import ShutdownRequested, retry_while_unavailable
from htmengine.silence.writer import NAME as NAME
from htmengine.silence.writer import LimitsFile, Writer

POLL_INTERVAL_S: Final = 2.0

log = logging.getLogger(__name__)


def work(context: Context) -> None:
    """Find silences until `context.stop` is set."""
    settings = context.settings
    queue = settings.listener.queue

    def waiting_s() -> float:
        try:
            return waiting_in(context.bus.status(), [queue])
        except BusError:
            return math.inf

    writer = Writer(context.database, waiting_s, LimitsFile(settings.storer.rules), step=context.step)
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
