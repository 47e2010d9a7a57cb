"""The service that finds out which metrics are silent: `python -m htmengine.silence`, or a part of `htmengine up`."""

from __future__ import annotations

import math
from typing import Final

from htmengine.bus import BusError
from htmengine.runtime.metric_storer.sweep import waiting_in
from htmengine.service.context import Context
from htmengine.service.lease import keep_writing
from htmengine.silence.writer import NAME as NAME
from htmengine.silence.writer import LimitsFile, Writer

POLL_INTERVAL_S: Final = 2.0


def work(context: Context) -> None:
    """Find silences until `context.stop` is set."""
    settings = context.settings

    def waiting_s() -> float:
        try:
            return waiting_in(context.bus.status(), context.data_queues.every)
        except BusError:
            return math.inf

    writer = Writer(
        context.database,
        waiting_s,
        LimitsFile(settings.storer.rules),
        clock=context.clock,
        timer=context.timer,
        step=context.step,
    )
    context.counters[NAME] = writer.counters.snapshot
    keep_writing(writer, NAME, context.stop, POLL_INTERVAL_S)
