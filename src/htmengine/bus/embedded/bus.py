"""The bus of one machine without servers: one SQLite file, for the threads of one process or of several.

Every write is one short transaction, so a kill -9 at any instant loses nothing that was published. (A machine that loses
its power may lose the last moments, which stood in the file's write-ahead log but were not flushed to the disk yet.) A
queue belongs to one consumer, its owner, until that consumer closes or its process dies; single messages are never
leased. The processes must see each other in /proc: several containers need a common process namespace.
"""

from __future__ import annotations

import itertools
import logging
import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Final

from typing_extensions import override

from htmengine.bus.api import (
    CHECKS_PER_LIMIT,
    Bus,
    BusError,
    BusUnavailable,
    Consumer,
    DeadLetter,
    Delivery,
    ExchangeNotFound,
    Fanout,
    GateClosed,
    Outgoing,
    QueueFull,
    QueueNotFound,
    QueueStatus,
)
from htmengine.bus.embedded import ownership, tables
from htmengine.bus.embedded.file import CACHE_BYTES, SqliteFile
from htmengine.bus.embedded.memory import MemoryQueue
from htmengine.system.closing import Closing
from htmengine.system.processes import this_process

log = logging.getLogger(__name__)

SHORTEST_POLL_S: Final = 0.02
MAX_POLL_S: Final = 0.2
"""How often a consumer that waits looks for what other processes have published: less often while nothing comes."""
REAP_INTERVAL_S: Final = 0.1
"""How often a consumer looks whether the processes of the others still live."""


