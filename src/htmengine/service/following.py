"""Stages that are fed by the metric-data queues: each is made anew when it is to take from others."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable
from contextlib import suppress
from functools import partial
from typing import Final

from typing_extensions import override

from htmengine.bus import GateClosed, QueueNotFound
from htmengine.errors import DependencyUnavailable
from htmengine.service import loop, retry
from htmengine.service.context import Context
from htmengine.service.data_queues import DataQueues, QueuesChanged
from htmengine.service.program import Work

POLL_S: Final = 1.0
"""So often one looks whether the queues are others."""

log = logging.getLogger(__name__)

Need = Callable[[DataQueues], Hashable]
"""Returns what a stage depends on; None where there is nothing to do."""


def following_work(build: Callable[[Context], loop.Stage], name: str, need: Need) -> Work:
    """Return the work of a stage that is made anew when what it needs changes."""

    def work(context: Context) -> None:
        needed: Hashable = None
        while not context.stop.is_set():
            try:
                needed = need(retry.retry_while_unavailable(context.queues.look_again, name, context.stop))
                if needed is None:
                    context.stop.wait(POLL_S)
                    continue
                # Or a message that finds the gate closed, and comes again, is soon taken for one that ends its consumer.
                retry.retry_while_unavailable(context.queues.ensure_open, name, context.stop)
                stage = retry.retry_while_unavailable(partial(build, context), name, context.stop)
                context.counters[stage.name] = stage.counters.snapshot
                until = _Changed(context, need, needed)
                loop.run(stage, context.bus, until, step=context.step, profiling=context.settings.profiling)
            except retry.ShutdownRequested:
                return
            except (GateClosed, QueuesChanged) as error:
                log.info("%s.queues_changed reason=%s", name, error)  # what it had comes again
            except QueueNotFound as error:
                # One that stood still for long goes on with queues that were done with, and deleted, meanwhile.
                if need(context.queues.look_again()) == needed:
                    raise
                log.info("%s.queues_changed reason=%s", name, error)

    return work


class _Changed(threading.Event):
    """Is set when the program is to end, or when a stage is to be made anew."""

    def __init__(self, context: Context, need: Need, needed: Hashable) -> None:
        super().__init__()
        self._context = context
        self._need = need
        self._needed = needed
        self._due = context.timer() + POLL_S

    @override
    def is_set(self) -> bool:
        context = self._context
        if context.stop.is_set():
            return True
        if context.timer() >= self._due:
            self._due = context.timer() + POLL_S
            with suppress(DependencyUnavailable):
                context.queues.look_again()
        return self._need(context.queues.now) != self._needed

    @override
    def wait(self, timeout: float | None = None) -> bool:
        return self._context.stop.wait(timeout)
