"""The bus of one machine without servers: one SQLite file, for the threads of one process or of several.

Every write is one short transaction, so a kill -9 at any instant loses nothing that was published. (A machine that loses
its power may lose the last moments, which the file's write-ahead log held but had not yet flushed.) A queue belongs to
one consumer, its holder, until that consumer closes or its process dies; the messages themselves are never leased.

Messages of a queue are numbered from 1. Two of these numbers, kept with the queue, tell all that is to be known of a
message's deliveries without writing to it: `claimed`, the last one that was ever delivered, and `cursor`, the last one
that was delivered to the present holder. What is beyond `claimed` is fresh; what lies between the two was in the hands
of a holder that went away; and what remains at or below `cursor` is not acknowledged yet. The processes must see each
other in /proc: several containers need a common process namespace.
"""

from __future__ import annotations

import itertools
import json
import logging
import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

from htmengine.bus import (
    MAX_DELIVERIES,
    BusError,
    BusUnavailable,
    DeadLetter,
    Delivery,
    ExchangeNotFound,
    Fanout,
    Outgoing,
    QueueFull,
    QueueNotFound,
    QueueStatus,
)
from htmengine.bus.processes import Process, is_alive, this_process
from htmengine.bus.sharing import share
from htmengine.bus.sqlite_file import SqliteFile

log = logging.getLogger(__name__)

SHORTEST_POLL_S: Final = 0.02
LONGEST_POLL_S: Final = 0.2
"""How often a consumer that waits looks for what other processes have published: seldom when nothing comes."""
ROLL_CALL_S: Final = 0.1
"""How often a consumer looks whether the processes of the others still live."""
ROWS_PER_INSERT: Final = 64

_APPLICATION_ID: Final = 0x68746D62
_VERSION: Final = 1
_SEQUENCE_BITS: Final = 44
_SEQUENCE_MASK: Final = (1 << _SEQUENCE_BITS) - 1
"""A message's id is its queue's id, shifted by these bits, plus its number in the queue: a queue lies in one piece."""
_SCHEMA: Final = """
CREATE TABLE queue (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    message_limit INTEGER,
    expendable INTEGER NOT NULL,
    last INTEGER NOT NULL DEFAULT 0,
    length INTEGER NOT NULL DEFAULT 0,
    claimed INTEGER NOT NULL DEFAULT 0,
    cursor INTEGER NOT NULL DEFAULT 0,
    holder INTEGER,
    heir INTEGER,
    epoch INTEGER NOT NULL DEFAULT 0);
CREATE TABLE message (
    id INTEGER PRIMARY KEY,
    published_at REAL NOT NULL,
    redelivered INTEGER NOT NULL DEFAULT 0,
    headers TEXT,
    body BLOB NOT NULL);
CREATE TABLE exchange (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE binding (exchange TEXT, queue INTEGER, PRIMARY KEY (exchange, queue)) WITHOUT ROWID;
CREATE TABLE consumer (id INTEGER PRIMARY KEY AUTOINCREMENT, pid INTEGER NOT NULL, born TEXT NOT NULL);
CREATE TABLE subscription (queue INTEGER, consumer INTEGER, PRIMARY KEY (queue, consumer)) WITHOUT ROWID;
CREATE TABLE dead_letter (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    deliveries INTEGER NOT NULL,
    died_at REAL NOT NULL,
    reason TEXT NOT NULL,
    headers TEXT,
    body BLOB NOT NULL)
"""


class _Held(NamedTuple):
    """A queue as its holder sees it."""

    id: int
    name: str
    epoch: int
    last: int
    claimed: int
    cursor: int
    heir: int | None


