"""What the repository's statements cost: rows per second appended and scored.

    .venv/bin/python -m benchmarks.repository --json
    .venv/bin/python -m benchmarks.repository --db mariadb --metrics 1000 --variants executemany 50 100 1000
    .venv/bin/python -m benchmarks.repository --db postgresql --metrics 1000 --variants executemany columns

Each transaction appends one row to each of many metrics and moves their highest rowid, as the storer does; another
stores the scores of these rows and moves the watermarks, as the anomaly service does. Both indexes and the foreign key
are in place. At the end both are done at the same time, the scores of one row while the next is appended: how long that
takes, and how many connections wait for a lock of the server meanwhile. `executemany` is one statement for each row; a number is that many rows in a statement; `columns` is one
statement with a parameter for each column. With `--busy` a second thread runs Python all the time: then every step of a
statement has to wait for the interpreter lock. Servers are private ones, on the same machine.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from sqlalchemy import Connection, bindparam, insert, update

from benchmarks.machine import machine
from benchmarks.pipeline.usage import lock_waits
from benchmarks.servers import DATABASES, explained, private
from htmengine import config
from htmengine.repository import display, identity, metrics, migrations, samples, schema, scores, watermarks
from htmengine.repository.bulk import mysql, sqlite
from htmengine.repository.database import Database
from htmengine.repository.opening import open_database
from htmengine.repository.times import from_epoch

EXECUTEMANY: Final = "executemany"
FIRST_SECOND: Final = 1_700_000_000

VARIANTS: Final = {
    "sqlite": [EXECUTEMANY, "64", "128", "256", "512"],
    "mariadb": [EXECUTEMANY, "50", "100", "250", "1000"],
    "postgresql": [EXECUTEMANY, "columns"],
}

_data: Final = schema.metric_data.c
_metric: Final = schema.metric.c
_watermark: Final = schema.metric_watermark.c
_SCORE: Final = (
    update(schema.metric_data)
    .where(_data.uid == bindparam("of_uid"), _data.rowid == bindparam("of_rowid"))
    .values({name: bindparam(name) for name in schema.SCORES})
)
_LAST: Final = (
    update(schema.metric)
    .where(_metric.uid == bindparam("of_uid"), _metric.last_rowid == bindparam("before"))
    .values(last_rowid=bindparam("after"), tail_timestamp=bindparam("tail"))
)
_WATERMARK: Final = (
    update(schema.metric_watermark)
    .where(_watermark.uid == bindparam("of_uid"), _watermark.generation == 0)
    .where(_watermark.scored_rowid == bindparam("before"))
    .values(scored_rowid=bindparam("after"))
)


class Cost(NamedTuple):
    """What a transaction took, in seconds."""

    wall: float
    cpu: float
    """Of the thread, the steps of the database included: what other programs on the machine do not change."""


class Fleet:
    """Metrics that get one row each at a time."""

    def __init__(self, database: Database, count: int, description_bytes: int) -> None:
        """Create the metrics, each with a model of a description of that size."""
        self.database = database
        self.random = random.Random(1)
        self.rowid = 0
        migrations.upgrade(database, shards=4)
        with database.write() as conn:
            names = [f"server.{number}.cpu" for number in range(count)]
            self.uids = list(metrics.create_custom(conn, names).values())
            conn.execute(update(schema.metric).values(status=1, model_params="x" * description_bytes))
            watermarks.add(conn, self.uids)

    def append(self, write: Callable[[Connection, list[Any]], None]) -> Cost:
        """Append a row to every metric and return what it took."""
        self.rowid += 1
        return self._timed(write, self._samples(self.rowid))

    def score(self, write: Callable[[Connection, list[Any]], None]) -> Cost:
        """Score the newest row of every metric and return what it took."""
        return self._timed(write, self._scores(self.rowid))

    def both(
        self,
        append: Callable[[Connection, list[Any]], None],
        score: Callable[[Connection, list[Any]], None],
    ) -> float:
        """Score the newest row of every metric while the next is appended; return how long that took, in seconds."""
        scored = self._scores(self.rowid)
        self.rowid += 1
        appended = self._samples(self.rowid)
        begin = time.perf_counter()
        with ThreadPoolExecutor(2) as pool:
            done = [pool.submit(self._timed, append, appended), pool.submit(self._timed, score, scored)]
        for one in done:
            one.result()
        return time.perf_counter() - begin

    def _samples(self, rowid: int) -> list[Any]:
        return [(uid, rowid, FIRST_SECOND + 60 * rowid, self.random.random()) for uid in self.uids]

    def _scores(self, rowid: int) -> list[Any]:
        return [(uid, rowid, *(self.random.random() for _ in range(5)), 0.5, 0.25, 0.75) for uid in self.uids]

    def _timed(self, write: Callable[[Connection, list[Any]], None], rows: list[Any]) -> Cost:
        wall, cpu = time.perf_counter(), time.thread_time()
        with self.database.write() as conn:
            write(conn, rows)
        return Cost(time.perf_counter() - wall, time.thread_time() - cpu)


def append_in_bulk(conn: Connection, rows: list[Any]) -> None:
    """Append as the storer does."""
    samples.advance_last(
        conn, [samples.Advance(uid, rowid - 1, rowid, stamp) for uid, rowid, stamp, _ in rows]
    )
    uids, rowids, stamps, values = (list(column) for column in zip(*rows, strict=True))
    digests = list(identity.extended(identity.start(0, None), stamps, values))
    samples.append(conn, uids, rowids, stamps, values, digests)


def append_by_row(conn: Connection, rows: list[Any]) -> None:
    """Append with one statement for each row."""
    last = [
        {"of_uid": uid, "before": rowid - 1, "after": rowid, "tail": stamp} for uid, rowid, stamp, _ in rows
    ]
    conn.execute(_LAST, last)
    names = "uid", "rowid", "timestamp", "metric_value"
    inserted = [(uid, rowid, from_epoch(stamp), value) for uid, rowid, stamp, value in rows]
    conn.execute(insert(schema.metric_data), [dict(zip(names, row, strict=True)) for row in inserted])


def score_in_bulk(conn: Connection, rows: list[Any]) -> None:
    """Store scores as the anomaly service does."""
    uids, rowids, raw, anomaly, log, sequence, novelty, forecasts, lows, highs = (
        list(column) for column in zip(*rows, strict=True)
    )
    scores.advance_watermarks(
        conn, [(uid, 0, rowid - 1, rowid) for uid, rowid in zip(uids, rowids, strict=True)]
    )
    scores.store(
        conn,
        uids=uids,
        rowids=rowids,
        raw_anomaly_scores=raw,
        anomaly_scores=anomaly,
        log_scores=log,
        sequence_scores=sequence,
        novelty_scores=novelty,
        forecasts=forecasts,
        usual_lows=lows,
        usual_highs=highs,
    )


def score_by_row(conn: Connection, rows: list[Any]) -> None:
    """Store scores with one statement for each row."""
    moved = [{"of_uid": uid, "before": rowid - 1, "after": rowid} for uid, rowid, *_ in rows]
    conn.execute(_WATERMARK, moved)
    names = "of_uid", "of_rowid", *schema.SCORES
    heights = display.bars(np.array([row[3] for row in rows])).tolist()
    scored = [
        (uid, rowid, raw, anomaly, height, "null", *others)
        for (uid, rowid, raw, anomaly, *others), height in zip(rows, heights, strict=True)
    ]
    conn.execute(_SCORE, [dict(zip(names, row, strict=True)) for row in scored])


@contextmanager
def busy_thread(wanted: bool) -> Iterator[None]:
    """Keep a second thread running Python meanwhile."""
    done = threading.Event()

    def run() -> None:
        while not done.is_set():
            sum(range(1000))

    thread = threading.Thread(target=run)
    if wanted:
        thread.start()
    try:
        yield
    finally:
        done.set()
        if wanted:
            thread.join()


def measure(
    repository: config.Repository, variant: str, arguments: argparse.Namespace
) -> dict[str, float | None]:
    """Return rows per second of one variant, over a database of its own."""
    by_row = variant == EXECUTEMANY
    database = open_database(repository)
    if variant.isdecimal():
        sqlite.ROWS = mysql.ROWS = int(variant)  # type: ignore[misc]
    fleet = Fleet(database, arguments.metrics, arguments.description_bytes)
    appends, stores = [], []
    with busy_thread(arguments.busy):
        for _ in range(arguments.batches):
            appends.append(fleet.append(append_by_row if by_row else append_in_bulk))
            stores.append(fleet.score(score_by_row if by_row else score_in_bulk))
        fleet.append(append_in_bulk)
        with lock_waits(database) as waits:
            together = [fleet.both(append_in_bulk, score_in_bulk) for _ in range(arguments.batches)]
        reads = []
        for uid in fleet.uids[:20]:
            start = time.perf_counter()
            with database.read() as conn:
                count = len(samples.read(conn, uid, 1, fleet.rowid, fleet.rowid).rowids)
            reads.append(count / (time.perf_counter() - start))
    database.close()
    return {
        **_summary("append", appends, arguments.metrics),
        **_summary("score", stores, arguments.metrics),
        "both_ms_p50": round(statistics.median(together) * 1e3, 1),
        "lock_waits": waits(),
        "read_rows_per_s": round(statistics.median(reads)),
    }


@contextmanager
def empty(db: str, folder: Path) -> Iterator[config.Repository]:
    """Give a new database."""
    if db == "sqlite":
        yield config.Repository(path=folder / "repository.sqlite")
    else:
        with private(db, folder) as repository:
            yield repository


def _summary(name: str, costs: list[Cost], rows: int) -> dict[str, float]:
    return {
        f"{name}_rows_per_s": round(rows * len(costs) / sum(cost.wall for cost in costs)),
        f"{name}_ms_p50": round(statistics.median(cost.wall for cost in costs) * 1e3, 1),
        f"{name}_cpu_us_per_row": round(sum(cost.cpu for cost in costs) / len(costs) / rows * 1e6, 1),
    }


@explained()
def main() -> None:
    """Measure every variant and print the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--metrics", type=int, default=500)
    parser.add_argument("--batches", type=int, default=100)
    parser.add_argument("--description-bytes", type=int, default=600, help="of model_params")
    parser.add_argument("--db", choices=["sqlite", *DATABASES], default="sqlite")
    parser.add_argument("--variants", nargs="*", help="default: those that tell most about the database")
    parser.add_argument("--busy", action="store_true", help="with a second thread that runs Python")
    parser.add_argument(
        "--folder", type=Path, help="where the databases are made; default: the system's temporary"
    )
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    arguments.variants = arguments.variants or VARIANTS[arguments.db]
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        results = {}
        for variant in arguments.variants:
            with empty(arguments.db, Path(folder) / variant) as repository:
                results[variant] = measure(repository, variant, arguments)
    if arguments.json:
        print(
            json.dumps({"machine": machine(), "arguments": vars(arguments), "results": results}, default=str)
        )
        return
    for variant, figures in results.items():
        print(f"{variant:12}", "  ".join(f"{name} {figure:>9}" for name, figure in figures.items()))


if __name__ == "__main__":
    main()
