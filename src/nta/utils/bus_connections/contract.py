"""What a connection to a bus does, its errors, and how long it waits for what is unavailable."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Protocol, Self

from htmengine.system.closing import Closing
from nta.utils.amqp.messages import BasicProperties

RETRY_FOR_S: Final = 10.0
FIRST_DELAY_S: Final = 0.05
MAX_DELAY_S: Final = 2.0


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


class BusConnection(Closing):
    """A connection to a bus. Not for several threads."""

    @abstractmethod
    def create_queue(self, name: str, *, durable: bool) -> None:
        """Make a queue; it may exist already."""

    @abstractmethod
    def delete_queue(self, name: str) -> None:
        """Delete a queue; nothing happens if there is none."""

    @abstractmethod
    def purge(self, name: str) -> None:
        """Drop the messages that wait in a queue. Raises MessageQueueNotFound."""

    @abstractmethod
    def waiting(self, name: str) -> int:
        """Return how many messages wait in a queue. Raises MessageQueueNotFound."""

    @abstractmethod
    def queues(self) -> tuple[str, ...]:
        """Return the names of all queues."""

    @abstractmethod
    def publish(
        self, exchange: str, routing_key: str, body: bytes, properties: BasicProperties, *, mandatory: bool
    ) -> bool:
        """Publish to an exchange, or with an empty name to the queue that the routing key names.

        Returns False if it is mandatory and reached no queue.
        """

    @abstractmethod
    def consume(self, queue: str, *, blocking: bool) -> BusConsumer:
        """Return an iterable of a queue's messages. Raises MessageQueueNotFound, here or while iterating."""


def queue_not_found(name: str) -> MessageQueueNotFound:
    """Return the error for a queue that is not there."""
    return MessageQueueNotFound(f"{name}: there is no queue of this name")
