"""How long a new fleet waits: from the first line of a metric that nobody knows to the first score of all of them.

    .venv/bin/python -m benchmarks.new_fleet --metrics 5000 --runs 3 --json
    .venv/bin/python -m benchmarks.new_fleet --bus rabbitmq --db postgresql --metrics 5000

Each run starts an engine on a new folder, or new databases, and sends two samples of every metric. Medians.
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

SAMPLES = 2
WITHIN_S = 600.0


def seconds(fleet: Fleet, bus: str, db: str, folder: Path) -> float:
    """Return how long it takes until every sample of a new fleet is scored."""
    if (bus, db) == ("embedded", "sqlite"):
        with running(folder) as engine:
            return _until_scored(fleet, engine.port, embedded(folder))
    checkpoint_store = "sqlite" if db == "sqlite" else "repository"
    with (
        application(bus, db, folder, checkpoint_store=checkpoint_store) as app,
        running(folder / "app" / "data", config=app.directory) as engine,
    ):
        return _until_scored(fleet, engine.port, app.settings)


def _until_scored(fleet: Fleet, port: int, settings: Settings) -> float:
    engine = open_engine(settings.repository)
    began = time.monotonic()
    try:
        with socket.create_connection(("127.0.0.1", port)) as peer:
            for sample in range(SAMPLES):
                peer.sendall(fleet.lines(sample))
            scored = 0
            while scored < fleet.values.size:
                if time.monotonic() - began > WITHIN_S:
                    raise TimeoutError(
                        f"{scored} of {fleet.values.size} samples are scored after {WITHIN_S:.0f} s"
                    )
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
    fleet = generate(options.metrics, SAMPLES)
    taken = []
    for _ in range(options.runs):
        with tempfile.TemporaryDirectory(prefix="new-fleet-") as folder:
            taken.append(seconds(fleet, options.bus, options.db, Path(folder)))
    report = {
        "machine": machine(),
        "bus": options.bus,
        "db": options.db,
        "metrics": options.metrics,
        "seconds": [round(one, 2) for one in taken],
        "metrics_per_s": round(options.metrics / statistics.median(taken), 1),
    }
    if options.json:
        print(json.dumps(report))
        return
    print(
        f"{options.metrics} new metrics: {statistics.median(taken):.1f} s, {report['metrics_per_s']} a second"
    )


if __name__ == "__main__":
    main()
