"""The bus and the repository of a simulated process: the embedded ones, at whose edges faults are drawn."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import patch

from greenlet import getcurrent, greenlet
from sqlalchemy import Connection

from htmengine import config
from htmengine.admin import backfill
from htmengine.bus import BusUnavailable, Delivery, Fanout, Outgoing
from htmengine.bus.embedded import bus as embedded_bus
from htmengine.bus.embedded import ownership
from htmengine.bus.embedded.bus import EmbeddedBus
from htmengine.model_swapper import checkpoint_store, checkpoint_writer, model_input
from htmengine.model_swapper.checkpoint_store import CheckpointStore
from htmengine.repository import checkpoints, metrics, sqlite_file
from htmengine.repository.checkpoints import StoredCheckpoint
from htmengine.repository.database import Database
from htmengine.repository.embedded import compaction, merging
from htmengine.repository.embedded import rows as embedded_rows
from htmengine.repository.errors import RepositoryUnavailable
from htmengine.repository.opening import open_database
from htmengine.runtime.metric_storer import compactor, lane
from htmengine.sqlite.presence import Presence
from htmengine.system.processes import Process as Identity
from tests.simulation.machine import Machine, Process, Threading

POLL_S = 0.2
SEPARATELY = 0.3
"""How often messages are published in one step and the others acknowledged in the next."""


class SimulatedBus:
    """An embedded bus of one process."""

    def __init__(self, process: Process, path: Path, settings: config.Settings) -> None:
        machine = process.machine
        self.process = process
        self._settings = settings
        self.inner = EmbeddedBus(path, clock=machine.clock, timer=machine.timer)
        process.on_death.append(self.inner.file.close)

    def __getattr__(self, name: str) -> Any:
        self.process.point(f"bus.{name}")
        return getattr(self.inner, name)

    def is_ordered(self, queue: str) -> bool:
        """Tell whether a queue's order counts."""
        return queue == self._settings.listener.queue or self._settings.is_data_queue(queue)

    def publish(self, messages: Sequence[Outgoing | Fanout], *, gate: str | None = None) -> None:
        with self.publishing(messages) as all_of_them:
            self.inner.publish(all_of_them, gate=gate)

    @contextmanager
    def publishing(self, messages: Sequence[Outgoing | Fanout]) -> Iterator[Sequence[Outgoing | Fanout]]:
        """Give what is published of these messages: some of them twice. Or something goes wrong, before or behind it."""
        process = self.process
        process.point("bus.publish")
        process.draw_unavailable(BusUnavailable, "the bus did nothing")
        machine = process.machine
        doubled = [
            message
            for message in messages
            if isinstance(message, Outgoing) and machine.random.random() < machine.faults.duplicate
        ]
        yield [*messages, *doubled]
        machine.wake(machine.receiving)
        process.point("bus.published")
        process.draw_unavailable(BusUnavailable, "the bus did it, and did not say so")

    def consume(self, queues: Sequence[str]) -> SimulatedConsumer:
        self.process.point("bus.consume")
        return SimulatedConsumer(self, queues)


class SimulatedConsumer:
    """A consumer whose deliveries may come late, and behind others; and which may be taken for dead."""

    def __init__(self, bus: SimulatedBus, queues: Sequence[str]) -> None:
        self._bus = bus
        self._queues = queues
        self._inner = bus.inner.consume(queues)
        self._is_cut_off = False
        self._late: list[Delivery] = []
        bus.process.on_declared_dead.append(self.cut_off)

    def cut_off(self) -> None:
        """Give others what this consumer has; it finds out when it receives next, and begins anew."""
        self._inner.close()
        self._is_cut_off = True
        self._late.clear()

    def receive(self, *, max_messages: int, timeout_s: float) -> list[Delivery]:
        process = self._bus.process
        machine = process.machine
        process.point("bus.receive")
        if self._is_cut_off:
            self._inner = self._bus.inner.consume(self._queues)
            self._is_cut_off = False
        found = self._received(max_messages)
        if not found and timeout_s:
            task = machine.running
            assert task is not None
            machine.receiving.append(task)
            try:
                machine.sleep(min(timeout_s, POLL_S) if self._late else timeout_s)
            finally:
                machine.receiving.remove(task)
            found = self._received(max_messages)
        return found

    def _received(self, max_messages: int) -> list[Delivery]:
        if self._is_cut_off:  # while it waited
            return []
        process = self._bus.process
        machine = process.machine
        came = [*self._late, *self._inner.receive(max_messages=max_messages, timeout_s=0.0)]
        # An owner that is to give a queue away is not asked twice for what it has.
        late = [
            delivery
            for delivery in came
            if process.mortal
            and not self._bus.is_ordered(delivery.queue)
            and machine.random.random() < machine.faults.delay
        ]
        self._late = late
        return [delivery for delivery in came if delivery not in late] if late else came

    def still_has(self, deliveries: Sequence[Delivery]) -> bool:
        return not self._is_cut_off and self._inner.still_has(deliveries)

    def ack(self, deliveries: Sequence[Delivery]) -> None:
        self._bus.process.point("bus.ack")
        if not self._is_cut_off:
            self._inner.ack(deliveries)
        self._bus.process.point("bus.acked")
        self._bus.process.draw_unavailable(BusUnavailable, "it is acknowledged, and that was not said")

    def publish_and_ack(
        self, messages: Sequence[Outgoing | Fanout], done: Sequence[Delivery], *, gate: str | None = None
    ) -> None:
        """In one transaction, or, as brokers do it, one after the other."""
        if not messages:
            self.ack(done)
        elif self._bus.process.machine.random.random() < SEPARATELY:
            self._bus.publish(messages, gate=gate)
            self.ack(done)
        else:
            with self._bus.publishing(messages) as all_of_them:
                self._inner.publish_and_ack(all_of_them, () if self._is_cut_off else done, gate=gate)

    def dead_letter(self, delivery: Delivery, reason: str) -> None:
        self._bus.process.machine.failures.append(f"a dead letter: {reason}")
        self._inner.dead_letter(delivery, reason)

    def close(self) -> None:
        if not self._bus.process.dead:
            self._inner.close()

    def __enter__(self) -> SimulatedConsumer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def database_of(process: Process, path: Path, sync: Callable[[], None] = lambda: None) -> Database:
    """Return a database of one process, at whose transactions others run and faults are drawn.

    `sync` : brings its file to the simulated disk.
    """
    database = open_database(config.Repository(path=path))
    read, write = database.read, database.write
    process.on_death.append(database.close)

    @contextmanager
    def reading() -> Iterator[Connection]:
        process.point(f"{path.stem}.read")
        process.draw_unavailable(RepositoryUnavailable, "the repository does not answer")
        with process.transaction(), read() as conn:
            yield conn

    @contextmanager
    def writing() -> Iterator[Connection]:
        process.point(f"{path.stem}.write")
        process.draw_unavailable(RepositoryUnavailable, "the repository did nothing")
        with process.transaction(), write() as conn:
            yield conn
        process.point(f"{path.stem}.committed")
        process.draw_unavailable(RepositoryUnavailable, "the connection was lost behind the commit")

    def syncing() -> None:
        process.point(f"{path.stem}.sync")
        sync()
        process.point(f"{path.stem}.synced")

    database.sync = syncing  # type: ignore[method-assign]
    database.read, database.write = reading, writing  # type: ignore[method-assign]
    return database


