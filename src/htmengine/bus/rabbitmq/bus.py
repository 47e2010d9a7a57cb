"""The bus of many machines: RabbitMQ.

A queue of the engine is a quorum queue with a single active consumer: the broker keeps it on several nodes, and hands it
to another consumer when one dies. What applications declare themselves is a durable queue without arguments, since a
declaration with others is refused; a consumer of ours takes it for itself alone. Everything is published to be kept, and
confirmed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

from typing_extensions import override

from htmengine.bus.api import (
    Bus,
    DeadLetter,
    ExchangeNotFound,
    Fanout,
    GateClosed,
    Outgoing,
    QueueNotFound,
    QueueStatus,
)
from htmengine.bus.rabbitmq import dead_letters, rebalancing
from htmengine.bus.rabbitmq.channel import (
    Channel,
    Declared,
    Publication,
    Publisher,
    persistent,
)
from htmengine.bus.rabbitmq.consumer import RabbitConsumer
from htmengine.bus.rabbitmq.management import Management
from htmengine.bus.rabbitmq.publish_limits import Limits
from htmengine.bus.rabbitmq.session import Session
from htmengine.config import Broker

log = logging.getLogger(__name__)

DELIVERY_LIMIT: Final = 100
"""The broker's own. It also counts messages that were merely on their way to a consumer that died, so it is far above
MAX_DELIVERIES, which consumers see to themselves."""
EXISTS_FOR_S: Final = 5.0
"""How long it is taken for granted that an exchange which was there still is."""
SUBSCRIBER_EXPIRES_S: Final = 3600
"""An expendable queue that nobody has consumed for this long is deleted."""


class RabbitBus(Bus):
    """Queues and exchanges of a RabbitMQ broker; keeps the contract of `Bus`."""

    def __init__(
        self,
        broker: Broker,
        *,
        application: str = "htmengine",
        plain_queues: Sequence[str] = (),
        ordered_queues: Callable[[str], bool] = lambda queue: False,
        node: str | None = None,
        spread_s: float = 0.0,
    ) -> None:
        """Connect to the broker.

        Parameters
        ----------
        application : begins the names of what the bus keeps for itself.
        plain_queues : queues that applications declare, too.
        ordered_queues : tells of a queue whether its order must hold also when another consumer takes it over.
        node : the name of this consumer among those that share queues; that of the machine and the process by default.
        spread_s : consumers that start within this time of each other share queues; see `RabbitConsumer`.

        Raises
        ------
        BusUnavailable, BusError
        """
        self.session = Session(
            broker,
            application=application,
            plain_queues=plain_queues,
            ordered_queues=ordered_queues,
            node=node,
            spread_s=spread_s,
        )
        self._lock = threading.Lock()
        self._queues: set[str] = set()
        self._limits = Limits(lambda names: {queue.name: queue.ready for queue in self._inspect(names)})
        self._exists_until: dict[str, float] = {}
        """By exchange: when to look again whether it is there."""
        self._consumers: list[RabbitConsumer] = []
        try:
            self._management = Management(broker)
        except BaseException:
            self.session.close()
            raise

    # -- Queues and exchanges

    @override
    def declare_queue(
        self,
        name: str,
        *,
        limit: int | None = None,
        limit_bytes: int | None = None,
        expendable: bool = False,
        exclusive: bool = False,
    ) -> None:
        """Limits are kept by those who publish; they may overshoot them together by some messages.

        What goes to an exclusive queue goes through the broker, too.
        """
        if limit is not None and limit < 1:
            raise ValueError(f"a queue's limit is at least 1, not {limit}")
        arguments: dict[str, Any] | None = None
        if name in self.session.plain_queues:
            pass
        elif expendable:
            arguments = {"x-single-active-consumer": True, "x-expires": SUBSCRIBER_EXPIRES_S * 1000}
            if limit is not None:
                arguments |= {"x-max-length": limit, "x-overflow": "drop-head"}
        else:
            arguments = {
                "x-queue-type": "quorum",
                "x-single-active-consumer": True,
                "x-delivery-limit": DELIVERY_LIMIT,
                "x-dead-letter-exchange": dead_letters.exchange(self.session.application),
                "x-dead-letter-strategy": "at-least-once",
                "x-overflow": "reject-publish",
                "x-queue-leader-locator": "balanced",
            }
        self.session.declare_queue(name, arguments, lasting=not expendable)
        if not expendable:
            self._limits.set(name, limit, limit_bytes)
        with self._lock:
            self._queues.add(name)

    @override
    def delete_queue(self, name: str) -> None:
        self.session.delete_queue(name)
        with self._lock:
            self._queues.discard(name)
        self._limits.forget(name)

    @override
    def purge(self, name: str) -> int:
        """What waits in other processes to be worked on is left."""
        dropped: int = self.session.on_channel(
            lambda channel: channel.ask(lambda raw, answer: raw.queue_purge(name, callback=answer))
        ).method.message_count
        return dropped + sum(consumer.drop(name) for consumer in self._all_consumers())

    @override
    def declare_exchange(self, name: str) -> None:
        self.session.declare_exchange(name)

    @override
    def bind(self, queue: str, exchange: str) -> None:
        self.session.on_channel(lambda channel: channel.bind(queue, exchange))

    @override
    def has_subscribers(self, exchange: str) -> bool:
        """The broker's management interface tells; without it, one has to assume so."""
        now = time.monotonic()
        if now >= self._exists_until.get(exchange, 0.0):
            try:
                self._require_exchange(exchange)
            except ExchangeNotFound as error:  # the interface says of such a one that nobody is bound to it
                raise self.session.restored(error, [exchange]) from error
            self._exists_until[exchange] = now + EXISTS_FOR_S
        return self._management.is_bound(exchange)

    # -- Gates: exchanges that lead to queues

    @override
    def open_gate(self, name: str, queues: Sequence[str]) -> None:
        self.session.open_gate(name, queues)

    @override
    def close_gate(self, name: str) -> None:
        self.session.on_channel(
            lambda channel: channel.ask(lambda raw, answer: raw.exchange_delete(name, callback=answer))
        )

    @override
    def is_open(self, gate: str) -> bool:
        try:
            self._require_exchange(gate)
        except ExchangeNotFound:
            return False
        return True

    def _require_exchange(self, name: str) -> None:
        self.session.on_channel(
            lambda channel: channel.ask(
                lambda raw, answer: raw.exchange_declare(name, passive=True, callback=answer)
            )
        )

    # -- Messages

    @override
    def publish(self, messages: Sequence[Outgoing | Fanout], *, gate: str | None = None) -> None:
        if not messages:
            return
        try:
            self._limits.reserve([message for message in messages if isinstance(message, Outgoing)])
            self.session.publish(
                [
                    Publication(gate or "", message.queue, message.body, persistent(), mandatory=True)
                    if isinstance(message, Outgoing)
                    else Publication(message.exchange, "", message.body, persistent(message.headers))
                    for message in messages
                ]
            )
        except (QueueNotFound, ExchangeNotFound) as error:
            if gate and isinstance(error, ExchangeNotFound):
                raise GateClosed(f"the gate {gate} is closed") from error
            targets = {it.queue if isinstance(it, Outgoing) else it.exchange for it in messages}
            raise self.session.restored(error, targets) from error

    @override
    def consume(self, queues: Sequence[str]) -> RabbitConsumer:
        try:
            self._inspect(queues)
        except QueueNotFound as error:
            raise self.session.restored(error, queues) from error
        consumer = RabbitConsumer(self.session, queues, publish=self.publish, on_close=self._forget)
        with self._lock:
            self._consumers.append(consumer)
        return consumer

    def _forget(self, consumer: RabbitConsumer) -> None:
        """Take note that a consumer was closed."""
        with self._lock, suppress(ValueError):
            self._consumers.remove(consumer)

    def _all_consumers(self) -> list[RabbitConsumer]:
        with self._lock:
            return list(self._consumers)

    # -- Status and dead letters

    @override
    def status(self, names: Sequence[str] | None = None) -> list[QueueStatus]:
        """All are those that were declared here; what others have in their hands is not known."""
        if names is None:
            with self._lock:
                names = list(self._queues)
        consumers = self._all_consumers()
        found = []
        for queue in self._existing(names):
            held = [consumer.holds(queue.name) for consumer in consumers if queue.name in consumer.queues]
            found.append(
                QueueStatus(
                    queue.name,
                    ready=queue.ready + sum(one.waiting for one in held),
                    unacked=sum(one.unacked for one in held),
                    oldest_age_s=None,
                    consumers=queue.consumers + sum(not one.subscribed for one in held),
                )
            )
        return sorted(found)

    def _existing(self, names: Sequence[str]) -> list[Declared]:
        try:
            return self._inspect(names)
        except QueueNotFound:
            pass
        found = []
        for name in names:
            with suppress(QueueNotFound):
                found += self._inspect([name])
        return found

    def _inspect(self, names: Sequence[str]) -> list[Declared]:
        found: list[Declared] = self.session.on_channel(lambda channel: channel.inspect(names))
        return found

    @override
    def dead_letters(self, *, limit: int = 100, after: int = 0) -> list[DeadLetter]:
        """While one looks at the dead letters, others may see fewer."""
        with self._browsing() as (letters, _):
            return [letter for letter in letters.values() if letter.id > after][:limit]

    @override
    def requeue(self, ids: Sequence[int]) -> int:
        with self._browsing() as (letters, channel):
            chosen = {tag: letter for tag, letter in letters.items() if letter.id in set(ids)}
            self.session.publish(
                [
                    Publication("", letter.queue, letter.body, persistent(letter.headers))
                    for letter in chosen.values()
                ]
            )
            channel.ack(list(chosen))
            return len(chosen)

    @override
    def discard(self, ids: Sequence[int]) -> int:
        with self._browsing() as (letters, channel):
            chosen = [tag for tag, letter in letters.items() if letter.id in set(ids)]
            channel.ack(chosen)
            return len(chosen)

    @contextmanager
    def _browsing(self) -> Iterator[tuple[dict[int, DeadLetter], Channel]]:
        """Give all dead letters, the oldest first, by their delivery tags; what is not acknowledged goes back."""
        channel = Channel(self.session.consuming.connection())
        try:
            yield dead_letters.read(channel, dead_letters.queue(self.session.application)), channel
        finally:
            channel.close()

    def rebalance(self) -> dict[str, int]:
        """Let the queues that consumers share go to those that should have them; return by node how many that are."""
        channel = Publisher(self.session.consuming.connection())
        try:
            return rebalancing.rebalance(channel, self.session.application)
        finally:
            channel.close()

    @override
    def require_whole(self) -> None:
        """That is the broker's own affair."""

    @override
    def close(self) -> None:
        for consumer in self._all_consumers():
            consumer.close()
        self.session.close()
        self._management.close()
