"""The tables of an embedded bus, and what is done to its messages. The caller owns the transaction.

Messages of a queue are numbered from 1. Two of these numbers, kept with the queue, tell all that is to be known of a
message's deliveries without writing to it: `claimed`, the last one that was ever delivered, and `cursor`, the last one
that was delivered to the present owner. What is beyond `claimed` is fresh; what lies between the two was in the hands
of an owner that went away; and what remains at or below `cursor` is not acknowledged yet.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from htmengine.bus.api import MAX_DELIVERIES, DeadLetter, Delivery, QueueFull, QueueNotFound, QueueStatus
from htmengine.bus.embedded.ownership import OwnedQueue

log = logging.getLogger(__name__)

APPLICATION_ID: Final = 0x68746D62
VERSION: Final = 1
SCHEMA: Final = """
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

NUMBER_BITS: Final = 44
_NUMBERS: Final = (1 << NUMBER_BITS) - 1
"""A message's id is its queue's id, shifted by these bits, plus its number: a queue's messages lie in one piece."""
_ROWS_PER_INSERT: Final = 64

Row = tuple[Mapping[str, str], bytes]
"""Headers and body."""


def queue_of(tag: int) -> int:
    """Return the queue that a message belongs to."""
    return tag >> NUMBER_BITS


def _id(queue: int, number: int) -> int:
    return (queue << NUMBER_BITS) + number


