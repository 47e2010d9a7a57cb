"""Lines of samples, as messages to the metric storer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from htmengine.bus import Outgoing, QueueFull
from htmengine.doors.plaintext import PROTOCOL
from htmengine.messages import Backfill, MetricLines, encode_json
from htmengine.service.context import Context
from htmengine.service.data_queues import DataQueues
from htmengine.service.retry import ShutdownRequested
from htmengine.system.backoff import Backoff, retry

LINES_PER_MESSAGE: Final = 1000
RETRY_S: Final = 0.1


def line_messages(
    queue: str,
    lines: Sequence[str],
    *,
    accepted_at: float | None,
    lines_per_message: int = LINES_PER_MESSAGE,
    backfill: Backfill | None = None,
    protocol: str = PROTOCOL,
    door: str | None = None,
    peers: Sequence[tuple[int, str]] = (),
) -> list[Outgoing]:
    """Return messages with lines, in their order; one at least, with or without lines.

    Parameters
    ----------
    accepted_at : seconds since the Unix epoch; a timestamp that lies far ahead of it is refused. None: when they are stored.
    backfill : the run of history that all these lines belong to.
    protocol : of the lines; `name value timestamp` if it is not said.
    door, peers : by which they came, and from whom: as in `MetricLines`.
    """
    peers_left = list(reversed(peers))
    return [
        Outgoing(
            queue,
            encode_json(
                MetricLines(
                    protocol=protocol,
                    data=list(lines[first : first + lines_per_message]),
                    backfill=backfill,
                    accepted_at=accepted_at,
                    door=door,
                    peers=_first(peers_left, lines_per_message),
                )
            ),
        )
        for first in range(0, max(1, len(lines)), lines_per_message)
    ]


def _first(peers_left: list[tuple[int, str]], lines: int) -> list[tuple[int, str]]:
    """Take the peers of so many lines from those that are left, whose next is the last."""
    taken = []
    while lines > 0 and peers_left:
        count, peer = peers_left.pop()
        if count > lines:
            peers_left.append((count - lines, peer))
        taken.append((min(count, lines), peer))
        lines -= count
    return taken


def publish_lines(
    context: Context, lines: Sequence[str], *, backfill: Backfill | None = None, protocol: str = PROTOCOL
) -> bool:
    """Publish lines that are accepted now; wait while the queue is full.

    A history goes to the queue of its metric: what its sender sends afterwards must come behind it.

    Returns
    -------
    Whether they were published: not if the context was stopped before there was room.
    """
    accepted_at = context.clock()

    def messages(queues: DataQueues) -> list[Outgoing]:
        return line_messages(
            queues.of_name(backfill.metric) if backfill else queues.documented,
            lines,
            accepted_at=accepted_at,
            backfill=backfill,
            protocol=protocol,
        )

    def publish() -> None:
        if backfill:
            context.queues.publish(context.bus, messages)
        else:
            context.bus.publish(messages(context.data_queues))

    def sleep(pause_s: float) -> None:
        if context.stop.wait(pause_s):
            raise ShutdownRequested

    try:
        retry(publish, QueueFull, Backoff(RETRY_S, RETRY_S), sleep=sleep)
    except ShutdownRequested:
        return False
    return True
