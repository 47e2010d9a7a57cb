"""Which consumer owns which queue of an embedded bus.

A queue has one owner at a time. A consumer that joins becomes the next owner of its part of the queues, and gets each of
them when the owner has acknowledged what it took. What a consumer owned that closed, or whose process died, goes to
others at once. With every change of the owner the queue's epoch grows. (In the table, the columns are `holder` and
`heir`.)
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from htmengine.system.processes import Process, is_alive


class OwnedQueue(NamedTuple):
    """A queue as its owner sees it."""

    id: int
    name: str
    epoch: int
    last: int
    """Number of the newest message."""
    claimed: int
    cursor: int
    next_owner: int | None
    limit: int | None
    """Number of messages at which it refuses more, or drops its oldest."""
    is_expendable: bool


def owned_by(connection: sqlite3.Connection, consumer: int) -> list[OwnedQueue]:
    """Return the queues that a consumer owns."""
    (found,) = connection.execute(
        "SELECT json_group_array(json_array(id, name, epoch, last, claimed, cursor, heir, message_limit, expendable))"
        " FROM queue WHERE holder = ?",
        (consumer,),
    ).fetchone()
    return [OwnedQueue(*queue) for queue in json.loads(found)]


def join(connection: sqlite3.Connection, process: Process, queues: Sequence[int]) -> int:
    """Return a new consumer of these queues."""
    consumer: int = connection.execute(
        "INSERT INTO consumer (pid, born) VALUES (?, ?) RETURNING id", process
    ).fetchone()[0]
    subscribe(connection, consumer, queues)
    return consumer


def subscribe(connection: sqlite3.Connection, consumer: int, queues: Sequence[int]) -> None:
    """Let a consumer have its part of these queues, too."""
    connection.executemany(
        "INSERT INTO subscription VALUES (?, ?) ON CONFLICT DO NOTHING",
        ((queue, consumer) for queue in queues),
    )
    _assign(connection)


def subscribed(connection: sqlite3.Connection, consumer: int) -> set[str]:
    """Return the names of the queues that a consumer takes from, as far as they exist."""
    found = connection.execute(
        "SELECT q.name FROM subscription s JOIN queue q ON q.id = s.queue WHERE s.consumer = ?", (consumer,)
    )
    return {name for (name,) in found}


def leave(connection: sqlite3.Connection, consumers: Sequence[int]) -> None:
    """Forget consumers and give what they owned to others."""
    for consumer in consumers:
        connection.execute("DELETE FROM consumer WHERE id = ?", (consumer,))
        connection.execute("DELETE FROM subscription WHERE consumer = ?", (consumer,))
        connection.execute("UPDATE queue SET holder = NULL, cursor = 0 WHERE holder = ?", (consumer,))
    _assign(connection)


def hand_over(connection: sqlite3.Connection, queues: Sequence[int]) -> None:
    """Give queues to their next owners."""
    for queue in queues:
        connection.execute(
            "UPDATE queue SET holder = heir, heir = NULL, epoch = epoch + 1, cursor = 0"
            " WHERE id = ? AND heir IS NOT NULL",
            (queue,),
        )


def of_dead_processes(connection: sqlite3.Connection, this: Process) -> list[int]:
    """Return the consumers whose process has died."""
    others = [
        (consumer, Process(pid, born))
        for consumer, pid, born in connection.execute(
            "SELECT id, pid, born FROM consumer WHERE (pid, born) <> (?, ?)", this
        )
    ]
    alive = {process: is_alive(process) for process in {process for _, process in others}}
    return [consumer for consumer, process in others if not alive[process]]


def _assign(connection: sqlite3.Connection) -> None:
    """Give each queue without an owner to one of its consumers, and name the next owner where one has too many."""
    owners: dict[int, int | None] = {}
    next_owners: dict[int, int | None] = {}
    consumers: dict[int, list[int]] = defaultdict(list)
    for queue, owner, next_owner, consumer in connection.execute(
        "SELECT q.id, q.holder, q.heir, s.consumer FROM queue q LEFT JOIN subscription s ON s.queue = q.id"
        " ORDER BY q.id, s.consumer"
    ):
        owners[queue], next_owners[queue] = owner, next_owner
        consumers[queue] += [consumer] if consumer is not None else []
    alike: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for queue, those in consumers.items():
        alike[tuple(those)].append(queue)
    for group, queues in alike.items():
        wanted = share({queue: owners[queue] for queue in queues}, group) if group else {}
        for queue in queues:
            target = wanted.get(queue)
            if target is not None and owners[queue] is None:
                connection.execute(
                    "UPDATE queue SET holder = ?, heir = NULL, epoch = epoch + 1, cursor = 0 WHERE id = ?",
                    (target, queue),
                )
            elif (next_owner := None if target == owners[queue] else target) != next_owners[queue]:
                connection.execute("UPDATE queue SET heir = ? WHERE id = ?", (next_owner, queue))


def share(owners: Mapping[int, int | None], consumers: Sequence[int]) -> dict[int, int]:
    """Return the consumer that each queue should have.

    All consumers get the same number of queues, or one more. No queue moves without need: a consumer that joins gets
    its part from those that have too many, and what one leaves behind goes to those that have too few.

    Parameters
    ----------
    owners : by queue, the consumer that has it now; None, or one that is not among the consumers, for none.
    consumers : those that take from all of these queues; at least one.
    """
    has: dict[int, list[int]] = {consumer: [] for consumer in sorted(consumers)}
    loose = []
    for queue, owner in sorted(owners.items()):
        if owner in has:
            has[owner].append(queue)
        else:
            loose.append(queue)
    least, rest = divmod(len(owners), len(has))
    # Those who have most may keep one more: so fewest queues move.
    by_wealth = sorted(has, key=lambda consumer: -len(has[consumer]))
    quota = {consumer: least + (place < rest) for place, consumer in enumerate(by_wealth)}
    for consumer, queues in has.items():
        loose += queues[quota[consumer] :]
        del queues[quota[consumer] :]
    for consumer, queues in has.items():
        missing = quota[consumer] - len(queues)
        queues += loose[:missing]
        del loose[:missing]
    return {queue: consumer for consumer, queues in has.items() for queue in queues}
