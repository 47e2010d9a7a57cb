"""The connection to the engine's own bus, for applications on a machine without a broker."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from typing_extensions import override

from htmengine.bus import (
    BusUnavailable,
    Consumer,
    Delivery,
    ExchangeNotFound,
    Fanout,
    Outgoing,
    QueueNotFound,
    QueueStatus,
)
from htmengine.bus.embedded.bus import EmbeddedBus
from htmengine.system.closing import Closing
from nta.utils.amqp.messages import BasicProperties
from nta.utils.bus_connections.contract import (
    FIRST_DELAY_S,
    MAX_DELAY_S,
    RETRY_FOR_S,
    BusConnection,
    BusConsumer,
    BusMessage,
    ConsumerCancelled,
    MessageBusConnectorError,
    queue_not_found,
)
from nta.utils.error_handling import retry

log = logging.getLogger(__name__)

WAIT_S: Final = 0.5
"""How long a blocking consumer waits before it looks whether its queue is still there."""

_patiently = retry(RETRY_FOR_S, FIRST_DELAY_S, MAX_DELAY_S, retryExceptions=(BusUnavailable,))


class EmbeddedConnection(BusConnection):
    """A connection to the bus in a file. Queues are always durable."""

    def __init__(self, path: Path) -> None:
        self._bus = EmbeddedBus(path)
        self._open: list[_EmbeddedConsumer] = []

    def close(self) -> None:
        """Close the bus, and the consumers that nobody has closed."""
        for consumer in list(self._open):
            log.error("consumer of %s was left open", consumer.queue)
            consumer.close()
        self._bus.close()

    @override
    def create_queue(self, name: str, *, durable: bool) -> None:
        _patiently(self._bus.declare_queue)(name)

    @override
    def delete_queue(self, name: str) -> None:
        _patiently(self._bus.delete_queue)(name)

    @override
    def purge(self, name: str) -> None:
        try:
            _patiently(self._bus.purge)(name)
        except QueueNotFound as error:
            raise queue_not_found(name) from error

    @override
    def waiting(self, name: str) -> int:
        status = self._status(name)
        if status is None:
            raise queue_not_found(name)
        return status.ready

    @override
    def queues(self) -> tuple[str, ...]:
        return tuple(status.name for status in _patiently(self._bus.status)())

    @override
    def publish(
        self, exchange: str, routing_key: str, body: bytes, properties: BasicProperties, *, mandatory: bool
    ) -> bool:
        message: Outgoing | Fanout = (
            Fanout(exchange, body, {name: str(value) for name, value in (properties.headers or {}).items()})
            if exchange
            else Outgoing(routing_key, body)
        )
        try:
            reaches = not exchange or self._bus.has_subscribers(exchange)
            _patiently(self._bus.publish)([message])
        except QueueNotFound:
            return not mandatory
        except ExchangeNotFound as error:
            raise MessageBusConnectorError(f"{exchange}: there is no exchange of this name") from error
        return reaches or not mandatory

    @override
    def consume(self, queue: str, *, blocking: bool) -> BusConsumer:
        try:
            consumer = _patiently(self._bus.consume)([queue])
        except QueueNotFound as error:
            raise queue_not_found(queue) from error
        made = _EmbeddedConsumer(
            queue, consumer, blocking, lambda: self._status(queue) is not None, self._open.remove
        )
        self._open.append(made)
        return made

    def _status(self, name: str) -> QueueStatus | None:
        return next((status for status in _patiently(self._bus.status)() if status.name == name), None)


class _EmbeddedConsumer(Closing):
    def __init__(
        self,
        queue: str,
        consumer: Consumer,
        blocking: bool,
        exists: Callable[[], bool],
        closed: Callable[[_EmbeddedConsumer], None],
    ) -> None:
        self.queue = queue
        self._consumer = consumer
        self._blocking = blocking
        self._exists = exists
        self._closed = closed
        self._given: list[Delivery] = []
        self._active = True

    def close(self) -> None:
        """Give back what is not acknowledged."""
        if self._active:
            self._active = False
            self._consumer.close()
            with suppress(ValueError):
                self._closed(self)

    def __iter__(self) -> Iterator[BusMessage]:
        while True:
            message = self._receive(WAIT_S) if self._blocking else self.pollOneMessage()
            if message is not None:
                yield message
            elif not self._blocking:
                return
            elif not self._exists():
                raise ConsumerCancelled(f"{self.queue}: the queue was deleted")

    def pollOneMessage(self) -> BusMessage | None:
        """Return the next message, or None when none waits."""
        return self._receive(0.0)

    def _receive(self, timeout_s: float) -> BusMessage | None:
        for delivery in _patiently(self._consumer.receive)(max_messages=1, timeout_s=timeout_s):
            self._given.append(delivery)
            return _EmbeddedMessage(delivery, self._acknowledge)
        return None

    def _acknowledge(self, delivery: Delivery, multiple: bool) -> None:
        if delivery not in self._given:
            return
        last = self._given.index(delivery)
        done = self._given[: last + 1] if multiple else [delivery]
        _patiently(self._consumer.ack)(done)
        self._given = [given for given in self._given if given not in done]


class _EmbeddedMessage:
    def __init__(self, delivery: Delivery, acknowledge: Callable[[Delivery, bool], None]) -> None:
        self._delivery = delivery
        self._acknowledge = acknowledge

    @property
    def body(self) -> bytes:
        return self._delivery.body

    def ack(self, multiple: bool = False) -> None:
        self._acknowledge(self._delivery, multiple)
