"""Kill -9 the engine again and again while a fleet's history is sent, then compare every row with a calm run.

    .venv/bin/python -m benchmarks.chaos --bus embedded --db sqlite --kills 20 --json

    .venv/bin/python -m benchmarks.chaos --bus rabbitmq --kills 20 --broker-kills 2 --json

With a broker the services are processes of their own, killed in turn, and the broker is killed, too. Half of the kills come at random times; the others hit the process right after a named step, such as after a commit and
before the publication that follows. The sender sends everything again after each; `htmengine verify` runs after each.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.chaos.oracle import judge
from benchmarks.chaos.sender import Sender
from benchmarks.fleet import Fleet, generate
from benchmarks.machine import machine
from benchmarks.running import SERVICES, Engine, free_port
from benchmarks.servers import configure, private_broker
from htmengine.bus.opening import open_bus
from htmengine.config import Settings, embedded, load
from htmengine.messages import decode_results_batch
from tests.servers import RabbitMQ

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
)
SUBSCRIBER = "chaos.subscriber"
STALLED_AFTER_S = 120.0
STEP_STALLED_AFTER_S = 5.0
"""When nothing was scored for so long, the step will not come any more."""
MOST_STEPS = 30
SECONDS_PER_KILL = 5.0
SAMPLES_PER_STEP = 3000
"""In short runs kills come at the first steps, since there are fewer."""


class Installation:
    """An engine, whole or as services of their own, its settings, and its broker if it has one."""

    def __init__(
        self, settings: Settings, programs: dict[str, Engine], broker: RabbitMQ | None = None
    ) -> None:
        self.settings = settings
        self.programs = programs
        self.broker = broker
        self._to_be_dead: set[str] = set(programs)
        """Programs that were killed, or not started yet."""

    @property
    def door(self) -> Engine:
        """The program that listens."""
        return next(iter(self.programs.values()))

    def start(self, steps: Mapping[str, str] = {}) -> bool:
        """Start what does not run, and return whether it listens; `steps` says at which step which program dies."""
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

    def dead(self) -> list[str]:
        """Return the programs that ended without being killed."""
        return [
            name
            for name, program in self.programs.items()
            if name not in self._to_be_dead and not program.running
        ]

    def stop(self) -> list[str]:
        """Stop everything, and return what did not end well."""
        codes = {name: program.stop() for name, program in self.programs.items()}
        return [f"{name} stopped with exit code {code}" for name, code in codes.items() if code]

    def owner(self, step: str) -> str:
        """Return the program that passes a step."""
        return step.partition(".")[0] if len(self.programs) > 1 else next(iter(self.programs))


def run(
    installation: Installation,
    *,
    kills: int,
    metrics: int,
    samples: int,
    seed: int,
    broker_kills: int = 0,
) -> dict[str, Any]:
    """Carry out the kills and return the verdict with what was done."""
    chance = random.Random(seed)
    fleet = generate(metrics, samples, seed=seed)
    # Services of their own work on while one of them is killed: without a pause the history would soon be over.
    pause_s = SECONDS_PER_KILL * (kills + broker_kills) / samples if len(installation.programs) > 1 else 0.0
    sender = Sender(fleet, installation.door.port, pause_s)
    done: list[str] = []
    faults: list[str] = []
    broker_at = {round(kills * (number + 1) / (broker_kills + 1)) for number in range(broker_kills)}
    started = time.monotonic()
    try:
        _subscribe(installation)
        sender.start()
        for number in range(kills):
            # Kills are spread over the history: the next comes when a certain share of it is scored.
            goal = round(metrics * samples * (number + chance.random()) / (kills + 1))
            if number in broker_at:
                done.append(_kill_broker(installation, chance, goal))
            done.append(_kill_once(installation, fleet, chance, goal, number))
            faults += [f"{name} ended before {done[-1]}" for name in installation.dead()]
            faults += _verify(installation, done[-1])
        installation.start()
        _wait_for(installation, installation.door, metrics * samples, STALLED_AFTER_S)
        sender.stop()
        faults += installation.stop()
        faults += _verify(installation, "the end")
    finally:
        sender.stop()
        for name in installation.programs:
            installation.kill(name)
    assert installation.settings.repository.path is not None
    verdict = judge(installation.settings.repository.path, fleet, _published(installation.settings))
    return {
        **verdict._asdict(),
        "verify_faults": faults,
        "kills": kills,
        "killed_at": done,
        "metrics": metrics,
        "samples": samples,
        "connections": sender.connections,
        "seconds": round(time.monotonic() - started, 1),
        "seed": seed,
        "machine": machine(),
    }


def _subscribe(installation: Installation) -> None:
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


def _published(settings: Settings) -> list[tuple[str, int]]:
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
        total = len(fleet.names) * len(fleet.timestamps())
        most = min(max(total // SAMPLES_PER_STEP, 1), MOST_STEPS)
        step = f"{chance.choice(STEPS)}:{chance.randint(1, most)}"
        name = installation.owner(step)
        victim = installation.programs[name]
        # It dies by itself, unless the step does not come often enough.
        if installation.start({name: step}):
            _wait_for(installation, victim, total, STEP_STALLED_AFTER_S)
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


def _kill_broker(installation: Installation, chance: random.Random, goal: int) -> str:
    assert installation.broker is not None
    installation.start()
    _wait_for(installation, installation.door, goal, 20.0)
    installation.broker.kill()
    time.sleep(chance.random() * 2.0)
    installation.broker.start()
    return "broker at random"


def _scored(settings: Settings) -> int:
    path = settings.repository.path
    assert path is not None
    with contextlib.suppress(sqlite3.OperationalError), sqlite3.connect(path, timeout=5) as database:
        (scored,) = database.execute("SELECT coalesce(sum(scored_rowid), 0) FROM metric").fetchone()
        return int(scored)
    return 0


def _wait_for(installation: Installation, program: Engine, goal: int, stalled_after_s: float) -> None:
    """Wait until so many samples are scored, or nothing was for a while, or the program is dead."""
    last, since = -1, time.monotonic()
    while program.running and time.monotonic() - since < stalled_after_s:
        scored = _scored(installation.settings)
        if scored >= goal:
            return
        if scored != last:
            last, since = scored, time.monotonic()
        time.sleep(0.1)


def _verify(installation: Installation, when: str) -> list[str]:
    verified = installation.door.command("verify", "--json")
    if verified.returncode == 0:
        return []
    return [f"after {when}: {verified.stdout.decode()} {verified.stderr.decode()}"]


def on_embedded_parts(data: Path) -> Installation:
    """Return the engine in one process, everything below one folder."""
    return Installation(embedded(data), {"engine": Engine(data, free_port())})


@contextlib.contextmanager
def on_rabbitmq(folder: Path) -> Iterator[Installation]:
    """Give the services as processes of their own, on a broker of their own."""
    with private_broker(folder / "broker") as broker:
        directory = configure(folder / "app", broker=broker.settings())
        data, port = folder / "app" / "data", free_port()
        programs = {name: Engine(data, port, directory, name) for name in SERVICES}
        yield Installation(load(directory), programs, broker)


def main() -> int:
    """Run and print; exit with 1 when the promise was broken."""
    parser = argparse.ArgumentParser(prog="benchmarks.chaos", description=__doc__.splitlines()[0])
    parser.add_argument("--bus", choices=["embedded", "rabbitmq"], default="embedded")
    parser.add_argument("--db", choices=["sqlite"], default="sqlite")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--broker-kills", type=int, default=2, help="of the broker, besides")
    parser.add_argument("--metrics", type=int, default=50)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, help="keep the engine's files here")
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = arguments.data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
        if arguments.bus == "rabbitmq":
            installation = stack.enter_context(on_rabbitmq(folder))
        else:
            installation = on_embedded_parts(folder)
        result = run(
            installation,
            kills=arguments.kills,
            metrics=arguments.metrics,
            samples=arguments.samples,
            seed=arguments.seed,
            broker_kills=arguments.broker_kills if installation.broker else 0,
        )
    print(json.dumps(result) if arguments.json else json.dumps(result, indent=2))
    broken = ("lost", "doubled", "different", "unpublished", "disordered", "verify_faults")
    return 1 if any(result[name] for name in broken) else 0


if __name__ == "__main__":
    sys.exit(main())
