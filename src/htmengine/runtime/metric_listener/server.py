"""The ports of the metric listener: lines over TCP or UDP, and beside TCP's, if wanted, Graphite's pickle protocol.

It reads lines and passes them on in batches; what a line says is checked by the metric storer. A sample is accepted once it
is on the metric-data queue; while that takes no more, connections are not read, so that their senders wait.
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import logging
import os
import resource
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from typing import Final, cast

import msgspec

from htmengine import config
from htmengine.bus import Bus
from htmengine.config.tls import server_context
from htmengine.doors.door_names import GRAPHITE_PICKLE, GRAPHITE_TEXT, GRAPHITE_UDP
from htmengine.doors.plaintext import PROTOCOL
from htmengine.doors.samples import shortened
from htmengine.errors import ExplainedError
from htmengine.runtime.metric_listener.line_reader import LineReader
from htmengine.runtime.metric_listener.peers import peer_of
from htmengine.runtime.metric_listener.pickle_reader import PickleReader
from htmengine.runtime.metric_listener.publisher import LinePublisher
from htmengine.runtime.metric_listener.statsd_server import StatsdServer
from htmengine.runtime.metric_listener.tls_reader import HandshakeFailed, TlsReader
from htmengine.runtime.metric_storer.division import Division
from htmengine.service.context import Context
from htmengine.service.counters import Counters
from htmengine.service.data_queues import DataQueues, KnownQueues
from htmengine.service.fault_injection import Step, no_step
from htmengine.service.program import run_program

NAME: Final = "metric_listener"
UDP_NAME: Final = "udp_listener"
"""Where both run, they count apart."""
TRANSPORTS: Final = ("tcp", "udp")
BACKLOG: Final = 1024
"""Connections that may wait to be accepted."""
DATAGRAM_BUFFER: Final = 4 << 20
"""Bytes of datagrams that the kernel keeps while they are not read."""
MAX_DATAGRAM: Final = 65_536
DATAGRAMS_BATCH_SIZE: Final = 64
MAX_PICKLE_CONNECTIONS: Final = 256
"""Each may hold a frame of a mebibyte, and it is relays that connect, not every machine."""
_SPARE_FILES: Final = 256
_PORT_OPTIONS: Final = "--port, or plaintext_port and pickle_port in [metric_listener]"

log = logging.getLogger(__name__)


MAX_FLUSH_S: Final = 0.05
"""Where lines are divided among several queues, they wait longer for others, so that messages do not become more."""


class PortError(ExplainedError):
    """The port cannot be opened."""


class LinesLost(ExplainedError):
    """Lines that were read could not be put on the queue before the end."""


class Listener:
    """Reads lines from a port and publishes them.

    Parameters
    ----------
    settings : of the listener; port 0 takes a free one, `pickle_port` 0 none.
    queues : where lines go; without them all go to the documented one.
    division : knows the queue of each line.
    statsd : of the port for StatsD, which is served beside TCP's; None or port 0 for none.
    ready : called with the port once it is open.
    profiling : log how long each batch takes to publish.
    clock : seconds since the epoch; lines are dated by it.
    step : called when lines are on the queue.
    """

    def __init__(
        self,
        settings: config.Listener,
        bus: Bus,
        *,
        queues: KnownQueues | None = None,
        division: Division | None = None,
        transport: str = "tcp",
        statsd: config.Statsd | None = None,
        counters: Counters | None = None,
        ready: Callable[[int], None] = lambda port: None,
        profiling: bool = False,
        clock: Callable[[], float] = time.time,
        step: Step = no_step,
    ) -> None:
        if transport not in TRANSPORTS:
            raise ValueError(f'the transport "{transport}" is not known; known are: {", ".join(TRANSPORTS)}')
        self.counters = counters or Counters(clock)
        self.connections: set[_Connection] = set()
        self.pickle_connections = 0
        self.tls: ssl.SSLContext | None = None
        """Of the ports of TCP, where they are encrypted."""
        self.settings = settings
        self._bus = bus
        self._division = division or Division(config.Storer(), NAME)
        self._queues = queues or KnownQueues(lambda: DataQueues(settings.queue))
        self._transport = transport
        self._statsd = statsd if statsd and statsd.port and transport == "tcp" else None
        self._ready = ready
        self._profiling = profiling
        self._clock = clock
        self._step = step

    def run(self, stop: threading.Event) -> None:
        """Listen until `stop` is set; then publish what was read and return.

        Raises
        ------
        PortError : the port cannot be opened.
        ConfigError : a certificate cannot be used.
        LinesLost : the bus was unavailable at the end; what had been read is gone.
        """
        asyncio.run(self._run(stop))
        if lost := self.counters["lines_lost"]:
            raise LinesLost(
                f"{NAME}: {lost} lines that had been read could not be put on the queue before the end; they are lost.",
                hint="Let their senders send them again: what is stored already is refused. The log above says why.",
            )

    def reader(self, peer: str, door: str = GRAPHITE_TEXT) -> LineReader:
        """Return what cuts the bytes of one sender into lines."""
        return LineReader(
            self.settings.max_line_bytes, self.counters, clock=self._clock, door=door, peer=peer
        )

    def pickle_reader(self, peer: str) -> PickleReader:
        """Return what turns the frames of one sender into lines."""
        return PickleReader(self.counters, clock=self._clock, peer=peer)

    async def _run(self, stop: threading.Event) -> None:
        ended = asyncio.Event()
        _call_when_set(stop, asyncio.get_running_loop(), ended.set)
        self.publisher = LinePublisher(
            self._bus,
            self._queues,
            self._division,
            self.counters,
            batch_lines=self.settings.batch_lines,
            flush_interval_s=max(
                self.settings.flush_interval_s,
                min(self.settings.flush_interval_s * len(self._queues.now.open), MAX_FLUSH_S),
            ),
            on_full=self._pause,
            on_room=self._resume,
            profiling=self._profiling,
            clock=self._clock,
            step=self._step,
        )
        self._socket: socket.socket | None = None
        close = await (self._open_tcp() if self._transport == "tcp" else self._open_udp())
        publishing = asyncio.create_task(self.publisher.run())
        idle = asyncio.create_task(self._close_idle())
        # Publishing ends by itself only with an error, which is ours: it must not go unnoticed.
        publishing.add_done_callback(lambda _: ended.set())
        try:
            await ended.wait()
        finally:
            close()
            idle.cancel()
            for connection in list(self.connections):
                connection.close()
            await asyncio.sleep(0)  # lets the connections end
            self.publisher.close()
            await publishing

    # -- Back-pressure

    def _pause(self) -> None:
        self.counters.add("pauses")
        for connection in self.connections:
            connection.pause()
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)

    def _resume(self) -> None:
        for connection in self.connections:
            connection.resume()
        if self._socket is not None:
            asyncio.get_running_loop().add_reader(self._socket, self._receive)

    # -- TCP

    async def _open_tcp(self) -> Callable[[], None]:
        files = self.settings
        if files.certificate and files.key:
            self.tls = server_context(files.certificate, files.key, files.client_ca_file, NAME)
        _allow_files(self.settings.max_connections + MAX_PICKLE_CONNECTIONS)
        with ExitStack() as opened:
            server = await self._serve(self.settings.port, partial(_Connection, self))
            opened.callback(server.close)
            if port := self.settings.pickle_port:
                opened.callback((await self._serve(port, partial(_PickleConnection, self))).close)
                log.info("%s.listening protocol=pickle port=%d", NAME, port)
            if self._statsd:
                opened.callback(await self._serve_statsd(self._statsd))
            self._opened(server.sockets[0].getsockname()[1])
            return opened.pop_all().close

    async def _serve_statsd(self, settings: config.Statsd) -> Callable[[], None]:
        server = StatsdServer(settings, self.publisher, self.counters, clock=self._clock)
        try:
            await server.open()
        except OSError as error:
            option = "port in [statsd]"
            raise _port_error(settings.host, settings.port, "StatsD's", error, option) from error
        return server.close

    async def _serve(self, port: int, connection: Callable[[], asyncio.Protocol]) -> asyncio.Server:
        host = self.settings.host
        try:
            return await asyncio.get_running_loop().create_server(connection, host, port, backlog=BACKLOG)
        except OSError as error:
            raise _port_error(host, port, "TCP", error) from error

    async def _close_idle(self) -> None:
        """Close connections that have sent nothing for long."""
        loop = asyncio.get_running_loop()
        timeout_s = self.settings.idle_timeout_s
        while True:
            await asyncio.sleep(min(timeout_s / 4, 10.0))
            if self.publisher.full:  # they may have sent, and were not read
                for connection in self.connections:
                    connection.heard_at = loop.time()
            for connection in [c for c in self.connections if loop.time() - c.heard_at > timeout_s]:
                self.counters.add("connections_closed")
                connection.close()

    # -- UDP

    async def _open_udp(self) -> Callable[[], None]:
        host, port = self.settings.host, self.settings.port
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE)
            family, kind, number, _, address = found[0]
            opened = socket.socket(family, kind, number)
            try:
                opened.setblocking(False)
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, DATAGRAM_BUFFER)
                opened.bind(address)
            except OSError:
                opened.close()
                raise
        except OSError as error:
            raise _port_error(host, port, "UDP", error) from error
        self._socket = opened
        self._reader = self.reader("", GRAPHITE_UDP)
        loop.add_reader(opened, self._receive)
        self._opened(opened.getsockname()[1])
        return self._close_udp

    def _close_udp(self) -> None:
        opened = cast("socket.socket", self._socket)
        asyncio.get_running_loop().remove_reader(opened)
        if not self.publisher.full:
            self._receive()  # what the kernel holds was sent before the end
        self._socket = None
        opened.close()

    def _receive(self) -> None:
        opened = cast("socket.socket", self._socket)
        for _ in range(DATAGRAMS_BATCH_SIZE):
            try:
                data, address = opened.recvfrom(MAX_DATAGRAM)
            except OSError:  # no more, or an answer to something that we never sent
                return
            self.counters.add("datagrams")
            self.publisher.put(self._reader.datagram(data, address[0]), GRAPHITE_UDP, address[0])
            if self.publisher.full:
                return

    def _opened(self, port: int) -> None:
        log.info("%s.listening transport=%s host=%s port=%d", NAME, self._transport, self.settings.host, port)
        self._ready(port)


class _Connection(asyncio.Protocol):
    """A client."""

    door = GRAPHITE_TEXT
    _reader: LineReader | PickleReader

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._transport: asyncio.Transport | None = None
        self._tls: TlsReader | None = None
        self._peer = ""
        self.heard_at = asyncio.get_running_loop().time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._peer = peer_of(transport)
        listener = self._listener
        self._reader = self.reader()
        if listener.tls is not None:
            self._tls = TlsReader(listener.tls, self._transport.write)
        if len(listener.connections) >= listener.settings.max_connections:
            listener.counters.add("connections_refused")
            self._transport.abort()
            return
        listener.counters.add("connections")
        listener.connections.add(self)
        if listener.publisher.full:
            self.pause()

    def reader(self) -> LineReader | PickleReader:
        """Return what reads the bytes of this connection."""
        return self._listener.reader(self._peer)

    def data_received(self, data: bytes) -> None:
        self.heard_at = asyncio.get_running_loop().time()
        if self._tls is not None:
            try:
                data = self._tls.feed(data)
            except HandshakeFailed as error:
                example = [shortened(error.detail)] * bool(error.detail)
                self._listener.counters.reject(error.reason, example, 1, door=self.door, peer=self._peer)
                self.close()
                return
            except ssl.SSLError:  # somebody on the way changed it
                self.close()
                return
        self._listener.publisher.put(self._reader.feed(data), self.door, self._peer)
        if self._reader.foreign:  # its sender notices, and may keep what it has
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self in self._listener.connections:
            self._listener.connections.discard(self)
            self._reader.finish()

    def pause(self) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.resume_reading()

    def close(self) -> None:
        if self._transport:
            self._transport.close()


class _PickleConnection(_Connection):
    """A client that sends pickles."""

    door = GRAPHITE_PICKLE

    def reader(self) -> PickleReader:
        return self._listener.pickle_reader(self._peer)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        listener = self._listener
        if listener.pickle_connections >= MAX_PICKLE_CONNECTIONS:
            listener.counters.add("connections_refused")
            cast("asyncio.Transport", transport).abort()
            return
        super().connection_made(transport)
        listener.pickle_connections += self in listener.connections

    def connection_lost(self, exc: Exception | None) -> None:
        self._listener.pickle_connections -= self in self._listener.connections
        super().connection_lost(exc)


def _call_when_set(
    event: threading.Event, loop: asyncio.AbstractEventLoop, call: Callable[[], object]
) -> None:
    """Call a function in a loop once an event is set; nothing happens if the loop has ended by then."""

    def wait() -> None:
        event.wait()
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(call)

    threading.Thread(target=wait, name="listener-stop", daemon=True).start()


def _port_error(host: str, port: int, kind: str, error: OSError, option: str = _PORT_OPTIONS) -> PortError:
    where = f"{kind} port {port} on {host}"
    if error.errno == errno.EADDRINUSE:
        return PortError(
            f"{where} is in use by another program.",
            hint=f"End that program, or choose another port: {option}.",
        )
    if error.errno == errno.EACCES:
        return PortError(
            f"{where} may not be opened by this user.",
            hint=f"Choose a port above 1023: {option}.",
        )
    reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or error
    return PortError(
        f"{where} cannot be opened: {reason}.",
        hint="Give an address of this machine, such as 127.0.0.1, or 0.0.0.0 for all: --host.",
    )


def _allow_files(connections: int) -> None:
    """Let this process open a file for each connection, as far as the system allows it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _SPARE_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def reported_as(options: argparse.Namespace) -> str:
    """Return the name under which a listener with these options reports its status."""
    return UDP_NAME if getattr(options, "transport", None) == "udp" else NAME