class EmbeddedBus:
    """Queues and exchanges in one SQLite file; keeps the contract of `Bus`."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        """Open the bus in a file, or create it.

        Raises
        ------
        BusUnavailable : the file cannot be opened or written now.
        BusError : the file is something else, or damaged.
        """
        self._clock = clock
        self._process = this_process()
        self._consumers: dict[int, EmbeddedConsumer] = {}
        self._members = threading.Lock()
        self._orphans: set[int] = set()
        """Consumers that were closed while the file could not be written."""
        self._bindings: dict[str, list[str]] = {}
        self._bindings_at: int | None = None
        self.file = SqliteFile(path, _APPLICATION_ID, _VERSION, _SCHEMA)

    # -- Queues and exchanges

    def declare_queue(self, name: str, *, limit: int | None = None, expendable: bool = False) -> None:
        """See `Bus`. A queue that exists takes the new limit."""
        if limit is not None and limit < 1:
            raise ValueError(f"a queue's limit is at least 1, not {limit}")
        with self.file.writing() as connection:
            connection.execute(
                "INSERT INTO queue (name, message_limit, expendable) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE"
                " SET message_limit = excluded.message_limit, expendable = excluded.expendable",
                (name, limit, expendable),
            )

    def delete_queue(self, name: str) -> None:
        """See `Bus`."""
        with self.file.writing() as connection:
            found = connection.execute("DELETE FROM queue WHERE name = ? RETURNING id", (name,)).fetchall()
            for (queue,) in found:
                connection.execute("DELETE FROM message WHERE id BETWEEN ? AND ?", _range(queue))
                connection.execute("DELETE FROM binding WHERE queue = ?", (queue,))
                connection.execute("DELETE FROM subscription WHERE queue = ?", (queue,))
            self._bindings_at = None

    def purge(self, name: str) -> int:
        """See `Bus`."""
        with self.file.writing() as connection:
            queue, last, cursor, held = _one(
                connection, "SELECT id, last, cursor, holder IS NOT NULL FROM queue WHERE name = ?", name
            )
            first, final = _range(queue)
            keep = cursor if held else 0
            dropped = connection.execute(
                "DELETE FROM message WHERE id BETWEEN ? AND ?", (first + keep, final)
            ).rowcount
            connection.execute(
                "UPDATE queue SET length = length - ?, cursor = ? WHERE id = ?",
                (dropped, last if held else 0, queue),
            )
        return dropped

    def declare_exchange(self, name: str) -> None:
        """See `Bus`."""
        with self.file.writing() as connection:
            connection.execute("INSERT INTO exchange VALUES (?) ON CONFLICT DO NOTHING", (name,))
            self._bindings_at = None

    def bind(self, queue: str, exchange: str) -> None:
        """See `Bus`."""
        with self.file.writing() as connection:
            self._bound(connection, exchange)
            (id_,) = _one(connection, "SELECT id FROM queue WHERE name = ?", queue)
            connection.execute("INSERT INTO binding VALUES (?, ?) ON CONFLICT DO NOTHING", (exchange, id_))
            self._bindings_at = None

    def has_subscribers(self, exchange: str) -> bool:
        """See `Bus`."""
        with self.file.reading() as connection:
            return bool(self._bound(connection, exchange))

    def _bound(self, connection: sqlite3.Connection, exchange: str) -> list[str]:
        """Return the queues that are bound to an exchange; what is known holds until another connection writes."""
        version = connection.execute("PRAGMA data_version").fetchone()[0]
        if version != self._bindings_at:
            bindings: dict[str, list[str]] = defaultdict(list)
            for name, queue in connection.execute(
                "SELECT e.name, q.name FROM exchange e LEFT JOIN binding b ON b.exchange = e.name"
                " LEFT JOIN queue q ON q.id = b.queue ORDER BY b.queue"
            ):
                bindings[name] += [queue] if queue is not None else []
            self._bindings, self._bindings_at = dict(bindings), version
        try:
            return self._bindings[exchange]
        except KeyError:
            raise ExchangeNotFound(f"there is no exchange {exchange}") from None

    # -- Publishing

    def publish(self, messages: Sequence[Outgoing | Fanout]) -> None:
        """See `Bus`. All of the messages are accepted, or none is."""
        if not messages:
            return
        with self.file.writing() as connection:
            by_queue: dict[str, list[tuple[str | None, bytes]]] = defaultdict(list)
            for message in messages:
                if isinstance(message, Outgoing):
                    by_queue[message.queue].append((None, message.body))
                else:
                    headers = json.dumps(dict(message.headers)) if message.headers else None
                    for queue in self._bound(connection, message.exchange):
                        by_queue[queue].append((headers, message.body))
            for queue, rows in by_queue.items():
                self._append(connection, queue, rows)
        self._wake(by_queue)

    def _append(
        self, connection: sqlite3.Connection, name: str, rows: Sequence[tuple[str | None, bytes]]
    ) -> None:
        id_, last, length, limit, expendable = _one(
            connection,
            "UPDATE queue SET last = last + ?1, length = length + ?1 WHERE name = ?2"
            " RETURNING id, last, length, message_limit, expendable",
            len(rows),
            name,
        )
        if limit is not None and not expendable and length - len(rows) >= limit:
            raise QueueFull(f"the queue {name} is full: it holds {length - len(rows)} messages")
        _insert(connection, (id_ << _SEQUENCE_BITS) + last - len(rows) + 1, self._clock(), rows)
        if limit is not None and expendable and length > limit:
            oldest = "SELECT id FROM message WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?"
            connection.execute(f"DELETE FROM message WHERE id IN ({oldest})", (*_range(id_), length - limit))
            connection.execute("UPDATE queue SET length = ? WHERE id = ?", (limit, id_))

    # -- Consuming

    def consume(self, queues: Sequence[str]) -> EmbeddedConsumer:
        """See `Bus`."""
        names = list(dict.fromkeys(queues))
        with self.file.writing() as connection:
            ids = [_one(connection, "SELECT id FROM queue WHERE name = ?", name)[0] for name in names]
            (number,) = connection.execute(
                "INSERT INTO consumer (pid, born) VALUES (?, ?) RETURNING id", self._process
            ).fetchone()
            connection.executemany("INSERT INTO subscription VALUES (?, ?)", ((id_, number) for id_ in ids))
            _remove(connection, self._absent(connection))
            _assign(connection)
        consumer = EmbeddedConsumer(self, number, frozenset(names))
        with self._members:
            self._consumers[number] = consumer
        return consumer

    def roll_call(self) -> None:
        """Take the queues from consumers that are no more, and give them to others."""
        with self.file.reading() as connection:
            absent = self._absent(connection)
        if absent:
            with self.file.writing() as connection:
                _remove(connection, absent)
                _assign(connection)
            self._orphans.difference_update(absent)
            self._wake(None)

    def _absent(self, connection: sqlite3.Connection) -> list[int]:
        """Return the consumers whose process is dead, or which could not be removed when they were closed."""
        others = connection.execute(
            "SELECT id, pid, born FROM consumer WHERE (pid, born) <> (?, ?)", self._process
        ).fetchall()
        alive = {process: is_alive(process) for process in {Process(*other[1:]) for other in others}}
        return [id_ for id_, *process in others if not alive[Process(*process)]] + list(self._orphans)

    def leave(self, consumer: int) -> None:
        """Let a consumer go; used by the consumer itself."""
        with self._members:
            self._consumers.pop(consumer, None)
        self._orphans.add(consumer)
        try:
            self.roll_call()
        except BusUnavailable as error:
            log.warning("bus.consumer_not_removed reason=%s", error)  # the next roll call tries again

    def _wake(self, queues: Iterable[str] | None) -> None:
        """Wake the consumers of some queues, or of all, in this process; others find out by themselves."""
        with self._members:
            consumers = list(self._consumers.values())
        names = None if queues is None else set(queues)
        for consumer in consumers:
            if names is None or not names.isdisjoint(consumer.queues):
                consumer.wake.set()

    def claim(self, consumer: EmbeddedConsumer, max_messages: int) -> list[Delivery]:
        """Return messages for a consumer; used by the consumer itself."""
        with self.file.reading() as connection:
            (found,) = connection.execute(
                "SELECT json_group_array(json_array(id, name, epoch, last, claimed, cursor, heir))"
                " FROM queue WHERE holder = ?",
                (consumer.number,),
            ).fetchone()
        # What other processes change meanwhile does no harm: a queue changes hands only by its holder's own doing.
        held = [_Held(*queue) for queue in json.loads(found)]
        to_give = [
            queue for queue in held if queue.heir is not None and not consumer.has_messages_of(queue.id)
        ]
        to_ask = [queue for queue in held if queue.heir is None and queue.cursor < queue.last]
        if not to_give and not to_ask:
            return []
        with self.file.writing() as connection:
            if consumer.closed:  # by another thread, which may have given its queues to others already
                return []
            for queue in to_give:
                connection.execute(
                    "UPDATE queue SET holder = heir, heir = NULL, epoch = epoch + 1, cursor = 0"
                    " WHERE id = ? AND holder = ? AND heir IS NOT NULL",
                    (queue.id, consumer.number),
                )
            taken = self._take(connection, consumer, to_ask, max_messages)
        if to_give:
            self._wake(queue.name for queue in to_give)
        return taken

    def _take(
        self,
        connection: sqlite3.Connection,
        consumer: EmbeddedConsumer,
        queues: Sequence[_Held],
        max_messages: int,
    ) -> list[Delivery]:
        fresh = []
        for queue in queues:
            again = self._again(connection, queue) if queue.cursor < queue.claimed else None
            if again is None:
                fresh.append(queue)
            elif consumer.has_messages():
                return []  # it comes alone: first the others are to be acknowledged
            else:
                connection.execute(
                    "UPDATE message SET redelivered = redelivered + 1 WHERE id = ?", (again.tag,)
                )
                connection.execute(
                    "UPDATE queue SET cursor = ? WHERE id = ?", (again.tag & _SEQUENCE_MASK, queue.id)
                )
                return [again]
        taken: list[Delivery] = []
        fresh.sort(key=consumer.last_served)
        for place, queue in enumerate(fresh):
            part = -(-(max_messages - len(taken)) // (len(fresh) - place))
            if part < 1:
                break
            first, final = _range(queue.id)
            after = first + max(queue.cursor, queue.claimed)
            rows = connection.execute(
                "SELECT id, headers, body FROM message WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?",
                (after, final, part),
            ).fetchall()
            if rows:
                reached = rows[-1][0] & _SEQUENCE_MASK
                connection.execute(
                    "UPDATE queue SET cursor = ?1, claimed = ?1 WHERE id = ?2", (reached, queue.id)
                )
            else:
                connection.execute("UPDATE queue SET cursor = last, claimed = last WHERE id = ?", (queue.id,))
            taken += [
                Delivery(queue.name, body, _headers(headers), 1, queue.epoch, id_)
                for id_, headers, body in rows
            ]
        return taken

    def _again(self, connection: sqlite3.Connection, queue: _Held) -> Delivery | None:
        """Return the next message that was delivered before; what was so too often becomes a dead letter."""
        first, _ = _range(queue.id)
        while True:
            row = connection.execute(
                "SELECT id, headers, body, redelivered FROM message WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 1",
                (first + queue.cursor, first - 1 + queue.claimed),
            ).fetchone()
            if row is None:
                return None
            id_, headers, body, redelivered = row
            delivery = Delivery(queue.name, body, _headers(headers), redelivered + 2, queue.epoch, id_)
            if delivery.deliveries <= MAX_DELIVERIES:
                return delivery
            reason = (
                f"delivered {MAX_DELIVERIES} times and never acknowledged: it may end whoever works on it"
            )
            self.bury(connection, delivery._replace(deliveries=MAX_DELIVERIES), reason)

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Take messages out of their queues; used by the consumer that holds them."""
        by_queue: dict[int, list[int]] = defaultdict(list)
        for delivery in deliveries:
            by_queue[delivery.tag >> _SEQUENCE_BITS].append(delivery.tag)
        with self.file.writing() as connection:
            for queue, tags in by_queue.items():
                _delete(connection, queue, tags)

    def bury(self, connection: sqlite3.Connection, delivery: Delivery, reason: str) -> None:
        """Make a message a dead letter, within a transaction."""
        queue = delivery.tag >> _SEQUENCE_BITS
        if _delete(connection, queue, [delivery.tag]):
            connection.execute(
                "INSERT INTO dead_letter (queue, deliveries, died_at, reason, headers, body)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (
                    delivery.queue,
                    delivery.deliveries,
                    self._clock(),
                    reason,
                    json.dumps(dict(delivery.headers)) if delivery.headers else None,
                    delivery.body,
                ),
            )
            log.warning("bus.dead_letter queue=%s reason=%s", delivery.queue, reason)

    # -- Looking in

    def status(self) -> list[QueueStatus]:
        """See `Bus`."""
        with self.file.reading() as connection:
            absent = json.dumps(self._absent(connection))
            rows = connection.execute(
                "SELECT name, length, iif(holder IS NULL OR holder IN (SELECT value FROM json_each(?1)), 0,"
                " (SELECT count(*) FROM message m WHERE m.id BETWEEN q.id << ?2 AND (q.id << ?2) + q.cursor)),"
                " (SELECT published_at FROM message m WHERE m.id BETWEEN q.id << ?2 AND (q.id << ?2) + ?3"
                "  ORDER BY m.id LIMIT 1),"
                " (SELECT count(*) FROM subscription WHERE queue = q.id"
                "  AND consumer NOT IN (SELECT value FROM json_each(?1)))"
                " FROM queue q ORDER BY name",
                (absent, _SEQUENCE_BITS, _SEQUENCE_MASK),
            ).fetchall()
        now = self._clock()
        return [
            QueueStatus(
                name, length - unacked, unacked, None if oldest is None else max(0.0, now - oldest), consumers
            )
            for name, length, unacked, oldest, consumers in rows
        ]

    def dead_letters(self, *, limit: int = 100, after: int = 0) -> list[DeadLetter]:
        """See `Bus`."""
        with self.file.reading() as connection:
            rows = connection.execute(
                "SELECT id, queue, body, headers, reason, deliveries, died_at FROM dead_letter"
                " WHERE id > ? ORDER BY id LIMIT ?",
                (after, limit),
            ).fetchall()
        return [
            DeadLetter(id_, queue, body, _headers(headers), reason, deliveries, died_at)
            for id_, queue, body, headers, reason, deliveries, died_at in rows
        ]

    def requeue(self, ids: Sequence[int]) -> int:
        """See `Bus`. All of them are put back, or none is; the limits of their queues do not matter."""
        with self.file.writing() as connection:
            rows = connection.execute(
                "DELETE FROM dead_letter WHERE id IN (SELECT value FROM json_each(?))"
                " RETURNING id, queue, headers, body",
                (json.dumps(list(ids)),),
            ).fetchall()
            by_queue: dict[str, list[tuple[str | None, bytes]]] = defaultdict(list)
            for _, queue, headers, body in sorted(rows):
                by_queue[queue].append((headers, body))
            for queue, letters in by_queue.items():
                id_, last = _one(
                    connection,
                    "UPDATE queue SET last = last + ?1, length = length + ?1 WHERE name = ?2 RETURNING id, last",
                    len(letters),
                    queue,
                )
                _insert(connection, (id_ << _SEQUENCE_BITS) + last - len(letters) + 1, self._clock(), letters)
        self._wake(by_queue)
        return len(rows)

    def discard(self, ids: Sequence[int]) -> int:
        """See `Bus`."""
        with self.file.writing() as connection:
            return connection.execute(
                "DELETE FROM dead_letter WHERE id IN (SELECT value FROM json_each(?))",
                (json.dumps(list(ids)),),
            ).rowcount

    def close(self) -> None:
        """See `Bus`. A consumer that waits in another thread gets a BusError."""
        with self._members:
            consumers = list(self._consumers.values())
        for consumer in consumers:
            consumer.close()
        self.file.close()


