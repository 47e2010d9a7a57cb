"""What a panel of Grafana costs: requests to /render, of many metrics for an hour and of one for a year.

    .venv/bin/python -m benchmarks.render
    .venv/bin/python -m benchmarks.render --metrics 200 --repeats 5 --json

The metrics are put into a repository of its own, with a day of rows a minute; one metric has a year of them. The median
of the requests is told, in time and in processor time, that of the client included, which a busy machine lengthens less; and the
first by itself, for which the tree of names and the metrics' intervals are found out.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, update

from benchmarks.api import YEAR_ROWS, fill, fill_year, served
from benchmarks.machine import machine
from htmengine import config
from htmengine.repository import bulk, schema
from htmengine.service.context import opened

DAY_ROWS: Final = 1440


def fill_days(conn: Connection, uids: list[str], now: int) -> None:
    """Give each metric a day of rows, one a minute, in front of what it has."""
    for first in range(0, len(uids), 50):
        some = uids[first : first + 50]
        rows = [(uid, i) for uid in some for i in range(DAY_ROWS)]
        bulk.insert(
            conn,
            schema.metric_data,
            {
                "uid": [uid for uid, _ in rows],
                "rowid": [1001 + i for _, i in rows],
                "timestamp": [now - 60 * (DAY_ROWS - i) for _, i in rows],
                "metric_value": [float(i % 97) for _, i in rows],
                "log_score": [0.1 + i % 7 / 100 for _, i in rows],
                "anomaly_score": [0.5] * len(rows),
                "forecast": [float(i % 97) for _, i in rows],
                "usual_low": [0.0] * len(rows),
                "usual_high": [97.0] * len(rows),
            },
        )
    last = 1000 + DAY_ROWS
    conn.execute(update(schema.metric).values(last_rowid=last, tail_timestamp=now - 60))
    conn.execute(update(schema.metric_watermark).values(scored_rowid=last))


def requests(names: list[str], year: str, now: int) -> dict[str, dict[str, Any]]:
    """Return the forms that are posted, by what they are called."""
    paths = [name.partition(";")[0] for name in names]
    tagged = [f"seriesByTag('name={path}')" for path in paths[:50]]
    hour = {"from": now - 3600, "until": now, "maxDataPoints": 1000}
    years = {"from": now - 60 * YEAR_ROWS + 60, "until": now, "maxDataPoints": 1000}
    return {
        "targets, an hour": {"target": names, **hour},
        "log scores, an hour": {"target": [f"logScore({name})" for name in names], **hour},
        "sum of all, an hour": {"target": [f"sumSeries({{{','.join(names[:50])}}})"], **hour},
        "most anomalous of 50, an hour": {
            "target": [f"mostAnomalous(group({','.join(names[:50])}), 10)"],
            **hour,
        },
        "50 by their tags, an hour": {"target": tagged, **hour},
        "moving average of one, a day": {
            "target": [f"movingAverage({names[1]}, '1h')"],
            **hour,
            "from": now - 80000,
        },
        "one, a year": {"target": [year], **years},
        "log score of one, a year": {"target": [f"logScore({year})"], **years},
        "band of one, a year": {"target": [f"usualLow({year})", f"usualHigh({year})"], **years},
    }


def main() -> None:
    """Measure, and print a table or a line of JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--metrics", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    now = int(time.time()) // 60 * 60
    with tempfile.TemporaryDirectory() as folder:
        settings = config.embedded(Path(folder))
        http = msgspec.structs.replace(settings.http, requests_per_s=1e6)
        with opened(msgspec.structs.replace(settings, http=http)) as context:
            with context.database.write() as conn:
                uids = fill(conn, options.metrics + 1, 10, now)
            with context.database.write() as conn:
                fill_days(conn, uids[1:], now)
            with context.database.write() as conn:
                conn.execute(schema.metric_data.delete().where(schema.metric_data.c.uid == uids[0]))
                fill_year(conn, uids[0], now)
            with context.database.read() as conn:
                found = dict(
                    conn.execute(
                        schema.metric.select().with_only_columns(schema.metric.c.uid, schema.metric.c.name)
                    ).all()
                )
            with served(context) as address:
                names = [found[uid] for uid in uids[1:]]
                taken = {
                    name: measured(f"{address}/render", form, options.repeats)
                    for name, form in requests(names, found[uids[0]], now).items()
                }
    if options.json:
        print(json.dumps({"machine": machine(), "metrics": options.metrics, "ms": taken}))
        return
    print(f"{options.metrics:,} metrics")
    for name, (median, processor, first) in taken.items():
        print(f"{name:32} {median:8.1f} ms   processor {processor:8.1f} ms   first {first:8.1f} ms")


def measured(address: str, form: dict[str, Any], repeats: int) -> tuple[float, float, float]:
    """Return the median time of a request, its processor time, and the time of the first, in milliseconds."""
    body = urllib.parse.urlencode(form, doseq=True).encode()
    taken: list[float] = []
    processor: list[float] = []
    for _ in range(repeats):
        began, busy = time.perf_counter(), time.process_time()
        with urllib.request.urlopen(address, body) as answer:
            found = answer.read()
        processor.append(1000 * (time.process_time() - busy))
        taken.append(1000 * (time.perf_counter() - began))
        if len(taken) == 1 and not ((series := json.loads(found)) and series[0]["datapoints"]):
            raise SystemExit(f"{form['target'][:1]}: no points")
    return statistics.median(taken), statistics.median(processor), taken[0]


if __name__ == "__main__":
    main()
