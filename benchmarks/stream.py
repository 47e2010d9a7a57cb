"""What readers of the results' stream cost: processor time of the web server's process, and whether all get everything.

    .venv/bin/python -m benchmarks.stream
    .venv/bin/python -m benchmarks.stream --clients 200 --rate 3300 --seconds 20 --json

A process serves; this one publishes batches of results as the anomaly service does, at a steady rate, first without readers
and then with them. One reader in ten is slow: it takes nothing for the first half.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import tempfile
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import psutil

from benchmarks.machine import machine
from htmengine import config
from htmengine.bus import Bus, Fanout
from htmengine.messages import BatchRow, ResultsBatch, encode_json
from htmengine.service.context import opened
from htmengine.web.server import listening, serve

METRICS: Final = 3300
BATCHES_PER_S: Final = 20
ROW: Final = b'["0'
"""Begins every row: the uids begin with 0."""


def run_server(folder: Path, told: Connection) -> None:
    """Serve an installation until the parent says so."""
    with opened(config.embedded(folder)) as context, listening("127.0.0.1", 0) as bound:
        told.send(bound.getsockname()[1])

        def stop() -> None:
            told.recv()
            context.stop.set()

        threading.Thread(target=stop, daemon=True).start()
        serve(context, bound, lambda: told.send("ready"))


async def read(port: int, counts: list[int], at: int, slow_s: float) -> None:
    """Count the results that one reader gets."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 24)
    writer.write(b"GET /api/v1/stream?events=results HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await asyncio.sleep(slow_s)
    try:
        while data := await reader.read(1 << 20):
            counts[at] += data.count(
                b'",'
            )  # once for each row: the uid is the only text that a comma follows
    finally:
        writer.close()


async def publish(bus: Bus, exchange: str, rate: int, seconds: float, first: list[int]) -> int:
    """Publish results at a rate; return how many were published."""
    size, published = rate // BATCHES_PER_S, 0
    end = time.perf_counter() + seconds
    due = time.perf_counter()
    while time.perf_counter() < end:
        rows = [
            BatchRow(
                uid=f"{(published + i) % METRICS:032x}",
                name=f"web.host{(published + i) % METRICS}",
                rowid=(rowid := first[0] + (published + i) // METRICS),
                ts=1_700_000_000 + rowid,
                value=float(i),
                raw_anomaly=0.1,
                anomaly=0.5,
                log_score=0.1,
                sequence_score=0.1,
                novelty_score=0.1,
            )
            for i in range(size)
        ]
        body = encode_json(ResultsBatch(rows=rows))
        await asyncio.to_thread(bus.publish, [Fanout(exchange, body)])
        published += size
        due += 1 / BATCHES_PER_S
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
    first[0] += published // METRICS + 1
    return published


async def measure(options: argparse.Namespace, folder: Path, port: int, pid: int) -> dict[str, float]:
    """Return shares of a core without and with readers, and how much these got."""
    process, first = psutil.Process(pid), [1]
    with opened(config.embedded(folder)) as context:
        exchange = context.settings.batches_exchange

        async def phase(clients: int) -> tuple[float, int, list[int]]:
            counts = [0] * clients
            slow_s = options.seconds / 2
            tasks = [
                asyncio.create_task(read(port, counts, i, slow_s if i % 10 == 9 else 0.0))
                for i in range(clients)
            ]
            await asyncio.sleep(2)
            before = sum(process.cpu_times()[:2])
            published = await publish(context.bus, exchange, options.rate, options.seconds, first)
            taken = sum(process.cpu_times()[:2]) - before
            await asyncio.sleep(3)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            return taken / options.seconds, published, counts

        alone, _, _ = await phase(0)
        beside, published, counts = await phase(options.clients)
    return {
        "rate": published / options.seconds,
        "core_alone": alone,
        "core_with_readers": beside,
        "least_received": min(counts) / published,
        "most_received": max(counts) / published,
    }


def main() -> None:
    """Measure, and print a line or JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--rate", type=int, default=3300, help="results a second")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spawning = multiprocessing.get_context("spawn")
        here, there = spawning.Pipe()
        server = spawning.Process(target=run_server, args=(folder, there))
        server.start()
        port = here.recv()
        here.recv()
        assert server.pid is not None
        found = asyncio.run(measure(options, folder, port, server.pid))
        here.send("stop")
        server.join()
    if options.json:
        print(json.dumps({"machine": machine(), "clients": options.clients, **found}))
        return
    print(
        f"{found['rate']:,.0f} results a second: the server takes {found['core_alone']:.0%} of a core without readers, "
        f"{found['core_with_readers']:.0%} with {options.clients}; each got {found['least_received']:.1%} to "
        f"{found['most_received']:.1%} of the results."
    )


if __name__ == "__main__":
    main()
