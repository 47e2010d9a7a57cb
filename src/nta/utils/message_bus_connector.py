"""Durable queues by name: create, publish, consume, with retries while the broker is unavailable."""

from __future__ import annotations

from pathlib import Path

from htmengine.config import config_dir_from_environment, load
from htmengine.system.closing import Closing
from nta.utils.amqp.constants import AMQPDeliveryModes
from nta.utils.amqp.messages import BasicProperties as MessageProperties
from nta.utils.bus_connections.broker import BrokerConnection
from nta.utils.bus_connections.contract import (
    BusConnection,
    BusConsumer,
    ConsumerCancelled,
    MessageBusConnectorError,
    MessageQueueNotFound,
    queue_not_found,
)
from nta.utils.bus_connections.embedded import EmbeddedConnection


class MessageBusConnector(Closing):
    """A connection to the broker that `rabbitmq.conf` names. Not for several threads; a context manager.

    What fails because broker or network are unavailable is tried again for ten seconds. Where the application's configuration
    says `[engine] bus = embedded`, the connection is to the engine's own bus on this machine instead.
    """

    def __init__(self) -> None:
        path = _embedded_bus()
        self._connection: BusConnection = BrokerConnection() if path is None else EmbeddedConnection(path)

    def close(self) -> None:
        """Close the connection, and the consumers that nobody has closed."""
        self._connection.close()

    def createMessageQueue(self, mqName: str, durable: bool) -> None:
        """Make a queue; it may exist already."""
        self._connection.create_queue(mqName, durable=durable)

    def deleteMessageQueue(self, mqName: str) -> None:
        """Delete a queue; nothing happens if there is none."""
        self._connection.delete_queue(mqName)

    def purge(self, mqName: str) -> None:
        """Drop the messages that wait in a queue. Raises MessageQueueNotFound."""
        self._connection.purge(mqName)

    def isEmpty(self, mqName: str) -> bool:
        """Tell whether no message waits in a queue. Raises MessageQueueNotFound."""
        return self._connection.waiting(mqName) == 0

    def isMessageQeueuePresent(self, mqName: str) -> bool:
        """Tell whether there is a queue of this name."""
        try:
            self._connection.waiting(mqName)
        except MessageQueueNotFound:
            return False
        return True

    def getAllMessageQueues(self) -> tuple[str, ...]:
        """Return the names of all queues of the virtual host, from the broker's management interface.

        Raises OSError where it does not answer.
        """
        return self._connection.queues()

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
            raise queue_not_found(mqName)

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
        return self._connection.publish(
            exchange, routingKey, encoded, properties or MessageProperties(), mandatory=mandatory
        )

    def consume(self, mqName: str, blocking: bool = True) -> BusConsumer:
        """Return an iterable of a queue's messages, each with `.body` and `.ack(multiple=False)`.

        blocking : wait for the next message for ever; otherwise the iteration ends when the queue is empty.

        Raises MessageQueueNotFound, here or while iterating; while iterating also ConsumerCancelled.
        """
        return self._connection.consume(mqName, blocking=blocking)


def _embedded_bus() -> Path | None:
    """Return the file of the embedded bus, where the application's configuration chooses it."""
    directory = config_dir_from_environment()
    if directory is None or not (directory / "application.conf").exists():
        return None
    settings = load(directory)
    return settings.bus_path if settings.bus == "embedded" else None


__all__ = [
    "ConsumerCancelled",
    "MessageBusConnector",
    "MessageBusConnectorError",
    "MessageProperties",
    "MessageQueueNotFound",
]