class EmbeddedConsumer:
    """A consumer of an embedded bus; keeps the contract of `Consumer`."""

    def __init__(self, bus: EmbeddedBus, number: int, queues: frozenset[str]) -> None:
        self.number = number
        self.queues = queues
        self.wake = threading.Event()
        self._bus = bus
        self._unacked: dict[int, Delivery] = {}
        self._served: dict[int, int] = {}
        self._turns = itertools.count(1)
        self._next_roll_call = 0.0
        self.closed = False

    def receive(self, *, max_messages: int, timeout_s: float) -> list[Delivery]:
        """See `Consumer`."""
        deadline = time.monotonic() + timeout_s
        pause = SHORTEST_POLL_S
        while True:
            if self.closed:
                raise BusError("the consumer was closed")
            self.wake.clear()
            if time.monotonic() >= self._next_roll_call:
                self._bus.roll_call()
                self._next_roll_call = time.monotonic() + ROLL_CALL_S
            deliveries = [] if self._has_repeated() else self._bus.claim(self, max_messages)
            if deliveries:
                turn = next(self._turns)
                for delivery in deliveries:
                    self._unacked[delivery.tag] = delivery
                    self._served[delivery.tag >> _SEQUENCE_BITS] = turn
                return deliveries
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return []
            woken = self.wake.wait(min(remaining, pause))
            pause = SHORTEST_POLL_S if woken else min(2 * pause, LONGEST_POLL_S)

    def ack(self, deliveries: Sequence[Delivery]) -> None:
        """See `Consumer`."""
        mine = [delivery for delivery in deliveries if delivery.tag in self._unacked]
        if mine:
            self._bus.acknowledge(mine)
            for delivery in mine:
                del self._unacked[delivery.tag]

    def dead_letter(self, delivery: Delivery, reason: str) -> None:
        """See `Consumer`."""
        if delivery.tag in self._unacked:
            with self._bus.file.writing() as connection:
                self._bus.bury(connection, delivery, reason)
            del self._unacked[delivery.tag]

    def close(self) -> None:
        """See `Consumer`."""
        if not self.closed:
            self.closed = True
            self._unacked.clear()
            self._bus.leave(self.number)
            self.wake.set()

    def has_messages(self) -> bool:
        """Tell whether a message is not acknowledged yet."""
        return bool(self._unacked)

    def has_messages_of(self, queue: int) -> bool:
        """Tell whether a message of one queue is not acknowledged yet."""
        return any(tag >> _SEQUENCE_BITS == queue for tag in self._unacked)

    def last_served(self, queue: _Held) -> int:
        """Return the turn at which a queue last gave messages; the lower it is, the longer the queue has waited."""
        return self._served.get(queue.id, 0)

    def _has_repeated(self) -> bool:
        return any(delivery.deliveries > 1 for delivery in self._unacked.values())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _range(queue: int) -> tuple[int, int]:
    """Return the first and the last id that a message of a queue can have."""
    return (queue << _SEQUENCE_BITS) + 1, (queue << _SEQUENCE_BITS) + _SEQUENCE_MASK


