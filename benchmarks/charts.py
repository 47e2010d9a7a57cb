"""What it costs to read a metric's rows for a chart: a year of them, every five minutes, as rows and in compressed blocks.

    .venv/bin/python -m benchmarks.charts --json
    .venv/bin/python -m benchmarks.charts --days 30 --interval 60 --rounds 10

Processor time of the process in milliseconds, the least of the rounds, which take turns. `naive` is the same as `steps` by
another way: all rows become columns, and these are summed up. Both must give the same bits.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection

from benchmarks.blocks import STORED, compacted, of_kinds
from benchmarks.machine import machine
from benchmarks.store import FIRST_SECOND
from htmengine import config
from htmengine.repository import identity, metrics, migrations, series
from htmengine.repository.database import Database
from htmengine.repository.embedded import compaction
from htmengine.repository.opening import open_database
from htmengine.repository.series import Steps
from htmengine.web.downsampling import downsample, step_for

DAY_S: Final = 86_400
POINTS: Final = 2000
KIND_ROWS: Final = 3000
"""A generated metric is so long, and comes again and again."""


def filled(folder: Path, rows: int, interval: int) -> Database:
    """Return a repository with a metric whose rows are merged."""
    database = open_database(config.Repository(path=folder / "repository.sqlite"))
    migrations.upgrade(database, shards=4)
    kind = of_kinds(KIND_ROWS)[0]
    reals = np.tile(kind.reals, -(-rows // KIND_ROWS))[:, :rows]
    times = FIRST_SECOND + interval * np.arange(rows)
    digests = list(identity.extended(1, times, reals[0]))
    columns: list[Any] = [
        [1] * rows,
        range(1, rows + 1),
        times.tolist(),
        digests,
        *reals.tolist(),
        [None] * rows,
    ]
    insert = f"INSERT INTO merged_row ({', '.join(STORED)}) VALUES ({', '.join('?' * len(STORED))})"
    with database.write() as conn:
        metrics.create_custom(conn, ["server.cpu"])
        conn.exec_driver_sql("UPDATE metric SET last_rowid = ?", (rows,))
        conn.exec_driver_sql(insert, list(zip(*columns, strict=True)))
        compaction.begin(conn)
    return database


def naive(conn: Connection, uid: str, since: float, until: float, step: int) -> Steps:
    """Return what `series.steps_between` does, from all rows."""
    rows = series.rows_between(conn, uid, since, until)
    points = downsample(
        rows.timestamps.astype(np.float64),
        rows.values,
        step,
        highest={"anomaly": rows.anomaly_scores, "log": rows.log_scores},
        last={"forecast": rows.forecasts, "low": rows.usual_lows, "high": rows.usual_highs},
    )
    others = (points.others[name] for name in ("anomaly", "log", "forecast", "low", "high"))
    return Steps(points.time.astype(np.int64), points.value, points.value_min, points.value_max, *others)


def cpu_ms(work: Callable[[], object]) -> float:
    """Return the processor time of something."""
    begin = time.process_time()
    work()
    return 1000 * (time.process_time() - begin)


def measure(database: Database, days: int, interval: int, rounds: int) -> dict[str, float]:
    """Return the least times of the readings."""
    end = FIRST_SECOND + days * DAY_S
    spans = {"all": (FIRST_SECOND, end), "month": (end - 40 * DAY_S, end - 10 * DAY_S)}
    readings: dict[str, Callable[[], object]] = {}
    with database.read() as conn:
        uid = conn.exec_driver_sql("SELECT uid FROM metric").scalar_one()
        for name, (since, until) in spans.items():
            of_span = (conn, uid, since, until, step_for(until - since, POINTS))
            for one, other in zip(series.steps_between(*of_span), naive(*of_span), strict=True):
                if one.tobytes() != other.tobytes():
                    raise ValueError(
                        f"{name}: rows summed up by the database differ from rows summed up here"
                    )
            readings[f"{name}_steps_ms"] = partial(series.steps_between, *of_span)
            readings[f"{name}_naive_ms"] = partial(naive, *of_span)
        for name, since in {"day_in_the_past": end - 20 * DAY_S, "last_day": end - DAY_S}.items():
            readings[f"{name}_ms"] = partial(series.rows_between, conn, uid, since, since + DAY_S)
        times: dict[str, list[float]] = {name: [] for name in readings}
        for _ in range(rounds):
            for name, reading in readings.items():
                times[name].append(cpu_ms(reading))
    return {name: round(min(some), 1) for name, some in times.items()}


def main() -> None:
    """Measure and print the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--days", type=int, default=365, help="of rows; at least 40")
    parser.add_argument("--interval", type=int, default=300, help="seconds from row to row")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="of the repository; default: the system's temporary")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        database = filled(Path(folder), arguments.days * DAY_S // arguments.interval, arguments.interval)
        given = arguments.days, arguments.interval, arguments.rounds
        results = {"rows": measure(database, *given)}
        compacted(database)
        results["blocks"] = measure(database, *given)
        database.close()
    if arguments.json:
        print(
            json.dumps({"machine": machine(), "arguments": vars(arguments), "results": results}, default=str)
        )
        return
    for name in results["rows"]:
        print(f"{name:20} {results['rows'][name]:>8} {results['blocks'][name]:>8}")


if __name__ == "__main__":
    main()
