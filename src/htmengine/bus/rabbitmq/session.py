"""What everything on one broker shares: two connections, a channel, dead letters, and what was declared."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from htmengine.bus.api import BusError, BusUnavailable, ExchangeNotFound, QueueNotFound
from htmengine.bus.rabbitmq import dead_letters
from htmengine.bus.rabbitmq.channel import Channel, ChannelClosed, Publication, Publisher
from htmengine.bus.rabbitmq.connection import ReconnectingConnection
from htmengine.config import Broker

log = logging.getLogger(__name__)


class Session:
    """Connections to a broker, and what was declared over them. Safe to use from several threads."""

    def __init__(
        self,
        broker: Broker,
        *,
        application: str,
        plain_queues: Sequence[str],
        ordered_queues: Callable[[str], bool],
        node: str | None,
        spread_s: float,
    ) -> None:
        """Connect to the broker; parameters as those of `RabbitBus`. Raises BusUnavailable or BusError."""
        self.application = application
        self.plain_queues = frozenset(plain_queues)
        self.is_ordered = ordered_queues
        self.node = node or this_node()
        self.spread_s = spread_s
        # A broker that is short of memory or disk stops reading from those who publish; acknowledgements must go on.
        self.publishing = ReconnectingConnection(broker, f"htmengine {self.node} publishing")
        self.consuming = ReconnectingConnection(broker, f"htmengine {self.node} consuming")
        self._lock = threading.Lock()
        self._idle: list[Publisher] = []
        self._channel: Channel | None = None
        self._channel_lock = threading.Lock()
        self._queues: dict[str, dict[str, Any] | None] = {}
        """Arguments of the queues that are made again when somebody deletes them."""
        self._exchanges: set[str] = set()
        self._gates: dict[str, Sequence[str]] = {}
        """Those that were opened here, and the queues that they lead to."""
        try:
            self.on_channel(lambda channel: dead_letters.declare(channel, application))
        except BaseException:
            self.close()
            raise

    def declare_queue(self, name: str, arguments: dict[str, Any] | None, *, lasting: bool) -> None:
        """Make a queue; one that is `lasting` is made again when somebody deletes it."""
        self.on_channel(lambda channel: channel.declare_queue(name, arguments))
        if lasting:
            with self._lock:
                self._queues[name] = arguments

    def delete_queue(self, name: str) -> None:
        """Delete a queue."""
        self.on_channel(
            lambda channel: channel.ask(lambda raw, answer: raw.queue_delete(name, callback=answer))
        )
        with self._lock:
            self._queues.pop(name, None)

    def declare_exchange(self, name: str) -> None:
        """Make a fan-out exchange, and make it again when somebody deletes it."""
        self.on_channel(
            lambda channel: channel.ask(
                lambda raw, answer: raw.exchange_declare(name, "fanout", durable=True, callback=answer)
            )
        )
        with self._lock:
            self._exchanges.add(name)

    def open_gate(self, name: str, queues: Sequence[str]) -> None:
        """Make an exchange that leads to queues; it is not made again when somebody deletes it."""
        self.on_channel(
            lambda channel: channel.ask(
                lambda raw, answer: raw.exchange_declare(name, "direct", durable=True, callback=answer)
            )
        )
        self._lead(name, queues)
        with self._lock:
            self._gates[name] = tuple(queues)

    def _lead(self, gate: str, queues: Sequence[str]) -> None:
        for queue in queues:
            self.on_channel(partial(Channel.bind, queue=queue, exchange=gate, routing_key=queue))

    def publish(self, publications: Sequence[Publication]) -> None:
        """Publish messages whatever the limits of their queues. Raises what `Bus.publish` does."""
        with self._lock:
            idle = [publisher for publisher in self._idle if publisher.is_open]
            publisher = idle.pop() if idle else None
            self._idle = idle
        if publisher is None:
            publisher = Publisher(self.publishing.connection())
        try:
            publisher.publish(publications)
        except BusUnavailable:
            publisher.abandon()  # what is late on it must not be taken for what comes next
            raise
        finally:
            if publisher.is_open:
                with self._lock:
                    self._idle.append(publisher)

    def dead_letter(self, delivery: dead_letters.NewDeadLetter) -> None:
        """Publish a dead letter."""
        letter = dead_letters.publication(self.application, delivery)
        try:
            self.publish([letter])
        except (QueueNotFound, ExchangeNotFound) as error:
            log.error("bus.deleted reason=%s: made again; the dead letters in it are lost", error)
            self.on_channel(lambda channel: dead_letters.declare(channel, self.application))
            self.publish([letter])

    def restored(self, error: BusError, names: Iterable[str]) -> BusError:
        """Make again what was declared here and is missing, and return what to raise: the error, if it is of others.

        `names`: queues and exchanges of which one is missing.
        """
        with self._lock:
            queues, exchanges, gates = dict(self._queues), set(self._exchanges), dict(self._gates)
        if not queues.keys() | exchanges >= set(names):
            return error
        log.error(
            "bus.deleted reason=%s: made again; what was in it, and what was bound to it, is lost", error
        )
        self.on_channel(lambda channel: dead_letters.declare(channel, self.application))
        for name, arguments in queues.items():
            self.on_channel(partial(Channel.declare_queue, name=name, arguments=arguments))
        for name in exchanges:
            self.declare_exchange(name)
        for gate, led_to in gates.items():
            with suppress(ExchangeNotFound):  # it was closed meanwhile
                self._lead(gate, led_to)
        return BusUnavailable(f"{error}: somebody deleted it; it was made again")

    def on_channel(self, action: Callable[[Channel], Any]) -> Any:
        """Do something on a channel that all threads share, one at a time; an error of the broker's closes it."""
        with self._channel_lock:
            if self._channel is None or not self._channel.is_open:
                self._channel = Channel(self.consuming.connection())
            try:
                return action(self._channel)
            except ChannelClosed as error:
                raise BusError(_explained(error)) from error

    def close(self) -> None:
        """Close both connections."""
        self.consuming.close()
        self.publishing.close()


def this_node() -> str:
    """Return a name for this process: the same after a restart under supervisord, and no other's."""
    return f"{socket.gethostname()}:{os.environ.get('SUPERVISOR_PROCESS_NAME') or os.getpid()}"


def _explained(error: ChannelClosed) -> str:
    """Say what the broker refused, and what helps."""
    if error.code == 406 and "inequivalent arg" in str(error):
        return f"{error}: a queue of this name has other arguments; delete it once it is empty, or choose another name"
    if error.code == 403:
        return f"{error}: give this user the permissions configure, write and read"
    return str(error)
