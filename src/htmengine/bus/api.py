"""The bus: queues that lose nothing, each with one active consumer, and exchanges that copy to many queues.

Two implementations keep this contract: `embedded` for one machine without servers, `rabbitmq` for many. Services know
only what stands here. Delivery is at least once; the order of a queue may break when its consumer changes, so whoever
consumes goes by the numbers in the messages, not by their order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Final, NamedTuple, Protocol, Self

from htmengine.errors import DependencyUnavailable, ExplainedError

CHECKS_PER_LIMIT: Final = 8
"""A publisher looks how full a queue is after it has put an eighth of the limit into it; on both buses."""
MAX_DELIVERIES: Final = 5
"""A message that was given to consumers this often and never acknowledged becomes a dead letter."""


class BusError(Exception):
    """Something is wrong with the bus."""


class BusUnavailable(BusError, DependencyUnavailable):
    """The bus cannot be reached or written now. Nothing is lost: pause, and do the same again."""


class BusLost(ExplainedError, BusError):
    """The bus's file is gone or damaged: nothing that is published to it would be kept."""


class QueueNotFound(BusError):
    """No queue has this name."""


class ExchangeNotFound(BusError):
    """No exchange has this name."""


class QueueFull(BusError):
    """A queue took no more. Of what was to be published, some may have been accepted; publishing all again is safe."""


class GateClosed(BusError):
    """The gate is closed by which messages were published: they are to go elsewhere. Those accepted before it was closed are kept."""


class Outgoing(NamedTuple):
    """A message to a queue."""

    queue: str
    body: bytes
    transient: bool = False
    """It can be made again: it need not outlive the process that publishes it, if that consumes it, too."""


class Fanout(NamedTuple):
    """A message to every queue that is bound to an exchange."""

    exchange: str
    body: bytes
    headers: Mapping[str, str] = {}


class Delivery(NamedTuple):
    """A message as a consumer gets it."""

    queue: str
    body: bytes
    headers: Mapping[str, str]
    deliveries: int
    """How often it was delivered, this time included: more than 1 means that it may have been worked on before."""
    epoch: int
    """Another one whenever another consumer takes the queue over."""
    tag: int
    """The bus's own name for the message."""


class QueueStatus(NamedTuple):
    """The state of a queue."""

    name: str
    ready: int
    """Messages that wait."""
    unacked: int
    """Messages given to a consumer and not acknowledged yet."""
    oldest_age_s: float | None
    """Age of the oldest message, where the bus knows it."""
    consumers: int


class DeadLetter(NamedTuple):
    """A message that could not be worked on."""

    id: int
    queue: str
    """Where it came from, and where it goes again when it is re-queued."""
    body: bytes
    headers: Mapping[str, str]
    reason: str
    deliveries: int
    died_at: float
    """Seconds since the Unix epoch."""