def _headers(text: str | None) -> Mapping[str, str]:
    return json.loads(text) if text else {}


def _one(connection: sqlite3.Connection, statement: str, *values: object) -> tuple[int, ...]:
    """Return what a statement finds of a queue, whose name is the last value. Raises QueueNotFound."""
    rows: list[tuple[int, ...]] = connection.execute(statement, values).fetchall()
    if not rows:
        raise QueueNotFound(f"there is no queue {values[-1]}")
    return rows[0]


def _insert(
    connection: sqlite3.Connection, first_id: int, now: float, rows: Sequence[tuple[str | None, bytes]]
) -> None:
    """Insert messages with few, large statements: each step of one gives up the interpreter's lock."""
    ids: Iterator[int] = itertools.count(first_id)
    for start in range(0, len(rows), ROWS_PER_INSERT):
        part = rows[start : start + ROWS_PER_INSERT]
        connection.execute(
            "INSERT INTO message (id, published_at, headers, body) VALUES "
            + ", ".join(["(?, ?, ?, ?)"] * len(part)),
            [value for headers, body in part for value in (next(ids), now, headers, body)],
        )


def _delete(connection: sqlite3.Connection, queue: int, tags: Sequence[int]) -> int:
    """Delete messages of one queue and return how many there were."""
    deleted = connection.execute(
        "DELETE FROM message WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(tags),)
    ).rowcount
    connection.execute("UPDATE queue SET length = length - ? WHERE id = ?", (deleted, queue))
    return deleted


