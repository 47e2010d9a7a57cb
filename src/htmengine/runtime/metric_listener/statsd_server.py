"""The port for StatsD and DogStatsD, over UDP and TCP, in the event loop of the metric listener.

What comes is gathered here, and put among the lines at the end of each interval by the wall clock. What was gathered of an
interval that is not over is lost with the process.
"""

from __future__ import annotations

import asyncio
import logging
import math
import socket
import time
from collections.abc import Callable
from typing import Final, cast

from htmengine import config
from htmengine.doors import queue_lines, statsd
from htmengine.doors.door_names import STATSD
from htmengine.doors.plaintext import PROTOCOL
from htmengine.doors.reasons import Reason
from htmengine.doors.samples import Refusals, Samples
from htmengine.doors.statsd_aggregation import Aggregation
from htmengine.runtime.metric_listener.peers import peer_of
from htmengine.runtime.metric_listener.publisher import LinePublisher
from htmengine.service.counters import Counters

MAX_CONNECTIONS: Final = 256
RECEIVE_BUFFER: Final = 4 << 20
"""Bytes of datagrams that the kernel keeps while they are not read."""

log = logging.getLogger(__name__)


class StatsdServer:
    """Gathers what StatsD's clients send.

    Parameters
    ----------
    publisher : takes the lines of each interval.
    clock : seconds since the epoch; intervals end at multiples of their length.
    """

    def __init__(
        self,
        settings: config.Statsd,
        publisher: LinePublisher,
        counters: Counters,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._publisher = publisher
        self._counters = counters
        self._clock = clock
        self._aggregation = Aggregation(settings.interval_s, settings.series)
        self.dialect = settings.dialect
        self.connections: set[asyncio.BaseTransport] = set()

    async def open(self) -> None:
        """Open the port. Raises OSError where it cannot be."""
        loop = asyncio.get_running_loop()
        host, port = self._settings.host, self._settings.port
        self._datagrams, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(self), local_addr=(host, port)
        )
        opened: socket.socket = self._datagrams.get_extra_info("socket")
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        try:
            self._server = await loop.create_server(lambda: _Connection(self), host, port)
        except OSError:
            self._datagrams.close()
            raise
        self._flushing = asyncio.create_task(self._flush_at_ends())
        log.info("metric_listener.listening protocol=%s host=%s port=%d", STATSD, host, port)

    def close(self) -> None:
        """Close the port."""
        self._flushing.cancel()
        self._datagrams.close()
        self._server.close()
        for connection in list(self.connections):
            cast("asyncio.Transport", connection).close()

    def take(self, read: Callable[[Refusals], list[statsd.Record]], peer: str) -> None:
        """Gather what is read of a peer."""
        refusals, samples = Refusals(), Samples.empty()
        records = read(refusals)
        self._counters.add("statsd_values", len(records))
        self._aggregation.add(records, samples, refusals)
        self._publish(samples, refusals)
        self._counters.reject_all(refusals, STATSD, peer)

    def flush(self, end: float) -> None:
        """End an interval."""
        refusals = Refusals()
        self._publish(self._aggregation.flush(end, refusals), refusals)
        self._counters.reject_all(refusals, STATSD)

    async def _flush_at_ends(self) -> None:
        interval_s = self._settings.interval_s
        end = _next_end(self._clock(), interval_s)
        while True:
            await asyncio.sleep(max(0.0, end - self._clock()))
            if self._clock() >= end:
                self.flush(end)
                end = _next_end(self._clock(), interval_s)

    def _publish(self, samples: Samples, refusals: Refusals) -> None:
        lines = queue_lines.written(samples).get(PROTOCOL, [])
        if lines and self._publisher.full:  # its senders cannot be made to wait
            refusals.add(Reason.QUEUE_FULL, count=len(lines))
            return
        self._counters.add(f"samples_{STATSD}", len(lines))
        self._publisher.put(lines, STATSD)


def _next_end(now: float, interval_s: float) -> float:
    return (math.floor(now / interval_s) + 1) * interval_s


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: StatsdServer) -> None:
        self._server = server

    def datagram_received(self, data: bytes, addr: tuple[str, ...]) -> None:
        self._server.take(lambda refusals: statsd.parse(data, refusals, self._server.dialect), addr[0])


class _Connection(asyncio.Protocol):
    def __init__(self, server: StatsdServer) -> None:
        self._server = server
        self._reader = statsd.Reader(server.dialect)
        self._transport: asyncio.BaseTransport | None = None
        self._peer = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if len(self._server.connections) >= MAX_CONNECTIONS:
            cast("asyncio.Transport", transport).abort()
            return
        self._transport = transport
        self._peer = peer_of(transport)
        self._server.connections.add(transport)

    def data_received(self, data: bytes) -> None:
        self._server.take(lambda refusals: self._reader.feed(data, refusals), self._peer)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._server.connections.discard(self._transport)