def find(connection: sqlite3.Connection, name: str) -> int:
    """Return a queue's id. Raises QueueNotFound."""
    row = connection.execute("SELECT id FROM queue WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise QueueNotFound(f"there is no queue {name}")
    return int(row[0])


def is_declared(connection: sqlite3.Connection, name: str, limit: int | None, expendable: bool) -> bool:
    """Tell whether there is such a queue with this limit."""
    found = connection.execute(
        "SELECT message_limit, expendable FROM queue WHERE name = ?", (name,)
    ).fetchone()
    return found is not None and (found[0], bool(found[1])) == (limit, expendable)


def declare(connection: sqlite3.Connection, name: str, limit: int | None, expendable: bool) -> None:
    """Make a queue, or give one that exists this limit."""
    connection.execute(
        "INSERT INTO queue (name, message_limit, expendable) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE"
        " SET message_limit = excluded.message_limit, expendable = excluded.expendable"
        " WHERE message_limit IS NOT excluded.message_limit OR expendable <> excluded.expendable",
        (name, limit, expendable),
    )


def delete(connection: sqlite3.Connection, name: str) -> None:
    """Delete a queue, if there is one, and all that belongs to it."""
    try:
        queue = find(connection, name)
    except QueueNotFound:
        return
    connection.execute("DELETE FROM queue WHERE id = ?", (queue,))
    connection.execute("DELETE FROM binding WHERE queue = ?", (queue,))
    connection.execute("DELETE FROM subscription WHERE queue = ?", (queue,))
    connection.execute("DELETE FROM message WHERE id BETWEEN ? AND ?", (_id(queue, 0), _id(queue, _NUMBERS)))


def purge(connection: sqlite3.Connection, name: str) -> int:
    """Delete what waits in a queue and return how much it was."""
    queue = find(connection, name)
    (cursor,) = connection.execute("SELECT cursor FROM queue WHERE id = ?", (queue,)).fetchone()
    deleted = connection.execute(
        "DELETE FROM message WHERE id > ? AND id <= ?", (_id(queue, cursor), _id(queue, _NUMBERS))
    ).rowcount
    connection.execute("UPDATE queue SET length = length - ? WHERE id = ?", (deleted, queue))
    return deleted


def append(
    connection: sqlite3.Connection, name: str, rows: Sequence[Row], now: float, *, refuse: bool = True
) -> None:
    """Add messages to a queue, as fresh ones. Raises QueueNotFound, and QueueFull if it may refuse them.

    `now`: seconds that only grow until the machine is started again, as for `status`.
    """
    queue = connection.execute(
        "UPDATE queue SET last = last + ?1, length = length + ?1 WHERE name = ?2"
        " RETURNING id, last, length, message_limit, expendable",
        (len(rows), name),
    ).fetchall()
    if not queue:
        raise QueueNotFound(f"there is no queue {name}")
    id_, last, length, limit, expendable = queue[0]
    if refuse and limit is not None and not expendable and length - len(rows) >= limit:
        raise QueueFull(f"the queue {name} is full: it holds {length - len(rows)} messages")
    first = _id(id_, last - len(rows) + 1)
    # Few large statements: sqlite3 gives up the interpreter's lock with each step of one, and waits to get it again.
    for start in range(0, len(rows), _ROWS_PER_INSERT):
        part = rows[start : start + _ROWS_PER_INSERT]
        connection.execute(
            f"INSERT INTO message (id, published_at, headers, body) VALUES {', '.join(['(?, ?, ?, ?)'] * len(part))}",
            [
                value
                for place, (headers, body) in enumerate(part, first + start)
                for value in (place, now, _written(headers), body)
            ],
        )
    if expendable and limit is not None and length > limit:
        connection.execute(
            "DELETE FROM message WHERE id IN (SELECT id FROM message WHERE id > ? ORDER BY id LIMIT ?)",
            (_id(id_, 0), length - limit),
        )
        connection.execute("UPDATE queue SET length = ? WHERE id = ?", (limit, id_))


def size(connection: sqlite3.Connection, name: str) -> int:
    """Return the bytes of all bodies in a queue. Raises QueueNotFound."""
    queue = find(connection, name)
    (total,) = connection.execute(
        "SELECT ifnull(sum(length(body)), 0) FROM message WHERE id > ? AND id <= ?",
        (_id(queue, 0), _id(queue, _NUMBERS)),
    ).fetchone()
    return int(total)


def next_repeated(connection: sqlite3.Connection, queue: OwnedQueue, now: float) -> Delivery | None:
    """Return the next message that an earlier owner had; what was delivered too often becomes a dead letter."""
    while True:
        row = connection.execute(
            "SELECT id, headers, body, redelivered FROM message WHERE id > ? AND id <= ? ORDER BY id LIMIT 1",
            (_id(queue.id, queue.cursor), _id(queue.id, queue.claimed)),
        ).fetchone()
        if row is None:
            return None
        id_, headers, body, redelivered = row
        delivery = Delivery(queue.name, body, _read(headers), redelivered + 2, queue.epoch, id_)
        if delivery.deliveries <= MAX_DELIVERIES:
            return delivery
        reason = f"delivered {MAX_DELIVERIES} times and never acknowledged: it may end whoever works on it"
        acknowledge(connection, [delivery.tag])
        put_aside(connection, delivery._replace(deliveries=MAX_DELIVERIES), reason, now)


def claim_repeated(connection: sqlite3.Connection, delivery: Delivery) -> None:
    """Count the delivery of a message that was delivered before."""
    connection.execute("UPDATE message SET redelivered = redelivered + 1 WHERE id = ?", (delivery.tag,))
    connection.execute(
        "UPDATE queue SET cursor = ? WHERE id = ?", (delivery.tag & _NUMBERS, queue_of(delivery.tag))
    )


def claim_fresh(connection: sqlite3.Connection, queue: OwnedQueue, limit: int) -> list[Delivery]:
    """Return the next messages and count their delivery, where `next_repeated` has found that all of them are fresh."""
    rows = connection.execute(
        "SELECT id, headers, body FROM message WHERE id > ? AND id <= ? ORDER BY id LIMIT ?",
        (_id(queue.id, queue.cursor), _id(queue.id, _NUMBERS), limit),
    ).fetchall()
    reached = rows[-1][0] & _NUMBERS if rows else queue.last  # nothing is there: do not look again
    connection.execute(
        "UPDATE queue SET cursor = ?1, claimed = max(claimed, ?1) WHERE id = ?2", (reached, queue.id)
    )
    return [Delivery(queue.name, body, _read(headers), 1, queue.epoch, id_) for id_, headers, body in rows]


def acknowledge(connection: sqlite3.Connection, tags: Iterable[int]) -> int:
    """Delete messages that are done, and return how many there were."""
    by_queue: dict[int, list[int]] = defaultdict(list)
    for tag in tags:
        by_queue[queue_of(tag)].append(tag)
    total = 0
    for queue, those in by_queue.items():
        deleted = connection.execute(
            "DELETE FROM message WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(those),)
        ).rowcount
        connection.execute("UPDATE queue SET length = length - ? WHERE id = ?", (deleted, queue))
        total += deleted
    return total


def status(connection: sqlite3.Connection, absent: Sequence[int], now: float) -> list[QueueStatus]:
    """Return the state of every queue, by name; consumers that are absent do not count.

    The age of a message that was published before the machine was started again is not known.
    """
    rows = connection.execute(
        "SELECT name, length, iif(holder IS NULL OR holder IN (SELECT value FROM json_each(?1)), 0,"
        " (SELECT count(*) FROM message m WHERE m.id > q.id << ?2 AND m.id <= (q.id << ?2) + q.cursor)),"
        " (SELECT published_at FROM message m WHERE m.id > q.id << ?2 AND m.id < (q.id + 1) << ?2"
        "  ORDER BY m.id LIMIT 1),"
        " (SELECT count(*) FROM subscription s WHERE s.queue = q.id"
        "  AND s.consumer NOT IN (SELECT value FROM json_each(?1)))"
        " FROM queue q ORDER BY name",
        (json.dumps(absent), NUMBER_BITS),
    ).fetchall()
    return [
        QueueStatus(
            name,
            length - unacked,
            unacked,
            None if oldest is None or oldest > now else now - oldest,
            consumers,
        )
        for name, length, unacked, oldest, consumers in rows
    ]


def put_aside(connection: sqlite3.Connection, delivery: Delivery, reason: str, now: float) -> None:
    """Make a dead letter of a message that was taken out of its queue."""
    connection.execute(
        "INSERT INTO dead_letter (queue, deliveries, died_at, reason, headers, body) VALUES (?, ?, ?, ?, ?, ?)",
        (delivery.queue, delivery.deliveries, now, reason, _written(delivery.headers), delivery.body),
    )
    log.warning("bus.dead_letter queue=%s reason=%s", delivery.queue, reason)


def dead_letters(connection: sqlite3.Connection, limit: int, after: int) -> list[DeadLetter]:
    """Return dead letters with an id greater than `after`, the oldest first."""
    rows = connection.execute(
        "SELECT id, queue, body, headers, reason, deliveries, died_at FROM dead_letter"
        " WHERE id > ? ORDER BY id LIMIT ?",
        (after, limit),
    )
    return [
        DeadLetter(id_, queue, body, _read(headers), reason, deliveries, died_at)
        for id_, queue, body, headers, reason, deliveries, died_at in rows
    ]


def take_dead_letters(connection: sqlite3.Connection, ids: Sequence[int]) -> dict[str, list[Row]]:
    """Delete dead letters and return what they were, by queue."""
    rows = connection.execute(
        "DELETE FROM dead_letter WHERE id IN (SELECT value FROM json_each(?)) RETURNING id, queue, headers, body",
        (json.dumps(list(ids)),),
    ).fetchall()
    by_queue: dict[str, list[Row]] = defaultdict(list)
    for _, queue, headers, body in sorted(rows):
        by_queue[queue].append((_read(headers), body))
    return by_queue


def _written(headers: Mapping[str, str]) -> str | None:
    return json.dumps(dict(headers)) if headers else None


def _read(headers: str | None) -> Mapping[str, str]:
    return json.loads(headers) if headers else {}
