"""What the whole engine carries, from a line on its port to the result that one subscriber sees.

    .venv/bin/python -m benchmarks.pipeline --bus embedded --db sqlite --metrics 1000 --seconds 30 --json
    .venv/bin/python -m benchmarks.pipeline --metrics 1000 --rate 1000 --seconds 600 --json
    .venv/bin/python -m benchmarks.pipeline --bus rabbitmq --db mariadb --metrics 1000 --seconds 30 --json
    .venv/bin/python -m benchmarks.pipeline --bus rabbitmq --db postgresql --schedulers 4 --storers 2 --json

Every metric gets its model and a history first (``--history``), so that models are grown up. Then, at saturation, the
generator sends as fast as samples come out again, and results are counted in the window after a warm-up. At last at half
of that rate: latency of each sample, from the moment before its chunk of lines is written to the socket to the moment the
subscriber has its result. With ``--rate`` only the second part, at that rate. Engine, generator, subscriber and servers
of their own share the machine.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.fleet import generate
from benchmarks.machine import machine
from benchmarks.pipeline import load
from benchmarks.pipeline.usage import cpu_kinds, cpu_seconds, lock_waits, resident_mib, server_cpu_seconds
from benchmarks.running import Engine, running
from benchmarks.servers import DATABASES, application, explained, share
from htmengine.bus.opening import open_bus
from htmengine.config import Settings, embedded
from htmengine.repository.opening import open_database

WARM_UP_S = 5.0
GROWN_UP = 1100
"""Rows after which a model is what it stays. A young one learns its past again each time that has doubled, up to 1024
rows; here all metrics began together, so that all models do it at the same moment, and everybody waits for a second."""
DATABASE = "database server"
BROKER = "broker"
DRAINS_WITHIN_S = 600.0
SPAWN = multiprocessing.get_context("spawn")


class Run:
    """One engine, one subscriber, and phases of load one after the other."""

    def __init__(
        self, engine: Engine, settings: Settings, folder: Path, metrics: int, others: Sequence[Engine] = ()
    ) -> None:
        """`others`: programs whose processor time is counted, too."""
        self.engine = engine
        self.others = others
        self.server_ports = {}
        if settings.repository.dialect != "sqlite":
            self.server_ports[DATABASE] = settings.repository.port
        if settings.bus == "rabbitmq":
            self.server_ports[BROKER] = settings.broker.port
        self.database = open_database(settings.repository)
        self.folder = folder
        self.fleet = generate(metrics, load.HISTORY)
        self.offered = 0  # samples sent in all phases so far
        self.seen: Synchronized[int] = SPAWN.Value("q", 0)
        self._stop = SPAWN.Event()
        ready = SPAWN.Event()
        self._seen_times = folder / "seen.npy"
        self._subscriber = SPAWN.Process(
            target=load.subscribe,
            args=(settings, self.fleet, ready, self._stop, self.seen, self._seen_times),
        )
        bind(settings)
        self._subscriber.start()
        ready.wait()

    def begin(self, rows: int) -> dict[str, float]:
        """Give every metric a model and some rows of history, and wait until all of it has come out."""
        begin = time.monotonic()
        with socket.create_connection(("127.0.0.1", self.engine.port)) as peer:
            for row in range(rows):
                peer.sendall(self.fleet.lines(row))
                self.offered += len(self.fleet.names)
                while self.offered - self.seen.value > load.MAX_UNDER_WAY:
                    self._pause(begin)
        self.drain()
        seconds = time.monotonic() - begin
        return {
            "rows_of_each_metric": rows,
            "seconds": round(seconds, 1),
            "samples_per_second": round(self.offered / seconds),
        }

    def phase(self, seconds: float, rate: float | None) -> dict[str, Any]:
        """Offer load for some seconds, measure after the warm-up, and wait until everything has come out."""
        first, stop, sent = self.offered, SPAWN.Event(), SPAWN.Value("q", 0)
        times = self.folder / f"sent-{first}.npy"
        generator = SPAWN.Process(
            target=load.generate_load,
            args=(self.engine.port, self.fleet, first, rate, stop, sent, self.seen, times),
        )
        generator.start()
        while not sent.value:
            time.sleep(0.01)
        time.sleep(WARM_UP_S)
        profile = cpu_kinds(self.engine.pid, seconds, self.folder)
        memory, before, begin, count = [], self._cpu_seconds(), time.monotonic(), self.seen.value
        with lock_waits(self.database) as waits:
            while (elapsed := time.monotonic() - begin) < seconds:
                memory.append(
                    (round(elapsed), resident_mib(self.engine.pid), sent.value + first - self.seen.value)
                )
                time.sleep(min(seconds / 20, seconds - elapsed + 0.01))
        elapsed, scored = time.monotonic() - begin, self.seen.value - count
        used = self._cpu_seconds()
        used.subtract(before)
        stop.set()
        generator.join()
        self.offered += sent.value
        return {
            "samples_per_second": round(scored / elapsed),
            "seconds": round(elapsed, 1),
            "cpu_share_by_thread": _shares(used, elapsed),
            "cpu_us_per_sample_by_thread": _shares(used, scored / 1e6),
            "cpu_share_by_kind": profile(),
            "resident_mib_at_start_and_end": [memory[0][1], memory[-1][1]],
            "samples_under_way": memory[-1][2],
            "lock_waits": waits(),
            "memory_and_lag": memory,
            "drain_seconds": self.drain(),
        }

    def _cpu_seconds(self) -> Counter[str]:
        """Return what each thread of the engine has used, and each server."""
        used = cpu_seconds(self.engine.pid)
        for other in self.others:
            used.update(cpu_seconds(other.pid))
        for name, port in self.server_ports.items():
            used[name] = server_cpu_seconds(port)  # type: ignore[assignment]
        return used

    def latencies(self, first: int) -> dict[str, float]:
        """Stop the subscriber and return the latencies of the samples from `first` on, past the warm-up."""
        sent_at, seconds = self.seen_after(first)
        milliseconds = 1e3 * seconds[sent_at > sent_at.min() + WARM_UP_S]
        return {
            "samples": len(milliseconds),
            "p50_ms": round(float(np.percentile(milliseconds, 50)), 1),
            "p99_ms": round(float(np.percentile(milliseconds, 99)), 1),
            "max_ms": round(float(milliseconds.max()), 1),
        }

    def seen_after(self, first: int) -> tuple[np.ndarray, np.ndarray]:
        """Stop the subscriber; return of each sample from `first` on when it was sent, and how long its result took."""
        self.close()
        sent, seen = np.load(self.folder / f"sent-{first}.npy"), np.load(self._seen_times)
        seen = seen[(seen[:, 0] >= first)]
        sent_at = sent[np.searchsorted(sent[:, 0], seen[:, 0], side="right") - 1, 1]
        return sent_at, seen[:, 1] - sent_at

    def close(self) -> None:
        """End the subscriber."""
        self._stop.set()
        self._subscriber.join()
        self.database.close()

    def drain(self) -> float:
        """Wait until everything has come out; return how long that took, in seconds."""
        begin = time.monotonic()
        while self.seen.value < self.offered:
            self._pause(begin)
        return round(time.monotonic() - begin, 2)

    def _pause(self, begin: float) -> None:
        if time.monotonic() - begin > DRAINS_WITHIN_S or not self.engine.running:
            raise RuntimeError(f"only {self.seen.value} of {self.offered} samples came out")
        time.sleep(0.01)


def bind(settings: Settings) -> None:
    """Bind a queue for the subscriber."""
    bus = open_bus(settings)
    bus.declare_exchange(settings.batches_exchange)
    bus.declare_queue(load.SUBSCRIBER)
    bus.bind(load.SUBSCRIBER, settings.batches_exchange)
    bus.close()


def _shares(used: Counter[str], whole: float) -> dict[str, float]:
    return {name: round(seconds / whole, 3) for name, seconds in used.most_common() if seconds > 0}


@contextmanager
def started(bus: str, db: str, folder: Path, storers: int = 1) -> Iterator[tuple[Engine, Settings]]:
    """Start an engine on an empty folder, its bus and its repository there too, or on servers of their own."""
    if (bus, db) == ("embedded", "sqlite"):
        data = folder / "data"
        with running(data) as engine:
            yield engine, embedded(data)
        return
    with application(bus, db, folder) as app:
        share(app.settings.repository, storers)
        with running(folder / "app" / "data", config=app.directory) as engine:
            yield engine, app.settings


@contextmanager
def more_programs(counts: Mapping[str, int], folder: Path) -> Iterator[list[Engine]]:
    """Start so many of these services, each a program of its own, beside those of the engine."""
    with ExitStack() as stack:
        found = []
        for number, service in enumerate(Counter(counts).elements()):
            one = Engine(folder / f"{service}-{number}", 0, folder / "app" / "conf", service)
            stack.callback(one.kill)
            one.start()
            found.append(one)
        for one in found:
            if not one.wait_until_it_works():
                raise RuntimeError(f"a service ended with {one.wait(1)}")
        yield found


def measure(
    *,
    bus: str,
    db: str,
    metrics: int,
    seconds: float,
    rate: float | None,
    history: int,
    schedulers: int,
    storers: int,
) -> dict[str, Any]:
    """Start an engine and measure it."""
    programs = {"schedulers": schedulers, "storers": storers}
    result: dict[str, Any] = {"bus": bus, "db": db, "metrics": metrics} | programs
    more = {"model_scheduler": schedulers - 1, "metric_storer": storers - 1}
    with tempfile.TemporaryDirectory(prefix="pipeline-") as temporary:
        folder = Path(temporary)
        with (
            started(bus, db, folder, storers) as (engine, settings),
            more_programs(more, folder) as others,
        ):
            run = Run(engine, settings, folder, metrics, others)
            try:
                result["history"] = run.begin(history)
                if rate is None:
                    result["saturation"] = run.phase(seconds, None)
                    rate = result["saturation"]["samples_per_second"] / 2
                first = run.offered
                result["half" if "saturation" in result else "steady"] = phase = run.phase(seconds, rate)
                phase["offered_per_second"] = round(rate)
                phase["latency"] = run.latencies(first)
            finally:
                run.close()
            result["exit_code"] = engine.stop()
    return result | {"machine": machine()}


@explained()
def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.pipeline", description=__doc__.splitlines()[0])
    parser.add_argument("--bus", choices=["embedded", "rabbitmq"], default="embedded")
    parser.add_argument("--db", choices=["sqlite", *DATABASES], default="sqlite")
    parser.add_argument("--metrics", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument(
        "--rate", type=float, help="samples per second; without it, saturation and half of it"
    )
    parser.add_argument(
        "--history",
        type=int,
        default=GROWN_UP,
        metavar="ROWS",
        help="of each metric, before anything is measured [default: %(default)s]",
    )
    parser.add_argument(
        "--schedulers", type=int, default=1, help="more than one: programs of their own, with RabbitMQ"
    )
    parser.add_argument("--storers", type=int, default=1, help="likewise, and with a database server")
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    arguments = parser.parse_args()
    if max(arguments.schedulers, arguments.storers) > 1 and arguments.bus != "rabbitmq":
        parser.error("several schedulers or storers need --bus rabbitmq")
    result = measure(
        bus=arguments.bus,
        db=arguments.db,
        metrics=arguments.metrics,
        seconds=arguments.seconds,
        rate=arguments.rate,
        history=arguments.history,
        schedulers=arguments.schedulers,
        storers=arguments.storers,
    )
    print(json.dumps(result) if arguments.json else json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
