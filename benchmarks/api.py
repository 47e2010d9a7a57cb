"""What a request to the HTTP API costs beside a fleet: milliseconds, median and worst of many, over HTTP.

    .venv/bin/python -m benchmarks.api
    .venv/bin/python -m benchmarks.api --metrics 5000 --alarms 5000 --repeats 20 --json

The metrics are put into a repository of its own, with one row each and alarms over the last day; one metric has a year
of rows. Each request is repeated, with a pause that lets what is kept for a moment go stale every second time.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, insert

from benchmarks.machine import machine
from htmengine import config
from htmengine.client import Client
from htmengine.repository import bulk, schema, watermarks
from htmengine.repository.metrics import CUSTOM
from htmengine.repository.status import MetricStatus
from htmengine.repository.times import from_epoch
from htmengine.service.context import Context, opened
from htmengine.web.server import listening, serve

DAY_S: Final = 86_400
YEAR_ROWS: Final = 525_600
PART: Final = 10_000
SERVICES: Final = ("api", "web", "db", "cache", "queue", "mail", "auth", "search")
KINDS: Final = ("cpu", "memory", "latency", "errors", "requests", "depth", "hits", "load")


def fill(conn: Connection, metrics: int, alarms: int, now: int) -> list[str]:
    """Put metrics with a row each, and alarms, into a repository; return the uids."""
    chance = random.Random(1)
    uids = [uuid.UUID(int=chance.getrandbits(128)).hex for _ in range(metrics)]
    for first in range(0, metrics, PART):
        some = range(first, min(first + PART, metrics))
        conn.execute(
            insert(schema.metric),
            [
                {
                    "uid": uids[i],
                    "datasource": CUSTOM,
                    "name": f"{SERVICES[i % 8]}.host{i // 64:05}.{KINDS[i // 8 % 8]};dc={'ab'[i % 2]}",
                    "status": int(MetricStatus.ACTIVE),
                    "parameters": "{}",
                    "model_params": "{}",
                    "last_rowid": 1000,
                    "tail_timestamp": now - chance.randrange(60),
                }
                for i in some
            ],
        )
        watermarks.add(conn, part := [uids[i] for i in some])
        watermarks.update(conn, {"uid": part}, {"scored_rowid": [1000] * len(part)})
        bulk.insert(
            conn,
            schema.metric_data,
            {
                "uid": [uids[i] for i in some],
                "rowid": [1000] * len(some),
                "timestamp": [now - 30] * len(some),
                "metric_value": [chance.random() for _ in some],
                "log_score": [chance.random() / 4 for _ in some],
                "anomaly_score": [0.5] * len(some),
            },
        )
    times = sorted(now - chance.randrange(DAY_S) for _ in range(alarms))
    seen: set[tuple[str, int]] = set()
    for first in range(0, alarms, PART):
        rows = []
        for time_ in times[first : first + PART]:
            key = (chance.choice(uids), chance.randrange(1, 1000))
            if key in seen:
                continue
            seen.add(key)
            rows.append(
                {
                    "uid": key[0],
                    "rowid": key[1],
                    "first_rowid": key[1],
                    "timestamp": from_epoch(time_),
                    "metric_value": 1.0,
                    "log_score": (score := 0.5 + chance.random() / 2),
                    "peak": score,
                    "cause": chance.choice(("error", "jump", "extreme")),
                    "direction": "up",
                }
            )
        conn.execute(insert(schema.metric_alarm), rows)
    return uids


def fill_year(conn: Connection, uid: str, now: int) -> None:
    """Give a metric a year of rows, one a minute, with hours."""
    begin = now - 60 * YEAR_ROWS
    for first in range(0, YEAR_ROWS, 50_000):
        some = range(first, min(first + 50_000, YEAR_ROWS))
        bulk.insert(
            conn,
            schema.metric_data,
            {
                "uid": [uid] * len(some),
                "rowid": [2000 + i for i in some],
                "timestamp": [begin + 60 * i for i in some],
                "metric_value": [float(i % 1440) for i in some],
                "log_score": [0.1] * len(some),
                "anomaly_score": [0.5] * len(some),
            },
        )
    bulk.insert(
        conn,
        schema.metric_hour,
        {
            "uid": [uid] * (YEAR_ROWS // 60),
            "hour": [begin // 3600 * 3600 + 3600 * i for i in range(YEAR_ROWS // 60)],
            "last_rowid": [2000 + 60 * (i + 1) for i in range(YEAR_ROWS // 60)],
            "samples": [60] * (YEAR_ROWS // 60),
            "min_value": [0.0] * (YEAR_ROWS // 60),
            "mean_value": [5.0] * (YEAR_ROWS // 60),
            "max_value": [9.0] * (YEAR_ROWS // 60),
            "max_log_score": [0.3] * (YEAR_ROWS // 60),
            "alarms": [0] * (YEAR_ROWS // 60),
        },
    )
    last = 2000 + YEAR_ROWS - 1
    conn.execute(
        schema.metric.update()
        .where(schema.metric.c.uid == uid)
        .values(last_rowid=last, tail_timestamp=now - 60)
    )
    watermarks.move(conn, uid, scored_rowid=last, hourly_rowid=last)


@contextmanager
def served(context: Context) -> Iterator[str]:
    """Serve an installation on a free port, and give the address."""
    serving = threading.Event()
    with listening("127.0.0.1", 0) as bound:
        thread = threading.Thread(target=serve, args=(context, bound, serving.set), daemon=True)
        thread.start()
        serving.wait()
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        context.stop.set()
        thread.join()


def requests(uids: list[str], year: str, now: int) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return what is asked, by what it is called."""
    hour = {"from": now - 7200, "to": now - 3600}
    return {
        "overview": ("/overview", {}),
        "list page, oddness": ("/metrics", {"limit": 100}),
        "list page, name": ("/metrics", {"limit": 100, "sort": "name"}),
        "search, word": ("/metrics", {"limit": 100, "q": "latency"}),
        "search, pattern": ("/metrics", {"limit": 100, "q": "web.*cpu*"}),
        "search, tag and score": ("/metrics", {"limit": 100, "q": "tag:dc=a score:>0.5"}),
        "tree": ("/metrics/tree", {}),
        "sparks of 100, a day": ("/metrics/sparks", {"uid": uids[:100]}),
        "ranking of an hour": ("/anomalies", {"rank": "window", **hour}),
        "ranking of a day": ("/anomalies", {"rank": "window"}),
        "fleet strip of a day": ("/fleet", {}),
        "alarms, first page": ("/anomalies", {}),
        "a day of a metric": (f"/metrics/{year}/data", {"format": "bin", "points": 2000}),
        "100,000 rows of a metric": (
            f"/metrics/{year}/data",
            {"format": "bin", "points": 2000, "from": now - 6_000_000, "to": now},
        ),
        "a year of a metric": (
            f"/metrics/{year}/data",
            {"format": "bin", "points": 2000, "from": now - 60 * YEAR_ROWS, "to": now},
        ),
    }


