"""Ways in which one machine can keep rows and their scores: what each costs to write, to keep and to read.

    .venv/bin/python -m benchmarks.store --json
    .venv/bin/python -m benchmarks.store --metrics 20000 --history 96 --order random --candidates tables buckets

Each candidate takes the same batches: rows of some thousand metrics, one each, as the storer appends them, and then their
scores, as the anomaly service stores them. The metrics of a batch follow each other as agents send them (`fleet`) or lie
anywhere (`random`). `history` rows of each metric are there before anything is counted. Bytes are those that the process
hands to the system: write-ahead logs, what is written back of them, and compaction included. Values have three decimals,
scores are those of real models. A day is 288 rows here, whatever of it the history has.

    tables      the repository's tables as they are
    clustered   one table in the order of metric and rowid, without further index; the scores are an update
    buckets     the same in the order of bucket of time, metric and rowid; a bucket is a quarter of an hour
    appended    one table in the order of time, without index, scores in another: what writing costs at least
    batches     a batch as one value of columns in such a table, scores likewise; compacted into a value for each metric
    segments    the same columns appended to files of their own; compacted likewise
    rocksdict   RocksDB; a key for each row and one for its scores. Only where that package is installed
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sqlite3
import struct
import tempfile
import time
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

import numpy as np

from benchmarks.fleet import generate
from benchmarks.machine import machine
from htmengine import config
from htmengine.htm import params
from htmengine.htm.arrays import FloatArray
from htmengine.htm.model import Model
from htmengine.repository import identity, migrations, samples, scores
from htmengine.repository import metrics as repository_metrics
from htmengine.repository.embedded import compaction, merging
from htmengine.repository.opening import open_database

BLOCKS_BATCH_SIZE: Final = 2
"""So many blocks are made in a transaction, as the storer does."""
FIRST_SECOND: Final = 1_700_000_100
INTERVAL_S: Final = 300
BUCKET_S: Final = 900
DAY: Final = 288
KINDS: Final = 40
"""Metrics whose scores are computed; the others repeat them."""
WARM_UP: Final = 400
"""Rows that a model learns before its scores are used."""
READS: Final = 200

COLUMNS: Final = (
    "raw REAL, anomaly REAL, log REAL, sequence REAL, novelty REAL, forecast REAL, low REAL, high REAL"
)
NAMES: Final = COLUMNS.replace(" REAL", "")


class Batch(NamedTuple):
    """Rows of some metrics, one each, with their scores."""

    metrics: list[int]
    rowid: int
    timestamp: int
    values: list[float]
    digests: list[int]
    scores: list[list[float]]
    """Raw, anomaly, log, sequence and novelty score, forecast, usual low and high: a list of each."""


class Cost(NamedTuple):
    """What something took."""

    cpu_s: float
    written: int

    def since(self, other: Cost) -> Cost:
        """Return what came after another."""
        return Cost(self.cpu_s - other.cpu_s, self.written - other.written)

    def plus(self, other: Cost) -> Cost:
        """Return the sum of two."""
        return Cost(self.cpu_s + other.cpu_s, self.written + other.written)


def cost() -> Cost:
    """Return what this process took so far: processor time of all threads, bytes handed to the system."""
    counters = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return Cost(time.process_time(), int(counters["wchar"]))


class Candidate(ABC):
    """A store in a folder of its own."""

    def __init__(self, folder: Path, metrics: int) -> None:
        self.folder = folder
        self.metrics = metrics

    @abstractmethod
    def append(self, batch: Batch) -> None:
        """Store rows, durable against the end of the process."""

    @abstractmethod
    def score(self, batch: Batch) -> None:
        """Store the scores of these rows."""

    @abstractmethod
    def read(self, metric: int, rows: int) -> int:
        """Read the newest rows of a metric with their scores; return how many there were."""

    def compact(self) -> None:  # noqa: B027  (most have nothing to do)
        """Bring rows into the form in which they are kept."""

    @abstractmethod
    def close(self) -> None:
        """Write everything to its place."""

    def bytes(self) -> int:
        """Return what lies in the folder."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())


