"""What the embedded bus costs: messages per second in batches, and the way from a publisher to a waiting consumer.

    .venv/bin/python -m benchmarks.bus --json
    .venv/bin/python -m benchmarks.bus --body-bytes 20000 --batches 1 10 --json

Rates are medians over rounds: a round publishes all its messages and then takes and acknowledges them, both in batches.
The hand-over is timed from before `publish` until `receive` returns in another thread, once while nothing else happens
and once while a third thread computes in Python without pause, as a busy service does.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.machine import machine
from benchmarks.summary import Report, rounded
from htmengine.bus import Outgoing
from htmengine.bus.embedded.bus import EmbeddedBus

QUEUE = "benchmark"


@contextmanager
def fresh_bus() -> Iterator[EmbeddedBus]:
    """Give a bus with one queue, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        bus = EmbeddedBus(Path(folder) / "bus.sqlite")
        bus.declare_queue(QUEUE, limit=1_000_000)
        try:
            yield bus
        finally:
            bus.close()


def rates(batch: int, messages: int, body: bytes, rounds: int) -> Report:
    """Return how many messages a second one thread publishes, and takes and acknowledges."""
    put, taken = [], []
    with fresh_bus() as bus, bus.consume([QUEUE]) as consumer:
        for _ in range(rounds):
            count = messages // batch
            start = time.perf_counter()
            for _ in range(count):
                bus.publish([Outgoing(QUEUE, body)] * batch)
            put.append(count * batch / (time.perf_counter() - start))
            start = time.perf_counter()
            while deliveries := consumer.receive(max_messages=batch, timeout_s=0):
                consumer.ack(deliveries)
            taken.append(count * batch / (time.perf_counter() - start))
    return {
        "batch": batch,
        "published_per_s": statistics.median(put),
        "taken_and_acknowledged_per_s": statistics.median(taken),
    }


def hand_over_ms(batch: int, body: bytes, repeats: int, *, busy: bool) -> Report:
    """Return how long a batch takes from one thread to another, in milliseconds."""
    times: list[float] = []
    done = threading.Event()

    def compute() -> None:
        while not done.is_set():
            sum(range(100))

    thread = threading.Thread(target=compute)
    with fresh_bus() as bus, bus.consume([QUEUE]) as consumer:
        arrived = threading.Semaphore(0)
        started = 0.0

        def receive() -> None:
            for _ in range(repeats):
                got = 0
                while got < batch:
                    deliveries = consumer.receive(max_messages=batch, timeout_s=10)
                    got += len(deliveries)
                    if got == batch:
                        times.append((time.perf_counter() - started) * 1e3)
                    consumer.ack(deliveries)
                arrived.release()

        receiver = threading.Thread(target=receive)
        receiver.start()
        if busy:
            thread.start()
        for _ in range(repeats):
            started = time.perf_counter()
            bus.publish([Outgoing(QUEUE, body)] * batch)
            arrived.acquire()
        receiver.join()
    done.set()
    if busy:
        thread.join()
    return {
        "median_ms": statistics.median(times),
        "p99_ms": statistics.quantiles(times, n=100)[-1],
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measures the embedded bus.")
    parser.add_argument(
        "--body-bytes", type=int, default=200, help="size of a message [default: %(default)s]"
    )
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 10, 100, 1000], help="batch sizes")
    parser.add_argument("--messages", type=int, default=10_000, help="per round [default: %(default)s]")
    parser.add_argument("--rounds", type=int, default=5, help="[default: %(default)s]")
    parser.add_argument("--repeats", type=int, default=300, help="hand-overs [default: %(default)s]")
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    arguments = parser.parse_args()
    body = b"x" * arguments.body_bytes
    report: Report = {
        "benchmark": "bus",
        "machine": machine(),
        "body_bytes": arguments.body_bytes,
        "rates": [rates(batch, arguments.messages, body, arguments.rounds) for batch in arguments.batches],
        "hand_over_of_one": hand_over_ms(1, body, arguments.repeats, busy=False),
        "hand_over_of_one_beside_a_busy_thread": hand_over_ms(1, body, arguments.repeats, busy=True),
        "hand_over_of_20_beside_a_busy_thread": hand_over_ms(20, body, arguments.repeats, busy=True),
    }
    print(json.dumps(rounded(report, 3), indent=None if arguments.json else 2))


if __name__ == "__main__":
    main()