def _remove(connection: sqlite3.Connection, consumers: Sequence[int]) -> None:
    """Forget consumers; what they held has no holder then."""
    for consumer in consumers:
        connection.execute("DELETE FROM consumer WHERE id = ?", (consumer,))
        connection.execute("DELETE FROM subscription WHERE consumer = ?", (consumer,))
        connection.execute("UPDATE queue SET holder = NULL, cursor = 0 WHERE holder = ?", (consumer,))


def _assign(connection: sqlite3.Connection) -> None:
    """Give each queue that has no holder to one of its consumers, and name heirs where a holder has too many.

    An heir gets the queue when the holder has acknowledged what it took from it.
    """
    holders: dict[int, int | None] = {}
    heirs: dict[int, int | None] = {}
    consumers: dict[int, list[int]] = defaultdict(list)
    for queue, holder, heir, consumer in connection.execute(
        "SELECT q.id, q.holder, q.heir, s.consumer FROM queue q LEFT JOIN subscription s ON s.queue = q.id"
        " ORDER BY q.id, s.consumer"
    ):
        holders[queue], heirs[queue] = holder, heir
        consumers[queue] += [consumer] if consumer is not None else []
    alike: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for queue, those in consumers.items():
        alike[tuple(those)].append(queue)
    for group, queues in alike.items():
        wanted = share({queue: holders[queue] for queue in queues}, group) if group else {}
        for queue in queues:
            target = wanted.get(queue)
            if target is not None and holders[queue] is None:
                connection.execute(
                    "UPDATE queue SET holder = ?, heir = NULL, epoch = epoch + 1, cursor = 0 WHERE id = ?",
                    (target, queue),
                )
            elif (heir := None if target == holders[queue] else target) != heirs[queue]:
                connection.execute("UPDATE queue SET heir = ? WHERE id = ?", (heir, queue))
