"""Which consumer holds which queue of an embedded bus.

A queue has one holder at a time. A consumer that joins becomes the heir of its part of the queues, and gets each of
them when the holder has acknowledged what it took. What a consumer held that closed, or whose process died, goes to
others at once. With every change of the holder the queue's epoch grows.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from htmengine.system.processes import Process, is_alive


class HeldQueue(NamedTuple):
    """A queue as its holder sees it."""

    id: int
    name: str
    epoch: int
    last: int
    """Number of the newest message."""
    claimed: int
    cursor: int
    heir: int | None


def held_by(connection: sqlite3.Connection, consumer: int) -> list[HeldQueue]:
    """Return the queues that a consumer holds."""
    (found,) = connection.execute(
        "SELECT json_group_array(json_array(id, name, epoch, last, claimed, cursor, heir))"
        " FROM queue WHERE holder = ?",
        (consumer,),
    ).fetchone()
    return [HeldQueue(*queue) for queue in json.loads(found)]


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
    """Forget consumers and give what they held to others."""
    for consumer in consumers:
        connection.execute("DELETE FROM consumer WHERE id = ?", (consumer,))
        connection.execute("DELETE FROM subscription WHERE consumer = ?", (consumer,))
        connection.execute("UPDATE queue SET holder = NULL, cursor = 0 WHERE holder = ?", (consumer,))
    _assign(connection)


def hand_over(connection: sqlite3.Connection, queues: Sequence[int]) -> None:
    """Give queues to their heirs."""
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
    """Give each queue without a holder to one of its consumers, and name heirs where a holder has too many."""
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


def share(holders: Mapping[int, int | None], consumers: Sequence[int]) -> dict[int, int]:
    """Return the consumer that each queue should have.

    All consumers get the same number of queues, or one more. No queue moves without need: a consumer that joins gets
    its part from those that have too many, and what one leaves behind goes to those that have too few.

    Parameters
    ----------
    holders : by queue, the consumer that has it now; None, or one that is not among the consumers, for none.
    consumers : those that take from all of these queues; at least one.
    """
    has: dict[int, list[int]] = {consumer: [] for consumer in sorted(consumers)}
    loose = []
    for queue, holder in sorted(holders.items()):
        if holder in has:
            has[holder].append(queue)
        else:
            loose.append(queue)
    least, rest = divmod(len(holders), len(has))
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
