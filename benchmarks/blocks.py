"""What it costs to make blocks of rows and to read them, by the kernel and by its twin in Python, in turn.

    .venv/bin/python -m benchmarks.blocks --json
    .venv/bin/python -m benchmarks.blocks --metrics 20 --rows 1100 --rounds 3

Rows of generated metrics with three decimals and what models say of them. `pack` and `unpack` are a block's bytes alone, of all
columns, deflation included; `compact` is all that the storer does: rows are read, packed, deleted, and the block is
written. Processor time of the process, microseconds a row, the least of the rounds.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.machine import machine
from benchmarks.store import FIRST_SECOND, INTERVAL_S, scored
from htmengine import config
from htmengine.repository import display, identity, metrics, migrations
from htmengine.repository.database import Database
from htmengine.repository.embedded import blocks, compaction
from htmengine.repository.embedded.tables import BLOCK_ROWS
from htmengine.repository.opening import open_database
from tests.reference import row_block

BLOCKS_BATCH_SIZE: Final = 2
"""So many blocks are made in a transaction, as the storer does."""
STORED: Final = ("metric", "rowid", *blocks.INTEGERS, *blocks.REALS, *blocks.TEXTS)


def of_kinds(rows: int) -> list[blocks.Rows]:
    """Return so many rows of some metrics."""
    values, own = scored(rows)
    times = FIRST_SECOND + INTERVAL_S * np.arange(rows)
    found = []
    for value, (raw, anomaly, log, sequence, novelty, forecast, low, high) in zip(values, own, strict=True):
        digests = np.array(list(identity.extended(1, times, value)), np.int64)
        reals = (
            value,
            raw,
            sequence,
            novelty,
            log,
            anomaly,
            display.bars(anomaly),
            *(column.astype(np.float32) for column in (forecast, low, high)),
        )
        found.append(blocks.Rows(np.array([times, digests]), np.array(reals, np.float64), [None] * rows))
    return found


def filled(folder: Path, kinds: list[blocks.Rows], count: int) -> Database:
    """Return a repository with merged rows of so many metrics."""
    database = open_database(config.Repository(path=folder / "repository.sqlite"))
    migrations.upgrade(database, shards=4)
    with database.write() as conn:
        metrics.create_custom(conn, [f"server.{number}.cpu" for number in range(count)])
        conn.exec_driver_sql("UPDATE metric SET last_rowid = 1000000000")
        insert = f"INSERT INTO merged_row ({', '.join(STORED)}) VALUES ({', '.join('?' * len(STORED))})"
        for metric in range(1, count + 1):
            rows = kinds[metric % len(kinds)]
            columns: list[Any] = [*rows.integers.tolist(), *rows.reals.tolist(), rows.texts]
            every = range(1, len(rows.texts) + 1)
            conn.exec_driver_sql(insert, list(zip([metric] * len(every), every, *columns, strict=True)))
        compaction.begin(conn)
    return database


def cpu_us(work: Callable[[], int]) -> float:
    """Return the processor time of something for each row that it has had."""
    begin = time.process_time()
    rows = work()
    return (time.process_time() - begin) / rows * 1e6


def compacted(database: Database) -> int:
    """Make all blocks; return how many rows are in them."""
    rows, some = 0, 1
    while some:
        with database.write() as conn:
            some = compaction.compact(conn, BLOCKS_BATCH_SIZE)
        rows += some
    return rows


def measure(arguments: argparse.Namespace) -> dict[str, float]:
    """Return the least times, and how many bytes a row takes."""
    kinds = of_kinds(arguments.rows)
    own = [
        blocks.Rows(
            rows.integers[:, :BLOCK_ROWS].copy(), rows.reals[:, :BLOCK_ROWS].copy(), rows.texts[:BLOCK_ROWS]
        )
        for rows in kinds
    ]
    by_name = [
        dict(zip(blocks.COLUMNS, [rows.integers[0], *rows.reals, rows.integers[1], rows.texts], strict=True))
        for rows in own
    ]
    packed = [blocks.encode(rows) for rows in own]
    if packed != [row_block.encode(columns) for columns in by_name]:
        raise ValueError("the kernel and its twin differ")
    rows = sum(len(one.texts) for one in own)

    def work(of_each: Callable[[Any], object], given: list[Any]) -> Callable[[], int]:
        def run() -> int:
            for one in given:
                of_each(one)
            return rows

        return run

    def read_by_twin(block: bytes) -> list[Any]:
        opened = row_block.Block(block)
        return [opened.column(name) for name in blocks.COLUMNS]

    kinds_of_work = {
        "pack_us": work(blocks.encode, own),
        "pack_by_twin_us": work(row_block.encode, by_name),
        "unpack_us": work(lambda block: blocks.Block(block).columns(blocks.COLUMNS), packed),
        "unpack_by_twin_us": work(read_by_twin, packed),
    }
    times: dict[str, list[float]] = {name: [] for name in [*kinds_of_work, "compact_us"]}
    for _ in range(arguments.rounds):
        for name, run in kinds_of_work.items():
            times[name].append(cpu_us(run))
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            database = filled(Path(folder), kinds, arguments.metrics)
            times["compact_us"].append(cpu_us(lambda: compacted(database)))  # noqa: B023  (called at once)
            database.close()
    return {
        **{name: round(min(some), 2) for name, some in times.items()},
        "bytes_per_row": round(sum(map(len, packed)) / rows, 2),
    }


def main() -> None:
    """Measure and print the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--metrics", type=int, default=20, help="of the repository whose rows become blocks")
    parser.add_argument("--rows", type=int, default=1100, help="of each metric")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="of the repositories; default: the system's temporary")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    results = measure(arguments)
    if arguments.json:
        print(
            json.dumps({"machine": machine(), "arguments": vars(arguments), "results": results}, default=str)
        )
        return
    for name, figure in results.items():
        print(f"{name:20} {figure:>8}")


if __name__ == "__main__":
    main()