def main() -> None:
    """Measure, and print a table or a line of JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--metrics", type=int, default=100_000)
    parser.add_argument("--alarms", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    now = int(time.time())
    with tempfile.TemporaryDirectory() as folder:
        settings = config.embedded(Path(folder))
        http = msgspec.structs.replace(settings.http, requests_per_s=1e6)
        with opened(msgspec.structs.replace(settings, http=http)) as context:
            with context.database.write() as conn:
                uids = fill(conn, options.metrics, options.alarms, now)
            with context.database.write() as conn:
                fill_year(conn, uids[0], now)
            began = time.perf_counter()
            with served(context) as address, Client(address) as client:
                start_s = time.perf_counter() - began
                found = {
                    name: measured(client, path, parameters, options.repeats)
                    for name, (path, parameters) in requests(uids, uids[0], now).items()
                }
    if options.json:
        print(json.dumps({"machine": machine(), "metrics": options.metrics, "start_s": start_s, "ms": found}))
        return
    print(f"{options.metrics:,} metrics, {options.alarms:,} alarms; the server starts in {start_s:.1f} s.")
    for name, (median, worst) in found.items():
        print(f"{name:28} {median:8.1f} ms   worst {worst:8.1f} ms")


def measured(client: Client, path: str, parameters: dict[str, Any], repeats: int) -> tuple[float, float]:
    """Return the median and the longest time of a request in milliseconds."""
    taken = []
    for repeat in range(repeats):
        if repeat % 2:
            time.sleep(1.1)
        began = time.perf_counter()
        client._ask("GET", path, parameters)
        taken.append(1000 * (time.perf_counter() - began))
    return statistics.median(taken), max(taken)


if __name__ == "__main__":
    main()
