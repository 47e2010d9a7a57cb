"""A blocking client with one channel, which is opened when it is first needed."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

from htmengine import extras

extras.require("rabbitmq", "nta.utils.amqp.synchronous_amqp_client")  # before an import of it fails

import pika
import pika.exceptions
from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection

from htmengine.bus.rabbitmq.connection import reason_of
from htmengine.system.closing import Closing
from htmengine.system.keepalive import tcp_options
from nta.utils.amqp.connection import ConnectionParams
from nta.utils.amqp.consumer import Consumer, ConsumerCancellation
from nta.utils.amqp.exceptions import AmqpChannelError, AmqpConnectionError, NackError, UnroutableError
from nta.utils.amqp.messages import (
    BasicProperties,
    ConsumerMessage,
    Message,
    MessageDeliveryInfo,
    MessageGetInfo,
    MessageReturnInfo,
    PolledMessage,
    ReturnedMessage,
)
from nta.utils.amqp.queue import QueueDeclarationResult

T = TypeVar("T")

HEARTBEAT_S: Final = 600
"""Long, since heartbeats are sent within calls alone: an application may work on a message for as long as that."""
_POLL_S: Final = 0.5  # how often a wait without end lets signals and heartbeats through

_PROPERTIES: Final = {
    "contentType": "content_type",
    "contentEncoding": "content_encoding",
    "headers": "headers",
    "deliveryMode": "delivery_mode",
    "priority": "priority",
    "correlationId": "correlation_id",
    "replyTo": "reply_to",
    "expiration": "expiration",
    "messageId": "message_id",
    "timestamp": "timestamp",
    "messageType": "type",
    "userId": "user_id",
    "appId": "app_id",
    "clusterId": "cluster_id",
}


class SynchronousAmqpClient(Closing):
    """One connection, one channel, no threads of its own. Use it from one thread; as a context manager it closes itself.

    Parameters
    ----------
    connectionParams : None for a fresh broker on this machine.
    channelConfigCb : called with this client whenever a channel was opened, also after an error closed the last one.

    Raises
    ------
    AmqpConnectionError : the broker cannot be reached.
    """

    def __init__(
        self,
        connectionParams: ConnectionParams | None = None,
        channelConfigCb: Callable[[SynchronousAmqpClient], object] | None = None,
    ) -> None:
        where = connectionParams or ConnectionParams()
        self._timeout_s = where.timeoutSec
        self._configure = channelConfigCb
        self._channel: BlockingChannel | None = None
        self._confirming = False
        self._events: deque[ConsumerMessage | ConsumerCancellation] = deque()
        self._returned: list[ReturnedMessage] = []
        self._unacked: dict[int, BlockingChannel] = {}
        parameters = pika.ConnectionParameters(
            host=where.host,
            port=where.port,
            virtual_host=where.vhost,
            credentials=pika.PlainCredentials(where.credentials.username, where.credentials.password),
            heartbeat=HEARTBEAT_S,
            blocked_connection_timeout=where.timeoutSec,
            socket_timeout=where.timeoutSec,
            stack_timeout=where.timeoutSec,
            tcp_options=tcp_options(where.timeoutSec),
            ssl_options=pika.SSLOptions(where.sslContext, where.host) if where.sslContext else None,
        )
        with _errors_translated():
            self._connection = BlockingConnection(parameters)

    def isOpen(self) -> bool:
        """Tell whether the connection is open."""
        return bool(self._connection.is_open)

    def close(self) -> None:
        """Close the connection; never raises."""
        with contextlib.suppress(pika.exceptions.AMQPError, OSError):
            if self._connection.is_open:
                with self._answered():
                    self._connection.close()
        self._channel = None

    # -- Publishing

    def enablePublisherAcks(self) -> None:
        """Let `publish` wait until the broker has a message. Raises UnroutableError for messages that came back before."""
        self._raise_returned()
        if not self._confirming:
            self._on_channel(lambda channel: channel.confirm_delivery())
            self._confirming = True

    def publish(self, message: Message, exchange: str, routingKey: str, mandatory: bool = False) -> None:
        """Publish a message.

        Raises
        ------
        UnroutableError : with publisher acks: it is mandatory and no queue took it; otherwise earlier ones came back.
        NackError : the broker did not take it.
        """
        self._raise_returned()
        properties = _to_pika(message.properties)
        try:
            self._on_channel(
                lambda channel: channel.basic_publish(
                    exchange, routingKey, message.body, properties, mandatory=mandatory
                )
            )
        except pika.exceptions.UnroutableError as error:
            raise UnroutableError(
                [_returned(item.method, item.properties, item.body) for item in error.messages]
            ) from error
        except pika.exceptions.NackError as error:
            raise NackError([message]) from error

    # -- Consuming

    def requestQoS(
        self, prefetchSize: int = 0, prefetchCount: int = 0, entireConnection: bool = False
    ) -> None:
        """Limit how much the broker sends before it is acknowledged."""
        self._on_channel(
            lambda channel: channel.basic_qos(
                prefetch_size=prefetchSize, prefetch_count=prefetchCount, global_qos=entireConnection
            )
        )

    def createConsumer(
        self, queue: str, noLocal: bool = False, noAck: bool = False, exclusive: bool = False
    ) -> Consumer:
        """Start to get a queue's messages; they come out of `getNextEvent`."""
        arguments = {"no-local": True} if noLocal else None

        def start(channel: BlockingChannel) -> str:
            tag: str = channel.basic_consume(
                queue,
                lambda ch, method, properties, body: self._deliver(ch, method, properties, body, noAck),
                auto_ack=noAck,
                exclusive=exclusive,
                arguments=arguments,
            )
            return tag

        tag = self._on_channel(start)
        return Consumer(tag, lambda: self._cancel(tag))

    def hasEvent(self) -> bool:
        """Tell whether `getNextEvent` would return at once."""
        if not self._events:
            self._wait(0)
        return bool(self._events)

    def getNextEvent(self) -> ConsumerMessage | ConsumerCancellation:
        """Wait for the next message, or for the news that the broker ended a consumer.

        A broker that has said nothing for long is asked whether it is there. Raises AmqpConnectionError where it is not.
        """
        asked_at = time.monotonic()
        while not self._events:
            self._wait(_POLL_S)
            if time.monotonic() - asked_at >= self._timeout_s and not self._events:
                self._on_channel(lambda channel: channel.flow(True))  # changes nothing, and is answered
                asked_at = time.monotonic()
        return self._events.popleft()

    def readEvents(self) -> Iterator[ConsumerMessage | ConsumerCancellation]:
        """Iterate over the events, for ever."""
        while True:
            yield self.getNextEvent()

    def getOneMessage(self, queue: str, noAck: bool = False) -> PolledMessage | None:
        """Fetch one message; None when the queue is empty."""
        method, properties, body = self._on_channel(lambda channel: channel.basic_get(queue, auto_ack=noAck))
        if method is None:
            return None
        tag = method.delivery_tag
        if not noAck and self._channel is not None:
            self._unacked[tag] = self._channel
        return PolledMessage(
            body=body,
            properties=_from_pika(properties),
            ackImpl=lambda multiple: self._ack(tag, multiple),
            nackImpl=lambda multiple, requeue: self._nack(tag, multiple, requeue),
            methodInfo=MessageGetInfo(
                tag, method.redelivered, method.exchange, method.routing_key, method.message_count
            ),
        )

    def recover(self, requeue: bool = False) -> None:
        """Ask the broker to deliver again what is not acknowledged."""
        self._on_channel(lambda channel: channel.basic_recover(requeue=requeue))

    def ackAll(self) -> None:
        """Acknowledge every message that was delivered so far."""
        self._on_channel(lambda channel: channel.basic_ack(0, multiple=True))

    def nackAll(self, requeue: bool = False) -> None:
        """Refuse every message that was delivered and not acknowledged so far."""
        self._on_channel(lambda channel: channel.basic_nack(0, multiple=True, requeue=requeue))

    # -- Exchanges and queues

    def declareExchange(
        self,
        exchange: str,
        exchangeType: str,
        passive: bool = False,
        durable: bool = False,
        autoDelete: bool = False,
        arguments: dict[str, Any] | None = None,
    ) -> None:
        """Make an exchange, or check that it is there."""
        self._on_channel(
            lambda channel: channel.exchange_declare(
                exchange,
                exchangeType,
                passive=passive,
                durable=durable,
                auto_delete=autoDelete,
                arguments=arguments,
            )
        )

    def deleteExchange(self, exchange: str, ifUnused: bool = False) -> None:
        """Delete an exchange."""
        self._on_channel(lambda channel: channel.exchange_delete(exchange, if_unused=ifUnused))

    def declareQueue(
        self,
        queue: str,
        passive: bool = False,
        durable: bool = False,
        exclusive: bool = False,
        autoDelete: bool = False,
        arguments: dict[str, Any] | None = None,
    ) -> QueueDeclarationResult:
        """Make a queue, or check that it is there."""
        declared = self._on_channel(
            lambda channel: channel.queue_declare(
                queue,
                passive=passive,
                durable=durable,
                exclusive=exclusive,
                auto_delete=autoDelete,
                arguments=arguments,
            )
        ).method
        return QueueDeclarationResult(declared.queue, declared.message_count, declared.consumer_count)

    def deleteQueue(self, queue: str, ifUnused: bool = False, ifEmpty: bool = False) -> int:
        """Delete a queue and return how many messages it had."""
        deleted = self._on_channel(
            lambda channel: channel.queue_delete(queue, if_unused=ifUnused, if_empty=ifEmpty)
        )
        return int(deleted.method.message_count)

    def purgeQueue(self, queue: str) -> int:
        """Drop a queue's messages and return how many there were."""
        return int(self._on_channel(lambda channel: channel.queue_purge(queue)).method.message_count)

    def bindQueue(
        self, queue: str, exchange: str, routingKey: str, arguments: dict[str, Any] | None = None
    ) -> None:
        """Let a queue get what an exchange routes by a key."""
        self._on_channel(
            lambda channel: channel.queue_bind(queue, exchange, routing_key=routingKey, arguments=arguments)
        )

    def unbindQueue(
        self, queue: str, exchange: str, routingKey: str, arguments: dict[str, Any] | None = None
    ) -> None:
        """End what `bindQueue` began."""
        self._on_channel(
            lambda channel: channel.queue_unbind(queue, exchange, routing_key=routingKey, arguments=arguments)
        )

    # -- Inside

    def _on_channel(self, action: Callable[[BlockingChannel], T]) -> T:
        return self._call(lambda: action(self._open_channel()))

    def _open_channel(self) -> BlockingChannel:
        self._check_channel()
        if self._channel is None:
            self._events.clear()
            self._unacked.clear()
            self._confirming = False
            channel = self._channel = self._connection.channel()
            channel.add_on_return_callback(
                lambda _, method, properties, body: self._returned.append(_returned(method, properties, body))
            )
            channel.add_on_cancel_callback(self._consumer_ended)
            if self._configure is not None:
                self._configure(self)
        return self._channel

    def _wait(self, time_s: float) -> None:
        def wait() -> None:
            self._connection.process_data_events(time_s)
            self._check_channel()

        self._call(wait)

    def _check_channel(self) -> None:
        """Raise what closed the channel while nobody looked: what was asked of it last was in vain."""
        if self._channel is not None and not self._channel.is_open:
            reason = self._channel._closing_reason  # pika tells it nowhere else
            raise reason or pika.exceptions.ChannelWrongStateError("the channel was closed")

    def _call(self, action: Callable[[], T]) -> T:
        if not self._connection.is_open:
            raise AmqpConnectionError(0, "the connection is closed")
        try:
            with _errors_translated(), self._answered():
                return action()
        except AmqpChannelError:
            self._channel = None
            raise

    @contextlib.contextmanager
    def _answered(self) -> Iterator[None]:
        """End the connection if the broker does not answer in time what is asked of it within the block."""
        connection = (
            self._connection._impl
        )  # pika has no time-out for a call, but sees to timers while it waits

        def give_up() -> None:
            reason = f"no answer within {self._timeout_s:g} s"
            connection._terminate_stream(pika.exceptions.AMQPHeartbeatTimeout(reason))

        timer = connection._adapter_call_later(self._timeout_s, give_up)
        try:
            yield
        finally:
            connection._adapter_remove_timeout(timer)

    def _deliver(
        self, channel: BlockingChannel, method: Any, properties: Any, body: bytes, no_ack: bool
    ) -> None:
        tag = method.delivery_tag
        if not no_ack:
            self._unacked[tag] = channel
        self._events.append(
            ConsumerMessage(
                body=body,
                properties=_from_pika(properties),
                ackImpl=lambda multiple: self._ack(tag, multiple),
                nackImpl=lambda multiple, requeue: self._nack(tag, multiple, requeue),
                methodInfo=MessageDeliveryInfo(
                    method.consumer_tag, tag, method.redelivered, method.exchange, method.routing_key
                ),
            )
        )

    def _ack(self, tag: int, multiple: bool) -> None:
        self._settle(tag, multiple, lambda channel: channel.basic_ack(tag, multiple=multiple))

    def _nack(self, tag: int, multiple: bool, requeue: bool) -> None:
        self._settle(
            tag, multiple, lambda channel: channel.basic_nack(tag, multiple=multiple, requeue=requeue)
        )

    def _settle(self, tag: int, multiple: bool, action: Callable[[BlockingChannel], object]) -> None:
        """Acknowledge or refuse on the channel that delivered; a tag means nothing on any other."""
        channel = self._unacked.get(tag)
        if channel is None or channel is not self._channel:
            raise AmqpChannelError(
                0, "this message was acknowledged before, or its channel is closed: then it comes again"
            )
        self._call(lambda: action(channel))
        for done in [other for other in self._unacked if other == tag or (multiple and other < tag)]:
            del self._unacked[done]

    def _cancel(self, tag: str) -> list[ConsumerMessage]:
        self._on_channel(lambda channel: channel.basic_cancel(tag))
        undelivered = [
            event
            for event in self._events
            if isinstance(event, ConsumerMessage) and event.methodInfo and event.methodInfo.consumerTag == tag
        ]
        self._events = deque(event for event in self._events if event not in undelivered)
        return undelivered

    def _consumer_ended(self, frame: Any) -> None:
        self._events.append(ConsumerCancellation(frame.method.consumer_tag))

    def _raise_returned(self) -> None:
        if self._returned:
            returned, self._returned = self._returned, []
            raise UnroutableError(returned)


