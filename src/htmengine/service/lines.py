"""Samples that the engine's own programs make, on their way to the metric storer."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from htmengine.bus import Outgoing, QueueFull
from htmengine.doors.plaintext import PROTOCOL
from htmengine.messages import MetricLines, encode_json
from htmengine.service.context import Context

RETRY_S: Final = 0.1


def publish_lines(context: Context, lines: Sequence[str]) -> bool:
    """Publish `name value timestamp` lines as one message; wait while the queue is full.

    Returns
    -------
    Whether they were published: not if the context was stopped before there was room.
    """
    body = encode_json(MetricLines(protocol=PROTOCOL, data=list(lines), accepted_at=time.time()))
    while True:
        try:
            context.bus.publish([Outgoing(context.settings.listener.queue, body)])
            return True
        except QueueFull:
            if context.stop.wait(RETRY_S):
                return False
