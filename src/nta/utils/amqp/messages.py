"""Messages, with their properties and how they came."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple


@dataclasses.dataclass(slots=True)
class BasicProperties:
    """Properties of a message; two are equal when all of them are."""

    contentType: str | None = None
    contentEncoding: str | None = None
    headers: dict[str, Any] | None = None
    deliveryMode: int | None = None
    priority: int | None = None
    correlationId: str | None = None
    replyTo: str | None = None
    expiration: str | None = None
    messageId: str | None = None
    timestamp: int | None = None
    messageType: str | None = None
    userId: str | None = None
    appId: str | None = None
    clusterId: str | None = None


class MessageDeliveryInfo(NamedTuple):
    """How a consumer got a message."""

    consumerTag: str
    deliveryTag: int
    redelivered: bool
    exchange: str
    routingKey: str


class MessageGetInfo(NamedTuple):
    """How a message was fetched."""

    deliveryTag: int
    redelivered: bool
    exchange: str
    routingKey: str
    messageCount: int


class MessageReturnInfo(NamedTuple):
    """Why a message came back."""

    replyCode: int
    replyText: str
    exchange: str
    routingKey: str


@dataclasses.dataclass
class Message:
    """Body and properties."""

    body: bytes
    properties: BasicProperties = dataclasses.field(default_factory=BasicProperties)


@dataclasses.dataclass
class ReturnedMessage(Message):
    """A message that came back because no queue took it."""

    methodInfo: MessageReturnInfo | None = None


@dataclasses.dataclass
class _Acknowledgeable(Message):
    ackImpl: Callable[[bool], None] = dataclasses.field(
        default=lambda multiple: None, repr=False, compare=False
    )
    nackImpl: Callable[[bool, bool], None] = dataclasses.field(
        default=lambda multiple, requeue: None, repr=False, compare=False
    )

    def ack(self, multiple: bool = False) -> None:
        """Say that this message is done, and with `multiple` all before it on the same channel."""
        self.ackImpl(multiple)

    def nack(self, multiple: bool = False, requeue: bool = False) -> None:
        """Refuse this message, and with `multiple` all before it; it is dropped or put back into its queue."""
        self.nackImpl(multiple, requeue)


@dataclasses.dataclass
class ConsumerMessage(_Acknowledgeable):
    """A message that a consumer got."""

    methodInfo: MessageDeliveryInfo | None = None


@dataclasses.dataclass
class PolledMessage(_Acknowledgeable):
    """A message that was fetched."""

    methodInfo: MessageGetInfo | None = None