class _NoCheckpointer:
    """Nothing writes a log back but the simulated disk."""

    def __init__(self, *_: object) -> None:
        pass

    def wrote(self) -> None:
        pass

    def close(self) -> None:
        pass


class _Time:
    """Stands for the module `time` where a thread waits."""

    def __init__(self, machine: Machine) -> None:
        self.sleep = machine.sleep
        self.time = machine.clock
        self.monotonic = machine.timer


class _Numbers:
    """Stands for the module `uuid`: the same numbers in each run of a seed."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def uuid4(self) -> uuid.UUID:
        return uuid.UUID(int=self._machine.random.getrandbits(128), version=4)


@contextmanager
def _fence_watched(machine: Machine) -> Iterator[None]:
    """Tell of checkpoints that are written for a shard which somebody else has claimed.

    They do no harm to the scores, which are the same whoever makes them; but whoever claimed a shard relies on nobody else
    writing, and on what he deleted staying so.
    """
    write, store = CheckpointStore.write, checkpoints.store
    given: dict[greenlet, Mapping[int, int]] = {}  # by task: others run while one waits for the database

    def writing(
        self: CheckpointStore, some: Any, epochs: Mapping[int, int], **options: Any
    ) -> frozenset[int]:
        given[getcurrent()] = epochs
        return write(self, some, epochs, **options)

    def storing(conn: Connection, some: Sequence[StoredCheckpoint], **options: Any) -> None:
        epochs = given[getcurrent()]
        for shard in {checkpoint.shard for checkpoint in some}:
            if (owner := checkpoints.epoch(conn, shard)) != epochs.get(shard):
                machine.failures.append(
                    f"a checkpoint of shard {shard} was written under epoch {epochs.get(shard)}, while {owner} owns it"
                )
        store(conn, some, **options)

    with patch.object(CheckpointStore, "write", writing), patch.object(checkpoints, "store", storing):
        yield


@contextmanager
def simulated(machine: Machine) -> Iterator[None]:
    """Let the code of the services run on a simulated machine."""

    def this_process() -> Identity:
        return Identity(machine.current.number, "simulated")

    def opened(repository: config.Repository, **_: bool) -> Database:
        assert repository.path is not None
        return database_of(machine.current, repository.path)

    threads, numbers = Threading(machine), _Numbers(machine)
    with ExitStack() as stack:
        for where, name, what in (
            (ownership, "is_alive", lambda identity: machine.is_alive(identity.pid)),
            (embedded_bus, "this_process", this_process),
            (sqlite_file, "Checkpointer", _NoCheckpointer),
            (Presence, "is_gone", lambda self, connected=True: False),  # files stay, and to look takes long
            (checkpoint_writer, "threading", threads),
            (checkpoint_writer, "time", _Time(machine)),
            (checkpoint_store, "open_database", opened),
            (checkpoint_store, "_files_guard", nullcontext()),  # others run while a file is opened
            (backfill, "threading", threads),
            (backfill, "uuid", numbers),
            (metrics, "uuid", numbers),
            (model_input, "uuid", numbers),
            (embedded_rows, "MIN_RUN_ROWS", 12),  # so that a short history merges some runs
            (merging, "RUNS_TO_MERGE", 2),
            (compaction, "BLOCK_ROWS", 4),
            (compaction, "MIN_PIECE", 1),
            (compaction, "PLAIN_S", 0.0),
            (compactor, "MIN_MERGED_ROWS", 5),
            (lane, "AT_ONCE", 1),  # so that new metrics wait for each other
        ):
            stack.enter_context(patch.object(where, name, what))
        stack.enter_context(_fence_watched(machine))
        yield