@contextlib.contextmanager
def _errors_translated() -> Iterator[None]:
    try:
        yield
    except (pika.exceptions.UnroutableError, pika.exceptions.NackError):
        raise
    except pika.exceptions.ChannelClosed as error:
        raise AmqpChannelError(error.reply_code, error.reply_text) from error
    except pika.exceptions.ConnectionClosed as error:
        raise AmqpConnectionError(error.reply_code, error.reply_text) from error
    except pika.exceptions.AMQPChannelError as error:
        raise AmqpChannelError(0, reason_of(error)) from error
    except (pika.exceptions.AMQPConnectionError, OSError) as error:
        raise AmqpConnectionError(0, reason_of(error)) from error


def _to_pika(properties: BasicProperties) -> pika.BasicProperties:
    values = dataclasses.asdict(properties)
    return pika.BasicProperties(**{theirs: values[ours] for ours, theirs in _PROPERTIES.items()})


def _from_pika(properties: pika.BasicProperties) -> BasicProperties:
    return BasicProperties(**{ours: getattr(properties, theirs) for ours, theirs in _PROPERTIES.items()})


def _returned(method: Any, properties: pika.BasicProperties, body: bytes) -> ReturnedMessage:
    info = MessageReturnInfo(method.reply_code, method.reply_text, method.exchange, method.routing_key)
    return ReturnedMessage(body=body, properties=_from_pika(properties), methodInfo=info)
