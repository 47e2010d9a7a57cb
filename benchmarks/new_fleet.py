"""How long a fleet waits for its scores: a new one for its first, and one that is known after the engine was started.

    .venv/bin/python -m benchmarks.new_fleet --metrics 5000 --runs 3 --json
    .venv/bin/python -m benchmarks.new_fleet --metrics 2000 --memory 30 --json
    .venv/bin/python -m benchmarks.new_fleet --bus rabbitmq --db postgresql --metrics 5000

Each run starts an engine on a new folder, or new databases, and sends two samples of every metric, which nobody knows
(`new_s`). Then it sends a history, stops the engine, starts it again and sends the next sample of each (`known_s`), and
some more, one after the other (`next_s`): with `--memory` of less than the fleet needs, each of them meets a model that
was let go. From the first line to the last score; medians. `written_mib`: to the disk for one more sample of each.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.fleet import Fleet, generate
from benchmarks.machine import machine
from benchmarks.running import running, scored_samples
from benchmarks.servers import DATABASES, application, explained
from htmengine.config import Settings
from htmengine.repository.opening import open_database

FIRST = 2
HISTORY = 50
NEXT = 5
WITHIN_S = 600.0


class Waits(NamedTuple):
    """What one run has measured."""

    new_s: float
    known_s: float
    next_s: float
    written_mib: float


def measure(fleet: Fleet, bus: str, db: str, folder: Path, memory: int | None) -> Waits:
    """Return how long a fleet waits; `memory`: MiB for its models."""
    options = {"checkpoint_store": "sqlite" if db == "sqlite" else "repository"}
    if memory:
        options["resident_mebibytes"] = str(memory)
    with application(bus, db, folder, **options) as app:
        data = folder / "app" / "data"
        with running(data, config=app.directory) as engine:
            new = _until_scored(fleet, range(FIRST), engine.port, app.settings)
            _until_scored(fleet, range(FIRST, HISTORY), engine.port, app.settings)
            engine.stop()
        with running(data, config=app.directory) as engine:
            known, *after = (
                (_until_scored(fleet, range(at, at + 1), engine.port, app.settings), _written_mib(engine.pid))
                for at in range(HISTORY, HISTORY + 1 + NEXT)
            )
    written = (after[-1][1] - known[1]) / NEXT
    return Waits(new, known[0], statistics.median(taken for taken, _ in after), written)


def _written_mib(pid: int) -> float:
    counters = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(counters["write_bytes"]) / 2**20


def _until_scored(fleet: Fleet, samples: range, port: int, settings: Settings) -> float:
    """Send these samples and return how long it takes until all that were sent so far are scored."""
    goal = samples.stop * len(fleet.names)
    database = open_database(settings.repository)
    began = time.monotonic()
    try:
        with socket.create_connection(("127.0.0.1", port)) as peer:
            for sample in samples:
                peer.sendall(fleet.lines(sample))
            scored = 0
            while scored < goal:
                if time.monotonic() - began > WITHIN_S:
                    raise TimeoutError(f"{scored} of {goal} samples are scored after {WITHIN_S:.0f} s")
                time.sleep(0.05)
                with database.read() as conn:
                    scored = scored_samples(conn)
            return time.monotonic() - began
    finally:
        database.close()


@explained()
def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bus", choices=["embedded", "rabbitmq"], default="embedded")
    parser.add_argument("--db", choices=["sqlite", *DATABASES], default="sqlite")
    parser.add_argument("--metrics", type=int, default=5000)
    parser.add_argument("--memory", type=int, metavar="MIB", help="for models [default: the engine's]")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    fleet = generate(options.metrics, HISTORY + 1 + NEXT)
    runs = []
    for _ in range(options.runs):
        with tempfile.TemporaryDirectory(prefix="new-fleet-") as folder:
            runs.append(measure(fleet, options.bus, options.db, Path(folder), options.memory))
    waits = Waits(*(round(statistics.median(column), 2) for column in zip(*runs, strict=True)))
    report = {
        "machine": machine(),
        "bus": options.bus,
        "db": options.db,
        "metrics": options.metrics,
        "memory_mib": options.memory,
        "runs": [[round(one, 2) for one in run] for run in runs],
        **waits._asdict(),
    }
    if options.json:
        print(json.dumps(report))
        return
    print(
        f"{options.metrics} metrics have their scores after {waits.new_s:.1f} s when new, {waits.known_s:.1f} s after a "
        f"start, {waits.next_s:.1f} s for one more sample of each, which writes {waits.written_mib:.0f} MiB"
    )


if __name__ == "__main__":
    main()
