"""What a fleet of models that have learned costs, from a line on the port to the published result: at a hundred thousand.

    .venv/bin/python -m benchmarks.fleet --metrics 100000 --interval 300 --minutes 10 --history-days 1 --json
    .venv/bin/python -m benchmarks.fleet --metrics 1000 --interval 0 --minutes 1 --json

Makes an installation with a checkpoint of each model and its history: `grown.py` says of what. Then it starts the engine,
sends one sample of each metric as fast as they are taken, so that each model is loaded (`ready_s`, `loads_per_second`),
and then one of each in every interval, spread over it, for some minutes: that is what is measured. `--interval 0` sends
as many as come out again. At the end the engine is asked to stop. `--made FOLDER` keeps the installation there as it was made,
for the next time: then it is copied.

`--restarts` starts the engine twice more, after the stop and after a kill -9, and each time sends a sample of each metric:
`start_s` until it listens, `ready_s` until all are scored, and the seconds of the processor for both.

cpu_us_per_sample, bytes_written_per_sample, rss_mib : of the engine with all its services, its page, one subscriber's
    queue and what it starts; not of the generator and the subscriber.
latency : from the moment before a sample's lines are written to the socket to that at which the subscriber has its result.
bytes_per_row : the folder without checkpoints, queues and log, by its rows; with few rows the metrics themselves count.
bytes_per_model : resident is what the engine grew by while it loaded all of them; compressed is null unless it keeps
    such models in memory; disk is the size of the files of checkpoints.
checkpoints : written while it was measured; models that were copied together are saved together, each 500 rows.
"""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import psutil

from benchmarks.fleet.grown import GrownFleet, build, row_count
from benchmarks.machine import machine
from benchmarks.pipeline import load
from benchmarks.pipeline.__main__ import SPAWN, bind
from benchmarks.running import Engine, free_port
from benchmarks.servers import configure
from htmengine import config
from htmengine.service import program, status_files

STEP_AT_SATURATION_S: Final = 10
"""From a sample to the next of the same metric, by their timestamps."""
PER_SECOND: Final = 200_000
"""Samples a second at saturation for which there are timestamps before now."""
WITHIN_S: Final = 3600.0
WARM_UP_S: Final = 5.0


