"""What it costs to keep more models than fit into memory: loads, saves, memory, and how long samples wait for their models.

    .venv/bin/python -m benchmarks.swap --metrics 100000 --memory 2048 --json
    .venv/bin/python -m benchmarks.swap --metrics 5000 --memory 100 --trained 1000 --seconds 10

Makes an installation with so many metrics and a checkpoint of each: `--different` models have scored `--trained` rows
and more, the others are copies of them. Then a process of its own runs the scheduler alone, with its database and its
store of checkpoints as they are in the engine, and without the services around it:

- `start`: the next sample of each metric, from the first to the last score. Each model is loaded.
- `all`: samples of all metrics in random order, some rounds of them, as fast as they are scored.
- `cold`: samples of random metrics, so many a second as `--rate` says. From a sample's arrival to the end of its round.
- `stop`: until the scheduler has ended, and how many models had to be saved for that.

Times are of the scheduler alone: what the storer and the anomaly service do to the database is done before or between,
and not counted. `rss_mib` is how much the process has grown since it held no model.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from sqlalchemy import update

from benchmarks.fleet import FIRST_TIMESTAMP, generate
from benchmarks.machine import machine
from htmengine import config, messages
from htmengine.bus import Delivery
from htmengine.htm import params
from htmengine.htm.model import Model
from htmengine.messages import Samples, Scores, shard_of
from htmengine.model_swapper import definition
from htmengine.model_swapper.checkpoint import Checkpoint
from htmengine.model_swapper.checkpoint_store import CheckpointStore, open_checkpoint_store
from htmengine.model_swapper.scheduler import ModelScheduler
from htmengine.repository import identity, metrics, migrations, samples, schema
from htmengine.repository.database import Database
from htmengine.repository.opening import open_database
from htmengine.repository.scores import advance_watermarks
from htmengine.repository.status import MetricStatus
from htmengine.system.memory import give_back

INTERVAL_S: Final = 300
LONGEST: Final = 500
"""The models have scored `--trained` rows and up to so many more."""
SOME: Final = 2000
"""Metrics that are written in one transaction."""
MESSAGE: Final = 500
"""Samples in a message."""


@dataclass
class Fleet:
    """Metrics by number, and how far each is."""

    uids: list[str]
    rowids: NDArray[np.int64]
    """The last stored row of each."""
    digests: NDArray[np.int64]
    """Of the samples up to that."""
    values: NDArray[np.float64]
    """Shape (different, samples): metric i has the values of series i % different."""

    def value(self, numbers: NDArray[np.int64], rowids: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the values of rows of metrics."""
        found: NDArray[np.float64] = self.values[numbers % len(self.values), rowids % self.values.shape[1]]
        return found

    def extend(self, conn: Any, numbers: NDArray[np.int64], rounds: int) -> list[Samples]:
        """Store the next rows of metrics, and return their samples, one row of each after the other."""
        uids = [self.uids[number] for number in numbers]
        before = self.rowids[numbers]
        parts: list[Samples] = []
        for round_ in range(1, rounds + 1):
            rowids = before + round_
            times = (FIRST_TIMESTAMP + rowids * INTERVAL_S).tolist()
            values = self.value(numbers, rowids).tolist()
            hashes = np.array(identity.hashes(times, values), dtype=np.uint64)
            sums = (self.digests[numbers].astype(np.uint64) + hashes) & np.uint64(identity.MASK)
            self.digests[numbers] = sums.astype(np.int64)
            digests = self.digests[numbers].tolist()
            parts.append(
                Samples(
                    uids=uids,
                    generations=[0] * len(uids),
                    rowids=rowids.tolist(),
                    timestamps=times,
                    values=values,
                    digests=digests,
                )
            )
        last = parts[-1]
        samples.advance_last(
            conn,
            [
                samples.Advance(uid, int(old), new, time_, digest)
                for uid, old, new, time_, digest in zip(
                    uids, before, last.rowids, last.timestamps, last.digests, strict=True
                )
            ],
        )
        for part in parts:
            samples.append(conn, part.uids, part.rowids, part.timestamps, part.values, part.digests)
        self.rowids[numbers] = last.rowids
        return parts


