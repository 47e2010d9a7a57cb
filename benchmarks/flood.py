"""How long known metrics wait for their results while one sender sends names that nobody knows.

    .venv/bin/python -m benchmarks.flood --names 1000000 --seconds 60 --json

A fleet with grown models sends at a rate (`--rate`), over one connection; over another comes a flood: each line has a name
of its own. Latency of each sample of the fleet: before the flood, while it comes, and in the seconds after it, from
the moment before its line is written to the moment the subscriber has its result. Embedded parts, default limits.
"""

from __future__ import annotations

import argparse
import json
import socket
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import machine
from benchmarks.pipeline import load
from benchmarks.pipeline.__main__ import SPAWN, Run
from benchmarks.pipeline.usage import cpu_seconds
from benchmarks.running import running
from htmengine.config import embedded

ROWS = 60
CALM_S = 10.0
AFTER_S = 20.0
STEP_S = 0.05


def flood(port: int, names: int, seconds: float) -> None:
    """Send one sample of each of so many new names, evenly over some seconds."""
    begin, sent = time.monotonic(), 0
    with socket.create_connection(("127.0.0.1", port)) as peer:
        while sent < names:
            time.sleep(STEP_S)
            due = min(names, int(names * (time.monotonic() - begin) / seconds))
            now = int(time.time())
            peer.sendall("".join(f"flood.{n}.requests {n % 997} {now}\n" for n in range(sent, due)).encode())
            sent = due


def measure(metrics: int, rate: float, names: int, seconds: float) -> dict[str, Any]:
    """Start an engine and measure it."""
    with tempfile.TemporaryDirectory(prefix="flood-") as temporary:
        folder = Path(temporary)
        with running(folder / "data") as engine:
            settings = embedded(folder / "data")
            run = Run(engine, settings, folder, metrics)
            try:
                run.begin(ROWS)
                first, stop, sent = run.offered, SPAWN.Event(), SPAWN.Value("q", 0)
                times = folder / f"sent-{first}.npy"
                known = SPAWN.Process(
                    target=load.generate_load,
                    args=(engine.port, run.fleet, first, rate, stop, sent, run.seen, times),
                )
                known.start()
                while not sent.value:
                    time.sleep(0.01)
                began = time.monotonic()
                time.sleep(CALM_S)
                sender = SPAWN.Process(target=flood, args=(engine.port, names, seconds))
                before, flooded = cpu_seconds(engine.pid), time.monotonic()
                sender.start()
                sender.join()
                used, over = cpu_seconds(engine.pid) - before, time.monotonic()
                time.sleep(AFTER_S)
                stop.set()
                known.join()
                ended = time.monotonic()
                run.offered += sent.value
                drained_s = run.drain()
            finally:
                run.close()
            sent_at, latency = run.seen_after(first)
            exit_code = engine.stop()
    spans = {"before": (began, flooded), "flood": (flooded, over), "after": (over, ended)}
    return {
        "flood_s": round(over - flooded, 1),
        "cpu_seconds": {name: round(one, 1) for name, one in used.most_common(8)},
        "drained_s": drained_s,
        **{
            name: _summary(latency[(sent_at >= since) & (sent_at < until)])
            for name, (since, until) in spans.items()
        },
        "exit_code": exit_code,
        "machine": machine(),
    }


def _summary(latency: np.ndarray) -> dict[str, float]:
    return {"samples": len(latency)} | {
        f"p{share}_ms": round(1e3 * float(np.percentile(latency, share)), 1) for share in (50, 99, 100)
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.flood", description=__doc__.splitlines()[0])
    parser.add_argument("--metrics", type=int, default=1000, help="of the fleet [default: %(default)s]")
    parser.add_argument(
        "--rate", type=float, default=333.0, help="samples of it a second [default: %(default)s]"
    )
    parser.add_argument("--names", type=int, default=1_000_000, help="new ones [default: %(default)s]")
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="in which they come [default: %(default)s]"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    options = parser.parse_args()
    result = measure(options.metrics, options.rate, options.names, options.seconds)
    print(json.dumps(result) if options.json else json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
