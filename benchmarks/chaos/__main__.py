"""Kill -9 the engine again and again while a fleet's history is sent, then compare every row with a calm run.

    .venv/bin/python -m benchmarks.chaos --bus embedded --db sqlite --kills 20 --json
    .venv/bin/python -m benchmarks.chaos --bus rabbitmq --db mariadb --kills 20 --broker-kills 2 --database-kills 2 --json
    .venv/bin/python -m benchmarks.chaos --bus rabbitmq --db postgresql --storers 2 --schedulers 4 --json

With a broker the services are processes of their own, killed in turn; a broker and a database server are killed, too,
and started again after some seconds, and of the services one at the same time, which starts while the server is away.
Half of the kills come at random times; the others hit the process right after a named step, such as after a commit and
before the publication that follows. The sender sends everything again after each; `htmengine verify` runs after each. Compared are
values, scores, forecasts and usual values, alarms with their reasons, hours, and what was published.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection

from benchmarks.chaos.oracle import Verdict, judge
from benchmarks.chaos.sender import Sender
from benchmarks.fleet import Fleet, generate
from benchmarks.machine import machine
from benchmarks.running import SERVICES, Engine, free_port, scored_samples
from benchmarks.servers import DATABASES, application, explained, share
from htmengine.bus.opening import open_bus
from htmengine.config import Settings, embedded
from htmengine.errors import ExplainedError
from htmengine.messages import decode_results_batch
from htmengine.repository.opening import open_database
from tests.servers import ServerProcess

SUMMED_UP = "anomaly_service.summed_up"
STEPS = (
    "metric_storer.committed",
    "metric_storer.processed",
    "metric_storer.published",
    "metric_storer.acknowledged",
    "model_scheduler.scored",
    "model_scheduler.processed",
    "model_scheduler.published",
    "model_scheduler.acknowledged",
    "model_scheduler.checkpointed",
    "anomaly_service.committed",
    "anomaly_service.processed",
    "anomaly_service.published",
    "anomaly_service.acknowledged",
    SUMMED_UP,
)
ENGINE = "engine"
SUBSCRIBER = "chaos.subscriber"
QUEUES: Final = "queues"
"""In place of a program that is killed: the number of metric-data queues changes."""
STALLED_AFTER_S = 120.0
STEP_STALLED_AFTER_S = 5.0
"""When nothing was scored for so long, the step will not come any more."""
RESUMES_WITHIN_S = 30.0
MAX_OUTAGE_S = 5.0
"""Until a server is started again; it takes some seconds more."""
MAX_ENDS = 5
"""How often the engine is stopped in the end: a broker tells only then what services had taken and not worked on."""
MAX_STEPS = 10
"""A kill at a step comes at one of the first."""
SECONDS_PER_KILL = 1.0
SECONDS_PER_KILL_OF_ONE = 5.0
"""How long the history lasts for each kill, of the whole engine, or of one part while the others work on."""


class Installation:
    """An engine, whole or as services of their own, its settings, and the servers that it runs on."""

    def __init__(
        self, settings: Settings, programs: dict[str, Engine], servers: Mapping[str, ServerProcess]
    ) -> None:
        self.settings = settings
        self.programs = programs
        self.servers = servers
        self.faults: list[str] = []
        """What went wrong so far."""
        self._to_be_dead: set[str] = set(programs)
        """Programs that were killed, or not started yet."""

    @property
    def door(self) -> Engine:
        """The program that listens."""
        return next(iter(self.programs.values()))

    def start(self, steps: Mapping[str, str] = {}) -> bool:
        """Start what does not run, and return whether it listens; `steps` says at which step which program dies."""
        self._look()
        for name, program in self.programs.items():
            if name in steps and program.running:
                program.kill()
            if not program.running:
                program.start({"HTMENGINE_KILL_AT": steps[name]} if name in steps else None)
        self._to_be_dead = set(steps)
        if len(self.programs) > 1:
            for program in self.programs.values():
                program.wait_until_it_works()
        return self.door.wait_until_it_listens()

    def kill(self, name: str) -> None:
        """Kill a program."""
        self.programs[name].kill()
        self._to_be_dead.add(name)

    def restart(self, name: str) -> None:
        """Kill a program and start it, although it may have to wait for a server."""
        self.programs[name].kill()
        self.programs[name].start()

    def finish(self) -> None:
        """Let everything that was taken be done, and stop: what a kill left between two steps may still wait."""
        for _ in range(MAX_ENDS):
            self.start()
            deadline = time.monotonic() + STALLED_AFTER_S
            while not self.door.settled() and time.monotonic() < deadline:
                time.sleep(0.1)
            self.stop()
            if self.door.settled():
                break
        self.verify("the end", "--settled")

    def stop(self) -> None:
        """Stop everything."""
        self._look()
        for name, program in self.programs.items():
            if program.running and (code := program.stop()):
                self.faults.append(f"{name} stopped with exit code {code}")
        self._to_be_dead = set(self.programs)

    def _look(self) -> None:
        """Note which programs ended without being killed."""
        for name, program in self.programs.items():
            if not program.running and name not in self._to_be_dead:
                self._to_be_dead.add(name)
                self.faults.append(f"{name} ended by itself with exit code {program.wait(0)}")

    def verify(self, when: str, *options: str) -> None:
        """Note what `htmengine verify` finds; the servers must be up."""
        verified = self.door.command("verify", "--json", *options)
        if verified.returncode:
            told = f"{verified.stdout.decode()} {verified.stderr.decode()}"
            self.faults.append(f"after {when}: {told}")

    def scored(self) -> int:
        """Return how many samples are scored; 0 while nobody can tell."""
        with contextlib.suppress(ExplainedError), repository(self.settings) as conn:
            return scored_samples(conn)
        return 0

    def owner(self, step: str, chance: random.Random) -> str:
        """Return a program that passes a step."""
        service = step.partition(".")[0]
        owners = [name for name in self.programs if name.partition(" ")[0] == service]
        return chance.choice(owners) if owners else next(iter(self.programs))


@contextlib.contextmanager
def repository(settings: Settings) -> Iterator[Connection]:
    """Give a connection that reads, and close it: a SQLite file that is held open needs no recovery after a kill."""
    database = open_database(settings.repository)
    try:
        with database.read() as conn:
            yield conn
    finally:
        database.close()


def run(
    installation: Installation,
    *,
    kills: int,
    metrics: int,
    samples: int,
    seed: int,
    server_kills: Mapping[str, int] = {},
    queues: Sequence[int] = (),
) -> dict[str, Any]:
    """Carry out the kills and return the verdict with what was done.

    Parameters
    ----------
    kills : of the engine's programs.
    server_kills : how many besides of which of the installation's servers.
    queues : what the number of metric-data queues becomes, one after the other.
    """
    chance = random.Random(seed)
    fleet = generate(metrics, samples, seed=seed)
    plan = _plan(kills, server_kills)
    for position, count in reversed(list(enumerate(queues, 1))):
        plan.insert(round(len(plan) * position / (len(queues) + 1)), (QUEUES, count))
    # Without pauses the history would be over after the first kills.
    works_on = len(installation.programs) > 1 or server_kills
    lasts_s = (SECONDS_PER_KILL_OF_ONE if works_on else SECONDS_PER_KILL) * len(plan)
    sender = Sender(fleet, installation.door.port, lasts_s / samples)
    done: list[str] = []
    started = time.monotonic()
    try:
        subscribe(installation)
        sender.start()
        for position, (name, number) in enumerate(plan):
            # Kills are spread over the history: the next comes when a certain share of it is scored.
            goal = round(metrics * samples * (position + chance.random()) / (len(plan) + 1))
            if name == QUEUES:
                done.append(_change_queues(installation, goal, number))
            elif name in installation.servers:
                done.append(_kill_server(installation, name, fleet, chance, goal, number))
            else:
                done.append(_kill_once(installation, fleet, chance, goal, number))
            installation.verify(done[-1])
        installation.start()
        _wait_for(installation, installation.door, metrics * samples, STALLED_AFTER_S)
        sender.stop()
        installation.finish()
    finally:
        sender.stop()
    seen = published(installation.settings)
    with repository(installation.settings) as conn:
        verdict = judge(conn, fleet, seen)
    return {
        **verdict._asdict(),
        "faults": installation.faults,
        "kills": kills,
        "server_kills": dict(server_kills),
        "killed_at": done,
        "metrics": metrics,
        "samples": samples,
        "connections": sender.connections,
        "seconds": round(time.monotonic() - started, 1),
        "seed": seed,
        "machine": machine(),
    }


def _plan(kills: int, server_kills: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return what to kill one after the other, and for which time: the engine, and evenly between, servers in turn."""
    servers = sorted((number, name) for name, count in server_kills.items() for number in range(count))
    plan = [(ENGINE, number) for number in range(kills)]
    for position, (number, name) in reversed(list(enumerate(servers, 1))):
        plan.insert(round(kills * position / (len(servers) + 1)), (name, number))
    return plan


