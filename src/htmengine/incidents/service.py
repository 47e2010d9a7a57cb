"""The service that puts alarms into incidents: `python -m htmengine.incidents`, or a part of `htmengine up`."""

from __future__ import annotations

from typing import Final

from htmengine.incidents.writer import NAME as NAME
from htmengine.incidents.writer import Writer
from htmengine.service.context import Context
from htmengine.service.lease import keep_writing

POLL_INTERVAL_S: Final = 1.0


def work(context: Context) -> None:
    """Write incidents until `context.stop` is set."""
    writer = Writer(context.database, clock=context.clock, timer=context.timer, step=context.step)
    context.counters[NAME] = writer.counters.snapshot
    keep_writing(writer, NAME, context.stop, POLL_INTERVAL_S)