def work(context: Context, *, ready: Callable[[int], None] = lambda port: None) -> None:
    """Listen on the port of an installation until `context.stop` is set; `ready` as in `Listener`. Raises PortError."""
    settings, options = context.settings.listener, context.options
    given = {name: value for name in ("host", "port") if (value := getattr(options, name, None)) is not None}
    transport = getattr(options, "transport", None) or "tcp"
    listener = Listener(
        msgspec.structs.replace(settings, **given),
        context.bus,
        queues=context.queues,
        division=Division(context.settings.storer, reported_as(options), context.timer),
        transport=transport,
        statsd=context.settings.statsd,
        ready=ready,
        profiling=context.settings.profiling,
        clock=context.clock,
        step=context.step,
    )
    context.counters[reported_as(options)] = listener.counters.snapshot
    listener.run(context.stop)


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", help="address to listen on, 0.0.0.0 for all [default: as configured]")
    parser.add_argument("--port", type=int, help="port to listen on [default: as configured, or 2003]")
    parser.add_argument("--protocol", choices=[PROTOCOL], default=PROTOCOL)
    parser.add_argument("--transport", choices=TRANSPORTS, default="tcp")


def main(argv: Sequence[str] | None = None) -> int:
    """Listen until SIGTERM or SIGINT; return the exit code. `argv`: of this process by default."""
    return run_program(work, NAME, reported_as=reported_as, arguments=_arguments, argv=argv)
