"""What the engine still carries while its results are read or written back: throughput in turn without and with them.

    .venv/bin/python -m benchmarks.beside readers
    .venv/bin/python -m benchmarks.beside write-back --turns 3 --json

The engine is at saturation all the time; of its results so many metrics are read, or written back, as give a rate of
results (`--rate`). Readers: 200 of the stream, each gets all of these. Write-back: to a real VictoriaMetrics and a real
carbon, Debian's packages; there the engine starts anew for each phase, with the rows and models that it has.
Everything shares the machine: readers and receivers take their own processor time too, which `ratio` has in it; how much
that is, `others_cpu_us_per_sample` tells (generator and subscriber are in it in both). `cpu_ratio` is what the engine itself takes
for a sample more, whoever else runs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, Final

import psutil

from benchmarks.machine import machine
from benchmarks.pipeline.__main__ import GROWN_UP, SPAWN, Run
from benchmarks.running import Engine, free_port
from benchmarks.servers import change, configure
from benchmarks.write_back import running_receivers
from htmengine import config

KINDS: Final = ("readers", "write-back")
READERS: Final = 200


def read_stream(port: int, match: str, ready: Event, stop: Event) -> None:
    """Let readers take results of the metrics that match, until told to stop."""

    async def read() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        request = f"GET /api/v1/stream?events=results&match={match} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        writer.write(request.encode())
        try:
            while await reader.read(1 << 20):
                pass
        finally:
            writer.close()

    async def readers() -> None:
        tasks = [asyncio.create_task(read()) for _ in range(READERS)]
        await asyncio.sleep(2)
        ready.set()
        await asyncio.to_thread(stop.wait)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(readers())


@contextmanager
def readers(engine: Engine, match: str) -> Iterator[None]:
    """Let the stream be read."""
    ready, stop = SPAWN.Event(), SPAWN.Event()
    process = SPAWN.Process(target=read_stream, args=(engine.http_port, match, ready, stop))
    process.start()
    ready.wait()
    try:
        yield
    finally:
        stop.set()
        process.join()


@contextmanager
def write_back(engine: Engine, match: str, ports: tuple[int, int]) -> Iterator[None]:
    """Let the engine start anew with receivers; it has none when it starts the next time."""
    assert engine.config is not None
    path = engine.config / "application.conf"
    before = path.read_text()
    change(
        path,
        writeback={
            "remote_write": f"http://127.0.0.1:{ports[0]}/api/v1/write",
            "graphite": f"127.0.0.1:{ports[1]}",
            "match": match,
        },
    )
    _restart(engine)
    try:
        yield
    finally:
        path.write_text(before)


def _restart(engine: Engine) -> None:
    engine.stop()
    engine.start()
    engine.wait_until_it_listens()


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Return what came out a second, and what it cost, in turn without and with what runs beside."""
    directory = configure(folder / "app")
    engine = Engine(folder / "app" / "data", free_port(), config=directory, http_port=free_port())
    engine.start()
    engine.wait_until_it_listens()
    is_written = options.kind == "write-back"
    run = Run(engine, config.load(directory), folder, options.metrics)
    with running_receivers(folder / "receivers") if is_written else nullcontext((0, 0)) as ports:
        try:
            run.begin(options.history)
            first = run.phase(options.seconds, None)["samples_per_second"]
            # By the last figure of the hosts' numbers: so many tenths of the metrics as give the rate or more.
            tenths = max(1, min(10, math.ceil(10 * options.rate / first)))
            match = f"fleet.host*[0-{tenths - 1}].load"
            alone: list[dict[str, Any]] = []
            beside: list[dict[str, Any]] = []
            for _ in range(options.turns):
                if is_written:
                    _restart(engine)
                alone.append(_phase(run, options.seconds))
                other: AbstractContextManager[None] = (
                    write_back(engine, match, ports) if is_written else readers(engine, match)
                )
                with other:
                    beside.append(_phase(run, options.seconds))
        finally:
            run.close()
            exit_code = engine.stop()
    return {
        "kind": options.kind,
        "metrics": options.metrics,
        "match": match,
        "results_per_second": round(tenths / 10 * min(phase["samples_per_second"] for phase in beside)),
        "samples_per_second": [
            [phase["samples_per_second"] for phase in phases] for phases in (alone, beside)
        ],
        "ratio": round(
            statistics.median(
                there["samples_per_second"] / here["samples_per_second"]
                for here, there in zip(alone, beside, strict=True)
            ),
            3,
        ),
        "cpu_us_per_sample": [[round(_cpu(phase), 1) for phase in phases] for phases in (alone, beside)],
        "cpu_ratio": round(
            statistics.median(_cpu(there) / _cpu(here) for here, there in zip(alone, beside, strict=True)),
            3,
        ),
        "others_cpu_us_per_sample": [
            [round(phase["others_us"], 1) for phase in phases] for phases in (alone, beside)
        ],
        "threads_beside": beside[-1]["cpu_us_per_sample_by_thread"],
        "threads_alone": alone[-1]["cpu_us_per_sample_by_thread"],
        "exit_code": exit_code,
        "machine": machine(),
    }


def _phase(run: Run, seconds: float) -> dict[str, Any]:
    """Return what a phase says, with what all but the engine took for a sample in it, from its warm-up until it has come out."""
    before, offered = _others_s(run.engine), run.offered
    phase = run.phase(seconds, None)
    return phase | {"others_us": 1e6 * (_others_s(run.engine) - before) / (run.offered - offered)}


def _others_s(engine: Engine) -> float:
    """Return the seconds of the processor that all below this process have taken but the engine; those that ended, too."""
    own = psutil.Process()
    ended = own.cpu_times()
    found: float = ended.children_user + ended.children_system
    for process in own.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if process.pid != engine.pid:
                found += sum(process.cpu_times()[:2])
    return found


def _cpu(phase: dict[str, Any]) -> float:
    return float(sum(phase["cpu_us_per_sample_by_thread"].values()))


def main() -> None:
    """Measure, and print a line or JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--metrics", type=int, default=300)
    parser.add_argument("--rate", type=float, default=3300, help="results a second that are read or written")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each phase")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--history", type=int, default=GROWN_UP, help="rows of each metric at first")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="beside-") as name:
        found = measure(options, Path(name))
    if options.json:
        print(json.dumps(found))
        return
    print(
        f"{options.kind}, of {found['match']} among {found['metrics']} metrics: the engine carries "
        f"{found['ratio']:.1%} of what it does alone, at {found['cpu_ratio']:.1%} of the processor time for a sample"
    )


if __name__ == "__main__":
    main()
