"""Durable queues by name: create, publish, consume, with retries while the broker is away."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Protocol, Self, TypeVar, cast

from htmengine.bus.management import Management
from htmengine.closing import Closing
from htmengine.config import config_dir_from_environment, load
from nta.utils.amqp.connection import configuredBroker, getRabbitmqConnectionParameters
from nta.utils.amqp.constants import AMQPDeliveryModes, AMQPErrorCodes
from nta.utils.amqp.consumer import ConsumerCancellation
from nta.utils.amqp.exceptions import AmqpChannelError, AmqpConnectionError, UnroutableError
from nta.utils.amqp.messages import BasicProperties as MessageProperties
from nta.utils.amqp.messages import ConsumerMessage, Message, PolledMessage
from nta.utils.error_handling import retry

if TYPE_CHECKING:
    from nta.utils.amqp.synchronous_amqp_client import SynchronousAmqpClient

T = TypeVar("T")

log = logging.getLogger(__name__)

RETRY_FOR_S: Final = 10.0
FIRST_DELAY_S: Final = 0.05
LONGEST_DELAY_S: Final = 2.0
PREFETCH: Final = 2
MANAGEMENT_TIMEOUT_S: Final = 10.0


class MessageBusConnectorError(Exception):
    """Something is wrong with the bus."""


class MessageQueueNotFound(MessageBusConnectorError):
    """No queue has this name."""


class ConsumerCancelled(MessageBusConnectorError):
    """The broker ended the consumer, for example because its queue was deleted."""


class BusMessage(Protocol):
    """A message that was consumed."""

    @property
    def body(self) -> bytes:
        """What was published."""
        ...

    def ack(self, multiple: bool = False) -> None:
        """Say that it is done, and with `multiple` all before it."""
        ...


class BusConsumer(Protocol):
    """What `MessageBusConnector.consume` returns: an iterable and a context manager."""

    def __iter__(self) -> Iterator[BusMessage]: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def pollOneMessage(self) -> BusMessage | None:
        """Return the next message, or None when none waits."""
        ...

    def close(self) -> None:
        """Give back what is not acknowledged."""
        ...


class MessageBusConnector(Closing):
    """A connection to the broker that `rabbitmq.conf` names. Not for several threads; a context manager.

    What fails because broker or network are away is tried again for ten seconds. Where the application's configuration
    says `[engine] bus = embedded`, the connection is to the engine's own bus on this machine instead.
    """

    def __new__(cls) -> Self:
        """Return a connector to the bus that the configuration chooses."""
        if cls is MessageBusConnector and (path := _embedded_bus()) is not None:
            from nta.utils.embedded_bus_connector import EmbeddedBusConnector

            return cast("Self", EmbeddedBusConnector.at(path))
        return super().__new__(cls)

    def __init__(self) -> None:
        self._client: SynchronousAmqpClient | None = None
        self._consumers: list[_Consumer] = []

    def close(self) -> None:
        """Close the connection, and the consumers that nobody has closed."""
        for consumer in list(self._consumers):
            log.error("consumer of %s was left open", consumer.queue)
            consumer.close()
        if self._client is not None:
            self._client.close()
            self._client = None

    def createMessageQueue(self, mqName: str, durable: bool) -> None:
        """Make a queue; it may exist already."""
        self._call(lambda client: client.declareQueue(mqName, durable=durable))

    def deleteMessageQueue(self, mqName: str) -> None:
        """Delete a queue; nothing happens if there is none."""
        with contextlib.suppress(MessageQueueNotFound):
            self._call(lambda client: client.deleteQueue(mqName), mqName)

    def purge(self, mqName: str) -> None:
        """Drop the messages that wait in a queue. Raises MessageQueueNotFound."""
        self._call(lambda client: client.purgeQueue(mqName), mqName)

    def isEmpty(self, mqName: str) -> bool:
        """Tell whether no message waits in a queue. Raises MessageQueueNotFound."""
        return self._call(lambda client: client.declareQueue(mqName, passive=True), mqName).messageCount == 0

    def isMessageQeueuePresent(self, mqName: str) -> bool:
        """Tell whether there is a queue of this name."""
        try:
            self._call(lambda client: client.declareQueue(mqName, passive=True), mqName)
        except MessageQueueNotFound:
            return False
        return True

    def getAllMessageQueues(self) -> tuple[str, ...]:
        """Return the names of all queues of the virtual host, from the broker's management interface.

        Raises OSError where it does not answer.
        """
        broker = configuredBroker()
        with Management(broker, timeout_s=MANAGEMENT_TIMEOUT_S) as management:
            return tuple(queue["name"] for queue in management.queues(broker.virtual_host))

    def publish(self, mqName: str, body: bytes | str, persistent: bool) -> None:
        """Publish to a queue; when this returns, the broker has the message.

        Raises
        ------
        ValueError : the name is empty.
        MessageQueueNotFound : there is no such queue.
        """
        if not mqName:
            raise ValueError("the name of a queue must not be empty")
        mode = AMQPDeliveryModes
        properties = MessageProperties(
            deliveryMode=mode.PERSISTENT_MESSAGE if persistent else mode.NON_PERSISTENT_MESSAGE
        )
        if not self.publishExg("", mqName, body, properties, mandatory=True):
            raise MessageQueueNotFound(f"{mqName}: there is no queue of this name")

    def publishExg(
        self,
        exchange: str,
        routingKey: str,
        body: bytes | str,
        properties: MessageProperties | None = None,
        mandatory: bool = False,
    ) -> bool:
        """Publish to an exchange; return False if it is mandatory and reached no queue."""
        encoded = body.encode() if isinstance(body, str) else body
        message = Message(encoded, properties or MessageProperties())
        try:
            self._call(lambda client: client.publish(message, exchange, routingKey, mandatory=mandatory))
        except UnroutableError:
            return False
        return True

    def consume(self, mqName: str, blocking: bool = True) -> BusConsumer:
        """Return an iterable of a queue's messages, each with `.body` and `.ack(multiple=False)`.

        blocking : wait for the next message for ever; otherwise the iteration ends when the queue is empty.

        Raises MessageQueueNotFound, here or while iterating; while iterating also ConsumerCancelled.
        """
        if not self.isMessageQeueuePresent(mqName):
            raise MessageQueueNotFound(f"{mqName}: there is no queue of this name")
        consumer = _Consumer(mqName, blocking, self._consumers.remove)
        self._consumers.append(consumer)
        return consumer

    def _call(self, action: Callable[[SynchronousAmqpClient], T], queue: str = "") -> T:
        return _patiently(lambda: action(self._connected()), queue, self._disconnect)

    def _connected(self) -> SynchronousAmqpClient:
        if self._client is None or not self._client.isOpen():
            self._client = _client(lambda client: client.enablePublisherAcks())
        return self._client

    def _disconnect(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


def _client(
    channelConfigCb: Callable[[SynchronousAmqpClient], object] | None = None,
) -> SynchronousAmqpClient:
    # Imported here: without a broker, an application needs no client of one.
    from nta.utils.amqp.synchronous_amqp_client import SynchronousAmqpClient

    return SynchronousAmqpClient(getRabbitmqConnectionParameters(), channelConfigCb)


class _Consumer(Closing):
    """Messages of one queue, over a connection of its own that is made again when it breaks.

    A message of a connection that broke cannot be acknowledged any more: that is logged, and the message comes again.
    """

    def __init__(self, queue: str, blocking: bool, closed: Callable[[_Consumer], None]) -> None:
        self.queue = queue
        self._blocking = blocking
        self._closed = closed
        self._client: SynchronousAmqpClient | None = None
        self._consuming = False
        self._open = True

    def close(self) -> None:
        """Give back what is not acknowledged."""
        if self._open:
            self._open = False
            self._disconnect()
            self._closed(self)

    def __iter__(self) -> Iterator[BusMessage]:
        while True:
            message = self._next() if self._blocking else self.pollOneMessage()
            if message is None:
                return
            yield message

    def pollOneMessage(self) -> BusMessage | None:
        """Return the next message, or None when none waits. Raises MessageQueueNotFound."""
        message = self._call(lambda client: client.getOneMessage(self.queue))
        return None if message is None else _Acknowledged(message)

    def _next(self) -> BusMessage:
        event = self._call(self._next_event)
        if isinstance(event, ConsumerCancellation):
            self._consuming = False
            raise ConsumerCancelled(f"{self.queue}: the broker ended the consumer; was the queue deleted?")
        return _Acknowledged(event)

    def _next_event(self, client: SynchronousAmqpClient) -> ConsumerMessage | ConsumerCancellation:
        if not self._consuming:
            client.requestQoS(prefetchCount=PREFETCH)
            client.createConsumer(self.queue)
            self._consuming = True
        return client.getNextEvent()

    def _call(self, action: Callable[[SynchronousAmqpClient], T]) -> T:
        return _patiently(lambda: action(self._connected()), self.queue, self._disconnect)

    def _connected(self) -> SynchronousAmqpClient:
        if self._client is None or not self._client.isOpen():
            self._consuming = False
            self._client = _client()
        return self._client

    def _disconnect(self) -> None:
        self._consuming = False
        if self._client is not None:
            self._client.close()
            self._client = None


class _Acknowledged:
    """A message whose acknowledgement cannot fail: what a broken connection delivered comes again by itself."""

    def __init__(self, message: ConsumerMessage | PolledMessage) -> None:
        self._message = message

    @property
    def body(self) -> bytes:
        return self._message.body

    def ack(self, multiple: bool = False) -> None:
        try:
            self._message.ack(multiple)
        except (AmqpChannelError, AmqpConnectionError) as error:
            log.warning("not acknowledged, it will come again: %s", error)


def _embedded_bus() -> Path | None:
    """Return the file of the embedded bus, where the application's configuration chooses it."""
    directory = config_dir_from_environment()
    if directory is None or not (directory / "application.conf").exists():
        return None
    settings = load(directory)
    return settings.bus_path if settings.bus == "embedded" else None


def _patiently(action: Callable[[], T], queue: str, disconnect: Callable[[], None]) -> T:
    """Carry out an action, again and again while broker or network are away; an absent queue is not worth waiting for.

    The time for that begins with the first failure: that a broker is silent may have taken longer to find out.
    """

    def attempt() -> T:
        try:
            return action()
        except AmqpChannelError as error:
            if error.code == AMQPErrorCodes.NOT_FOUND and queue:
                raise MessageQueueNotFound(f"{queue}: there is no queue of this name") from error
            raise
        except (AmqpConnectionError, OSError):
            disconnect()
            raise

    attempt_again: Callable[[], T] = retry(
        RETRY_FOR_S,
        FIRST_DELAY_S,
        LONGEST_DELAY_S,
        retryExceptions=(AmqpChannelError, AmqpConnectionError, OSError),
        logger=log,
        clientLabel="message bus",
    )(attempt)
    with contextlib.suppress(AmqpConnectionError, OSError):
        return attempt()
    return attempt_again()


__all__ = [
    "ConsumerCancelled",
    "MessageBusConnector",
    "MessageBusConnectorError",
    "MessageProperties",
    "MessageQueueNotFound",
]