def part_of(whole: Samples, places: slice | Sequence[int]) -> Samples:
    """Return the samples at some places."""
    if isinstance(places, slice):
        return Samples(**{name: getattr(whole, name)[places] for name in Samples.__struct_fields__})
    columns = {name: getattr(whole, name) for name in Samples.__struct_fields__}
    return Samples(**{name: [column[place] for place in places] for name, column in columns.items()})


def grown(different: int, trained: int) -> tuple[list[bytes], list[int], NDArray[np.float64]]:
    """Return the blocks of trained models, how many rows each has scored, and their series."""
    random = np.random.default_rng(1)
    values = generate(different, trained + 2 * LONGEST, seed=7).values
    blocks, rows = [], []
    for series in values:
        count = trained + int(random.integers(LONGEST))
        model = Model(params.parameter_set("default"))
        rowids = np.arange(1, count + 1)
        model.score_series(FIRST_TIMESTAMP + rowids * float(INTERVAL_S), series[rowids % len(series)])
        blocks.append(model.pack())
        rows.append(count)
    return blocks, rows, values


def settings_of(folder: Path, memory: int | None, threads: int) -> config.Settings:
    """Return the settings of an installation; `memory`: MiB for models."""
    settings = config.embedded(folder).with_scheduler(threads=threads)
    return settings.with_scheduler(resident_bytes=memory << 20) if memory else settings


def build(folder: Path, count: int, different: int, trained: int) -> Fleet:
    """Make an installation with so many metrics, all scored up to some row, and a checkpoint of each."""
    blocks, rows, values = grown(different, trained)
    settings = settings_of(folder, None, 1)
    database = open_database(settings.repository)
    migrations.upgrade(database, settings.shards)
    store = open_checkpoint_store(settings, database)
    names = [f"swap.host{number:07d}.load" for number in range(count)]
    uids: list[str] = []
    fleet_digests: list[int] = []
    model_params = definition.render(params.parameter_set("default"))
    for start in range(0, count, SOME):
        numbers = range(start, min(count, start + SOME))
        with database.write() as conn:
            made = metrics.create_custom(conn, [names[number] for number in numbers])
            some = [made[names[number]] for number in numbers]
            metrics.start_models(
                conn,
                [metrics.NewModel(uid, "{}", model_params, MetricStatus.ACTIVE, None) for uid in some],
            )
        written = []
        model_digest = identity.of(model_params, 0)
        advanced = []
        for number, uid in zip(numbers, some, strict=True):
            rowid = rows[number % different]
            tail = FIRST_TIMESTAMP + rowid * INTERVAL_S
            digest = identity.start(rowid, tail)
            fleet_digests.append(digest)
            advanced.append(samples.Advance(uid, 0, rowid, tail, digest))
            written.append(
                Checkpoint.of(
                    uid,
                    0,
                    rowid,
                    shard_of(uid, settings.shards),
                    blocks[number % different],
                    identity.with_model(digest, model_digest),
                )
            )
        with database.write() as conn:
            samples.advance_last(conn, advanced)
            advance_watermarks(conn, [(it.uid, 0, 0, it.to_rowid) for it in advanced])
        epochs = {shard: store.epoch(shard) for shard in range(settings.shards)}
        store.write(written, epochs, scored={}, now=0)
        uids += some
    watermark = schema.metric_watermark
    with database.write() as conn:
        conn.execute(update(watermark).values(hourly_rowid=watermark.c.scored_rowid))
    database.close()
    return Fleet(
        uids,
        np.array([rows[number % different] for number in range(count)]),
        np.array(fleet_digests),
        values,
    )


