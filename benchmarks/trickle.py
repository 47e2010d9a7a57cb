"""What a sample costs that comes with few others: bytes handed to the system and processor time, by stage.

    .venv/bin/python -m benchmarks.trickle --metrics 3000 --batch 17 --json
    .venv/bin/python -m benchmarks.trickle --order random

An engine's storer, scheduler and anomaly service work in turn in one thread, each until nothing is left, behind every message
of `--batch` lines; so the numbers of transactions and pages are the same on every machine and under any load. The page
reads the results; `--subscriber` lets a queue take them, too, as an application would. The metrics of a message follow each
other, as agents send them, or lie anywhere (`--order random`). `--rows` samples of each metric come before anything is
counted, and again so many while it is.

bytes : that the write-ahead logs take for a sample, by stage: `publish` is the listener's. What a stage does behind its
    acknowledgement, such as merging rows and saving models, is its settling.
written_back : bytes that are copied from the logs into the files, every `--every` samples.
cpu_us : processor time of the thread for a sample.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from benchmarks.machine import machine
from htmengine import config
from htmengine.bus import Bus, Consumer, Outgoing
from htmengine.bus.subscription import subscribed
from htmengine.doors.plaintext import PROTOCOL
from htmengine.messages import MetricLines, encode_json
from htmengine.model_swapper.model_scheduler_service import build as scheduler
from htmengine.runtime.anomaly_service.stage import build as anomaly_service
from htmengine.runtime.metric_storer.stage import build as metric_storer
from htmengine.service.context import opened
from htmengine.service.loop import Stage
from htmengine.sqlite.checkpointer import Checkpointer

FIRST_SECOND: Final = 1_700_000_000
INTERVAL_S: Final = 300
QUEUE_LIMIT: Final = 1000


class Meter:
    """Counts what the parts of a round take."""

    def __init__(self) -> None:
        self.bytes: Counter[str] = Counter()
        self.cpu_s: dict[str, float] = defaultdict(float)

    @contextmanager
    def of(self, part: str) -> Iterator[None]:
        """Count what is done within."""
        written, cpu_s = _written(), time.thread_time()
        yield
        self.bytes[part] += _written() - written
        self.cpu_s[part] += time.thread_time() - cpu_s


class Worker:
    """A stage with its consumer, worked by hand."""

    def __init__(self, stage: Stage, bus: Bus, consumer: Consumer) -> None:
        self.stage = stage
        self._bus = bus
        self._consumer = consumer

    def work(self, meter: Meter) -> None:
        """Do what `service/loop.py` does, until no message is left."""
        while deliveries := self._consumer.receive(max_messages=self.stage.max_messages, timeout_s=0.0):
            with meter.of(self.stage.name):
                outcome = self.stage.process(deliveries)
            with meter.of(f"{self.stage.name}, bus"):
                self._bus.publish(outcome.best_effort)
                if outcome.secure:
                    outcome.secure()
                self._consumer.publish_and_ack(outcome.publish, deliveries, gate=outcome.gate)
            with meter.of(f"{self.stage.name}, settling"):
                self.stage.settle()


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Let samples come, and return what they took."""
    settings = config.embedded(folder)
    names = [f"web.host{number:05d}.cpu" for number in range(options.metrics)]
    with ExitStack() as stack:
        stack.enter_context(patch.object(Checkpointer, "wrote"))  # which goes by the clock
        context = stack.enter_context(opened(settings))
        bus = context.bus
        page_queue = stack.enter_context(subscribed(bus, settings.batches_exchange, "web", limit=QUEUE_LIMIT))
        page = stack.enter_context(bus.consume([page_queue]))
        readers = {"page": page}
        if options.subscriber:
            bus.declare_queue("benchmark.subscriber")
            bus.bind("benchmark.subscriber", settings.batches_exchange)
            readers["subscriber"] = stack.enter_context(bus.consume(["benchmark.subscriber"]))
        workers = []
        for build in (metric_storer, scheduler, anomaly_service):
            stage = build(context)
            workers.append(Worker(stage, bus, stack.enter_context(bus.consume(stage.queues))))
        queue = context.data_queues.documented

        def pass_through(numbers: list[int], row: int, meter: Meter) -> None:
            at = FIRST_SECOND + row * INTERVAL_S
            lines = [f"{names[number]} {_value(number, row)} {at}" for number in numbers]
            with meter.of("publish"):
                body = encode_json(MetricLines(protocol=PROTOCOL, data=lines, accepted_at=float(at)))
                bus.publish([Outgoing(queue, body)])
            for worker in workers:
                worker.work(meter)
            for name, consumer in readers.items():
                with meter.of(name):
                    while deliveries := consumer.receive(max_messages=100, timeout_s=0.0):
                        consumer.ack(deliveries)

        before, counted = Meter(), Meter()
        rng = random.Random(1)
        order = list(range(options.metrics))
        samples = written_back = 0
        for row in range(2 * options.rows):
            if options.order == "random":
                rng.shuffle(order)
            is_counted = row >= options.rows
            batch = options.batch if is_counted else max(options.batch, 1000)
            for first in range(0, options.metrics, batch):
                numbers = order[first : first + batch]
                pass_through(numbers, row, counted if is_counted else before)
                samples += len(numbers)
                if samples >= options.every:
                    copied = _write_back(folder)
                    samples, written_back = 0, written_back + (copied if is_counted else 0)
        for worker in workers:
            worker.stage.close()
    count = options.rows * options.metrics
    return {
        "samples": count,
        "order": options.order,
        "batch": options.batch,
        "bytes": {part: round(taken / count) for part, taken in counted.bytes.items() if taken},
        "bytes_in_all": round(counted.bytes.total() / count),
        "written_back": round(written_back / count),
        "cpu_us": {part: round(1e6 * taken / count, 1) for part, taken in counted.cpu_s.items()},
        "machine": machine(),
    }


def _value(number: int, row: int) -> float:
    return round(50 + 10 * random.Random(number * 1_000_003 + row).random(), 3)


def _written() -> int:
    counters = dict(line.split(": ") for line in Path("/proc/thread-self/io").read_text().splitlines())
    return int(counters["wchar"])


def _write_back(folder: Path) -> int:
    """Copy what the logs have into their files, as the engine's thread does; return how many bytes that took."""
    before = _written()
    for path in sorted(folder.glob("*.sqlite")):
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        connection.close()
    return _written() - before


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.trickle", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--metrics", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=17)
    parser.add_argument("--rows", type=int, default=40)
    parser.add_argument("--order", choices=("fleet", "random"), default="fleet")
    parser.add_argument("--every", type=int, default=1667, help="five seconds of 333 samples/s [%(default)s]")
    parser.add_argument("--subscriber", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = measure(options, Path(folder))
    print(json.dumps(report, indent=None if options.json else 2))


if __name__ == "__main__":
    main()
