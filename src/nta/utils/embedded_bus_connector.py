"""The message bus connector on the engine's own bus, for applications on a machine without a broker."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

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
from htmengine.bus.embedded import EmbeddedBus
from htmengine.closing import Closing
from nta.utils.amqp.messages import BasicProperties
from nta.utils.error_handling import retry
from nta.utils.message_bus_connector import (
    FIRST_DELAY_S,
    LONGEST_DELAY_S,
    RETRY_FOR_S,
    BusConsumer,
    BusMessage,
    ConsumerCancelled,
    MessageBusConnector,
    MessageBusConnectorError,
    MessageQueueNotFound,
)

log = logging.getLogger(__name__)

WAIT_S: Final = 0.5
"""How long a blocking consumer waits before it looks whether its queue is still there."""

_patiently = retry(RETRY_FOR_S, FIRST_DELAY_S, LONGEST_DELAY_S, retryExceptions=(BusUnavailable,))


class EmbeddedBusConnector(MessageBusConnector):
    """Made by `MessageBusConnector()` where the configuration chooses the embedded bus. Queues are always durable."""

    _path: Path

    @classmethod
    def at(cls, path: Path) -> Self:
        """Return a connector to the bus in a file."""
        connector = cls.__new__(cls)
        connector._path = path
        return connector

    def __init__(self) -> None:
        self._bus = EmbeddedBus(self._path)
        self._open: list[_EmbeddedConsumer] = []

    def close(self) -> None:
        """Close the bus, and the consumers that nobody has closed."""
        for consumer in list(self._open):
            log.error("consumer of %s was left open", consumer.queue)
            consumer.close()
        self._bus.close()

    def createMessageQueue(self, mqName: str, durable: bool) -> None:
        """Make a queue; it may exist already."""
        _patiently(self._bus.declare_queue)(mqName)

    def deleteMessageQueue(self, mqName: str) -> None:
        """Delete a queue; nothing happens if there is none."""
        _patiently(self._bus.delete_queue)(mqName)

    def purge(self, mqName: str) -> None:
        """Drop the messages that wait in a queue. Raises MessageQueueNotFound."""
        try:
            _patiently(self._bus.purge)(mqName)
        except QueueNotFound as error:
            raise _not_found(mqName) from error

    def isEmpty(self, mqName: str) -> bool:
        """Tell whether no message waits in a queue. Raises MessageQueueNotFound."""
        status = self._status(mqName)
        if status is None:
            raise _not_found(mqName)
        return status.ready == 0

    def isMessageQeueuePresent(self, mqName: str) -> bool:
        """Tell whether there is a queue of this name."""
        return self._status(mqName) is not None

    def getAllMessageQueues(self) -> tuple[str, ...]:
        """Return the names of all queues."""
        return tuple(status.name for status in _patiently(self._bus.status)())

    def publishExg(
        self,
        exchange: str,
        routingKey: str,
        body: bytes | str,
        properties: BasicProperties | None = None,
        mandatory: bool = False,
    ) -> bool:
        """Publish to a fan-out exchange, or with an empty name to the queue that the routing key names."""
        encoded = body.encode() if isinstance(body, str) else body
        headers = (properties.headers if properties else None) or {}
        message: Outgoing | Fanout = (
            Fanout(exchange, encoded, {name: str(value) for name, value in headers.items()})
            if exchange
            else Outgoing(routingKey, encoded)
        )
        try:
            reaches = not exchange or self._bus.has_subscribers(exchange)
            _patiently(self._bus.publish)([message])
        except QueueNotFound:
            return not mandatory
        except ExchangeNotFound as error:
            raise MessageBusConnectorError(f"{exchange}: there is no exchange of this name") from error
        return reaches or not mandatory

    def consume(self, mqName: str, blocking: bool = True) -> BusConsumer:
        """Return an iterable of a queue's messages, as `MessageBusConnector.consume`."""
        try:
            consumer = _patiently(self._bus.consume)([mqName])
        except QueueNotFound as error:
            raise _not_found(mqName) from error
        made = _EmbeddedConsumer(
            mqName, consumer, blocking, lambda: self.isMessageQeueuePresent(mqName), self._open.remove
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


def _not_found(queue: str) -> MessageQueueNotFound:
    return MessageQueueNotFound(f"{queue}: there is no queue of this name")