class Driver:
    """The scheduler, and what the services around it would do."""

    def __init__(self, settings: config.Settings, fleet: Fleet, database: Database, store: CheckpointStore):
        self.fleet = fleet
        self.settings = settings
        self.database = database
        self.scheduler = ModelScheduler(
            settings,
            database,
            store,
            shards=settings.shards,
            results_ages=lambda shards: dict.fromkeys(shards),
            give_back=give_back,
        )
        self.busy_s = 0.0
        self.around_cpu_s = 0.0
        """What the services around it took."""
        self.scored = 0
        self._tag = 0

    def extend(self, numbers: NDArray[np.int64], rounds: int = 1) -> list[Samples]:
        """Store the next rows of metrics, as the storer does; return their samples, row after row."""
        parts: list[Samples] = []
        for start in range(0, len(numbers), SOME):
            with self.database.write() as conn:
                parts += self.fleet.extend(conn, numbers[start : start + SOME], rounds)
        return parts

    def deliveries(self, wanted: Samples) -> list[Delivery]:
        """Return the messages with samples, those of each shard in messages of their own."""
        by_shard: dict[int, list[int]] = {}
        for place, uid in enumerate(wanted.uids):
            by_shard.setdefault(shard_of(uid, self.settings.shards), []).append(place)
        made = []
        for shard, places in by_shard.items():
            for start in range(0, len(places), MESSAGE):
                part = part_of(wanted, places[start : start + MESSAGE])
                self._tag += 1
                made.append(
                    Delivery(
                        self.settings.model_input_queue(shard),
                        messages.encode_model_input([part]),
                        {},
                        1,
                        1,
                        self._tag,
                    )
                )
        return made

    def round(self, deliveries: Sequence[Delivery]) -> int:
        """Let the scheduler work, and note the scores as the anomaly service does; return how many there are."""
        began = time.perf_counter()
        outcome = self.scheduler.process(deliveries)
        self.scheduler.settle()
        self.busy_s += time.perf_counter() - began
        cpu = time.thread_time()
        found = 0
        last: dict[str, tuple[int, int]] = {}
        for outgoing in outcome.publish:
            for message in messages.decode_model_output(outgoing.body):
                if isinstance(message, Scores):
                    found += len(message.uids)
                    for uid, rowid in zip(message.uids, message.rowids, strict=True):
                        first, _ = last.get(uid, (rowid - 1, 0))
                        last[uid] = first, rowid
        if last:
            with self.database.write() as conn:
                advance_watermarks(conn, [(uid, 0, *span) for uid, span in last.items()])
        self.scored += found
        self.around_cpu_s += time.thread_time() - cpu
        return found

    def settle(self, wanted: int) -> None:
        """Let the scheduler work until so many samples are scored."""
        idle = 0
        while self.scored < wanted:
            idle = 0 if self.round([]) else idle + 1
            if idle > 1000:
                raise RuntimeError(f"{wanted - self.scored} samples were not scored")


