"""A consumer of a queue, and the news that the broker ended it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from nta.utils.amqp.messages import ConsumerMessage


class Consumer:
    """Made by `SynchronousAmqpClient.createConsumer`; its messages come out of `getNextEvent`."""

    def __init__(self, tag: str, cancelImpl: Callable[[], list[ConsumerMessage]]) -> None:
        self.tag = tag
        self._cancel = cancelImpl

    def cancel(self) -> list[ConsumerMessage]:
        """End the consumer and return the messages that it got and nobody has taken yet."""
        return self._cancel()


class ConsumerCancellation(NamedTuple):
    """The broker ended a consumer, for example because its queue was deleted."""

    consumerTag: str
