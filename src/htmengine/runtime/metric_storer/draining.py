"""The queues that there were before their number changed are stored from to their ends, before anything of the new ones is.

When the gate of before is closed, nothing comes into the old queues any more. A marker is put into the first of them; whoever
finds it has stored everything in front of it, and puts one into the next. Behind the last, the new queues are stored from.
A marker that is lost is put in again, and a second one changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from htmengine.bus import Delivery, Outgoing
from htmengine.repository import queue_layout
from htmengine.repository.database import Database
from htmengine.service.data_queues import KnownQueues, QueuesChanged, marker

SETTLE_S: Final = 0.5
"""From a closed gate to the first marker: a broker may still be putting into a queue what it let through."""

LINGER_S: Final = 60.0
"""For so long the old queues stay, empty, until nobody takes from them any more."""


class Marker(NamedTuple):
    """The end of a queue."""

    queue: str
    lines: Sequence[str]


class Drain:
    """What a storer does for a change of the number of queues.

    Parameters
    ----------
    stored : the queues that the storer takes from.
    timer : seconds that only grow.
    again_s : after so long a marker is put in again.
    delete : deletes a queue.
    """

    def __init__(
        self,
        queues: KnownQueues,
        stored: Sequence[str],
        *,
        timer: Callable[[], float],
        again_s: float,
        delete: Callable[[str], None],
    ) -> None:
        self._queues = queues
        self._stored = tuple(stored)
        self._timer = timer
        self._again_s = again_s
        self._delete = delete
        self._delete_due: float | None = None
        self._due: float | None = None
        """When to put in a marker; None before the gate is closed."""

    @property
    def wait_s(self) -> float:
        """How long there is nothing to do; infinite while the number does not change."""
        if not self._goes_on:
            return math.inf
        return 0.0 if self._due is None else max(0.0, self._due - self._timer())

    @property
    def _goes_on(self) -> bool:
        return self._queues.now.draining and self._queues.now.before == self._stored

    def require_stored(self, deliveries: Iterable[Delivery]) -> None:
        """Look whether queues are still to be stored from, from which messages come for the first time.

        That one owns a queue keeps its end from being found; one that was taken over may have been done with meanwhile.

        Raises
        ------
        QueuesChanged : they are not.
        """
        stored = self._queues.look_again().stored
        for delivery in deliveries:
            if delivery.queue in self._stored and delivery.queue not in stored:
                raise QueuesChanged(f"{delivery.queue} is not stored from any more")

    def go_on(self, database: Database, markers: Iterable[Marker]) -> list[Outgoing]:
        """Do what is due, once what was in front of these markers is stored; return messages that may be lost."""
        messages = []
        for found in dict.fromkeys((one.queue, *one.lines) for one in markers):
            queue, *lines = found
            now = self._queues.now if self._goes_on else self._queues.look_again()
            if not self._goes_on or lines != [str(now.epoch)] or queue not in self._stored:
                continue  # of another change, or a second one
            next_place = self._stored.index(queue) + 1
            if next_place < len(self._stored):
                # What is in front of this must be as lasting as what is made of the next.
                database.sync()
                messages.append(Outgoing(self._stored[next_place], marker(now.epoch)))
            else:
                self._done(database, now.epoch)
        if self._goes_on and (self._due is None or self._timer() >= self._due):
            self._queues.ensure_open()
            if self._due is not None:
                messages.append(Outgoing(self._stored[0], marker(self._queues.now.epoch)))
            self._due = self._timer() + (SETTLE_S if self._due is None else self._again_s)
        self._forget(database)
        return messages

    def _forget(self, database: Database) -> None:
        """Delete the old queues, a while after nothing was left in them."""
        now = self._queues.now
        if not now.before or now.draining:
            return
        if self._delete_due is None:
            self._delete_due = self._timer() + LINGER_S
        if self._timer() < self._delete_due:
            return
        for queue in now.before:
            if queue != now.documented:
                self._delete(queue)
        with database.write() as conn:
            layout = queue_layout.locked(conn)
            if layout.epoch == now.epoch:
                queue_layout.store(conn, layout._replace(before=0))
        self._queues.look_again()

    def _done(self, database: Database, epoch: int) -> None:
        """Let the new queues be stored from."""
        with database.write() as conn:
            layout = queue_layout.locked(conn)
            if layout.epoch == epoch and layout.draining:
                queue_layout.store(conn, layout._replace(draining=0))
        self._queues.look_again()
