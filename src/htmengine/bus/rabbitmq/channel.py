"""Channels to a RabbitMQ broker that several threads may use: queues, messages and the broker's answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias

import pika
from pika import exceptions, spec

from htmengine.bus.api import BusError, BusUnavailable, ExchangeNotFound, QueueFull, QueueNotFound
from htmengine.bus.rabbitmq.connection import Connection

WINDOW: Final = 1000
"""So many messages are published before the broker's confirmation of all of them is waited for."""

PERSISTENT: Final = 2

Properties: TypeAlias = pika.BasicProperties
Arrived = Callable[[spec.Basic.Deliver, Properties, bytes], None]


class ChannelClosed(BusError):
    """The broker closed a channel and said why."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Publication(NamedTuple):
    """A message on its way to the broker."""

    exchange: str
    routing_key: str
    body: bytes
    properties: Properties
    mandatory: bool = False
    """An exchange must have a queue for it; one that is published to a queue must reach it anyway."""


def persistent(headers: Mapping[str, Any] | None = None) -> Properties:
    """Return the properties of a message that outlives the broker's restart."""
    return Properties(delivery_mode=PERSISTENT, headers=dict(headers) if headers else None)


class Declared(NamedTuple):
    """What the broker says of a queue."""

    name: str
    ready: int
    consumers: int