class EmbeddedBus(Bus):
    """Queues and exchanges in one SQLite file; keeps the contract of `Bus`."""

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        """Open the bus in a file, or create it.

        Parameters
        ----------
        clock : seconds since the epoch, for people: when a dead letter was put aside.
        timer : seconds that only grow, the same for all processes of the machine until it is started again.
        cache_bytes : of the file's pages that are kept in memory, at most.

        Raises
        ------
        BusUnavailable : the file cannot be opened or written now.
        BusError : the file is something else, or damaged.
        """
        self.clock = clock
        self.timer = timer
        self.file = SqliteFile(
            path, tables.APPLICATION_ID, tables.VERSION, tables.SCHEMA, cache_bytes=cache_bytes
        )
        self._process = this_process()
        self._consumers: dict[int, EmbeddedConsumer] = {}
        self._consumers_lock = threading.Lock()
        self._to_remove: set[int] = set()
        """Consumers that were closed and are still in the file."""
        self._budgets: dict[str, ByteBudget] = {}
        """Of queues with a limit in bytes."""
        self._declared: dict[str, int | None] = {}
        """Limits of the queues that are made again when somebody deletes them."""
        self._exclusive: set[str] = set()
        """Queues that are this process's own."""
        self._memory: dict[str, MemoryQueue] = {}
        """Of the queues that consumers of this process own."""
        self._exchanges: set[str] = set()
        """Likewise."""
        self._bindings: dict[str, list[str]] = {}
        self._bindings_version: int | None = None

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
        """A queue that exists takes the new limit; `limit_bytes` is kept by the process that declares it.

        What this process publishes to a queue that is its own stays in memory; the file has what others publish to it.
        """
        for given in (limit, limit_bytes):
            if given is not None and given < 1:
                raise ValueError(f"a queue's limit is at least 1, not {given}")
        # Every command declares all queues: only the first writes, and those on a full disk can still look in.
        with self.file.reading() as connection:
            declared = tables.is_declared(connection, name, limit, expendable)
        if not declared:
            with self.file.writing() as connection:
                tables.declare(connection, name, limit, expendable)
        if not expendable:
            self._declared[name] = limit
        if exclusive:
            self._exclusive.add(name)
        if limit_bytes is None:
            self._budgets.pop(name, None)
        else:
            self._budgets[name] = ByteBudget(limit_bytes)

    @override
    def delete_queue(self, name: str) -> None:
        self._declared.pop(name, None)
        self._exclusive.discard(name)
        self._memory.pop(name, None)
        with self._consumers_lock:
            for consumer in self._consumers.values():
                consumer.queues -= {name}
        with self.file.writing() as connection:
            tables.delete(connection, name)
            self._bindings_version = None

    @override
    def purge(self, name: str) -> int:
        with self.file.writing() as connection:
            purged = tables.purge(connection, name)
        memory = self._memory.get(name)
        return purged + (memory.clear() if memory else 0)

    @override
    def declare_exchange(self, name: str) -> None:
        self._exchanges.add(name)
        with self.file.reading() as connection:
            if connection.execute("SELECT 1 FROM exchange WHERE name = ?", (name,)).fetchone():
                return
        with self.file.writing() as connection:
            connection.execute("INSERT INTO exchange VALUES (?) ON CONFLICT DO NOTHING", (name,))
            self._bindings_version = None

    @override
    def bind(self, queue: str, exchange: str) -> None:
        with self.file.writing() as connection:
            self._bound(connection, exchange)
            id_ = tables.find(connection, queue)
            connection.execute("INSERT INTO binding VALUES (?, ?) ON CONFLICT DO NOTHING", (exchange, id_))
            self._bindings_version = None

    @override
    def has_subscribers(self, exchange: str) -> bool:
        try:
            with self.file.reading() as connection:
                return bool(self._bound(connection, exchange))
        except ExchangeNotFound as error:
            raise self._restored(error, [exchange]) from error

    def _bound(self, connection: sqlite3.Connection, exchange: str) -> list[str]:
        """Return the queues that are bound to an exchange; what is known holds until another connection writes."""
        version = connection.execute("PRAGMA data_version").fetchone()[0]
        if version != self._bindings_version:
            bindings: dict[str, list[str]] = defaultdict(list)
            for name, queue in connection.execute(
                "SELECT e.name, q.name FROM exchange e LEFT JOIN binding b ON b.exchange = e.name"
                " LEFT JOIN queue q ON q.id = b.queue ORDER BY b.queue"
            ):
                bindings[name] += [queue] if queue is not None else []
            self._bindings, self._bindings_version = dict(bindings), version
        try:
            return self._bindings[exchange]
        except KeyError:
            raise ExchangeNotFound(f"there is no exchange {exchange}") from None

    # -- Gates: exchanges that nothing is bound to, and which nobody makes again

    @override
    def open_gate(self, name: str, queues: Sequence[str]) -> None:
        with self.file.writing() as connection:
            for queue in queues:
                tables.find(connection, queue)
            connection.execute("INSERT INTO exchange VALUES (?) ON CONFLICT DO NOTHING", (name,))
            self._bindings_version = None

    @override
    def close_gate(self, name: str) -> None:
        with self.file.writing() as connection:
            connection.execute("DELETE FROM exchange WHERE name = ?", (name,))
            self._bindings_version = None

    @override
    def is_open(self, gate: str) -> bool:
        with self.file.reading() as connection:
            return self._has_exchange(connection, gate)

    def _has_exchange(self, connection: sqlite3.Connection, name: str) -> bool:
        try:
            self._bound(connection, name)
        except ExchangeNotFound:
            return False
        return True

    # -- Messages

    @override
    def publish(self, messages: Sequence[Outgoing | Fanout], *, gate: str | None = None) -> None:
        """All of the messages are accepted, or none is."""
        self.publish_and_acknowledge(messages, (), gate)

    def publish_and_acknowledge(
        self, messages: Sequence[Outgoing | Fanout], tags: Collection[int], gate: str | None = None
    ) -> None:
        """Publish messages and acknowledge others in one transaction: all of it is done, or nothing."""
        here: dict[str, list[tables.Row]] = defaultdict(list)
        others: list[Outgoing | Fanout] = []
        for message in messages:
            if isinstance(message, Outgoing) and self._stays_here(message.queue, message.transient):
                here[message.queue].append(({}, message.body))
            else:
                others.append(message)
        changed = set(self._written(others, tags, here, gate) if others or tags else ())
        for queue, rows in here.items():
            memory = self._memory.get(queue)
            if memory is None or not memory.put(rows, self.timer()):  # its owner has just gone
                with self.file.writing() as connection:
                    self._append(connection, queue, rows)
        self.wake(changed | here.keys())

    def _written(
        self,
        messages: Sequence[Outgoing | Fanout],
        tags: Collection[int],
        here: dict[str, list[tables.Row]],
        gate: str | None,
    ) -> Iterable[str]:
        """Publish and acknowledge in the file, and return the queues that got something; add to `here` what stays in memory."""
        by_queue: dict[str, list[tables.Row]] = defaultdict(list)
        try:
            with self.file.writing() as connection:
                if gate is not None and messages and not self._has_exchange(connection, gate):
                    raise GateClosed(f"the gate {gate} is closed")
                for message in messages:
                    if isinstance(message, Outgoing):
                        by_queue[message.queue].append(({}, message.body))
                        continue
                    for queue in self._bound(connection, message.exchange):
                        found = here if self._stays_here(queue, False) else by_queue
                        found[queue].append((message.headers, message.body))
                for queue, rows in by_queue.items():
                    self._append(connection, queue, rows)
                tables.acknowledge(connection, tags)
        except (QueueNotFound, ExchangeNotFound) as error:
            targets = {it.queue if isinstance(it, Outgoing) else it.exchange for it in messages}
            raise self._restored(error, targets) from error
        return by_queue

    def _stays_here(self, queue: str, is_transient: bool) -> bool:
        """Tell whether a message to a queue need not be written."""
        return queue in self._memory and (is_transient or queue in self._exclusive)

    def _append(self, connection: sqlite3.Connection, queue: str, rows: Sequence[tables.Row]) -> None:
        if budget := self._budgets.get(queue):
            budget.reserve(connection, queue, sum(len(body) for _, body in rows))
        tables.append(connection, queue, rows, self.timer())

    def memory_of(self, queue: ownership.OwnedQueue) -> MemoryQueue:
        """Return where this process's messages to a queue of its own wait, from now on."""
        memory = self._memory.get(queue.name)
        if memory is None:
            memory = self._memory[queue.name] = MemoryQueue(
                queue.name, queue.limit, drops=queue.is_expendable
            )
        return memory

    def give_up(self, memory: MemoryQueue) -> None:
        """Let others have what waits in memory: it goes into the file."""
        if self._memory.get(memory.name) is memory:
            del self._memory[memory.name]
        if rows := memory.close():
            try:
                with self.file.writing() as connection:
                    tables.append(connection, memory.name, rows, self.timer(), refuse=False)
            except QueueNotFound:  # it was deleted, with what was in it
                pass
            except BusError as error:
                log.warning("bus.dropped queue=%s messages=%d reason=%s", memory.name, len(rows), error)

    def _restored(self, error: BusError, names: Iterable[str]) -> BusError:
        """Make again what was declared here and is missing, and return what to raise: the error, if it is of others.

        `names`: queues and exchanges of which one is missing.
        """
        if not self._declared.keys() | self._exchanges >= set(names):
            return error
        log.error(
            "bus.deleted reason=%s: made again; what was in it, and what was bound to it, is lost", error
        )
        for exchange in list(self._exchanges):
            self.declare_exchange(exchange)
        with self.file.writing() as connection:
            for name, limit in list(self._declared.items()):
                tables.declare(connection, name, limit, False)
        return BusUnavailable(f"{error}: somebody deleted it; it was made again")

    def subscribe_again(self, consumer: EmbeddedConsumer) -> None:
        """Let a consumer have the queues that somebody deleted, too, if they were declared here."""
        with self.file.reading() as connection:
            missing = consumer.queues - ownership.subscribed(connection, consumer.number)
        if not missing or not self._declared.keys() >= missing:
            return
        self._restored(QueueNotFound(f"there is no queue {', '.join(sorted(missing))}"), missing)
        with self.file.writing() as connection:
            found = [tables.find(connection, name) for name in sorted(missing)]
            ownership.subscribe(connection, consumer.number, found)

    @override
    def consume(self, names: Sequence[str]) -> EmbeddedConsumer:
        self.reap_dead_consumers()
        try:
            with self.file.writing() as connection:
                ids = {tables.find(connection, name): name for name in names}
                number = ownership.join(connection, self._process, list(ids))
        except QueueNotFound as error:
            raise self._restored(error, names) from error
        consumer = EmbeddedConsumer(self, number, frozenset(ids.values()))
        with self._consumers_lock:
            self._consumers[number] = consumer
        return consumer

    def reap_dead_consumers(self) -> None:
        """Take the queues from consumers whose process has died, and give them to others."""
        with self.file.reading() as connection:
            absent = ownership.of_dead_processes(connection, self._process) + list(self._to_remove)
        if absent:
            with self.file.writing() as connection:
                ownership.leave(connection, absent)
            self._to_remove.difference_update(absent)
            self.wake(None)

    def remove(self, consumer: EmbeddedConsumer) -> None:
        """Forget a consumer that was closed, now or, if the file cannot be written, with the next call of `reap_dead_consumers`."""
        with self._consumers_lock:
            self._consumers.pop(consumer.number, None)
        self._to_remove.add(consumer.number)
        try:
            self.reap_dead_consumers()
        except BusError as error:
            log.warning("bus.consumer_not_removed reason=%s", error)

    def wake(self, names: Iterable[str] | None) -> None:
        """Wake the consumers of some queues, or of all, in this process; those of others find out by themselves."""
        with self._consumers_lock:
            consumers = list(self._consumers.values())
        changed = None if names is None else set(names)
        for consumer in consumers:
            if changed is None or not changed.isdisjoint(consumer.queues):
                consumer.woken.set()

    # -- Status and dead letters

    @override
    def status(self, names: Sequence[str] | None = None) -> list[QueueStatus]:
        with self.file.reading() as connection:
            absent = ownership.of_dead_processes(connection, self._process) + list(self._to_remove)
            found = tables.status(connection, absent, self.timer())
        found = [self._with_memory(one) for one in found]
        return found if names is None else [status for status in found if status.name in set(names)]

    def _with_memory(self, status: QueueStatus) -> QueueStatus:
        memory = self._memory.get(status.name)
        if not memory:  # or nothing is in it
            return status
        ready, unacked, published_at = memory.status()
        ages = [status.oldest_age_s, None if published_at is None else self.timer() - published_at]
        known = [age for age in ages if age is not None]
        return status._replace(
            ready=status.ready + ready,
            unacked=status.unacked + unacked,
            oldest_age_s=max(known, default=None),
        )

    @override
    def dead_letters(self, *, limit: int = 100, after: int = 0) -> list[DeadLetter]:
        with self.file.reading() as connection:
            return tables.dead_letters(connection, limit, after)

    @override
    def requeue(self, ids: Sequence[int]) -> int:
        """All of them are put back, or none is; the limits of their queues do not matter."""
        with self.file.writing() as connection:
            by_queue = tables.take_dead_letters(connection, ids)
            for queue, rows in by_queue.items():
                tables.append(connection, queue, rows, self.timer(), refuse=False)
        self.wake(by_queue)
        return sum(map(len, by_queue.values()))

    @override
    def discard(self, ids: Sequence[int]) -> int:
        with self.file.writing() as connection:
            return sum(map(len, tables.take_dead_letters(connection, ids).values()))

    @override
    def rebalance(self) -> dict[str, int]:
        """Queues change hands by themselves when a consumer joins."""
        return {}

    @override
    def require_whole(self) -> None:
        self.file.require_whole()

    @override
    def close(self) -> None:
        """Consumers that wait in other threads get a BusError."""
        with self._consumers_lock:
            consumers = list(self._consumers.values())
        for consumer in consumers:
            consumer.close()
        self.file.close()