def subscribe(installation: Installation) -> None:
    """Start the engine once so that its exchanges exist, and bind a queue that keeps everything."""
    installation.start()
    bus = open_bus(installation.settings)
    try:
        exchange = installation.settings.batches_exchange
        bus.declare_exchange(exchange)
        bus.declare_queue(SUBSCRIBER)
        bus.bind(SUBSCRIBER, exchange)
    finally:
        bus.close()
    installation.stop()


def published(settings: Settings) -> list[tuple[str, int]]:
    """Take what the queue has kept: metric and rowid of every row, in the order in which they came."""
    seen = []
    bus = open_bus(settings)
    try:
        with bus.consume([SUBSCRIBER]) as consumer:
            while deliveries := consumer.receive(max_messages=500, timeout_s=2.0):
                for delivery in deliveries:
                    seen += [(row.name, row.rowid) for row in decode_results_batch(delivery.body).rows]
                consumer.ack(deliveries)
    finally:
        bus.close()
    return seen


def _kill_once(
    installation: Installation, fleet: Fleet, chance: random.Random, goal: int, number: int
) -> str:
    if number % 2 == 1:
        step = chance.choice(STEPS)
        # Hours are summed up once after a start.
        step = f"{step}:{1 if step == SUMMED_UP else chance.randint(1, MAX_STEPS)}"
        name = installation.owner(step, chance)
        victim = installation.programs[name]
        # It dies by itself, unless the step does not come often enough.
        if installation.start({name: step}):
            _wait_for(installation, victim, fleet.values.size, STEP_STALLED_AFTER_S)
        if not victim.running:
            return step
        installation.kill(name)
        return f"{name} at random, {step} did not come"
    name = list(installation.programs)[number // 2 % len(installation.programs)]
    if installation.start():
        _wait_for(installation, installation.programs[name], goal, 20.0)
        time.sleep(chance.random() * 0.3)
    installation.kill(name)
    return f"{name} at random"


def _kill_server(
    installation: Installation, name: str, fleet: Fleet, chance: random.Random, goal: int, number: int
) -> str:
    installation.start()
    _wait_for(installation, installation.door, goal, 20.0)
    server, before = installation.servers[name], installation.scored()
    programs = list(installation.programs)
    restarted = programs[(number + 1) % len(programs)] if len(programs) > 1 else None
    server.kill()
    killed = time.monotonic()
    if restarted:
        installation.restart(restarted)
    time.sleep(chance.random() * MAX_OUTAGE_S)
    server.start()
    away_s = time.monotonic() - killed
    _wait_for(installation, installation.door, min(before + 1, fleet.values.size), RESUMES_WITHIN_S)
    return f"{name} at random, away for {away_s:.1f} s" + (f", {restarted} with it" if restarted else "")


def _change_queues(installation: Installation, goal: int, count: int) -> str:
    """Let samples be divided among another number of queues while they come."""
    installation.start()
    _wait_for(installation, installation.door, goal, 20.0)
    deadline = time.monotonic() + STALLED_AFTER_S
    while True:
        changed = installation.door.command("queues", str(count))
        if not changed.returncode:
            break
        if time.monotonic() > deadline:  # the last change goes on
            installation.faults.append(f"the queues did not become {count}: {changed.stderr.decode()}")
            break
        time.sleep(0.5)
    return f"queues become {count}"


def _wait_for(installation: Installation, program: Engine, goal: int, stalled_after_s: float) -> None:
    """Wait until so many samples are scored, or nothing was for a while, or the program is dead."""
    last, since = -1, time.monotonic()
    while program.running and time.monotonic() - since < stalled_after_s:
        scored = installation.scored()
        if scored >= goal:
            return
        if scored != last:
            last, since = scored, time.monotonic()
        time.sleep(0.1)


@contextlib.contextmanager
def installed(bus: str, db: str, folder: Path, instances: Mapping[str, int] = {}) -> Iterator[Installation]:
    """Give an engine, in one process, or with a broker as services of their own; see `application` for the servers.

    What runs in the end is killed. `instances`: of services of their own, how many of each.
    """
    with _on_servers(bus, db, folder, instances) as installation:
        try:
            yield installation
        finally:
            for name in installation.programs:
                installation.kill(name)


@contextlib.contextmanager
def _on_servers(bus: str, db: str, folder: Path, instances: Mapping[str, int]) -> Iterator[Installation]:
    if (bus, db) == ("embedded", "sqlite"):
        yield Installation(embedded(folder), {ENGINE: Engine(folder, free_port())}, {})
        return
    checkpoint_store = "sqlite" if db == "sqlite" else "repository"  # as in a new installation
    with application(bus, db, folder, checkpoint_store=checkpoint_store) as app:
        share(app.settings.repository, instances.get("metric_storer", 1))
        port, data = free_port(), folder / "app" / "data"
        if bus == "embedded":
            programs = {ENGINE: Engine(data, port, app.directory)}
        else:
            programs = {name: Engine(data, port, app.directory, name) for name in SERVICES}
            for name, count in instances.items():
                for number in range(2, count + 1):
                    log = folder / f"{name}-{number}"
                    programs[f"{name} {number}"] = Engine(log, port, app.directory, name)
        yield Installation(app.settings, programs, app.servers)


@explained()
def main() -> int:
    """Run and print; exit with 1 when the promise was broken."""
    parser = argparse.ArgumentParser(prog="benchmarks.chaos", description=__doc__.splitlines()[0])
    parser.add_argument("--bus", choices=["embedded", "rabbitmq"], default="embedded")
    parser.add_argument("--db", choices=["sqlite", *DATABASES], default="sqlite")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--broker-kills", type=int, default=2, help="of a broker, besides")
    parser.add_argument("--database-kills", type=int, default=2, help="of a database server, besides")
    parser.add_argument("--storers", type=int, default=1, help="with RabbitMQ and a database server")
    parser.add_argument("--schedulers", type=int, default=1, help="with RabbitMQ")
    parser.add_argument(
        "--queues", type=int, nargs="*", default=(), help="what the number of data queues becomes meanwhile"
    )
    parser.add_argument("--metrics", type=int, default=50)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, help="keep the engine's files here")
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = arguments.data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
        instances = {"metric_storer": arguments.storers, "model_scheduler": arguments.schedulers}
        installation = stack.enter_context(installed(arguments.bus, arguments.db, folder, instances))
        server_kills = {"broker": arguments.broker_kills, "database": arguments.database_kills}
        result = run(
            installation,
            kills=arguments.kills,
            metrics=arguments.metrics,
            samples=arguments.samples,
            seed=arguments.seed,
            server_kills={name: server_kills[name] for name in installation.servers},
            queues=arguments.queues,
        )
        result |= {"bus": arguments.bus, "db": arguments.db, "instances": instances}
    print(json.dumps(result) if arguments.json else json.dumps(result, indent=2))
    return 1 if any(result[name] for name in (*Verdict._fields, "faults")) else 0


if __name__ == "__main__":
    sys.exit(main())
