"""The metric-data queues: the documented one alone, or several behind it, among which samples are divided by name.

With one, one storer works. With several, each storer has some of them, so that a metric has one writer all the same.

Their number changes while everything runs. The new queues are others than those of before, and have a gate of their own, by
which the engine's programs publish. When the old gate is closed, nothing more comes into the old queues; a marker that
passes through one after the other finds their ends, and then the new ones are stored from. Whoever finds its gate closed
looks where samples go now.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from htmengine import config
from htmengine.bus import Bus, GateClosed, Outgoing
from htmengine.messages import MetricLines, encode_json, part_of

if TYPE_CHECKING:
    from htmengine.repository.database import Database
    from htmengine.repository.queue_layout import QueueLayout

LIMIT: Final = 20_000
"""Messages that wait in all of them together."""
LIMIT_BYTES: Final = 8 << 20
"""Some two hundred thousand lines: what waits is worked off in seconds, and beyond it the senders wait."""
MIN_BYTES: Final = 1 << 20
"""Of one of several: some messages must find room, however many queues there are."""
MARKER: Final = "drained"
"""The protocol of a message that is the end of a queue of before, where it comes; its line is the epoch of the new ones."""


class QueuesChanged(Exception):
    """A message came from a queue that is not to be stored from any more."""


class DataQueues(NamedTuple):
    """The queues of an installation."""

    documented: str
    """Applications put their lines here."""
    parts: tuple[str, ...] = ()
    """Those behind it; none where storers take from the documented one."""
    before: tuple[str, ...] = ()
    """Those that there were before, while something is left of them."""
    draining: bool = False
    """Whether storers take from these, until nothing is left in them."""
    epoch: int = 0
    """One more with each change."""
    gate: str | None = None
    """By which the engine's own programs publish."""
    gate_before: str | None = None

    @classmethod
    def of(cls, settings: config.Settings, layout: QueueLayout) -> DataQueues:
        """Return the queues of an installation."""
        before = _names(settings, layout.before, layout.epoch - 1) if layout.before else ()
        return cls(
            settings.listener.queue,
            _names(settings, layout.number, layout.epoch) if layout.number > 1 else (),
            before,
            bool(layout.draining),
            layout.epoch,
            settings.data_gate(layout.epoch),
            settings.data_gate(layout.epoch - 1) if before else None,
        )

    @property
    def open(self) -> tuple[str, ...]:
        """The queues that samples are put into."""
        return self.parts or (self.documented,)

    @property
    def stored(self) -> tuple[str, ...]:
        """The queues that storers take from."""
        return self.before if self.draining else self.open

    @property
    def routed(self) -> bool:
        """Whether what is in the documented queue is divided: not while storers take from it, or will do so next."""
        return bool(self.parts) and self.documented not in self.stored

    @property
    def every(self) -> tuple[str, ...]:
        """All of them, in the order in which a sample of an application passes through."""
        return tuple(dict.fromkeys((self.documented, *self.before, *self.parts)))

    def of_name(self, name: str) -> str:
        """Return the queue that a metric's samples are put into, by the name that it is stored under."""
        return self.open[part_of(name, len(self.open))]

    def limits(self, queue: str) -> tuple[int, int]:
        """Return how many messages, and bytes, may wait in one of them."""
        if queue == self.documented:
            return LIMIT, LIMIT_BYTES
        number = len(self.parts if queue in self.parts else self.before)
        return LIMIT // number, max(LIMIT_BYTES // number, MIN_BYTES)


def _names(settings: config.Settings, number: int, epoch: int) -> tuple[str, ...]:
    if number == 1:
        return (settings.listener.queue,)
    return tuple(settings.data_queue(epoch, part) for part in range(number))


def marker(epoch: int) -> bytes:
    """Return the message that is the end of a queue, for those who wait for the queues of an epoch."""
    return encode_json(MetricLines(protocol=MARKER, data=[str(epoch)]))


def declare(bus: Bus, queues: DataQueues) -> None:
    """Make sure that the queues exist that are put into, or stored from."""
    for queue in queues.every:
        if queue in queues.before and not queues.draining and queue != queues.documented:
            continue  # it is about to be deleted
        limit, limit_bytes = queues.limits(queue)
        bus.declare_queue(queue, limit=limit, limit_bytes=limit_bytes)


class KnownQueues:
    """The queues of an installation as they are, as far as one knows. Safe to use from several threads."""

    def __init__(
        self, look: Callable[[], DataQueues], ensure_open: Callable[[], None] = lambda: None
    ) -> None:
        """`look` returns how they are; `ensure_open` opens their gate, when that of those before is closed."""
        self._look = look
        self.ensure_open = ensure_open
        self.now = look()

    def look_again(self) -> DataQueues:
        """Return how they are. Raises DependencyUnavailable."""
        self.now = self._look()
        return self.now

    def publish(self, bus: Bus, messages: Callable[[DataQueues], Sequence[Outgoing]]) -> None:
        """Publish messages that are made for the queues as they are; they are made again if these are others meanwhile.

        Raises what `Bus.publish` does, and RepositoryUnavailable.
        """
        while True:
            queues = self.now
            try:
                bus.publish(messages(queues), gate=queues.gate)
            except GateClosed:
                if self.look_again().epoch == queues.epoch:
                    self.ensure_open()
            else:
                return


def known(settings: config.Settings, database: Database, bus: Bus) -> KnownQueues:
    """Return the queues of an installation; they are declared, and their gate is open."""
    from htmengine.repository import queue_layout  # here, since SQLAlchemy takes long to import

    layout: QueueLayout | None = None
    queues = DataQueues(settings.listener.queue)

    def look() -> DataQueues:
        nonlocal layout, queues
        with database.read() as conn:
            found = queue_layout.read(conn)
        if layout and found.age <= layout.age:  # or another thread has looked since
            return queues
        before, now = queues, DataQueues.of(settings, found)
        declare(bus, now)
        for queue in set(before.every).difference(now.every):
            bus.delete_queue(queue)  # nobody takes from it any more, and it must not be made again
        layout, queues = found, now
        return now

    def ensure_open() -> None:
        """Open the gate. Nobody opens one that was closed: whoever changes the number waits meanwhile."""
        queues = look()
        assert queues.gate
        if bus.is_open(queues.gate) and not queues.draining:
            return
        database.sync()  # what is closed stays closed when the machine fails, so what is said must stay, too
        with database.write() as conn:
            queues = DataQueues.of(settings, queue_layout.locked(conn, shared=True))
            assert queues.gate
            if queues.gate_before:
                # First: what somebody puts into the new queues must not be overtaken by what others put into the old ones.
                bus.close_gate(queues.gate_before)
            declare(bus, queues)
            bus.open_gate(queues.gate, queues.open)

    found = KnownQueues(look, ensure_open)
    found.ensure_open()
    return found
