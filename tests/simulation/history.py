"""One history: samples on their way through the pipeline, whatever happens, and what is left at the end."""

from __future__ import annotations

import logging
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from sqlalchemy import Connection, select

from benchmarks.chaos.oracle import Verdict, judge
from benchmarks.fleet import FIRST_TIMESTAMP, Fleet
from htmengine import config
from htmengine.admin import backfill
from htmengine.admin.data_queues import StillDraining, divide
from htmengine.bus import Outgoing
from htmengine.errors import DependencyUnavailable
from htmengine.incidents import teaching
from htmengine.messages import decode_results_batch
from htmengine.model_swapper import model_scheduler_service
from htmengine.repository import metrics, queue_layout, schema, teachings
from htmengine.repository.opening import open_database
from htmengine.repository.queue_layout import QueueLayout
from htmengine.repository.times import epoch_seconds
from htmengine.runtime.anomaly_service import stage as anomaly_service
from htmengine.runtime.metric_storer.division import Division
from htmengine.runtime.metric_storer.service import WORKS as STORING
from htmengine.service import context as contexts
from htmengine.service import loop
from htmengine.service.context import Context
from htmengine.service.data_queues import DataQueues, known
from htmengine.service.lines import line_messages, publish_lines
from tests.simulation.disk import Disk
from tests.simulation.machine import Faults, Machine, Process, Stop, drawn
from tests.simulation.parts import SimulatedBus, database_of, simulated

METRICS, SAMPLES = 3, 40
SHARDS = 2
DAY_S = 86_400
DATA_QUEUES = 3
"""Where samples are divided among several storers."""


def _stage(build: Callable[[Context], Any]) -> Callable[[Context], None]:
    return lambda context: loop.run(build(context), context.bus, context.stop, step=context.step)


SERVICES: dict[str, Callable[[Context], None]] = {
    **STORING,
    "model_scheduler": _stage(model_scheduler_service.build),
    "anomaly_service": _stage(anomaly_service.build),
}
DIVIDER = "divider"
"""Changes the number of queues; it is killed and started again as services are."""
SUBSCRIBER = "simulation.subscriber"
_SCORED = (
    "SELECT name, metric_watermark.scored_rowid FROM metric JOIN metric_watermark USING (uid) ORDER BY name"
)
_BEHIND = "SELECT count(*) FROM metric JOIN metric_watermark USING (uid) WHERE metric_watermark.scored_rowid < last_rowid"
FILES = ["repository.sqlite", "bus.sqlite", "checkpoints/checkpoints.sqlite"]
CHANCES = {
    "switch": 0.3,
    "pause": 0.003,
    "declared_dead": 0.3,
    "kill": 0.004,
    "unavailable": 0.005,
    "duplicate": 0.05,
    "delay": 0.1,
    "set_clock": 0.002,
    "sync": 0.005,
}
POWER_FAILURE = 0.0015
"""With each turn, in one of four histories."""
REST_S = 3600.0
"""When nothing happens any more, everything comes to rest within this time."""


@dataclass
class Result:
    """What a history came to."""

    seed: int
    verdict: Verdict
    failures: list[str]
    story: list[str]
    turns: int

    @property
    def is_kept(self) -> bool:
        """Whether the promise was."""
        return not self.faults

    @property
    def faults(self) -> list[str]:
        """What was wrong, for a person."""
        found = [
            f"{name.replace('_', ' ')}: {count}" for name, count in self.verdict._asdict().items() if count
        ]
        return found + self.failures


@cache
def fleet(metrics: int, samples: int) -> Fleet:
    """Return the samples, the same in all histories: a wave, noise, and now and then a jump."""
    random = np.random.default_rng(metrics)
    turns = np.arange(samples) / (3 + np.arange(metrics)[:, None])
    values = 10 * np.sin(turns) + random.normal(size=(metrics, samples))
    values[random.random(values.shape) < 0.05] += 40
    return Fleet([f"metric.{number}" for number in range(metrics)], np.round(values, 3))


@cache
def _template(data_queues: int) -> dict[str, bytes]:
    """Return the files of an installation before its first sample: to make them takes long."""
    with tempfile.TemporaryDirectory(prefix="simulation-", dir=_memory()) as name:
        folder = Path(name)
        with contexts.opened(_settings(folder)) as context:
            store = model_scheduler_service.open_checkpoint_store(context.settings, context.database)
            with context.database.write() as conn:
                queue_layout.store(conn, QueueLayout(data_queues))
            context.queues.look_again()
            context.queues.ensure_open()
            context.bus.declare_queue(SUBSCRIBER)
            context.bus.bind(SUBSCRIBER, context.settings.batches_exchange)
        store._database.close()
        return {file: (folder / file).read_bytes() for file in FILES}


