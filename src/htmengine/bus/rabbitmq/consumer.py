"""A consumer on RabbitMQ: who gets which queue, how much of it at a time, and what comes again alone.

All consumers of a queue subscribe to it, and the broker makes one of them active. So that many of them share many
queues, each has a weight for each queue, which everybody can compute (rendezvous hashing). A broker from version 4 on
goes by it as the consumer's priority. An older one takes whoever subscribed first, so there a consumer that finds queues
that nobody has yet subscribes to those with a high weight early and to the others later; and `release` lets consumers
subscribe again behind the one that should have a queue.
"""

from __future__ import annotations

import itertools
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from typing_extensions import override

from htmengine.bus.api import (
    MAX_DELIVERIES,
    BusError,
    BusUnavailable,
    Consumer,
    Delivery,
    Fanout,
    Outgoing,
    QueueNotFound,
)
from htmengine.bus.rabbitmq.channel import Channel, ChannelClosed, Properties
from htmengine.bus.rabbitmq.dead_letters import NewDeadLetter, own_headers
from htmengine.bus.rabbitmq.rebalancing import Member, rendezvous_weight
from htmengine.bus.rabbitmq.redelivery import RedeliveryCounts
from htmengine.bus.rabbitmq.session import Session
from htmengine.system.closing import Closing

RETRY_S: Final = 0.2
"""How often a consumer that stands by at a queue without arguments asks whether it is free."""
PRIORITIES: Final = 65_535
OWNERSHIP_BY_PRIORITY: Final = (4, 0)
"""Version from which on the broker hands a queue to the consumer with the highest priority."""
MIN_SHARE: Final = 8
"""Messages of each of several queues that may come at a time: whoever has few of the queues must not get less in all."""
MAX_WAIT_S: Final = 1.0
BATCH_INTERVAL_S: Final = 0.1
"""From the metric-data queues, into which applications put small messages, batches come at most this often. What
begins as one message for each row costs the broker several times as much as all the rest on the way of the row."""

log = logging.getLogger(__name__)


class Holding(NamedTuple):
    """What a consumer has of a queue."""

    subscribed: bool
    waiting: int
    """Messages that came and were not given out yet."""
    unacked: int


class _Subscription:
    """One subscription to a queue. To take more or fewer messages at a time takes a new one."""

    def __init__(self, queue: str, channel: Channel, prefetch: int) -> None:
        self.queue = queue
        self.channel = channel
        self.prefetch = prefetch
        self.tag = ""
        self.under_way = 0
        """Messages that came by it and are not acknowledged."""
        self.given = 0
        """Of the last batch."""
        self.epoch = 0
        """When its first message came, in nanoseconds: no other subscription has the same."""


class _Message(NamedTuple):
    """A message that came."""

    subscription: _Subscription
    delivery_tag: int
    body: bytes
    headers: dict[str, str]
    redelivered: bool


