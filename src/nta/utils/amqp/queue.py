"""What the broker says of a queue."""

from typing import NamedTuple


class QueueDeclarationResult(NamedTuple):
    """Name, messages that are ready, and consumers of a declared queue."""

    queue: str
    messageCount: int
    consumerCount: int
