"""The connection to a RabbitMQ broker, which several threads may use.

pika does its work in one thread. Here that thread belongs to the connection: it serves heartbeats whatever the services
are busy with, and does what other threads ask of it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from typing import Any, Final

import pika
from pika import exceptions
from pika.adapters.select_connection import SelectConnection

from htmengine.bus.api import BusError, BusUnavailable
from htmengine.config import Broker
from htmengine.config.tls import client_context
from htmengine.errors import ConfigError
from htmengine.system.backoff import Backoff
from htmengine.system.keepalive import tcp_options
from htmengine.system.thread_names import show_thread_name

CLOSE_TIMEOUT_S: Final = 5.0
"""How long a broker is waited for when a connection is closed."""
FIRST_PAUSE_S: Final = 0.1
MAX_PAUSE_S: Final = 5.0
"""How long a broker that could not be reached is left alone."""


class ReconnectingConnection:
    """A connection that is opened when it is needed, and again after it was lost.

    After a failed attempt, others fail at once for a while that grows: whoever needs the broker waits and asks again.
    """

    def __init__(self, broker: Broker, name: str) -> None:
        """`name` is what the broker shows."""
        self._broker = broker
        self._name = name
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._failure: BusUnavailable | None = None
        self._backoff = Backoff(FIRST_PAUSE_S, MAX_PAUSE_S)
        self._next_attempt = 0.0
        self._closed = False

    def connection(self) -> Connection:
        """Return an open connection. Raises BusUnavailable, and BusError after `close`."""
        with self._lock:
            if self._closed:
                raise BusError("the bus was closed")
            if self._connection is not None and self._connection.lost is None:
                return self._connection
            if self._failure is not None and time.monotonic() < self._next_attempt:
                raise self._failure
            try:
                self._connection = Connection(self._broker, self._name)
            except BusUnavailable as failure:
                self._failure = failure
                self._next_attempt = time.monotonic() + self._backoff.pause()
                raise
            self._failure, self._backoff = None, Backoff(FIRST_PAUSE_S, MAX_PAUSE_S)
            return self._connection

    def close(self) -> None:
        """Close the connection for good."""
        with self._lock:
            self._closed = True
            if self._connection is not None:
                self._connection.close()


class Connection:
    """An open connection and the thread that serves it."""

    def __init__(self, broker: Broker, name: str) -> None:
        """Raises BusUnavailable."""
        self.where = f"RabbitMQ at {broker.host}:{broker.port}"
        self.timeout_s = broker.timeout_s
        """A broker that does not answer within this time is unavailable."""
        self.lost: str | None = None
        """Why the connection was lost."""
        self.blocked: str | None = None
        """Why the broker takes no messages at the moment."""
        self._opened: Future[None] = Future()
        try:
            parameters = _parameters(broker, name)
        except ConfigError as error:  # of certificates, which may be about to be renewed
            raise BusUnavailable(f"{self.where}: {error}") from error
        self._connection: SelectConnection = None
        thread = threading.Thread(
            target=self._serve, args=(parameters,), name=f"amqp {name.rpartition(' ')[2]}", daemon=True
        )
        thread.start()
        try:
            self._opened.result(self.timeout_s)
        except FutureTimeout:
            self.close()
            raise BusUnavailable(f"{self.where}: {self._silent()}") from None

    @property
    def version(self) -> tuple[int, ...]:
        """The broker's version."""
        text: str = (self._connection.server_properties or {}).get("version", "0")
        return tuple(int(part) for part in text.split(".")[:2] if part.isdigit())

    def unavailable(self, error: BaseException) -> BusUnavailable:
        """Return what an error of pika's is to those who use the bus."""
        return BusUnavailable(f"{self.where}: {reason_of(error)}")

    def later(self, action: Callable[[], None]) -> None:
        """Let the connection's thread do something; nothing happens when the connection is lost."""
        if self.lost is None:
            self._connection.ioloop.add_callback_threadsafe(action)

    def give_up(self) -> str:
        """End a connection whose broker does not answer, so that nobody else waits for it; return the reason."""
        reason = self._silent()
        # As pika does when heartbeats stop: nobody would answer a close.
        self.later(lambda: self._connection._terminate_stream(exceptions.AMQPHeartbeatTimeout(reason)))
        self.lost = self.lost or reason
        return reason

    def _silent(self) -> str:
        return f"no answer within {self.timeout_s:g} s"

    def raw_channel(self, opened: Callable[[Any], None]) -> Any:
        """Open a channel of pika's; only for the connection's thread."""
        return self._connection.channel(on_open_callback=opened)

    def close(self) -> None:
        """Close the connection; nothing happens if it is lost already."""
        done = threading.Event()

        def close() -> None:
            if self._connection.is_open:
                self._connection.add_on_close_callback(lambda *_: done.set())
                self._connection.close()
            else:
                self._connection.ioloop.stop()
                done.set()

        if self.lost is None and self._connection is not None:
            self.later(close)
            if not done.wait(min(CLOSE_TIMEOUT_S, self.timeout_s)):
                self.give_up()

    def _serve(self, parameters: pika.ConnectionParameters) -> None:
        show_thread_name()
        try:
            self._connection = SelectConnection(
                parameters,
                on_open_callback=self._on_open,
                on_open_error_callback=self._on_closed,
                on_close_callback=self._on_closed,
            )
            self._connection.add_on_connection_blocked_callback(self._on_blocked)
            self._connection.add_on_connection_unblocked_callback(self._on_unblocked)
            self._connection.ioloop.start()
        except Exception as error:
            self._on_closed(None, error)
            raise
        finally:
            with suppress(Exception):
                self._connection.ioloop.close()

    def _on_open(self, _connection: SelectConnection) -> None:
        self._opened.set_result(None)

    def _on_closed(self, _connection: SelectConnection | None, error: BaseException) -> None:
        self.lost = reason_of(error)
        if not self._opened.done():
            self._opened.set_exception(self.unavailable(error))
        if self._connection is not None:
            self._connection.ioloop.stop()

    def _on_blocked(self, _connection: SelectConnection, frame: Any) -> None:
        self.blocked = f"the broker takes no messages now: {frame.method.reason}"

    def _on_unblocked(self, _connection: SelectConnection, _frame: Any) -> None:
        self.blocked = None


