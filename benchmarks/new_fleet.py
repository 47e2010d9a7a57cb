"""How long a fleet waits for its scores: a new one for its first, and one that is known after the engine was started.

    .venv/bin/python -m benchmarks.new_fleet --metrics 5000 --runs 3 --json
    .venv/bin/python -m benchmarks.new_fleet --bus rabbitmq --db postgresql --metrics 5000

Each run starts an engine on a new folder, or new databases, and sends two samples of every metric, which nobody knows.
Then it sends a history, stops the engine, starts it again and sends the next sample of each. From the first line to the
last score; medians.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import tempfile
import time
from pathlib import Path

from sqlalchemy import func, select

from benchmarks.fleet import Fleet, generate
from benchmarks.machine import machine
from benchmarks.running import running
from benchmarks.servers import DATABASES, application
from htmengine.config import Settings, embedded
from htmengine.repository import schema
from htmengine.repository.engine import open_engine, reading

FIRST = 2
HISTORY = 50
WITHIN_S = 600.0


def seconds(fleet: Fleet, bus: str, db: str, folder: Path) -> tuple[float, float]:
    """Return how long a new fleet takes, and one that is known."""
    if (bus, db) == ("embedded", "sqlite"):
        return _measured(fleet, folder, None, embedded(folder))
    checkpoint_store = "sqlite" if db == "sqlite" else "repository"
    with application(bus, db, folder, checkpoint_store=checkpoint_store) as app:
        return _measured(fleet, folder / "app" / "data", app.directory, app.settings)


def _measured(fleet: Fleet, data: Path, config: Path | None, settings: Settings) -> tuple[float, float]:
    with running(data, config=config) as engine:
        new = _until_scored(fleet, range(FIRST), engine.port, settings)
        _until_scored(fleet, range(FIRST, HISTORY), engine.port, settings)
        engine.stop()
    with running(data, config=config) as engine:
        return new, _until_scored(fleet, range(HISTORY, HISTORY + 1), engine.port, settings)


def _until_scored(fleet: Fleet, samples: range, port: int, settings: Settings) -> float:
    """Send these samples and return how long it takes until all that were sent so far are scored."""
    goal = samples.stop * len(fleet.names)
    engine = open_engine(settings.repository)
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
                with reading(engine) as conn:
                    scored = int(conn.scalar(select(func.sum(schema.metric.c.scored_rowid))) or 0)
            return time.monotonic() - began
    finally:
        engine.dispose()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bus", choices=["embedded", "rabbitmq"], default="embedded")
    parser.add_argument("--db", choices=["sqlite", *DATABASES], default="sqlite")
    parser.add_argument("--metrics", type=int, default=5000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    fleet = generate(options.metrics, HISTORY + 1)
    taken = []
    for _ in range(options.runs):
        with tempfile.TemporaryDirectory(prefix="new-fleet-") as folder:
            taken.append(seconds(fleet, options.bus, options.db, Path(folder)))
    new, known = (statistics.median(times) for times in zip(*taken, strict=True))
    report = {
        "machine": machine(),
        "bus": options.bus,
        "db": options.db,
        "metrics": options.metrics,
        "runs": [[round(one, 2) for one in run] for run in taken],
        "new_s": round(new, 2),
        "known_s": round(known, 2),
    }
    if options.json:
        print(json.dumps(report))
        return
    print(
        f"{options.metrics} metrics have their scores after {new:.1f} s when new, {known:.1f} s after a start"
    )


if __name__ == "__main__":
    main()
