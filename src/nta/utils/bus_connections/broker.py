"""The connection to the broker that `rabbitmq.conf` names."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, TypeVar

from typing_extensions import override

from htmengine.bus.rabbitmq.management import Management
from htmengine.system.closing import Closing
from nta.utils.amqp.connection import configuredBroker, getRabbitmqConnectionParameters
from nta.utils.amqp.constants import AMQPErrorCodes
from nta.utils.amqp.consumer import ConsumerCancellation
from nta.utils.amqp.exceptions import AmqpChannelError, AmqpConnectionError, UnroutableError
from nta.utils.amqp.messages import BasicProperties, ConsumerMessage, Message, PolledMessage
from nta.utils.bus_connections.contract import (
    FIRST_DELAY_S,
    MAX_DELAY_S,
    RETRY_FOR_S,
    BusConnection,
    BusConsumer,
    BusMessage,
    ConsumerCancelled,
    MessageQueueNotFound,
    queue_not_found,
)
from nta.utils.error_handling import retry

if TYPE_CHECKING:
    from nta.utils.amqp.synchronous_amqp_client import SynchronousAmqpClient

T = TypeVar("T")

log = logging.getLogger(__name__)

PREFETCH: Final = 2
MANAGEMENT_TIMEOUT_S: Final = 10.0


class BrokerConnection(BusConnection):
    """A connection to RabbitMQ. What fails because broker or network are unavailable is tried again for ten seconds."""

    def __init__(self) -> None:
        self._client: SynchronousAmqpClient | None = None
        self._consumers: list[_Consumer] = []

    def close(self) -> None:
        """Close the connection, and the consumers that nobody has closed."""
        for consumer in list(self._consumers):
            log.error("consumer of %s was left open", consumer.queue)
            consumer.close()
        self._disconnect()

    @override
    def create_queue(self, name: str, *, durable: bool) -> None:
        self._call(lambda client: client.declareQueue(name, durable=durable))

    @override
    def delete_queue(self, name: str) -> None:
        with contextlib.suppress(MessageQueueNotFound):
            self._call(lambda client: client.deleteQueue(name), name)

    @override
    def purge(self, name: str) -> None:
        self._call(lambda client: client.purgeQueue(name), name)

    @override
    def waiting(self, name: str) -> int:
        return self._call(lambda client: client.declareQueue(name, passive=True), name).messageCount

    @override
    def queues(self) -> tuple[str, ...]:
        """The broker's management interface tells; raises OSError where it does not answer."""
        broker = configuredBroker()
        with Management(broker, timeout_s=MANAGEMENT_TIMEOUT_S) as management:
            return tuple(queue["name"] for queue in management.queues(broker.virtual_host))

    @override
    def publish(
        self, exchange: str, routing_key: str, body: bytes, properties: BasicProperties, *, mandatory: bool
    ) -> bool:
        """When it returns, the broker has the message."""
        message = Message(body, properties)
        try:
            self._call(lambda client: client.publish(message, exchange, routing_key, mandatory=mandatory))
        except UnroutableError:
            return False
        return True

    @override
    def consume(self, queue: str, *, blocking: bool) -> BusConsumer:
        self.waiting(queue)
        consumer = _Consumer(queue, blocking, self._consumers.remove)
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


def _patiently(action: Callable[[], T], queue: str, disconnect: Callable[[], None]) -> T:
    """Carry out an action, again and again while broker or network are unavailable; an absent queue is not worth waiting for.

    The time for that begins with the first failure: that a broker is silent may have taken longer to find out.
    """

    def attempt() -> T:
        try:
            return action()
        except AmqpChannelError as error:
            if error.code == AMQPErrorCodes.NOT_FOUND and queue:
                raise queue_not_found(queue) from error
            raise
        except (AmqpConnectionError, OSError):
            disconnect()
            raise

    attempt_again: Callable[[], T] = retry(
        RETRY_FOR_S,
        FIRST_DELAY_S,
        MAX_DELAY_S,
        retryExceptions=(AmqpChannelError, AmqpConnectionError, OSError),
        logger=log,
        clientLabel="message bus",
    )(attempt)
    with contextlib.suppress(AmqpConnectionError, OSError):
        return attempt()
    return attempt_again()