class Tables(Candidate):
    """The repository's own functions."""

    def __init__(self, folder: Path, metrics: int) -> None:
        super().__init__(folder, metrics)
        self.database = open_database(config.Repository(path=folder / "repository.sqlite"))
        migrations.upgrade(self.database, shards=4)
        with self.database.write() as conn:
            made = repository_metrics.create_custom(
                conn, [f"server.{number}.cpu" for number in range(metrics)]
            )
            # No row is the newest: what is complete becomes blocks.
            conn.exec_driver_sql("UPDATE metric SET last_rowid = 1000000000")
        self.uids = list(made.values())

    def append(self, batch: Batch) -> None:
        uids = [self.uids[metric] for metric in batch.metrics]
        with self.database.write() as conn:
            samples.append(
                conn,
                uids,
                [batch.rowid] * len(uids),
                [batch.timestamp] * len(uids),
                batch.values,
                batch.digests,
            )

    def score(self, batch: Batch) -> None:
        uids = [self.uids[metric] for metric in batch.metrics]
        raw, anomaly, log, sequence, novelty, forecast, low, high = batch.scores
        with self.database.write() as conn:
            scores.store(
                conn,
                uids=uids,
                rowids=[batch.rowid] * len(uids),
                digests=batch.digests,
                raw_anomaly_scores=raw,
                anomaly_scores=anomaly,
                log_scores=log,
                sequence_scores=sequence,
                novelty_scores=novelty,
                forecasts=forecast,
                usual_lows=low,
                usual_highs=high,
            )

        with self.database.write() as conn:
            if merging.is_due(conn):
                merging.merge(conn, 2 * len(uids))
        left = 2 * len(uids)
        while left > 0:
            with self.database.write() as conn:
                compacted = compaction.compact(conn, BLOCKS_BATCH_SIZE)
            left -= compacted or left

    def compact(self) -> None:
        is_due = True
        while is_due:
            with self.database.write() as conn:
                is_due = merging.is_due(conn) or compaction.is_due(conn)
                merging.merge(conn, 4000)
                compaction.compact(conn, BLOCKS_BATCH_SIZE)

    def read(self, metric: int, rows: int) -> int:
        with self.database.read() as conn:
            newest = samples.tail(conn, self.uids[metric], 1).rowids[0]
            return len(scores.stored(conn, self.uids[metric], newest - rows + 1, newest))

    def close(self) -> None:
        self.database.close()


class Sqlite(Candidate):
    """Tables of one SQLite file, by its module alone."""

    tables: str

    def __init__(self, folder: Path, metrics: int) -> None:
        super().__init__(folder, metrics)
        self.connection = sqlite3.connect(
            folder / "store.sqlite", isolation_level=None, cached_statements=500
        )
        self.connection.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -131072;"
            "PRAGMA wal_autocheckpoint = 16000;" + self.tables
        )

    def write(self, statement: str, rows: list[tuple[Any, ...]]) -> None:
        """Execute a statement that takes rows in a transaction; `?` stands for all of them."""
        self.connection.execute("BEGIN IMMEDIATE")
        row = f"({', '.join('?' * len(rows[0]))})"
        start = 0
        while start < len(rows):
            count = 1 << (min(512, len(rows) - start).bit_length() - 1)
            values = [value for one in rows[start : start + count] for value in one]
            self.connection.execute(statement.replace("?", ", ".join([row] * count)), values)
            start += count
        self.connection.execute("COMMIT")

    def close(self) -> None:
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.connection.close()


class Clustered(Sqlite):
    """A table in the order of metric and rowid."""

    tables = (
        "CREATE TABLE row (metric INTEGER, rowid INTEGER, time INTEGER, value REAL, digest INTEGER,"
        f" {COLUMNS}, PRIMARY KEY (metric, rowid)) WITHOUT ROWID"
    )
    update = "metric = given.column1 AND rowid = given.column2 AND digest = given.column3"

    def append(self, batch: Batch) -> None:
        rows = zip(batch.metrics, batch.values, batch.digests, strict=True)
        self.write(
            "INSERT INTO row (metric, rowid, time, value, digest) VALUES ?",
            [(metric, batch.rowid, batch.timestamp, value, digest) for metric, value, digest in rows],
        )

    def score(self, batch: Batch) -> None:
        sets = ", ".join(f"{name} = given.column{4 + i}" for i, name in enumerate(NAMES.split(", ")))
        self.write(
            f"UPDATE row SET {sets} FROM (VALUES ?) AS given WHERE {self.update}",
            [
                (metric, batch.rowid, digest, *own)
                for metric, digest, *own in zip(batch.metrics, batch.digests, *batch.scores, strict=True)
            ],
        )

    def read(self, metric: int, rows: int) -> int:
        query = "SELECT * FROM row WHERE metric = ? ORDER BY rowid DESC LIMIT ?"
        return len(self.connection.execute(query, (metric, rows)).fetchall())


