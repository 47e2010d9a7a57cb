"""Kill -9 the engine again and again while a fleet's history is sent, then compare every row with a calm run.

    .venv/bin/python -m benchmarks.chaos --bus embedded --db sqlite --kills 20 --json

Half of the kills come at random times; the others hit the process right after a named step, such as after a commit and
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
from pathlib import Path
from typing import Any

from benchmarks.chaos.oracle import judge
from benchmarks.chaos.sender import Sender
from benchmarks.fleet import Fleet, generate
from benchmarks.machine import machine
from benchmarks.running import Engine, free_port
from htmengine.bus.embedded import EmbeddedBus
from htmengine.config import embedded
from htmengine.messages import decode_results_batch

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
SAMPLES_PER_STEP = 3000
"""In short runs kills come at the first steps, since there are fewer."""


def run(*, kills: int, metrics: int, samples: int, seed: int, data: Path) -> dict[str, Any]:
    """Carry out the kills and return the verdict with what was done."""
    chance = random.Random(seed)
    fleet = generate(metrics, samples, seed=seed)
    engine = Engine(data, free_port())
    settings = embedded(data)
    sender = Sender(fleet, engine.port)
    done: list[str] = []
    faults: list[str] = []
    started = time.monotonic()
    try:
        _subscribe(engine, data)
        sender.start()
        for number in range(kills):
            # Kills are spread over the history: the next comes when a certain share of it is scored.
            goal = round(metrics * samples * (number + chance.random()) / (kills + 1))
            done.append(_kill_once(engine, fleet, chance, goal, at_step=number % 2 == 1))
            faults += _verify(engine, done[-1])
        engine.start()
        engine.wait_until_it_listens()
        _wait_for(engine, metrics * samples, STALLED_AFTER_S)
        sender.stop()
        code = engine.stop()
        if code:
            faults.append(f"the engine stopped with exit code {code}")
        faults += _verify(engine, "the end")
    finally:
        sender.stop()
        engine.kill()
    assert settings.repository.path is not None
    verdict = judge(settings.repository.path, fleet, _published(data, settings.batches_exchange))
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


def _subscribe(engine: Engine, data: Path) -> None:
    """Start the engine once so that its exchanges exist, and bind a queue that keeps everything."""
    engine.start()
    engine.wait_until_it_listens()
    bus = EmbeddedBus(data / "bus.sqlite")
    try:
        exchange = embedded(data).batches_exchange
        bus.declare_exchange(exchange)
        bus.declare_queue(SUBSCRIBER)
        bus.bind(SUBSCRIBER, exchange)
    finally:
        bus.close()
    engine.stop()


def _published(data: Path, exchange: str) -> list[tuple[str, int]]:
    seen = []
    bus = EmbeddedBus(data / "bus.sqlite")
    try:
        with bus.consume([SUBSCRIBER]) as consumer:
            while deliveries := consumer.receive(max_messages=500, timeout_s=0.5):
                for delivery in deliveries:
                    seen += [(row.name, row.rowid) for row in decode_results_batch(delivery.body).rows]
                consumer.ack(deliveries)
    finally:
        bus.close()
    return seen


def _kill_once(engine: Engine, fleet: Fleet, chance: random.Random, goal: int, *, at_step: bool) -> str:
    if at_step:
        total = len(fleet.names) * len(fleet.timestamps())
        most = min(max(total // SAMPLES_PER_STEP, 1), MOST_STEPS)
        step = f"{chance.choice(STEPS)}:{chance.randint(1, most)}"
        engine.start({"HTMENGINE_KILL_AT": step})
        # It dies by itself, unless the step does not come often enough.
        if engine.wait_until_it_listens():
            _wait_for(engine, total, STEP_STALLED_AFTER_S)
        if not engine.running:
            return step
        engine.kill()
        return f"random, {step} did not come"
    engine.start()
    if engine.wait_until_it_listens():
        _wait_for(engine, goal, 20.0)
        time.sleep(chance.random() * 0.3)
    engine.kill()
    return "random"


def _scored(data: Path) -> int:
    path = embedded(data).repository.path
    assert path is not None
    with contextlib.suppress(sqlite3.OperationalError), sqlite3.connect(path, timeout=5) as database:
        (scored,) = database.execute("SELECT coalesce(sum(scored_rowid), 0) FROM metric").fetchone()
        return int(scored)
    return 0


def _wait_for(engine: Engine, goal: int, stalled_after_s: float) -> None:
    """Wait until so many samples are scored, or nothing was for a while."""
    last, since = -1, time.monotonic()
    while engine.running and time.monotonic() - since < stalled_after_s:
        scored = _scored(engine.data)
        if scored >= goal:
            return
        if scored != last:
            last, since = scored, time.monotonic()
        time.sleep(0.1)


def _verify(engine: Engine, when: str) -> list[str]:
    verified = engine.command("verify", "--json")
    if verified.returncode == 0:
        return []
    return [f"after {when}: {verified.stdout.decode()} {verified.stderr.decode()}"]


def main() -> int:
    """Run and print; exit with 1 when the promise was broken."""
    parser = argparse.ArgumentParser(prog="benchmarks.chaos", description=__doc__.splitlines()[0])
    parser.add_argument("--bus", choices=["embedded"], default="embedded")
    parser.add_argument("--db", choices=["sqlite"], default="sqlite")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--metrics", type=int, default=50)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, help="keep the engine's files here")
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chaos-") as temporary:
        result = run(
            kills=arguments.kills,
            metrics=arguments.metrics,
            samples=arguments.samples,
            seed=arguments.seed,
            data=arguments.data or Path(temporary),
        )
    print(json.dumps(result) if arguments.json else json.dumps(result, indent=2))
    broken = ("lost", "doubled", "different", "unpublished", "disordered", "verify_faults")
    return 1 if any(result[name] for name in broken) else 0


if __name__ == "__main__":
    sys.exit(main())
