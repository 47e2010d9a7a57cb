"""The service that writes scores back: `python -m htmengine.writeback`, or a part of `htmengine up`."""

from __future__ import annotations

import logging
import threading
from typing import Final

from htmengine.service.context import Context
from htmengine.service.counters import Counters
from htmengine.service.lease import keep_writing
from htmengine.system.thread_names import show_thread_name
from htmengine.writeback.receivers import Receiver
from htmengine.writeback.receivers import configured as configured
from htmengine.writeback.writer import NAME as NAME
from htmengine.writeback.writer import Writer

PAUSE_S: Final = 5.0

log = logging.getLogger(__name__)


def work(context: Context) -> None:
    """Write scores back until `context.stop` is set: to each receiver in a thread of its own, so that none waits for another."""
    receivers = configured(context.settings.writeback)
    if not receivers:
        log.warning("%s.off: [writeback] names no receiver", NAME)
        context.stop.wait()
        return
    counters = Counters()
    context.counters[NAME] = counters.snapshot
    threads = [
        threading.Thread(
            target=_keep_writing, args=(context, one, counters), name=f"writeback-{one.name}", daemon=True
        )
        for one in receivers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _keep_writing(context: Context, receiver: Receiver, counters: Counters) -> None:
    """Write to one receiver, and begin anew after an error that nobody foresaw: the others go on meanwhile."""
    show_thread_name()
    while not context.stop.is_set():
        try:
            _write(context, receiver, counters)
        except Exception:
            log.exception("%s.died receiver=%s", NAME, receiver.name)
            context.stop.wait(PAUSE_S)


def _write(context: Context, receiver: Receiver, counters: Counters) -> None:
    settings = context.settings.writeback
    writer = Writer(
        settings,
        context.database,
        receiver,
        counters,
        context.stop.wait,
        timer=context.timer,
        step=context.step,
    )
    keep_writing(writer, NAME, context.stop, settings.interval_s)