class Consumer(Protocol):
    """Takes messages from queues; of all consumers of a queue, one is active at a time and the others stand by.

    Whoever closes a consumer, or dies, gives its unacknowledged messages back, to be delivered again.
    Use it from one thread.
    """

    def receive(self, *, max_messages: int, timeout_s: float) -> list[Delivery]:
        """Return what waits in the queues that this consumer is active on; [] when nothing came within the time.

        A message that was delivered before comes alone, and the next after it was acknowledged: if it kills its
        consumer, no neighbour is blamed. One that was delivered MAX_DELIVERIES times becomes a dead letter instead.
        """
        ...

    def still_has(self, deliveries: Sequence[Delivery]) -> bool:
        """Tell whether these are this consumer's yet, as far as is known here; False once they come again to another.

        A process that stood still, or a connection that broke, finds out late.
        """
        ...

    def ack(self, deliveries: Sequence[Delivery]) -> None:
        """Say that these are done: their effects are durable. An unknown or old one is ignored."""
        ...

    def publish_and_ack(
        self, messages: Sequence[Outgoing | Fanout], done: Sequence[Delivery], *, gate: str | None = None
    ) -> None:
        """Publish messages, by a gate if one is named, and then say that these are done, in one transaction where the bus has such; raises what both raise.

        To do all of it again is safe.
        """
        ...

    def dead_letter(self, delivery: Delivery, reason: str) -> None:
        """Put a message aside where a person can look at it, and take it out of its queue."""
        ...

    def close(self) -> None:
        """Give back what is not acknowledged, and let others become active. A closed consumer refuses to receive."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


class Bus(Protocol):
    """Queues and exchanges. Safe to use from several threads."""

    def declare_queue(
        self,
        name: str,
        *,
        limit: int | None = None,
        limit_bytes: int | None = None,
        expendable: bool = False,
        exclusive: bool = False,
    ) -> None:
        """Make sure that a durable queue exists.

        It is made again if somebody deletes it, unless it is expendable: whoever publishes to it or consumes it then gets
        BusUnavailable once. What was in it is lost.

        Parameters
        ----------
        limit : number of messages at which the queue refuses more (`QueueFull`); None for no limit of its own.
        limit_bytes : the same for the size of all bodies together, where the bus can tell it. Whoever publishes looks
            at it now and then, and may overshoot it by an eighth.
        expendable : a subscriber's queue: when it is full it drops its oldest messages instead of refusing new ones.
        exclusive : this process alone consumes it, and nobody misses what is in it when the process has ended: what comes
            from this process itself need not outlive it.
        """
        ...

    def delete_queue(self, name: str) -> None:
        """Delete a queue with all that is in it; nothing happens if there is none."""
        ...

    def purge(self, name: str) -> int:
        """Drop the messages that wait in a queue and return their number. Raises QueueNotFound."""
        ...

    def declare_exchange(self, name: str) -> None:
        """Make sure that a durable fan-out exchange exists.

        It is made again if somebody deletes it, as queues are; what was bound to it must be bound again.
        """
        ...

    def bind(self, queue: str, exchange: str) -> None:
        """Let a queue get a copy of everything that is published to an exchange from now on.

        Raises
        ------
        QueueNotFound, ExchangeNotFound
        """
        ...

    def has_subscribers(self, exchange: str) -> bool:
        """Tell whether publishing to an exchange reaches anyone; True where the bus cannot know.

        Cheap: ask before you make a message. Raises ExchangeNotFound.
        """
        ...

    def publish(self, messages: Sequence[Outgoing | Fanout], *, gate: str | None = None) -> None:
        """Publish messages, in order. When it returns, they survive a kill -9 of every process.

        Those that are transient, and those to exclusive queues, may be lost when this process is killed.
        `gate`: only if it is open; what is published to the queues without it is accepted in any case.

        Raises
        ------
        QueueNotFound, ExchangeNotFound, QueueFull, GateClosed, BusUnavailable : some of the messages may have been accepted.
        """
        ...

    def open_gate(self, name: str, queues: Sequence[str]) -> None:
        """Let messages be published to these queues by this gate. It is never opened by itself again. Raises QueueNotFound."""
        ...

    def close_gate(self, name: str) -> None:
        """Let nobody publish by this gate from now on: what is published behind this is refused, whoever publishes it."""
        ...

    def is_open(self, gate: str) -> bool:
        """Tell whether a gate is open."""
        ...

    def consume(self, queues: Sequence[str]) -> Consumer:
        """Return a consumer of these queues. Raises QueueNotFound.

        Several consumers of the same queues share them: each queue has one of them, and which one may change.
        """
        ...

    def status(self, names: Sequence[str] | None = None) -> list[QueueStatus]:
        """Return the state of queues, by name; of all, or of those named that exist."""
        ...

    def dead_letters(self, *, limit: int = 100, after: int = 0) -> list[DeadLetter]:
        """Return dead letters with an id greater than `after`, the oldest first."""
        ...

    def requeue(self, ids: Sequence[int]) -> int:
        """Put dead letters back into the queues they came from, as new; return how many there were.

        Raises QueueNotFound where such a queue was deleted.
        """
        ...

    def discard(self, ids: Sequence[int]) -> int:
        """Delete dead letters for good; return how many there were."""
        ...

    def rebalance(self) -> dict[str, int]:
        """Let the queues that consumers share go to those that should have them, where the bus does not by itself.

        Returns, by the name of a node, how many queues it should have; {} where there is nothing to do.
        """
        ...

    def require_whole(self) -> None:
        """Check that what was published is kept, where the bus can tell. Raises BusLost."""
        ...

    def close(self) -> None:
        """Close every consumer and the bus."""
        ...