def rss_mib() -> float:
    """Return the memory that this process holds for itself, without the files that it has mapped."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["RssAnon"].split()[0]) / 2**10


def disk_mib(settings: config.Settings) -> float:
    """Return the size of the file of checkpoints."""
    root = settings.checkpoint_root
    return sum(path.stat().st_size for path in root.iterdir()) / 2**20 if root else 0.0


def measure(folder: Path, fleet: Fleet, options: argparse.Namespace) -> dict[str, Any]:
    """Run the scheduler and return what it took."""
    settings = settings_of(folder, options.memory, options.threads)
    database = open_database(settings.repository, cache_bytes=settings.scheduler.cache_bytes)
    store = open_checkpoint_store(settings, database)
    driver = Driver(settings, fleet, database, store)
    random = np.random.default_rng(3)
    count = len(fleet.uids)
    base = rss_mib()

    def rounds(parts: Sequence[Samples], seconds: float | None = None) -> dict[str, float]:
        """Feed samples as fast as they are scored, and return how fast that is."""
        batches = [
            part_of(whole, slice(start, start + options.batch))
            for whole in parts
            for start in range(0, len(whole), options.batch)
        ]
        before = driver.busy_s, driver.scored, time.process_time() - driver.around_cpu_s
        counters = dict(driver.scheduler.counters.snapshot())
        given = driver.scored
        for batch in batches:
            driver.round(driver.deliveries(batch))
            given += len(batch)
            if seconds is not None and driver.busy_s - before[0] > seconds:
                break
        driver.settle(given)
        after = driver.scheduler.counters.snapshot()
        busy, scored = driver.busy_s - before[0], driver.scored - before[1]
        cpu = time.process_time() - driver.around_cpu_s - before[2]
        return {
            "seconds": busy,
            "samples_per_second": scored / busy,
            "cpu_us_per_sample": cpu / scored * 1e6,
            **{
                f"{name}_per_second": (after.get(key, 0) - counters.get(key, 0)) / busy
                for name, key in [("loads", "models_loaded"), ("saves", "checkpoints")]
            },
        }

    result: dict[str, Any] = {}
    parts = driver.extend(random.permutation(count))
    result["start"] = rounds(parts)
    parts = [part for _ in range(options.rounds) for part in driver.extend(random.permutation(count))]
    result["all"] = rounds(parts, options.seconds)
    resident = driver.scheduler.counters.snapshot().get("models_resident", 0)
    result["rss_mib"] = rss_mib() - base  # with what is on its way to the disk
    result["models_in_memory"] = resident

    # Arrivals by a schedule; each round takes what has arrived.
    numbers = random.permutation(count)[: int(options.rate * options.cold_seconds)]
    fed = driver.extend(numbers)
    arrivals = np.arange(len(numbers)) / options.rate
    flat = Samples(
        **{name: [it for part in fed for it in getattr(part, name)] for name in Samples.__struct_fields__}
    )
    waits: list[float] = []
    began = time.perf_counter()
    taken, cpu = 0, time.process_time() - driver.around_cpu_s
    while taken < len(numbers):
        now = time.perf_counter() - began
        arrived = int(np.searchsorted(arrivals, now, side="right"))
        if arrived == taken:
            time.sleep(0.002)
            continue
        part = part_of(flat, slice(taken, arrived))
        goal = driver.scored + len(part)
        driver.round(driver.deliveries(part))
        driver.settle(goal)
        waits += (time.perf_counter() - began - arrivals[taken:arrived]).tolist()
        taken = arrived
    result["cold"] = (
        {
            "p50_ms": float(np.percentile(waits, 50)) * 1e3,
            "p99_ms": float(np.percentile(waits, 99)) * 1e3,
            "max_ms": max(waits) * 1e3,
            "cpu_us_per_sample": (time.process_time() - driver.around_cpu_s - cpu) / len(numbers) * 1e6,
        }
        if waits
        else {}
    )
    before = driver.scheduler.counters.snapshot().get("checkpoints", 0)
    began, cpu = time.perf_counter(), time.process_time()
    driver.scheduler.close()
    result["stop"] = {
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - cpu,
        "models_saved": driver.scheduler.counters.snapshot().get("checkpoints", 0) - before,
    }
    result["disk_bytes_per_model"] = disk_mib(settings) * 2**20 / count
    result["lost"] = _unscored(database)
    database.close()
    return result


def _unscored(database: Database) -> int:
    with database.read() as conn:
        return sum(it.last_rowid - it.scored_rowid for it in metrics.lagging(conn, limit=1 << 30))


def _child(folder: Path, fleet: Fleet, options: argparse.Namespace, answers: Any) -> None:
    answers.put(measure(folder, fleet, options))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--metrics", type=int, default=10_000)
    parser.add_argument("--memory", type=int, metavar="MIB", help="for models [default: the engine's]")
    parser.add_argument("--different", type=int, default=50, help="so many models are trained [default: 50]")
    parser.add_argument("--trained", type=int, default=2000, help="rows at least [default: 2000]")
    parser.add_argument("--rounds", type=int, default=2, help="samples of each metric at most [default: 2]")
    parser.add_argument("--seconds", type=float, default=60.0, help="at most, for these [default: 60]")
    parser.add_argument("--batch", type=int, default=4000, help="samples in a round [default: 4000]")
    parser.add_argument("--rate", type=float, default=333.0, help="cold samples a second [default: 333]")
    parser.add_argument("--cold-seconds", type=float, default=20.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--folder", type=Path, help="where the installation is made [default: a temporary one]"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="swap-", dir=options.folder) as name:
        fleet = build(Path(name), options.metrics, options.different, options.trained)
        blocks = [len(block) for block in grown(min(options.different, 10), options.trained)[0]]
        processes = multiprocessing.get_context("spawn")
        answers: Any = processes.Queue()
        child = processes.Process(target=_child, args=(Path(name), fleet, options, answers))
        child.start()
        try:
            result = answers.get()
        finally:
            child.join()
    report = {
        "machine": machine(),
        "metrics": options.metrics,
        "memory_mib": options.memory,
        "trained": options.trained,
        "block_bytes": statistics.median(blocks),
        **result,
    }
    print(json.dumps(report) if options.json else msgspec.json.format(msgspec.json.encode(report)).decode())


if __name__ == "__main__":
    main()
