"""Measures what this machine can carry: an engine of its own scores samples for a minute, through all of its services.

The engine runs beside the data folder, on its disk, with the same code and as many services; it is removed afterwards.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import psutil
from numpy.typing import NDArray
from sqlalchemy import Connection

from htmengine import config
from htmengine.errors import ExplainedError
from htmengine.repository import metrics, overview, samples
from htmengine.repository.database import Database
from htmengine.repository.opening import open_database
from htmengine.runtime.metric_garbage_collector import reserve_bytes
from htmengine.service.capacity import Measured
from htmengine.service.context import Context, data_folder

METRICS: Final = 1000
FIRST_METRICS: Final = 50
"""With these alone the services take the memory that they need whatever the number of models."""
FIRST: Final = 0.15
"""Of the time."""
ROWS: Final = 1000
"""Of a stored metric whose values are taken; one with fewer has not learned enough to cost what others do."""
STEP_S: Final = 300
FIRST_TIMESTAMP: Final = 1_600_000_000
SEASON: Final = 288
GROWING: Final = 0.4
"""Of the time all models only learn: young ones cost other than what they will."""
MAX_UNDER_WAY: Final = 50_000
"""Samples that wait for their scores at a time, so that every service has enough to do."""
LEAST_GROWTH: Final = 10 << 20
"""Of memory: less is none that could be divided."""
POLL_S: Final = 0.1
STARTS_WITHIN_S: Final = 120.0
STOPS_WITHIN_S: Final = 120.0


class NotMeasured(ExplainedError):
    """The engine that was to be measured did not run."""


class _Usage(NamedTuple):
    cpu_s: float
    written: int | None
    resident: int


def measure(
    context: Context,
    *,
    seconds: float = 60.0,
    show: Callable[[str, int, int], None] = lambda what, done, of: None,
    clock: Callable[[], float] = time.time,
) -> Measured:
    """Measure this machine for about so many seconds. Raises NotMeasured.

    An engine that runs in the folder goes on, and what is measured is what it leaves.
    """
    values, real = _values(context.database)
    beside = data_folder(context.settings)
    with tempfile.TemporaryDirectory(prefix="capacity-", dir=beside) as name:
        data = Path(name) / "data"
        disk = shutil.disk_usage(name).free - reserve_bytes(Path(name))
        memory = psutil.virtual_memory().available
        with _engine(data, Path(name) / "log") as (process, port):
            settings = config.embedded(data)
            database = open_database(settings.repository)
            try:
                run = _Run(process, port, database, values)
                times = (FIRST * seconds, GROWING * seconds, (1 - FIRST - GROWING) * seconds)
                done = 0.0

                def shown(what: str) -> Callable[[float], None]:
                    return lambda elapsed: show(what, round(done + elapsed), round(seconds))

                run.feed(FIRST_METRICS, times[0], shown("The first models learn"))
                done += times[0]
                first = run.usage()
                run.feed(METRICS, times[1], shown("All models learn"))
                done += times[1]
                before, scored, began = run.usage(), run.scored(), time.monotonic()
                run.feed(METRICS, times[2], shown("Counting"))
                after, count, elapsed = run.usage(), run.scored() - scored, time.monotonic() - began
                rows = run.sent
            finally:
                database.close()
        if not count:
            raise NotMeasured("No sample was scored.", hint=f"Measure for longer than {seconds:g} seconds.")
        written = None if after.written is None or before.written is None else after.written - before.written
        return Measured(
            at=clock(),
            seconds=elapsed,
            metrics=len(values),
            real=real,
            cores=os.cpu_count() or 1,
            samples_per_second=count / elapsed,
            cpu_us_per_sample=1e6 * (after.cpu_s - before.cpu_s) / count,
            written_bytes_per_sample=None if written is None else written / count,
            bytes_per_model=max(after.resident - first.resident, LEAST_GROWTH) / (METRICS - FIRST_METRICS),
            bytes_per_checkpoint=_size(settings.checkpoint_root) / len(values),
            bytes_per_row=_size(settings.repository.path) / rows,
            memory_bytes=memory,
            disk_bytes=max(disk, 0),
            beside_engine=_runs(context),
        )


class _Run:
    """An engine that is fed, and what it has used."""

    def __init__(
        self, process: subprocess.Popen[bytes], port: int, database: Database, values: NDArray[np.float64]
    ) -> None:
        """`values` : shape (metrics, samples); they repeat."""
        self._process = psutil.Process(process.pid)
        self._port = port
        self._database = database
        self._values = values
        self._row = 0
        self.sent = 0

    def feed(self, count: int, seconds: float, show: Callable[[float], None]) -> None:
        """Send samples of the first metrics for so long, as many as are scored."""
        began = time.monotonic()
        with socket.create_connection(("127.0.0.1", self._port)) as peer:
            while (elapsed := time.monotonic() - began) < seconds:
                show(elapsed)
                if self.sent - self.scored() > MAX_UNDER_WAY:
                    time.sleep(POLL_S)
                    continue
                for _ in range(MAX_UNDER_WAY // 4 // count):
                    peer.sendall(self._lines(count))

    def scored(self) -> int:
        """Return how many samples were scored so far."""
        with self._database.read() as conn:
            total = overview.totals(conn)
        return total.rows - total.unscored

    def usage(self) -> _Usage:
        """Return what the engine has used so far, and its memory now."""
        try:
            times, memory = self._process.cpu_times(), self._process.memory_info()
        except psutil.NoSuchProcess:
            raise NotMeasured(
                "The engine that is measured has ended.", hint="See whether `htmengine up` runs here."
            ) from None
        written = None
        with suppress(AttributeError, psutil.Error):
            written = self._process.io_counters().write_bytes
        return _Usage(times.user + times.system, written, memory.rss)

    def _lines(self, count: int) -> bytes:
        """Return the lines of the next sample of the first metrics."""
        timestamp = FIRST_TIMESTAMP + self._row * STEP_S
        column = self._values[:count, self._row % self._values.shape[1]].tolist()
        self._row += 1
        self.sent += len(column)
        return "".join(f"capacity.m{i} {value!r} {timestamp}\n" for i, value in enumerate(column)).encode()


def _values(database: Database) -> tuple[NDArray[np.float64], bool]:
    """Return values of METRICS metrics: of some that are stored, or made up; and whether they are real."""
    with database.read() as conn:
        found = _stored(conn)
    if found:
        return np.array([found[i % len(found)] for i in range(METRICS)]), True
    random = np.random.default_rng(1)
    level, season, noise, phase = (
        random.uniform(low, high, (METRICS, 1)) for low, high in ((10, 100), (1, 30), (0.1, 3), (0, 6.28))
    )
    wave = np.sin(2 * np.pi * np.arange(4 * SEASON) / SEASON + phase)
    return np.round(level + season * wave + noise * random.standard_normal(wave.shape), 3), False


def _stored(conn: Connection) -> list[list[float]]:
    able = [state for state in metrics.custom(conn) if state.last_rowid - state.base_rowid >= ROWS]
    every = max(1, len(able) // METRICS)
    found = []
    for state in able[::every][:METRICS]:
        first = state.last_rowid - ROWS + 1
        rows = samples.read(conn, state.uid, first, state.last_rowid, ROWS)
        if len(rows.values) == ROWS:
            found.append(rows.values)
    return found


@contextmanager
def _engine(data: Path, log: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Start an engine in a folder, and stop it; give its process and the port that takes lines."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    arguments = ["up", "--data", str(data), "--port", str(port), "--http-port", "0"]
    environment = {name: text for name, text in os.environ.items() if name != config.CONFIG_PATH_VARIABLE}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "htmengine.cli", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
        )
    try:
        _wait_until_it_listens(process, port, log)
        yield process, port
    finally:
        process.terminate()
        try:
            process.wait(STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN_S
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1.0):
            return
        time.sleep(POLL_S)
    said = log.read_text(errors="replace").strip().splitlines()[-1:]
    raise NotMeasured(
        f"The engine that was to be measured does not listen. {' '.join(said)}",
        hint="See whether `htmengine up` runs on this machine.",
    )


def _size(place: Path | None) -> int:
    """Return the bytes of a folder's files, or of a file and its write-ahead log."""
    if place is None:
        return 0
    paths = place.rglob("*") if place.is_dir() else place.parent.glob(place.name + "*")
    return sum(path.stat().st_size for path in paths if path.is_file())


def _runs(context: Context) -> bool:
    """Whether an engine runs here."""
    return any(queue.consumers for queue in context.bus.status(context.data_queues.stored))