class Buckets(Clustered):
    """The same, in buckets of time."""

    tables = (
        "CREATE TABLE row (bucket INTEGER, metric INTEGER, rowid INTEGER, time INTEGER, value REAL, digest INTEGER,"
        f" {COLUMNS}, PRIMARY KEY (bucket, metric, rowid)) WITHOUT ROWID;"
        "CREATE TABLE bucket (id INTEGER PRIMARY KEY)"
    )

    def append(self, batch: Batch) -> None:
        bucket = batch.timestamp // BUCKET_S
        rows = zip(batch.metrics, batch.values, batch.digests, strict=True)
        self.connection.execute("INSERT OR IGNORE INTO bucket VALUES (?)", (bucket,))
        self.write(
            "INSERT INTO row (bucket, metric, rowid, time, value, digest) VALUES ?",
            [(bucket, metric, batch.rowid, batch.timestamp, value, digest) for metric, value, digest in rows],
        )

    def score(self, batch: Batch) -> None:
        bucket = batch.timestamp // BUCKET_S
        self.update = f"bucket = {bucket} AND {Clustered.update}"
        super().score(batch)

    def read(self, metric: int, rows: int) -> int:
        query = (
            "SELECT row.* FROM bucket CROSS JOIN row ON row.bucket = bucket.id AND row.metric = ?"
            " ORDER BY bucket.id DESC, row.rowid DESC LIMIT ?"
        )
        return len(self.connection.execute(query, (metric, rows)).fetchall())


class Appended(Sqlite):
    """Tables in the order of time; nothing leads to a metric."""

    tables = (
        "CREATE TABLE row (metric INTEGER, rowid INTEGER, time INTEGER, value REAL, digest INTEGER);"
        f"CREATE TABLE score (metric INTEGER, rowid INTEGER, {COLUMNS})"
    )

    def append(self, batch: Batch) -> None:
        rows = zip(batch.metrics, batch.values, batch.digests, strict=True)
        self.write(
            "INSERT INTO row VALUES ?",
            [(metric, batch.rowid, batch.timestamp, value, digest) for metric, value, digest in rows],
        )

    def score(self, batch: Batch) -> None:
        rows = zip(batch.metrics, *batch.scores, strict=True)
        self.write("INSERT INTO score VALUES ?", [(metric, batch.rowid, *own) for metric, *own in rows])

    def read(self, metric: int, rows: int) -> int:
        query = "SELECT * FROM row NATURAL JOIN score WHERE metric = ? ORDER BY rowid DESC LIMIT ?"
        return len(self.connection.execute(query, (metric, rows)).fetchall())


def packed(batch: Batch, of_scores: bool) -> bytes:
    """Return a batch as columns: samples, or scores."""
    columns = [np.array(batch.metrics, np.uint32).tobytes(), struct.pack("<II", batch.rowid, batch.timestamp)]
    if of_scores:
        columns += [
            np.array(column, np.float64 if i < 5 else np.float32).tobytes()
            for i, column in enumerate(batch.scores)
            if i != 1
        ]
    else:
        columns += [np.array(batch.values).tobytes(), np.array(batch.digests, np.int64).tobytes()]
    return b"".join(columns)


def block(rows: list[tuple[Any, ...]]) -> bytes:
    """Return rows of a metric as a compressed value: values as differences of thousandths, bytes of a column by their places.

    The anomaly score follows from the log score, digests from the last one and the samples, rowids from the first.
    """
    time_, value, raw, _, log, sequence, novelty, forecast, low, high = (
        np.array(column) for column in zip(*rows, strict=True)
    )
    thousandths = np.rint(value * 1000).astype(np.int64)
    parts = [
        np.diff(time_, prepend=time_[:1]).astype(np.int32),
        np.diff(thousandths, prepend=0).astype(np.int32),
    ]
    parts += [column.astype(np.float64) for column in (raw, log, sequence, novelty)]
    parts += [column.astype(np.float32) for column in (forecast, low, high)]
    planes = b"".join(part.view(np.uint8).reshape(-1, part.itemsize).T.tobytes() for part in parts)
    return zlib.compress(planes, 6)


