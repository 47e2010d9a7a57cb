"""Sends a metric's history: what `htmengine replay` and an upload to the web server do."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

from htmengine.errors import DependencyUnavailable
from htmengine.messages import Backfill
from htmengine.runtime.metric_storer.backfill import TIMEOUT_S
from htmengine.service.context import Context
from htmengine.service.lines import publish_lines

LINES_PER_MESSAGE: Final = 500
ALIVE_EVERY_S: Final = TIMEOUT_S / 4


@contextmanager
def begun(context: Context, metric: str) -> Iterator[Callable[[list[str]], None]]:
    """Give a function that publishes lines of a metric's history; meanwhile its live samples wait."""
    token = uuid.uuid4().hex

    def publish(lines: list[str], *, done: bool = False) -> None:
        publish_lines(context, lines, backfill=Backfill(metric=metric, token=token, done=done))

    publish([])  # from here on live samples wait, even if reading takes its time
    try:
        with _kept_alive(lambda: publish([])):
            yield publish
    finally:
        publish([], done=True)


def sent(
    metric: str, seconds: Sequence[int], values: Sequence[float], publish: Callable[[list[str]], None]
) -> Iterator[int]:
    """Publish samples in their order, and yield after each message how many were published so far.

    Parameters
    ----------
    seconds : times since the epoch.
    """
    for first in range(0, len(seconds), LINES_PER_MESSAGE):
        rows = slice(first, first + LINES_PER_MESSAGE)
        publish(
            [
                f"{metric} {value!r} {second}"
                for second, value in zip(seconds[rows], values[rows], strict=True)
            ]
        )
        yield min(first + LINES_PER_MESSAGE, len(seconds))


@contextmanager
def _kept_alive(publish: Callable[[], None]) -> Iterator[None]:
    """Publish now and then, so that the backfill does not expire: what is read from a pipe may take its time."""
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(ALIVE_EVERY_S):
            with suppress(DependencyUnavailable):
                publish()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