class Channel:
    """A channel whose methods wait for the broker's answer.

    An error of the broker's closes it; then everything raises what was the error.
    """

    def __init__(self, connection: Connection) -> None:
        """Raises BusUnavailable."""
        self.connection = connection
        self._raw: Any = None
        self._waiting: set[Future[Any]] = set()
        self._failure: BusError | None = None
        self._got_nothing: Callable[[Any], None] = lambda _: None
        self._cancelled: dict[str, Callable[[], None]] = {}
        opened: Future[Any] = Future()
        self._waiting.add(opened)
        connection.later(partial(self._open, opened))
        self._result(opened)

    @property
    def is_open(self) -> bool:
        """Whether it can be used."""
        return self._failure is None and self.connection.lost is None

    # -- Queues and exchanges

    def declare_queue(self, name: str, arguments: dict[str, Any] | None = None) -> Declared:
        """Make a durable queue. Raises ChannelClosed with code 406 if there is one with other arguments."""
        return self._declared(
            self.ask(
                lambda raw, answer: raw.queue_declare(
                    name, durable=True, arguments=arguments, callback=answer
                )
            )
        )

    def bind(self, queue: str, exchange: str, routing_key: str = "") -> None:
        """Let a queue get what is published to an exchange. Raises QueueNotFound or ExchangeNotFound."""
        self.ask(lambda raw, answer: raw.queue_bind(queue, exchange, routing_key, callback=answer))

    def declare_own_queue(self) -> str:
        """Make a queue for this connection alone, and return its name."""
        return self._declared(
            self.ask(lambda raw, answer: raw.queue_declare("", exclusive=True, callback=answer))
        ).name

    def inspect(self, names: Sequence[str]) -> list[Declared]:
        """Return the state of queues. Raises QueueNotFound."""
        asked = [self._ask(partial(_inspect, name)) for name in names]
        return [self._declared(self._result(future)) for future in asked]

    def _declared(self, frame: Any) -> Declared:
        method = frame.method
        return Declared(method.queue, method.message_count, method.consumer_count)

    def ask(self, method: Callable[[Any, Callable[[Any], None]], object]) -> Any:
        """Call a method of pika's channel that takes a callback, and return the broker's answer.

        Raises
        ------
        QueueNotFound, ExchangeNotFound, ChannelClosed, BusUnavailable
        """
        return self._result(self._ask(method))

    def get(self, queue: str) -> tuple[Any, Properties, bytes] | None:
        """Take one message, to be acknowledged by its delivery tag; None when there is none."""

        def get(raw: Any, answer: Callable[[Any], None]) -> None:
            self._got_nothing = answer
            raw.basic_get(queue, lambda _, method, properties, body: answer((method, properties, body)))

        found: tuple[Any, Properties, bytes] | None = self.ask(get)
        return found

    # -- Consuming

    def consume(
        self,
        queue: str,
        arrived: Arrived,
        cancelled: Callable[[], None],
        *,
        prefetch: int,
        exclusive: bool = False,
        auto_ack: bool = False,
        arguments: dict[str, Any] | None = None,
    ) -> str:
        """Subscribe to a queue and return the subscription's tag; what comes is handed over by the connection's thread.

        Raises
        ------
        QueueNotFound
        ChannelClosed : code 403, another has the queue for itself.
        """

        def consume(raw: Any, answer: Callable[[Any], None]) -> None:
            raw.basic_qos(prefetch_count=prefetch)
            tag = raw.basic_consume(
                queue,
                lambda _, method, properties, body: arrived(method, properties, body),
                auto_ack=auto_ack,
                exclusive=exclusive,
                arguments=arguments,
                callback=answer,
            )
            self._cancelled[tag] = cancelled

        tag: str = self.ask(consume).method.consumer_tag
        return tag

    def cancel(self, tag: str) -> None:
        """End a subscription; what it brought may still be acknowledged."""
        # Not by basic_cancel: with that, pika sends back what is on its way, and it comes again as if somebody had died.
        answers = [(spec.Basic.CancelOk, {"consumer_tag": tag})]
        self.ask(lambda raw, answer: raw._rpc(spec.Basic.Cancel(consumer_tag=tag), answer, answers))
        self._cancelled.pop(tag, None)

    def ack(self, tags: Sequence[int]) -> None:
        """Acknowledge messages; on a closed channel nothing happens: they come again."""

        def ack() -> None:
            if self._raw.is_open:
                for tag in tags:
                    self._raw.basic_ack(tag)

        self.connection.later(ack)

    def wait_for_broker(self) -> None:
        """Return when the broker has done what was asked of it on this channel, acknowledgements too. Raises as `ask`."""
        # Flow is on already: this changes nothing, and is answered in its turn.
        self.ask(lambda raw, answer: raw.flow(True, answer))

    def send(self, publication: Publication) -> None:
        """Publish a message that may be lost; only for the connection's thread."""
        self._raw.basic_publish(*publication[:4])

    def close(self) -> None:
        """Close the channel; what was not acknowledged goes back. Never raises."""
        with suppress(BusError):
            if self.is_open:
                self.ask(_close)

    def abandon(self) -> None:
        """Use the channel no more, and do not wait for a broker that may not listen."""

        def abandon() -> None:
            if self._raw is not None and self._raw.is_open:
                _close_at_once(self._raw)

        self._failure = self._failure or BusUnavailable(f"{self.connection.where}: the channel was given up")
        self.connection.later(abandon)

    # -- The connection's thread

    def _open(self, opened: Future[Any]) -> None:
        def open_(raw: Any) -> None:
            self._waiting.discard(opened)
            self._on_open(raw)
            opened.set_result(None)

        try:
            self._raw = self.connection.raw_channel(open_)
        except exceptions.AMQPError as error:
            self._fail(self.connection.unavailable(error))
            return
        self._raw.add_on_close_callback(self._on_close)
        self._raw.add_on_cancel_callback(self._on_cancel)
        self._raw.add_callback(lambda _: self._got_nothing(None), [spec.Basic.GetEmpty], one_shot=False)

    def _on_open(self, raw: Any) -> None:
        pass

    def _on_close(self, _raw: Any, error: Exception) -> None:
        if isinstance(error, exceptions.ChannelClosedByBroker):
            self._fail(self._translated(error.reply_code, error.reply_text))
        else:
            self._fail(self.connection.unavailable(error))

    def _translated(self, code: int, text: str) -> BusError:
        if code != 404:
            return ChannelClosed(code, text)
        reason = text.partition(" - ")[2] or text
        if reason.startswith("no exchange"):
            return ExchangeNotFound(reason)
        if reason.startswith("no queue"):
            return QueueNotFound(reason)
        # It is there, but does not serve yet: another client is just making it, or the broker is just starting.
        return BusUnavailable(f"{self.connection.where}: {reason}")

    def _on_cancel(self, frame: Any) -> None:
        cancelled = self._cancelled.pop(frame.method.consumer_tag, None)
        if cancelled is not None:
            cancelled()

    def _fail(self, failure: BusError) -> None:
        self._failure = failure
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_exception(failure)
        self._on_failure()

    def _on_failure(self) -> None:
        pass

    # -- Other threads

    def _ask(self, method: Callable[[Any, Callable[[Any], None]], object]) -> Future[Any]:
        future: Future[Any] = Future()

        def answer(frame: Any) -> None:
            self._waiting.discard(future)
            if not future.done():
                future.set_result(frame)

        def begin() -> None:
            if self._failure is not None:
                future.set_exception(self._failure)
                return
            self._waiting.add(future)
            try:
                method(self._raw, answer)
            except exceptions.AMQPError as error:
                self._waiting.discard(future)
                future.set_exception(self.connection.unavailable(error))

        self.connection.later(begin)
        return future

    def _result(self, future: Future[Any]) -> Any:
        deadline = time.monotonic() + self.connection.timeout_s
        while True:
            try:
                return future.result(min(0.5, self.connection.timeout_s))
            except FutureTimeout:
                reason = self.connection.lost or self.connection.blocked
                if reason is None and time.monotonic() > deadline:
                    reason = self.connection.give_up()
                if reason is not None and not future.done():
                    raise BusUnavailable(f"{self.connection.where}: {reason}") from None