class Columns(Candidate):
    """Batches as columns; an index of them in memory; a value for each metric once they are compacted."""

    def __init__(self, folder: Path, metrics: int) -> None:
        super().__init__(folder, metrics)
        self.batches: list[Batch] = []
        """In place of the index: what a real one would find through it and decode."""
        self.connection = sqlite3.connect(folder / "store.sqlite", isolation_level=None)
        self.connection.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
            "CREATE TABLE batch (id INTEGER PRIMARY KEY, columns BLOB);"
            "CREATE TABLE block (metric INTEGER, columns BLOB)"
        )

    @abstractmethod
    def put(self, columns: bytes) -> None:
        """Append columns."""

    @abstractmethod
    def forget(self) -> None:
        """Forget what was appended."""

    def append(self, batch: Batch) -> None:
        self.put(packed(batch, of_scores=False))
        self.batches.append(batch)

    def score(self, batch: Batch) -> None:
        self.put(packed(batch, of_scores=True))

    def read(self, metric: int, rows: int) -> int:
        found = self.connection.execute("SELECT columns FROM block WHERE rowid = ?", (metric + 1,)).fetchone()
        return len(np.frombuffer(zlib.decompress(found[0]), np.uint8)) // 52

    def compact(self) -> None:
        rows: list[list[tuple[Any, ...]]] = [[] for _ in range(self.metrics)]
        for batch in self.batches:
            for metric, value, *own in zip(batch.metrics, batch.values, *batch.scores, strict=True):
                rows[metric].append((batch.timestamp, value, *own))
        self.connection.execute("BEGIN")
        blocks = ((metric, block(own)) for metric, own in enumerate(rows))
        self.connection.executemany("INSERT INTO block VALUES (?, ?)", blocks)
        self.forget()
        self.connection.execute("COMMIT")
        self.batches.clear()

    def close(self) -> None:
        self.connection.execute("VACUUM")
        self.connection.close()


class Batches(Columns):
    """In a table of SQLite."""

    def put(self, columns: bytes) -> None:
        self.connection.execute("INSERT INTO batch (columns) VALUES (?)", (columns,))

    def forget(self) -> None:
        self.connection.execute("DELETE FROM batch")


class Segments(Columns):
    """In a file of its own, each with its length and checksum."""

    def __init__(self, folder: Path, metrics: int) -> None:
        super().__init__(folder, metrics)
        self.path = folder / "segment"
        self.file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def put(self, columns: bytes) -> None:
        os.write(self.file, struct.pack("<II", len(columns), zlib.crc32(columns)) + columns)

    def forget(self) -> None:
        os.ftruncate(self.file, 0)

    def close(self) -> None:
        os.close(self.file)
        super().close()