class ByteBudget:
    """Bytes that may go into a queue before its size is looked up again."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._left = 0

    def reserve(self, connection: sqlite3.Connection, queue: str, size: int) -> None:
        """Count bytes that go into a queue. Raises QueueFull where it takes no more."""
        if self._left <= 0:
            used = tables.size(connection, queue)
            if used >= self._limit:
                raise QueueFull(f"the queue {queue} is full: it holds {used} bytes")
            self._left = min(self._limit - used, -(-self._limit // CHECKS_PER_LIMIT))
        self._left -= size


class EmbeddedConsumer(Closing, Consumer):
    """A consumer of an embedded bus; keeps the contract of `Consumer`."""

    def __init__(self, bus: EmbeddedBus, number: int, names: frozenset[str]) -> None:
        self.number = number
        self.queues = names
        self.woken = threading.Event()
        self._bus = bus
        self._unacked: dict[int, Delivery] = {}
        self._memory: dict[str, MemoryQueue] = {}
        """Of the queues that it owns, or has owned until these are empty."""
        self._last_turn: dict[int, int] = {}
        """By queue: when it last gave messages. The lower, the longer it has waited."""
        self._turns = itertools.count(1)
        self._next_roll_call = 0.0
        self._closed = False

    @override
    def receive(self, *, max_messages: int, timeout_s: float) -> list[Delivery]:
        deadline = self._bus.timer() + timeout_s
        pause = SHORTEST_POLL_S
        while True:
            if self._closed:
                raise BusError("the consumer was closed")
            self.woken.clear()
            if self._bus.timer() >= self._next_roll_call:
                self._bus.reap_dead_consumers()
                self._bus.subscribe_again(self)
                self._next_roll_call = self._bus.timer() + REAP_INTERVAL_S
            deliveries = self._claim(max_messages)
            if not any(delivery.deliveries > 1 for delivery in (*deliveries, *self._unacked.values())):
                for memory in self._memory.values():
                    deliveries += memory.take(max_messages - len(deliveries))
            if deliveries:
                self._unacked.update((delivery.tag, delivery) for delivery in deliveries)
                return deliveries
            remaining = deadline - self._bus.timer()
            if remaining <= 0:
                return []
            woken = self.woken.wait(min(remaining, pause))
            pause = SHORTEST_POLL_S if woken else min(2 * pause, MAX_POLL_S)

    def _claim(self, max_messages: int) -> list[Delivery]:
        """Take what is there, and give up the queues that another is to have."""
        with self._bus.file.reading() as connection:
            owned = ownership.owned_by(connection, self.number)
        # What other processes change meanwhile does no harm: a queue changes hands only by its owner's own doing.
        busy = {delivery.queue for delivery in self._unacked.values()}
        busy |= {name for name, memory in self._remembered(owned).items() if memory}
        to_give = [queue for queue in owned if queue.next_owner is not None and queue.name not in busy]
        to_ask = [queue for queue in owned if queue.next_owner is None and queue.cursor < queue.last]
        if not to_give and not to_ask:
            return []
        with self._bus.file.writing() as connection:
            if self._closed:  # by another thread, which may have given its queues to others already
                return []
            ownership.hand_over(connection, [queue.id for queue in to_give])
            deliveries = self._take(connection, to_ask, max_messages)
        if to_give:
            self._bus.wake(queue.name for queue in to_give)
        return deliveries

    def _remembered(self, owned: Sequence[ownership.OwnedQueue]) -> dict[str, MemoryQueue]:
        """Return what waits in memory of queues that this consumer owns, or owned; those of others take no more."""
        keeps = {queue.name: queue for queue in owned if queue.next_owner is None}
        for name, queue in keeps.items():
            memory = self._memory[name] = self._bus.memory_of(queue)
            memory.admit(queue.epoch)
        for name in self._memory.keys() - keeps.keys():
            self._memory[name].refuse()
            if not self._memory[name]:
                self._bus.give_up(self._memory.pop(name))
        return self._memory

    def _take(
        self, connection: sqlite3.Connection, owned: Sequence[ownership.OwnedQueue], max_messages: int
    ) -> list[Delivery]:
        """Take one message that was delivered before, if there is one, or else fresh ones of all queues in turn."""
        if any(delivery.deliveries > 1 for delivery in self._unacked.values()):
            return []
        fresh = []
        for queue in owned:
            repeated = None
            if queue.cursor < queue.claimed:
                repeated = tables.next_repeated(connection, queue, self._bus.clock())
            if repeated is None:
                fresh.append(queue)
            elif self._unacked:
                return []  # it comes alone: first the others are to be acknowledged
            else:
                tables.claim_repeated(connection, repeated)
                return [repeated]
        turn = next(self._turns)
        fresh.sort(key=lambda queue: self._last_turn.get(queue.id, 0))
        deliveries: list[Delivery] = []
        for place, queue in enumerate(fresh):
            part = -(-(max_messages - len(deliveries)) // (len(fresh) - place))
            if part < 1:
                break
            taken = tables.claim_fresh(connection, queue, part)
            if taken:
                self._last_turn[queue.id] = turn
            deliveries += taken
        return deliveries

    @override
    def still_has(self, deliveries: Sequence[Delivery]) -> bool:
        # Nobody takes them from a process that lives.
        return not self._closed and all(delivery.tag in self._unacked for delivery in deliveries)

    @override
    def ack(self, deliveries: Sequence[Delivery]) -> None:
        self.publish_and_ack((), deliveries)

    @override
    def publish_and_ack(
        self, messages: Sequence[Outgoing | Fanout], done: Sequence[Delivery], *, gate: str | None = None
    ) -> None:
        tags = set() if self._closed else {delivery.tag for delivery in done} & self._unacked.keys()
        self._bus.publish_and_acknowledge(messages, [tag for tag in tags if tag > 0], gate)
        self._forget(tags)

    @override
    def dead_letter(self, delivery: Delivery, reason: str) -> None:
        if delivery.tag in self._unacked and not self._closed:
            with self._bus.file.writing() as connection:
                if tables.acknowledge(connection, [delivery.tag]) or delivery.tag < 0:
                    tables.put_aside(connection, delivery, reason, self._bus.clock())
            self._forget([delivery.tag])

    def _forget(self, tags: Collection[int]) -> None:
        """Let go of messages that are done."""
        for tag in tags:
            del self._unacked[tag]
        if here := [tag for tag in tags if tag < 0]:
            for memory in self._memory.values():
                memory.acknowledge(here)

    @override
    def close(self) -> None:
        if not self._closed:
            self._closed = True
            for memory in self._memory.values():
                self._bus.give_up(memory)
            self._bus.remove(self)
            self.woken.set()