class RabbitConsumer(Closing, Consumer):
    """A consumer of a RabbitMQ bus; keeps the contract of `Consumer`."""

    def __init__(
        self,
        session: Session,
        queues: Sequence[str],
        *,
        publish: Callable[..., None],
        on_close: Callable[[RabbitConsumer], None],
    ) -> None:
        """`publish` is that of the bus; `on_close` is called when this consumer is closed."""
        self.queues = tuple(dict.fromkeys(queues))
        self._session = session
        self._publish = publish
        self._on_close = on_close
        self._condition = threading.Condition()
        self._channels: dict[str, Channel] = {}
        """By queue. Those without arguments have one each, since the broker closes it when another has the queue; and those
        whose order must hold, since to close it gives all that came back before others get more."""
        self._subscriptions: dict[str, _Subscription] = {}
        self._due: dict[str, float] = {}
        """When to subscribe to those that are not subscribed to."""
        self._fresh: dict[str, deque[_Message]] = {queue: deque() for queue in self.queues}
        self._again: deque[_Message] = deque()
        self._unacked: dict[int, tuple[_Message, Delivery]] = {}
        self._tags = itertools.count(1)
        self._turns = itertools.count(1)
        self._last_turn: dict[str, int] = {}
        self._acknowledged = False
        self._next_batch = 0.0
        """When the next batch of a queue without arguments may come."""
        self._gone: str | None = None
        """A queue that was deleted."""
        self._redelivery_counts: RedeliveryCounts | None = None
        self._redelivery_channel: Channel | None = None
        self._member: Member | None = None
        self._to_release: set[str] = set()
        """Queues that another consumer should have."""
        self._closed = False

    # -- The contract

    @override
    def receive(self, *, max_messages: int, timeout_s: float) -> list[Delivery]:
        try:
            return self._receive(max_messages, timeout_s)
        except QueueNotFound as error:
            raise self._session.restored(error, self.queues) from error

    def _receive(self, max_messages: int, timeout_s: float) -> list[Delivery]:
        deadline = time.monotonic() + timeout_s
        while True:
            self._check()
            self._subscribe(max_messages)
            alone = self._next_again()
            if alone is not None:
                if self._dead_lettered(alone):
                    continue
                return [self._given(alone)]
            with self._condition:
                if self._closed:
                    raise BusError("the consumer was closed")
                now = time.monotonic()
                remaining = deadline - now
                early = min(self._next_batch - now, remaining) if self._gathers(max_messages) else 0.0
                if early <= 0 and (deliveries := self._next_fresh(max_messages)):
                    self._next_batch = now + BATCH_INTERVAL_S
                    return deliveries
                if remaining <= 0:
                    return []
                if not self._again_may_be_given():
                    self._condition.wait(early if early > 0 else min(remaining, self._until_due()))

    @override
    def still_has(self, deliveries: Sequence[Delivery]) -> bool:
        with self._condition:
            held = [self._unacked.get(delivery.tag) for delivery in deliveries]
            return all(one is not None and one[0].subscription.channel.is_open for one in held)

    @override
    def ack(self, deliveries: Sequence[Delivery]) -> None:
        done: dict[Channel, list[int]] = {}
        survived = []
        with self._condition:
            for delivery in deliveries:
                message = self._let_go(delivery)
                if message is not None:
                    done.setdefault(message.subscription.channel, []).append(message.delivery_tag)
                    survived += [message] if message.redelivered else []
        for channel, tags in done.items():
            channel.ack(tags)
        for message in survived:
            self._survived(message)

    @override
    def publish_and_ack(
        self, messages: Sequence[Outgoing | Fanout], done: Sequence[Delivery], *, gate: str | None = None
    ) -> None:
        self._publish(messages, gate=gate)
        self.ack(done)

    @override
    def dead_letter(self, delivery: Delivery, reason: str) -> None:
        with self._condition:
            if delivery.tag not in self._unacked:
                return
        self._session.dead_letter(
            NewDeadLetter(delivery.queue, delivery.body, delivery.headers, reason, delivery.deliveries)
        )
        log.warning("bus.dead_letter queue=%s reason=%s", delivery.queue, reason)
        self.ack([delivery])

    @override
    def close(self) -> None:
        with self._condition:
            if self._closed:
                return
            self._closed = True
            self._condition.notify_all()
        self._on_close(self)
        self._reset()

    # -- What the bus asks

    def holds(self, queue: str) -> Holding:
        """Return what this consumer has of a queue."""
        with self._condition:
            return Holding(
                subscribed=queue in self._subscriptions,
                waiting=len(self._fresh[queue]) + sum(one.subscription.queue == queue for one in self._again),
                unacked=sum(delivery.queue == queue for _, delivery in self._unacked.values()),
            )

    def drop(self, queue: str) -> int:
        """Drop the messages of a queue that arrived and were not given out, and return their number."""
        with self._condition:
            if queue not in self._fresh:
                return 0
            dropped = [*self._fresh[queue], *(one for one in self._again if one.subscription.queue == queue)]
            self._fresh[queue].clear()
            self._again = deque(one for one in self._again if one.subscription.queue != queue)
            for message in dropped:
                message.subscription.under_way -= 1
        for message in dropped:
            message.subscription.channel.ack([message.delivery_tag])
        return len(dropped)

    # -- Subscribing

    def _check(self) -> None:
        """Raise what ended a subscription, so that whoever receives can wait, and let the next call begin anew."""
        if self._closed:
            raise BusError("the consumer was closed")
        gone, self._gone = self._gone, None
        if gone is not None:
            self._reset()
            raise QueueNotFound(f"the queue {gone} was deleted")
        broken = next((channel for channel in self._channels.values() if not channel.is_open), None)
        if broken is not None:
            self._reset()
            raise BusUnavailable(
                f"{broken.connection.where}: {broken.connection.lost or 'a channel was closed'}"
            )

    def _subscribe(self, max_messages: int) -> None:
        """Subscribe to what is due, and again where this consumer takes more at a time, or should stand back."""
        try:
            if not self._channels:
                self._begin()
            now = time.monotonic()
            for queue in [queue for queue, due in self._due.items() if due <= now]:
                self._subscribe_to(queue, self._share(queue, max_messages))
            if self._member:
                self._to_release |= self._member.to_release()
            for queue in [queue for queue in self._to_release if self._may_release(queue)]:
                self._to_release.discard(queue)
                self._subscribe_again(queue, self._share(queue, max_messages))
            for queue, wanted in self._wider(max_messages):
                self._subscribe_again(queue, wanted)
        except BusError:
            self._reset()
            raise

    def _begin(self) -> None:
        """Open channels, and decide when to subscribe."""
        connection = self._session.consuming.connection()
        shared = Channel(connection)
        plain = self._session.plain_queues
        self._channels = {
            queue: Channel(connection) if queue in plain or self._session.is_ordered(queue) else shared
            for queue in self.queues
        }
        self._redelivery_channel = Channel(connection)
        self._redelivery_counts = RedeliveryCounts(self._redelivery_channel, self._session.publish)
        shareable = [queue for queue in self.queues if queue not in plain]
        spread_s = 0.0
        if len(shareable) > 1:
            self._member = Member(shared, self._session.application, self._session.node, shareable)
            if self._session.spread_s and connection.version < OWNERSHIP_BY_PRIORITY:
                taken = any(queue.consumers for queue in shared.inspect(shareable))
                spread_s = 0.0 if taken else self._session.spread_s
        now = time.monotonic()
        with self._condition:
            self._due = {
                queue: now + (1 - rendezvous_weight(self._session.node, queue)) * spread_s
                for queue in self.queues
            }

    def _subscribe_to(self, queue: str, prefetch: int) -> None:
        channel = self._channels[queue]
        plain = queue in self._session.plain_queues
        if plain and not channel.is_open:
            channel = self._channels[queue] = Channel(channel.connection)
        subscription = _Subscription(queue, channel, prefetch)
        try:
            subscription.tag = channel.consume(
                queue,
                partial(self._arrived, subscription),
                partial(self._cancelled, queue),
                prefetch=prefetch,
                exclusive=plain,
                arguments=None
                if plain
                else {"x-priority": int(rendezvous_weight(self._session.node, queue) * PRIORITIES)},
            )
        except ChannelClosed as error:
            if error.code != 403 or not plain:
                raise
            # Another consumer has it; this one stands by, with a channel for the next try.
            self._channels[queue] = Channel(channel.connection)
            self._due[queue] = time.monotonic() + RETRY_S
            return
        with self._condition:
            self._subscriptions[queue] = subscription
            self._due.pop(queue, None)

    def _subscribe_again(self, queue: str, prefetch: int) -> None:
        """Replace a subscription; where others wait for the queue, they get it now.

        What came by it stays in hand; of a queue whose order must hold it goes back.
        """
        ordered = self._session.is_ordered(queue)
        with self._condition:
            old = self._subscriptions.pop(queue, None)
            if old is not None and ordered:
                del self._channels[queue]
                self._fresh[queue].clear()
                self._again = deque(one for one in self._again if one.subscription is not old)
        if old is not None and ordered:
            old.channel.close()
            self._channels[queue] = Channel(old.channel.connection)
        elif old is not None:
            old.channel.cancel(old.tag)
        self._subscribe_to(queue, prefetch)

    def _may_release(self, queue: str) -> bool:
        """Whether nothing of a queue whose order must hold is in hand."""
        with self._condition:
            return not self._session.is_ordered(queue) or not any(
                delivery.queue == queue for _, delivery in self._unacked.values()
            )

    def _share(self, queue: str, max_messages: int) -> int:
        """Return how many messages of a queue may come before some are acknowledged.

        Of one whose order must hold as many as of one that is nobody else's: to change that gives it away for a moment.
        """
        if self._session.is_ordered(queue):
            return 2 * max_messages
        share = math.ceil(max_messages / len(self.queues))
        return max(share, MIN_SHARE) if len(self.queues) > 1 else share

    def _wider(self, max_messages: int) -> list[tuple[str, int]]:
        """Return the queues of which more must come at a time, when nothing is there to be given out.

        Those of which all that may come is in the hands of the caller, who wants more; one whose order must hold, when the
        last batch had all that may come, and nothing is in hand; and a queue without arguments, which is nobody else's, as
        soon as messages come in numbers: then the next batch is here before it is asked for.
        """
        with self._condition:
            if self._again or any(self._fresh.values()):
                return []
            wider = []
            for queue, subscription in self._subscriptions.items():
                if self._session.is_ordered(queue):
                    if not self._unacked and subscription.given >= subscription.prefetch < max_messages:
                        wider.append((queue, self._share(queue, max_messages)))
                elif subscription.under_way >= subscription.prefetch:
                    wider.append((queue, self._share(queue, max_messages)))
                elif (
                    queue in self._session.plain_queues
                    and self._acknowledged
                    and not self._unacked
                    and subscription.prefetch < 2 * max_messages
                ):
                    wider.append((queue, 2 * max_messages))
            return wider

    def _gathers(self, max_messages: int) -> bool:
        """Whether what is here should wait for more."""
        queues, session = self.queues, self._session
        return (
            all(queue in session.plain_queues or session.is_ordered(queue) for queue in queues)
            and not self._unacked
            and sum(len(self._fresh[queue]) for queue in queues) < max_messages
        )

    def _until_due(self) -> float:
        """Return how long to wait for messages before there may be something to subscribe to."""
        due = min(self._due.values(), default=math.inf) - time.monotonic()
        return max(0.0, min(due, MAX_WAIT_S))

    def _reset(self) -> None:
        """Forget everything that came, and close the channels: it comes again, to whoever has the queues then."""
        with self._condition:
            channels = {*self._channels.values(), self._redelivery_channel} - {None}
            self._channels = {}
            self._subscriptions = {}
            self._due = {}
            self._redelivery_counts = self._redelivery_channel = self._member = None
            self._to_release.clear()
            self._gone = None
            for fresh in self._fresh.values():
                fresh.clear()
            self._again.clear()
            self._unacked.clear()
        for channel in channels:
            if channel is not None:
                channel.close()

    # -- The connection's thread

    def _arrived(self, subscription: _Subscription, method: Any, properties: Properties, body: bytes) -> None:
        headers = own_headers(properties.headers) if properties.headers else {}
        message = _Message(subscription, method.delivery_tag, body, headers, method.redelivered)
        with self._condition:
            if self._channels.get(subscription.queue) is not subscription.channel:
                return  # from before a reset
            subscription.under_way += 1
            subscription.epoch = subscription.epoch or time.time_ns()
            (self._again if message.redelivered else self._fresh[subscription.queue]).append(message)
            self._condition.notify_all()

    def _cancelled(self, queue: str) -> None:
        with self._condition:
            self._gone = queue
            self._condition.notify_all()

    # -- Giving out

    def _again_may_be_given(self) -> bool:
        return bool(self._again) and not self._unacked

    def _next_again(self) -> _Message | None:
        """Return a message that was delivered before and may be given out, alone."""
        with self._condition:
            return self._again[0] if self._again_may_be_given() else None

    def _dead_lettered(self, message: _Message) -> bool:
        """Make a message a dead letter if it was worked on too often; write down that it is worked on if not."""
        assert self._redelivery_counts is not None
        queue = message.subscription.queue
        try:
            times = self._redelivery_counts.times(queue, message.body)
            if 1 + times >= MAX_DELIVERIES:
                reason = (
                    f"delivered {MAX_DELIVERIES} times and never acknowledged: it may end whoever works on it"
                )
                self._session.dead_letter(
                    NewDeadLetter(queue, message.body, message.headers, reason, MAX_DELIVERIES)
                )
                log.warning("bus.dead_letter queue=%s reason=%s", queue, reason)
            else:
                self._redelivery_counts.begin(queue, message.body)
        except BusError:
            self._reset()
            raise
        if 1 + times < MAX_DELIVERIES:
            return False
        with self._condition:
            if self._again and self._again[0] is message:
                self._again.popleft()
                message.subscription.under_way -= 1
        message.subscription.channel.ack([message.delivery_tag])
        self._survived(message)
        return True

    def _given(self, message: _Message) -> Delivery:
        with self._condition:
            if not self._again or self._again[0] is not message:
                raise BusUnavailable("the connection was lost; the message comes again")
            self._again.popleft()
            assert self._redelivery_counts is not None
            return self._handed(
                message, 1 + self._redelivery_counts.times(message.subscription.queue, message.body)
            )

    def _next_fresh(self, max_messages: int) -> list[Delivery]:
        """Return fresh messages of all queues in turn; none while one that came again waits or is in hand."""
        if self._again or any(message.redelivered for message, _ in self._unacked.values()):
            return []
        waiting = [queue for queue, fresh in self._fresh.items() if fresh]
        waiting.sort(key=lambda queue: self._last_turn.get(queue, 0))
        turn = next(self._turns) if waiting else 0
        deliveries: list[Delivery] = []
        for place, queue in enumerate(waiting):
            part = -(-(max_messages - len(deliveries)) // (len(waiting) - place))
            if part < 1:
                break
            self._last_turn[queue] = turn
            fresh = self._fresh[queue]
            given = [self._handed(fresh.popleft(), 1) for _ in range(min(part, len(fresh)))]
            if subscription := self._subscriptions.get(queue):
                subscription.given = len(given)
            deliveries += given
        return deliveries

    def _handed(self, message: _Message, deliveries: int) -> Delivery:
        subscription = message.subscription
        delivery = Delivery(
            subscription.queue,
            message.body,
            message.headers,
            deliveries,
            subscription.epoch,
            next(self._tags),
        )
        self._unacked[delivery.tag] = message, delivery
        return delivery

    def _let_go(self, delivery: Delivery) -> _Message | None:
        held = self._unacked.get(delivery.tag)
        if held is None or held[1] is not delivery:
            return None
        del self._unacked[delivery.tag]
        held[0].subscription.under_way -= 1
        self._acknowledged = True
        return held[0]

    def _survived(self, message: _Message) -> None:
        """Forget how often an acknowledged message was redelivered, as soon as it cannot come again.

        Only the newest count is kept: if it came again behind this, it would take the place of the next one's.
        """
        queue = message.subscription.queue
        if self._redelivery_counts is not None:
            try:
                message.subscription.channel.wait_for_broker()
                self._redelivery_counts.end(queue)
            except BusError as error:
                log.warning("bus.redelivery_count_not_written queue=%s reason=%s", queue, error)