def _parameters(broker: Broker, name: str) -> pika.ConnectionParameters:
    context = client_context(broker)
    return pika.ConnectionParameters(
        host=broker.host,
        port=broker.port,
        virtual_host=broker.virtual_host,
        credentials=pika.PlainCredentials(broker.user, broker.password),
        # pika looks for heartbeats five seconds after each interval, and ends the connection after the next.
        heartbeat=max(1, int(broker.timeout_s / 3)),
        socket_timeout=broker.timeout_s,
        stack_timeout=broker.timeout_s,
        tcp_options=tcp_options(broker.timeout_s),
        connection_attempts=1,
        ssl_options=pika.SSLOptions(context, broker.host) if context else None,
        client_properties={"connection_name": name},
    )


def reason_of(error: BaseException) -> str:
    """Say why a connection failed; pika wraps the reason in errors that only count attempts."""
    while inner := _inner(error):
        error = inner
    if isinstance(error, exceptions.ProbableAuthenticationError | exceptions.AuthenticationError):
        return "the broker refuses this user and password"
    if isinstance(error, exceptions.ConnectionClosed):
        return f"the connection was closed: {error.reply_text}"
    return str(error) or type(error).__name__


def _inner(error: BaseException) -> BaseException | None:
    candidates = (getattr(error, "exception", None), *getattr(error, "exceptions", ()), *error.args)
    return next((one for one in candidates if isinstance(one, BaseException)), None)
