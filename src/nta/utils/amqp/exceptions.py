"""What can go wrong between client and broker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class AmqpClosedError(Exception):
    """The broker, or the network, closed something."""

    def __init__(self, code: int, text: str, classId: int = 0, methodId: int = 0) -> None:
        super().__init__(f"{code} {text}")
        self.code = code
        self.text = text
        self.classId = classId
        self.methodId = methodId


class AmqpChannelError(AmqpClosedError):
    """The channel was closed; the client opens a new one when it is used again."""


class AmqpConnectionError(AmqpClosedError):
    """The connection was closed; the client cannot be used any more."""


class _NotTaken(Exception):
    def __init__(self, messages: Sequence[Any]) -> None:
        super().__init__(f"{len(messages)} messages")
        self.messages = list(messages)


class UnroutableError(_NotTaken):
    """Messages that had to reach a queue reached none, and came back; `messages` holds them."""


class NackError(_NotTaken):
    """The broker did not take messages; `messages` holds them."""