class Usage(NamedTuple):
    """What a process and its children have used so far."""

    cpu_s: float
    written: int
    """Bytes that went to the disk."""
    resident: int
    """Bytes of memory now."""

    @classmethod
    def of(cls, pid: int) -> Usage:
        """Return that of the process with this number."""
        process = psutil.Process(pid)
        cpu, written, resident = 0.0, 0, 0
        for one in [process, *process.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                times = one.cpu_times()
                cpu += times.user + times.system + times.children_user + times.children_system
                written += one.io_counters().write_bytes
                resident += one.memory_info().rss
        return cls(cpu, written, resident)


class Stream:
    """A generator of lines and a subscriber of results, each a process, beside an engine that runs."""

    def __init__(self, settings: config.Settings, fleet: GrownFleet, engine: Engine, folder: Path) -> None:
        self.fleet = fleet
        self.engine = engine
        self.folder = folder
        self.offered = 0
        self.seen: Synchronized[int] = SPAWN.Value("q", 0)
        self._stop = SPAWN.Event()
        ready = SPAWN.Event()
        self._subscriber = SPAWN.Process(
            target=load.subscribe,
            args=(settings, fleet, ready, self._stop, self.seen, folder / "seen.npy"),
        )
        bind(settings)
        self._subscriber.start()
        ready.wait()

    def one_of_each(self, sample: int = 0) -> float:
        """Send the sample of this number of all metrics, and return the seconds until all results are there."""
        began = time.monotonic()
        with socket.create_connection(("127.0.0.1", self.engine.port)) as peer:
            for first in range(0, self.fleet.count, load.MAX_CHUNK):
                peer.sendall(self.fleet.lines(sample, first, first + load.MAX_CHUNK))
        self.offered = self.fleet.count
        self.drain()
        return time.monotonic() - began

    @contextmanager
    def flowing(self, rate: float | None) -> Iterator[None]:
        """Send samples, so many a second, or as many as come out again."""
        stop, sent = SPAWN.Event(), SPAWN.Value("q", 0)
        generator = SPAWN.Process(
            target=load.generate_load,
            args=(
                self.engine.port,
                self.fleet,
                self.offered,
                rate,
                stop,
                sent,
                self.seen,
                self.folder / "sent.npy",
            ),
        )
        generator.start()
        try:
            self._wait(lambda: sent.value > 0)
            time.sleep(WARM_UP_S)
            yield
        finally:
            stop.set()
            generator.join()
            self.offered += sent.value

    def drain(self) -> None:
        """Wait until all results are there. Raises RuntimeError when they do not come."""
        self._wait(lambda: self.seen.value >= self.offered)

    def latency(self) -> dict[str, float]:
        """End the subscriber, and return how long the samples of the measured time took."""
        self.close()
        sent, seen = np.load(self.folder / "sent.npy"), np.load(self.folder / "seen.npy")
        seen = seen[seen[:, 0] >= sent[0, 0]]
        sent_at = sent[np.searchsorted(sent[:, 0], seen[:, 0], side="right") - 1, 1]
        waits = 1e3 * (seen[:, 1] - sent_at)[sent_at > sent[0, 1] + WARM_UP_S]
        return {
            "p50_ms": round(float(np.percentile(waits, 50)), 1),
            "p99_ms": round(float(np.percentile(waits, 99)), 1),
            "max_ms": round(float(waits.max()), 1),
        }

    def close(self) -> None:
        """End the subscriber."""
        self._stop.set()
        self._subscriber.join()

    def _wait(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WITHIN_S
        while not condition():
            if time.monotonic() > deadline or not self.engine.running:
                raise RuntimeError(f"only {self.seen.value} of {self.offered} samples came out")
            time.sleep(0.01)


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Make the fleet, run the engine, and return the report."""
    step_s = options.interval or STEP_AT_SATURATION_S
    kept = round(options.history_days * 86_400 / (options.interval or 300))
    begins = int(time.time()) - (options.interval or 0)
    if not options.interval:
        begins -= int(60 * options.minutes * PER_SECOND / options.metrics + 60) * step_s
    fleet = GrownFleet(options.metrics, step_s, begins)
    memory = {"resident_mebibytes": str(options.memory)} if options.memory else {}
    directory = configure(folder / "app", None, None, **memory)
    settings = config.load(directory)
    data = folder / "app" / "data"
    report: dict[str, Any] = {}
    began = time.monotonic()
    if options.made and (options.made / "data").exists():
        shutil.copytree(options.made / "data", data, dirs_exist_ok=True)
    else:
        data.mkdir(parents=True, exist_ok=True)
        build(settings, fleet, kept)
        if options.made:
            shutil.copytree(data, options.made / "data")
    report["built_s"] = round(time.monotonic() - began, 1)
    _say(f"{fleet.count} metrics with {kept} rows each were made in {report['built_s']} s")

    engine = Engine(data, free_port(), config=directory, http_port=free_port())
    try:
        report["start_s"] = _started(engine)
        stream = Stream(settings, fleet, engine, folder)
        try:
            report |= _measured(options, settings, fleet, engine, stream)
        finally:
            stream.close()
        if options.operations:
            report["operations"] = _operations(engine, fleet)
        report |= _stopped(engine)
        if options.restarts:
            report["restarts"] = {}
            sent = stream.offered // fleet.count + 1
            for number, after in enumerate(("stop", "kill")):
                report["restarts"][after] = _restarted(settings, fleet, engine, folder, sent + number)
                if after == "stop":
                    engine.kill()
            report["restarts"]["end"] = _stopped(engine)
    finally:
        engine.kill()
    rows, checkpoints = row_count(settings), settings.checkpoint_root
    apart = {settings.bus_path, engine.log}
    files = [
        path
        for path in data.rglob("*")
        if path.is_file()
        and checkpoints not in path.parents
        and not any(apart_ and path.name.startswith(apart_.name) for apart_ in apart)
    ]
    report |= {"rows": rows, "bytes_per_row": round(_size(files) / rows, 1) if rows else None}
    if checkpoints:
        report["bytes_per_model"]["disk"] = round(_size(list(checkpoints.rglob("*"))) / fleet.count)
    return report


def _started(engine: Engine) -> float:
    """Start the engine and return the seconds until it listens."""
    began = time.monotonic()
    engine.start()
    if not engine.wait_until_it_listens():
        raise RuntimeError(f"the engine ended: {engine.log.read_text()[-2000:]}")
    return round(time.monotonic() - began, 2)


def _stopped(engine: Engine) -> dict[str, float | None]:
    """Ask the engine to stop, and return what it took; no exit code where it did not within some time."""
    began, cpu = time.monotonic(), Usage.of(engine.pid).cpu_s
    children = _children_cpu_s()
    try:
        code: int | None = engine.stop()
    except subprocess.TimeoutExpired:
        return {"exit_code": None, "stop_s": round(time.monotonic() - began, 1), "stop_cpu_s": None}
    took = time.monotonic() - began
    return {
        "exit_code": code,
        "stop_s": round(took, 1),
        "stop_cpu_s": round(_children_cpu_s() - children - cpu, 1),
    }


def _restarted(
    settings: config.Settings, fleet: GrownFleet, engine: Engine, folder: Path, sample: int
) -> dict[str, float]:
    """Start the engine again, and score the sample of this number of all metrics."""
    start_s = _started(engine)
    started = Usage.of(engine.pid)
    stream = Stream(settings, fleet, engine, folder)
    try:
        ready_s = stream.one_of_each(sample)
    finally:
        stream.close()
    ready = Usage.of(engine.pid)
    _say(f"started again in {start_s} s, all scored {ready_s:.1f} s after the first line")
    return {
        "start_s": start_s,
        "start_cpu_s": round(started.cpu_s, 1),
        "ready_s": round(ready_s, 1),
        "ready_cpu_s": round(ready.cpu_s - started.cpu_s, 1),
        "rss_mib": round(ready.resident / 2**20),
    }


def _measured(
    options: argparse.Namespace,
    settings: config.Settings,
    fleet: GrownFleet,
    engine: Engine,
    stream: Stream,
) -> dict[str, Any]:
    empty = Usage.of(engine.pid)
    ready_s = stream.one_of_each()
    full = Usage.of(engine.pid)
    _say(f"all are scored {ready_s:.1f} s after the first line")
    with stream.flowing(fleet.count / options.interval if options.interval else None):
        counted = _scheduler(settings)
        before, began, seen = Usage.of(engine.pid), time.monotonic(), stream.seen.value
        most = before.resident
        while (elapsed := time.monotonic() - began) < 60 * options.minutes and engine.running:
            time.sleep(1.0)
            most = max(most, Usage.of(engine.pid).resident)
        after, scored = Usage.of(engine.pid), max(stream.seen.value - seen, 1)
        counters = _scheduler(settings)
    began = time.monotonic()
    stream.drain()
    return {
        "samples_per_second": round(scored / elapsed, 1),
        "cpu_us_per_sample": round(1e6 * (after.cpu_s - before.cpu_s) / scored, 1),
        "cpu_share_of_a_core": round((after.cpu_s - before.cpu_s) / elapsed, 3),
        "bytes_written_per_sample": round((after.written - before.written) / scored),
        "latency": stream.latency(),
        "rss_mib": round(most / 2**20),
        "bytes_per_model": {
            "resident": round(max(full.resident - empty.resident, 0) / fleet.count),
            "compressed": _compressed(counters),
            "disk": None,
        },
        "loads_per_second": round(fleet.count / ready_s),
        "ready_s": round(ready_s, 1),
        "ready_cpu_s": round(full.cpu_s - empty.cpu_s, 1),
        "drain_s": round(time.monotonic() - began, 2),
        "lost": stream.offered - stream.seen.value,
        "models_resident": counters.get("models_resident"),
        "models_loaded": counters.get("models_loaded", 0) - counted.get("models_loaded", 0),
        "checkpoints": counters.get("checkpoints", 0) - counted.get("checkpoints", 0),
    }


def _compressed(counters: dict[str, Any]) -> int | None:
    """Return the size of a model that is compressed in memory, where the scheduler keeps such."""
    count = counters.get("models_compressed")
    return round(counters["compressed_bytes"] / count) if count else None


def _operations(engine: Engine, fleet: GrownFleet) -> dict[str, dict[str, float]]:
    """Return what commands cost beside the engine that runs: seconds, and those of the processor."""
    found = {}
    for command in (
        ["status"],
        ["doctor"],
        ["metrics", "--json"],
        ["unmonitor", "fleet.host0000*", "--yes", "--dry-run"],
        ["verify", "--json"],
    ):
        began, cpu = time.monotonic(), _children_cpu_s()
        done = engine.command(*command)
        found[" ".join(command)] = {
            "seconds": round(time.monotonic() - began, 2),
            "cpu_s": round(_children_cpu_s() - cpu, 2),
            "exit_code": done.returncode,
        }
        _say(f"{command}: {done.returncode} {(done.stderr or done.stdout).decode()[-300:]}")
    return found


def _children_cpu_s() -> float:
    times = psutil.Process().cpu_times()
    return float(times.children_user + times.children_system)


def _scheduler(settings: config.Settings) -> dict[str, Any]:
    """Return what the scheduler counts."""
    folder = program.reports_folder(settings)
    said = status_files.read(folder) if folder else {}
    reports = said.get("model_scheduler")
    return reports[-1].counters if reports else {}


def _size(files: list[Path]) -> int:
    return sum(path.stat().st_size for path in files if path.is_file())


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--metrics", type=int, default=1000)
    parser.add_argument(
        "--interval", type=int, default=300, metavar="S", help="between samples of a metric; 0: saturation"
    )
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--history-days", type=float, default=1.0, help="rows of so many days are there")
    parser.add_argument("--memory", type=int, metavar="MIB", help="for models [default: the engine's]")
    parser.add_argument("--operations", action="store_true", help="measure commands, too, before the stop")
    parser.add_argument("--restarts", action="store_true", help="start again after the stop and a kill -9")
    parser.add_argument("--folder", type=Path, help="where it runs [default: the temporary folder]")
    parser.add_argument(
        "--made",
        type=Path,
        help="where it is kept as it was made, for the next time, which must be of the same options",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fleet-", dir=options.folder) as folder:
        report = measure(options, Path(folder))
    keys = {
        name: getattr(options, name) for name in ("metrics", "interval", "minutes", "history_days", "memory")
    }
    report = {**keys, **report, "machine": machine()}
    print(json.dumps(report) if options.json else json.dumps(report, indent=2))
    if report["exit_code"] != 0:
        sys.exit(1)


if __name__ == "__main__":
    main()
