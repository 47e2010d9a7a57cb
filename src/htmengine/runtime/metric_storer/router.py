"""The stage of the metric router: divides what applications put into the documented metric-data queue, where there are several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from typing_extensions import override

from htmengine.bus import Delivery, Outgoing
from htmengine.messages import MalformedMessage, MetricLines, decode_metric_lines, encode_json
from htmengine.runtime.metric_storer.division import Division
from htmengine.service.context import Context
from htmengine.service.counters import Counters
from htmengine.service.data_queues import MARKER, DataQueues
from htmengine.service.lines import line_messages
from htmengine.service.loop import Outcome, Stage

NAME: Final = "metric_router"
MAX_MESSAGES: Final = 200
POLL_S: Final = 1.0


class MetricRouter(Stage):
    """A stage: takes messages of the documented queue, and puts their lines into the queues of their metrics.

    Parts that come a second time, since the router died before its acknowledgement, are refused row by row.
    """

    name: str = NAME
    max_messages = MAX_MESSAGES
    poll_interval_s = POLL_S

    def __init__(self, queues: DataQueues, division: Division) -> None:
        self.queues: Sequence[str] = [queues.documented]
        self.counters = Counters()
        self._queues = queues
        self._division = division

    @override
    def process(self, deliveries: Sequence[Delivery]) -> Outcome:
        """Nothing is kept, so messages may come again."""
        parts: list[Outgoing] = []
        messages: list[MetricLines] = []
        dead: list[tuple[Delivery, str]] = []
        for delivery in deliveries:
            try:
                message = decode_metric_lines(delivery.body)
            except MalformedMessage as error:
                dead.append((delivery, str(error)))
                continue
            if message.protocol != MARKER:  # one of when storers took from this queue
                messages.append(message)
        for _, alike in groupby(messages, _kind):
            parts += self._parts(list(alike))
        self.counters.add("messages", len(deliveries))
        self.counters.add("messages_published", len(parts))
        return Outcome(publish=parts, dead_letters=dead, gate=self._queues.gate)

    def _parts(self, messages: Sequence[MetricLines]) -> Iterator[Outgoing]:
        """Yield the parts of messages that differ in their lines alone: applications put few into each."""
        first = messages[0]
        if first.backfill:  # a history names its metric itself
            queue = self._queues.of_name(first.backfill.metric)
            yield from (Outgoing(queue, encode_json(message)) for message in messages)
            return
        lines = [line for message in messages for line in message.data]
        peers = [peer for message in messages for peer in message.peers]
        for queue, part in self._division.of(self._queues, lines, peers).items():
            yield from line_messages(
                queue,
                part.lines,
                accepted_at=first.accepted_at,
                protocol=first.protocol,
                door=first.door,
                peers=part.peers,
            )

    @override
    def settle(self) -> None:
        """Nothing is left over."""

    @override
    def close(self) -> None:
        """Nothing is kept that must be saved."""


def _kind(message: MetricLines) -> tuple[object, ...]:
    """Return what messages must have in common for their lines to go together."""
    return message.protocol, message.backfill, message.accepted_at, message.door, bool(message.peers)


def need(queues: DataQueues) -> int | None:
    """Return what the router depends on; None where nothing is to be divided."""
    return queues.epoch if queues.routed else None


def build(context: Context) -> MetricRouter:
    """Return the router of an installation that has several metric-data queues."""
    return MetricRouter(context.data_queues, Division(context.settings.storer, NAME, context.timer))
