"""An hour of mixed use beside the engine: whether any request fails, and whether memory, threads or open files grow.

    .venv/bin/python -m benchmarks.mixed_use
    .venv/bin/python -m benchmarks.mixed_use --minutes 2 --metrics 100 --json

`htmengine up` runs with a fleet that sends a sample of each metric every second. Beside it people look at lists, charts,
reasons and incidents, readers of the stream come and go, files are scored, rows are exported, models are taken away and given
back. What the process has is looked at every few seconds. What it grew by is the difference of two medians: of the second
quarter of the time, when all caches are full, and of the last one.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import socket
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import psutil

from benchmarks.machine import machine
from benchmarks.running import Engine, free_port
from htmengine.client import ApiError, Client, Missed

LOOK_S: Final = 2.0
PARTS: Final = 12
"""Of the time, of which each tells what there was at its end."""
READER_S: Final = 20.0
"""A reader of the stream stays for so long at most."""
PAUSE_S: Final = 0.2
FILE_ROWS: Final = 1500


class Looked(NamedTuple):
    """What the engine's process has at a moment."""

    memory_mb: float
    threads: int
    files: int


class Use:
    """What is asked of the server, and how often it went well."""

    def __init__(self, address: str, stop: threading.Event) -> None:
        self._address = address
        self._stop = stop
        self.asked: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.durations: dict[str, list[float]] = {}

    def look(self, seed: int) -> None:
        """Do what a person with the page does, in a random order, until it is over."""
        chance = random.Random(seed)
        with Client(self._address) as engine:
            while not self._stop.wait(PAUSE_S):
                rows = list(engine.metrics(limit=50, w="1h"))[:50]
                if not rows:
                    continue
                uid = chance.choice(rows).uid
                name, action = chance.choice(self._actions(engine, chance, uid))
                began = time.perf_counter()
                self.asked[name] += 1
                try:
                    action()
                except ApiError as error:
                    if error.status >= 500 or error.status == 429:
                        self.failed[f"{name}: {error.status}"] += 1
                except OSError as error:
                    if not self._stop.is_set():
                        self.failed[f"{name}: {type(error).__name__}"] += 1
                self.durations.setdefault(name, []).append(time.perf_counter() - began)

    def _actions(
        self, engine: Client, chance: random.Random, uid: str
    ) -> list[tuple[str, Callable[[], object]]]:
        now = time.time()

        def detect() -> None:
            rows = "".join(
                f"{60 * i},{math.sin(i / 9) + (40 if i == 1200 else 0)}\n" for i in range(FILE_ROWS)
            )
            engine.result(engine.wait(engine.detect(f"time,value\n{rows}".encode())))

        def explain() -> None:
            stored = engine.metric(uid).stored or 0
            if stored > 1:
                engine.explain(uid, chance.randint(1, stored))

        def away_and_back() -> None:
            engine.unmonitor(uid)
            engine.monitor(uid)

        return [
            ("overview", engine.overview),
            ("search", lambda: list(engine.metrics("web.*", limit=100))),
            ("chart", lambda: engine.data(uid, now - 3600, now)),
            ("metric", lambda: engine.metric(uid)),
            ("alarms", lambda: list(engine.alarms(uid, limit=100))),
            ("incidents", lambda: list(engine.incidents(limit=50))),
            ("ranked", lambda: engine.ranked(now - 600, now)),
            ("health", engine.health),
            ("refusals", engine.refusals),
            ("explain", explain),
            *([("detect", detect)] if chance.random() < 0.2 else []),
            *([("unmonitor, monitor", away_and_back)] if chance.random() < 0.1 else []),
        ]

    def follow(self, seed: int) -> None:
        """Read the stream for a while, leave without a word, and come again."""
        chance = random.Random(seed)
        while not self._stop.is_set():
            until = time.monotonic() + chance.uniform(1.0, READER_S)
            self.asked["stream"] += 1
            try:
                with Client(self._address) as engine:
                    for result in engine.follow():
                        self.asked["results missed" if isinstance(result, Missed) else "results"] += 1
                        if time.monotonic() > until or self._stop.is_set():
                            break
            except OSError as error:
                if not self._stop.is_set():
                    self.failed[f"stream: {type(error).__name__}"] += 1