class Rocks(Candidate):
    """RocksDB with its defaults."""

    def __init__(self, folder: Path, metrics: int) -> None:
        super().__init__(folder, metrics)
        rocksdict = import_module("rocksdict")
        self.make = rocksdict.WriteBatch
        self.db = rocksdict.Rdict(str(folder / "rocks"), rocksdict.Options(raw_mode=True))

    def append(self, batch: Batch) -> None:
        new = self.make(raw_mode=True)
        for metric, value, digest in zip(batch.metrics, batch.values, batch.digests, strict=True):
            new.put(
                struct.pack(">IIB", metric, batch.rowid, 0),
                struct.pack("<Idq", batch.timestamp, value, digest),
            )
        self.db.write(new)

    def score(self, batch: Batch) -> None:
        new = self.make(raw_mode=True)
        for metric, raw, _, *others in zip(batch.metrics, *batch.scores, strict=True):
            new.put(struct.pack(">IIB", metric, batch.rowid, 1), struct.pack("<4d3f", raw, *others))
        self.db.write(new)

    def read(self, metric: int, rows: int) -> int:
        found = 0
        own = struct.pack(">I", metric)
        for key, _ in self.db.items(from_key=own):
            if not key.startswith(own):
                break
            found += 1
        return min(found // 2, rows)

    def compact(self) -> None:
        self.db.compact_range(None, None)

    def close(self) -> None:
        self.db.close()


CANDIDATES: Final[dict[str, type[Candidate]]] = {
    "tables": Tables,
    "clustered": Clustered,
    "buckets": Buckets,
    "appended": Appended,
    "batches": Batches,
    "segments": Segments,
    "rocksdict": Rocks,
}


def scored(rows: int) -> tuple[FloatArray, FloatArray]:
    """Return values of some metrics, shape (KINDS, rows), and what models say of them, shape (KINDS, 8, rows)."""
    fleet = generate(KINDS, WARM_UP + rows)
    found = []
    for values in fleet.values:
        series = Model(params.parameter_set("default")).score_series(fleet.timestamps(), values)
        found.append([*series.stored, *series.expected])
    return fleet.values[:, WARM_UP:], np.nan_to_num(np.array(found)[:, :, WARM_UP:])


def batches(metrics: int, rows: int, size: int, order: str) -> Iterator[Batch]:
    """Yield so many rows of each metric."""
    values, own = scored(rows)
    times = FIRST_SECOND + INTERVAL_S * np.arange(rows)
    digests = np.array([list(identity.extended(1, times, own)) for own in values])
    draw = random.Random(1)
    every = list(range(metrics))
    for row in range(rows):
        if order == "random":
            draw.shuffle(every)
        for start in range(0, metrics, size):
            some = every[start : start + size]
            kinds = [metric % KINDS for metric in some]
            yield Batch(
                some,
                row + 1,
                int(times[row]),
                values[kinds, row].tolist(),
                digests[kinds, row].tolist(),
                own[kinds, :, row].T.tolist(),
            )


def measure(kind: type[Candidate], folder: Path, arguments: argparse.Namespace) -> dict[str, float]:
    """Return what a candidate costs."""
    folder.mkdir()
    store = kind(folder, arguments.metrics)
    rows = arguments.history + arguments.rows
    append, score = Cost(0.0, 0), Cost(0.0, 0)
    for batch in batches(arguments.metrics, rows, arguments.batch, arguments.order):
        begin = cost()
        store.append(batch)
        between = cost()
        store.score(batch)
        if batch.rowid > arguments.history:
            append = append.plus(between.since(begin))
            score = score.plus(cost().since(between))
    count = arguments.metrics * arguments.rows
    begin = cost()
    store.compact()
    compacted = cost().since(begin)
    draw = random.Random(2)
    waits = []
    for metric in (draw.randrange(arguments.metrics) for _ in range(READS if kind is not Appended else 3)):
        start = time.perf_counter()
        found = store.read(metric, DAY)
        waits.append(time.perf_counter() - start)
        if found != min(rows, DAY):
            raise ValueError(f"{kind.__name__}: {found} rows of {min(rows, DAY)} are read")
    store.close()
    every = rows * arguments.metrics
    return {
        "append_us": round(append.cpu_s / count * 1e6, 2),
        "score_us": round(score.cpu_s / count * 1e6, 2),
        "compact_us": round(compacted.cpu_s / every * 1e6, 2),
        "written_bytes": round((append.written + score.written) / count + compacted.written / every),
        "kept_bytes": round(store.bytes() / every, 1),
        "day_ms": round(median(waits) * 1e3, 2),
    }


def main() -> None:
    """Measure the candidates and print the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--metrics", type=int, default=20_000)
    parser.add_argument("--history", type=int, default=24, help="rows of each metric that are there before")
    parser.add_argument("--rows", type=int, default=6, help="rows of each metric that are counted")
    parser.add_argument("--batch", type=int, default=4000, help="rows in a transaction")
    parser.add_argument("--order", choices=["fleet", "random"], default="fleet")
    parser.add_argument("--candidates", nargs="+", choices=list(CANDIDATES), default=list(CANDIDATES)[:-1])
    parser.add_argument(
        "--folder", type=Path, help="where the stores are made; default: the system's temporary"
    )
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        results = {
            name: measure(CANDIDATES[name], Path(folder) / name, arguments) for name in arguments.candidates
        }
    if arguments.json:
        print(
            json.dumps({"machine": machine(), "arguments": vars(arguments), "results": results}, default=str)
        )
        return
    for name, figures in results.items():
        print(f"{name:10}", "  ".join(f"{title} {figure:>8}" for title, figure in figures.items()))


if __name__ == "__main__":
    main()