def _memory() -> str | None:
    """Return the folder of a disk in memory, where there is one."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def _settings(folder: Path, **scheduler: Any) -> config.Settings:
    settings = config.embedded(folder)
    storer = msgspec.structs.replace(settings.storer, compress_rows=True)
    settings = msgspec.structs.replace(settings, storer=storer, shards=SHARDS)
    return settings.with_scheduler(**scheduler) if scheduler else settings


@dataclass
class History:
    """A machine with an installation, and those who send and subscribe."""

    seed: int
    folder: Path
    fleet: Fleet
    machine: Machine = field(init=False)

    def __post_init__(self) -> None:
        self.machine = Machine(self.seed, started_at=FIRST_TIMESTAMP + 30 * DAY_S)
        chance = self.machine.random
        data_queues = chance.choice((1, DATA_QUEUES))
        self.changes = chance.choice(
            ([], [], [chance.randint(1, 4)], [chance.randint(1, 4), chance.randint(1, 4)])
        )
        """What the number of queues becomes while samples come."""
        self.changing = bool(self.changes)
        for name, content in _template(data_queues).items():
            path = self.folder / "disk" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        self.disk = Disk(self.folder / "disk", FILES)
        self.scheduler = {
            "requests_per_checkpoint": chance.choice((1, 5, 20)),
            "chunk_size": chance.choice((3, 8, 100)),
            "resident_bytes": chance.choice((1, 150_000, 1 << 30)),
        }
        self.instances = {name: chance.choice((1, 1, 2)) for name in SERVICES}
        """Of each service; where there are two, they share the queues, or one stands by."""
        self.divides = chance.random() < 0.5
        """Whether the sender of live samples puts them into the queues of their metrics, or into the documented one."""
        self.is_taught = chance.random() < 0.5
        self.lessons = 0
        """How often somebody has taught a model, or taken it back."""
        self.life = 0
        """After a loss senders say something else of the same times."""
        self.published: list[tuple[str, int]] = []
        self.sending = 0
        """Senders that are not done yet."""
        self.machine.on_end = self._ended

    # -- What runs

    def boot(self) -> None:
        """Start everything."""
        for name, count in self.instances.items():
            for _ in range(count):
                self.start(name)
        self.start("sender")
        self.start("subscriber")
        if self.is_taught:
            self.start("teacher")
        if self.changing:
            self.start(DIVIDER)

    def start(self, name: str) -> None:
        """Start a process."""
        machine = self.machine
        process = machine.process(name, mortal=name in SERVICES or name == DIVIDER)
        if name == "sender":
            self.sending = 1
        works = {
            **SERVICES,
            "teacher": self._teach,
            "sender": self._send,
            "subscriber": self._subscribe,
            DIVIDER: self._divide,
        }
        machine.start(process, lambda: self._run(process, works[name]))

    def _run(self, process: Process, work: Callable[[Context], None]) -> None:
        try:
            work(self._context(process))
        except DependencyUnavailable as error:
            if process.name == "sender":  # for which everything is always there
                self.machine.failures.append(f"the sender found something missing: {error}")
            raise
        process.ends = process.name in SERVICES

    def _context(self, process: Process) -> Context:
        machine = self.machine
        settings = _settings(self.disk.folder, **self.scheduler)
        bus = SimulatedBus(process, self.disk.path("bus.sqlite"), settings)
        contexts.declare(bus.inner, settings, SHARDS)
        disk, repository = self.disk, "repository.sqlite"
        database = database_of(process, disk.path(repository), lambda: disk.sync(repository))
        return Context(
            settings=settings,
            bus=bus,  # type: ignore[arg-type]
            database=database,
            shards=SHARDS,
            queues=known(settings, database, bus),  # type: ignore[arg-type]
            step=process.point,
            stop=Stop(machine),  # type: ignore[arg-type]
            clock=machine.clock,
            timer=machine.timer,
        )

    def _ended(self, process: Process) -> None:
        """Start a service that died again, a while later."""
        machine = self.machine
        keeper = machine.process(f"start of {process.name}", mortal=False)

        def again() -> None:
            machine.sleep(machine.random.choice((0.1, 1.0, 20.0)))
            self.start(process.name)

        machine.start(keeper, again)

    # -- Who sends and subscribes

    def _send(self, context: Context) -> None:
        """Send all samples in their order, the history of the last metric by itself while its live samples come."""
        chance, names = self.machine.random, self.fleet.names
        pauses = (0.0, 0.1, 1.0)
        listeners = [context]
        if (
            self.changing
        ):  # while which samples come, through two of which one may hear of it before the other
            pauses = (0.0, 0.1, 1.0, 4.0)
            listeners.append(self._context(self.machine.current))

        def listener() -> Context:
            if self.changing and chance.random() < 0.15:  # one that is started again reads what holds
                listeners[1] = self._context(self.machine.current)
            return chance.choice(listeners)

        samples = self.fleet.values.shape[1]
        half = samples // 2
        history = [self._line(len(names) - 1, sample) for sample in range(half)]
        with backfill.begun(context, names[-1]) as publish:
            sent = 0
            while sent < half or history:
                if history and chance.random() < 0.5:
                    count = chance.randint(1, 15)
                    publish(history[:count])
                    del history[:count]
                elif sent < half:
                    sent = self._send_live(listener(), sent, half, range(len(names) - 1))
                self.machine.sleep(chance.choice(pauses))
            live = chance.randint(half, samples)
            while sent < live:
                sent = self._send_live(listener(), sent, live, range(len(names)))
        while sent < samples:
            sent = self._send_live(listener(), sent, samples, range(len(names)))
            self.machine.sleep(chance.choice((*pauses, 10.0)))
        self.sending = 0

    def _divide(self, context: Context) -> None:
        """Change the number of queues while samples come."""
        while self.changes and self.sending:
            self.machine.sleep(self.machine.random.choice((0.1, 1.0, 4.0)))
            with suppress(StillDraining):
                layout = divide(context, self.changes[0])
                self.machine.note(f"the queues are {layout}")
                self.changes = self.changes[1:]

    def _teach(self, context: Context) -> None:
        """Teach models, and take some of it back, while samples come."""
        chance = self.machine.random
        while self.sending:
            self.machine.sleep(chance.choice((0.3, 1.0, 3.0)))
            self.lessons += 1
            now = self.lessons * DAY_S
            with context.database.read() as conn:
                known = metrics.states_by_name(conn, self.fleet.names)
                taught = [one.label for own in teachings.read_all(conn).values() for one in own]
            if taught and chance.random() < 0.4:
                teaching.take_back(context.database, [chance.choice(taught)], by="", now=now)
            elif known:
                state = known[chance.choice(sorted(known))]
                with suppress(teaching.CannotTeach):  # one that has no samples yet
                    teaching.teach(context.database, self._lesson(state, now))

    def _lesson(self, state: metrics.MetricState, now: int) -> teaching.Wanted:
        """Return a span of the samples that came, of which some expire before the last sample."""
        chance = self.machine.random
        first = chance.randint(0, max(state.last_rowid - 1, 0))
        begins = int(self.fleet.timestamp(first))
        return teaching.Wanted(
            state.uid,
            kind="normal",
            how=chance.choice(teachings.HOWS),
            begins=begins,
            ends=begins + int(self.fleet.timestamp(chance.randint(0, 8)) - self.fleet.timestamp(0)),
            created=now,
            expires=chance.choice((None, (state.tail_timestamp or 0) + chance.randint(1, 900))),
        )

    def _send_live(self, context: Context, sent: int, until: int, metrics: range) -> int:
        upto = min(until, sent + self.machine.random.randint(1, 3 if self.changing else 8))
        lines = [self._line(metric, sample) for sample in range(sent, upto) for metric in metrics]
        if self.divides:  # as the listener

            def messages(queues: DataQueues) -> list[Outgoing]:
                parts = Division(context.settings.storer, "sender").of(queues, lines)
                return [
                    message
                    for queue, part in parts.items()
                    for message in line_messages(queue, part.lines, accepted_at=context.clock())
                ]

            context.queues.publish(context.bus, messages)
        else:
            publish_lines(context, lines)
        return upto

    def _line(self, metric: int, sample: int) -> str:
        return f"{self.fleet.names[metric]} {self._value(metric, sample)!r} {self.fleet.timestamp(sample)}"

    def _value(self, metric: int, sample: int, life: int | None = None) -> float:
        return float(self.fleet.values[metric, sample]) + 0.125 * (self.life if life is None else life)

    def _subscribe(self, context: Context) -> None:
        with context.bus.consume([SUBSCRIBER]) as consumer:
            while True:
                deliveries = consumer.receive(max_messages=100, timeout_s=1.0)
                for delivery in deliveries:
                    rows = decode_results_batch(delivery.body).rows
                    self.published += [(row.name, row.rowid) for row in rows]
                consumer.ack(deliveries)

    # -- What happens

    def run(self, faults: Faults) -> Result:
        """Let everything happen, then come to rest, and judge."""
        machine, turns = self.machine, 0
        with simulated(machine):
            self.boot()
            machine.faults = faults
            while self.sending or machine.random.random() > 0.002:
                machine.turn()
                self._happen(faults)
                turns += 1
            machine.note("nothing happens any more")
            machine.faults = Faults(switch=faults.switch)
            turns += self._rest()
            verdict = self._judge()
            for process in machine.processes:
                if not process.dead:
                    machine.end_at_once(process)
            self.disk.close()
        return Result(self.seed, verdict, machine.failures, machine.story, turns)

    def _happen(self, faults: Faults) -> None:
        """Let happen what concerns the whole machine."""
        machine, chance = self.machine, self.machine.random
        drawn = chance.random()
        if (drawn := drawn - faults.set_clock) < 0:
            machine.set_clock(chance.choice((-3600, 3600, -2 * DAY_S, 2 * DAY_S)))
        elif (drawn := drawn - faults.sync) < 0:
            chance.choice((self.disk.sync, self.disk.write_back))(chance.choice(FILES))
        elif drawn - faults.power_failure < 0:
            self._power_failure()

    def _power_failure(self) -> None:
        """Let the machine fail and start again; senders send all that they have once more."""
        machine, before = self.machine, self.disk
        folder = self.folder / f"disk-{machine.now}"
        self.disk, lost = before.after_power_failure(folder, machine.random)
        machine.note(f"power failure: {lost}")
        machine.restart()
        before.close()
        shutil.rmtree(before.folder)
        with closing(sqlite3.connect(self.disk.path("repository.sqlite"))) as repository:
            # What was published of them may be lost with the subscriber's queue: nobody promises otherwise.
            for name, scored in repository.execute(_SCORED):
                self.published += [(name, rowid) for rowid in range(1, scored + 1)]
        self.life += 1
        self.boot()

    def _rest(self) -> int:
        """Let the pipeline work until nothing moves; return the number of turns."""
        machine, turns = self.machine, 0
        end = machine.now + REST_S
        with (
            closing(sqlite3.connect(self.disk.path("bus.sqlite"))) as bus,
            closing(sqlite3.connect(self.disk.path("repository.sqlite"))) as repository,
        ):
            while machine.now < end:
                until = machine.now + 2.0
                while machine.now < until:
                    machine.turn()
                    turns += 1
                (waiting,) = bus.execute("SELECT sum(length) FROM queue").fetchone()
                (behind,) = repository.execute(_BEHIND).fetchone()
                if not waiting and not behind:
                    break
        machine.now += 601.0  # hours that were not seen whole are looked for every ten minutes
        until = machine.now + 3.0
        while machine.now < until:
            machine.turn()
            turns += 1
        return turns

    def _judge(self) -> Verdict:
        database = open_database(config.Repository(path=self.disk.path("repository.sqlite")))
        try:
            with database.read() as conn:
                if queue_layout.read(conn).draining:
                    self.machine.failures.append("the queues of before are not done with")
                return judge(conn, self._stored_lives(conn), self.published)
        finally:
            database.close()

    def _stored_lives(self, conn: Connection) -> Fleet:
        """Return the fleet with the values that may be stored: of each sample, those of one life."""
        values = self.fleet.values.copy()
        data, metric = schema.metric_data.c, schema.metric.c
        times = {self.fleet.timestamp(sample): sample for sample in range(values.shape[1])}
        for number, name in enumerate(self.fleet.names):
            rows = conn.execute(
                select(epoch_seconds(data.timestamp), data.metric_value)
                .join(schema.metric, metric.uid == data.uid)
                .where(metric.name == name)
            )
            for timestamp, value in rows:
                sample = times.get(timestamp)
                if sample is not None and any(
                    value == self._value(number, sample, life) for life in range(self.life + 1)
                ):
                    values[number, sample] = value
        return self.fleet._replace(values=values)


@contextmanager
def _quiet() -> Iterator[None]:
    """Log nothing: what happens here is reason enough for a thousand warnings."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def run(seed: int, *, calm: bool = False, **chances: float) -> Result:
    """Let a history happen; faults that `chances` names are as likely as it says, others as drawn."""
    with _quiet(), tempfile.TemporaryDirectory(prefix="history-", dir=_memory()) as folder:
        history = History(seed, Path(folder), fleet(METRICS, SAMPLES))
        faults = Faults(switch=0.3)
        if not calm:
            faults = drawn(history.machine, CHANCES)
            if history.machine.random.random() < 0.25:
                faults = replace(faults, power_failure=POWER_FAILURE)
        return history.run(replace(faults, **chances))