class Publisher(Channel):
    """A channel on which the broker confirms what is published. One thread at a time may publish on it."""

    def __init__(self, connection: Connection) -> None:
        """Raises BusUnavailable."""
        self._last_tag = 0
        self._unconfirmed: dict[int, Publication] = {}
        self._refused: Publication | None = None
        self._returned: str | None = None
        self._done: Future[Any] = Future()
        super().__init__(connection)
        self.ask(lambda raw, answer: raw.confirm_delivery(self._on_confirmation, answer))

    def publish(self, publications: Sequence[Publication]) -> None:
        """Publish messages, and return when the broker has all of them.

        Raises
        ------
        QueueNotFound, ExchangeNotFound, QueueFull, BusUnavailable
        """
        for start in range(0, len(publications), WINDOW):
            window = publications[start : start + WINDOW]
            done: Future[Any] = Future()
            self.connection.later(partial(self._send, window, done))
            self._result(done)

    def _send(self, publications: Sequence[Publication], done: Future[Any]) -> None:
        if self._failure is not None:
            done.set_exception(self._failure)
            return
        self._refused = self._returned = None
        self._done = done
        self._waiting.add(done)
        for publication in publications:
            self._last_tag += 1
            self._unconfirmed[self._last_tag] = publication
            exchange, routing_key, body, properties, mandatory = publication
            # What goes to a queue must reach it; an exchange may have no subscriber.
            self._raw.basic_publish(
                exchange, routing_key, body, properties, mandatory=mandatory or not exchange
            )

    def _on_open(self, raw: Any) -> None:
        raw.add_on_return_callback(self._on_return)

    def _on_return(self, _raw: Any, method: Any, _properties: Properties, _body: bytes) -> None:
        self._returned = (
            f"no queue {method.routing_key}" if method.routing_key else f"no queue for {method.exchange}"
        )

    def _on_confirmation(self, frame: Any) -> None:
        method = frame.method
        if method.multiple:
            tags = [tag for tag in self._unconfirmed if tag <= method.delivery_tag]
        else:
            tags = [method.delivery_tag]
        for tag in tags:
            publication = self._unconfirmed.pop(tag, None)
            if isinstance(method, spec.Basic.Nack):
                self._refused = publication
        if not self._unconfirmed and not self._done.done():
            self._waiting.discard(self._done)
            if self._returned is not None:
                self._done.set_exception(QueueNotFound(f"there is {self._returned}"))
            elif self._refused is not None:
                name = self._refused.routing_key or self._refused.exchange
                self._done.set_exception(QueueFull(f"the queue {name} takes no more messages"))
            else:
                self._done.set_result(None)

    def _on_failure(self) -> None:
        self._unconfirmed.clear()


def _close(raw: Any, answer: Callable[[Any], None]) -> None:
    raw.add_on_close_callback(lambda *_: answer(None))
    _close_at_once(raw)


def _inspect(name: str, raw: Any, answer: Callable[[Any], None]) -> None:
    raw.queue_declare(name, passive=True, callback=answer)


def _close_at_once(raw: Any) -> None:
    """Close a channel without the cancellation of its consumers, which pika would send first.

    Behind a cancellation the next consumer of a queue gets what comes next, and only then what goes back with the channel.
    """
    raw._cancelled.update(raw._consumers)
    raw.close()