def send(port: int, metrics: int, stop: threading.Event) -> None:
    """Send a sample of each metric every second; now and then one rises, and now and then a line is wrong."""
    chance = random.Random(1)
    names = [f"{('web', 'db', 'queue')[i % 3]}.host{i // 3}.load" for i in range(metrics)]
    risen: dict[str, int] = {}
    with socket.create_connection(("127.0.0.1", port)) as connection:
        second = int(time.time())
        while not stop.wait(max(0.0, second + 1 - time.time())):
            second = int(time.time())
            if chance.random() < 0.02:
                service = chance.choice(("web", "db", "queue"))
                risen = {name: second + 60 for name in names if name.startswith(service)}
            lines = [
                f"{name} {50 + 5 * chance.random() + (60 if risen.get(name, 0) > second else 0):.3f} {second}\n"
                for name in names
            ]
            if chance.random() < 0.1:
                lines.append(f"{names[0]} nonsense {second}\n")
            connection.sendall("".join(lines).encode())


def looked_at(process: psutil.Process) -> Looked:
    """Return what a process has now."""
    with process.oneshot():
        return Looked(process.memory_info().rss / 2**20, process.num_threads(), process.num_fds())


def growth(seen: list[Looked]) -> dict[str, float]:
    """Return by how much each of it grew from the second quarter of the time to the last."""
    quarter = max(1, len(seen) // 4)
    early, late = seen[quarter : 2 * quarter] or seen[:1], seen[-quarter:]
    return {
        field: round(
            statistics.median(getattr(one, field) for one in late)
            - statistics.median(getattr(one, field) for one in early),
            1,
        )
        for field in Looked._fields
    }


def course(seen: list[Looked]) -> dict[str, list[float]]:
    """Return what there was of each at the end of each part of the time."""
    ends = [seen[max(0, len(seen) * part // PARTS - 1)] for part in range(1, PARTS + 1)]
    return {field: [round(getattr(one, field), 1) for one in ends] for field in Looked._fields}


def run(minutes: float, metrics: int, people: int, folder: Path) -> dict[str, Any]:
    """Use an engine for so long, and return what was seen."""
    port, http_port, stop = free_port(), free_port(), threading.Event()
    engine = Engine(folder / "data", port, http_port=http_port)
    engine.start()
    try:
        if not engine.wait_until_it_listens():
            raise RuntimeError(f"the engine ended: {engine.log.read_text()[-2000:]}")
        use = Use(f"http://127.0.0.1:{http_port}", stop)
        wait_for(use)
        threads = [threading.Thread(target=send, args=(port, metrics, stop))]
        threads += [threading.Thread(target=use.look, args=(seed,)) for seed in range(people)]
        threads += [threading.Thread(target=use.follow, args=(seed,)) for seed in range(people)]
        for thread in threads:
            thread.start()
        process, seen = psutil.Process(engine.pid), []
        until = time.monotonic() + 60 * minutes
        while time.monotonic() < until and engine.running:
            time.sleep(LOOK_S)
            seen.append(looked_at(process))
        ended_early = not engine.running
        stop.set()
        for thread in threads:
            thread.join()
        log = engine.log.read_text(errors="replace")
    finally:
        stop.set()
        engine.stop()
    return {
        "minutes": minutes,
        "metrics": metrics,
        "people": people,
        "ended_early": ended_early,
        "asked": dict(use.asked),
        "failed": dict(use.failed),
        "tracebacks": log.count("Traceback (most recent call last)"),
        "median_ms": {
            name: round(1000 * statistics.median(times), 1) for name, times in sorted(use.durations.items())
        },
        "first": seen[0]._asdict(),
        "over_time": course(seen),
        "grew_by": growth(seen),
    }


def wait_for(use: Use) -> None:
    """Wait until the server answers."""
    deadline = time.monotonic() + 60
    while True:
        try:
            with Client(use._address) as engine:
                engine.session()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def main() -> None:
    """Measure, and print lines or JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--metrics", type=int, default=300)
    parser.add_argument("--people", type=int, default=4, help="who look, and as many who read the stream")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        result = run(options.minutes, options.metrics, options.people, Path(name)) | {"machine": machine()}
    if options.json:
        print(json.dumps(result))
        return
    for key, value in result.items():
        print(f"{key:12}  {value}")


if __name__ == "__main__":
    main()
