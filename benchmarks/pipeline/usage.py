"""CPU time and memory of a process from /proc, by thread: the engine names its threads after their services.

What kind of code the time goes to is told by `perf`, where it is installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from sqlalchemy import text

from htmengine.repository.database import Database

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
KINDS = {
    "libpython": "interpreter",
    "python": "interpreter",
    "libc": "C library",
    "libsqlite3": "SQL",
    "_sqlite3": "SQL",
    "_kernels": "models",
    "[kernel": "system",
}
"""By the beginning of the name of the library that a sample of the profiler lies in. The interpreter calls the C library
most, so that its share is at most that of both."""


def cpu_seconds(pid: int) -> Counter[str]:
    """Return the CPU seconds that each thread name has used so far."""
    used: Counter[str] = Counter()
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            stat = (task / "stat").read_text()
        except OSError:
            continue  # the thread ended meanwhile
        name, fields = stat[stat.index("(") + 1 : stat.rindex(")")], stat[stat.rindex(")") + 2 :].split()
        used[name] += (int(fields[11]) + int(fields[12])) / TICKS_PER_S  # type: ignore[assignment]
    return used


def resident_mib(pid: int) -> float:
    """Return the resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return round(int(line.split()[1]) / 1024, 1)
    return 0.0


def server_cpu_seconds(port: int) -> float:
    """Return the CPU seconds that the server which listens on a port has used so far, its other processes included."""
    listening = (conn for conn in psutil.net_connections("tcp") if conn.status == psutil.CONN_LISTEN)
    process = psutil.Process(next(conn.pid for conn in listening if conn.laddr.port == port))
    used = 0.0
    for one in [process, *process.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            times = one.cpu_times()
            used += times.user + times.system + times.children_user + times.children_system
    return used


def cpu_kinds(pid: int, seconds: float, folder: Path) -> Callable[[], dict[str, float] | None]:
    """Begin to profile a process, and return what waits for the end and returns the share of each kind of code."""
    if not shutil.which("perf"):
        return lambda: None
    data = folder / "perf.data"
    recorder = subprocess.Popen(
        ["perf", "record", "-F", "99", "-p", str(pid), "-o", data, "--", "sleep", str(seconds)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def shares() -> dict[str, float] | None:
        recorder.wait()
        report = subprocess.run(
            ["perf", "report", "-i", data, "--sort", "dso", "--stdio", "--field-separator", ";"],
            capture_output=True,
            text=True,
            check=False,
        )
        found: Counter[str] = Counter()
        for line in report.stdout.splitlines():
            share, _, name = line.strip().partition(";")
            if line.startswith("#") or not name:
                continue
            kind = next((kind for start, kind in KINDS.items() if name.startswith(start)), "other libraries")
            found[kind] += float(share.rstrip("% ")) / 100  # type: ignore[assignment]
        return {kind: round(share, 3) for kind, share in found.most_common()} or None

    return shares


LOCK_POLL_S = 0.02
_WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
_WAITED_MS = text("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_time'")


@contextmanager
def lock_waits(database: Database) -> Iterator[Callable[[], float | None]]:
    """Measure meanwhile how many connections wait for a lock of the database server, on average; None for SQLite.

    PostgreSQL is asked who waits fifty times a second; MariaDB counts the time itself.
    """
    if database.dialect == "sqlite":
        yield lambda: None
        return
    done, waiting = threading.Event(), []

    def look() -> None:
        while not done.wait(LOCK_POLL_S):
            with database.read() as conn:
                waiting.append(conn.scalar(_WAITING) or 0)

    def waited_s() -> float:
        with database.read() as conn:
            return int(conn.execute(_WAITED_MS).one()[1]) / 1e3

    if database.dialect == "mysql":
        before, begin = waited_s(), time.monotonic()
        share: list[float] = []
        yield lambda: round(share[0], 3)
        share.append((waited_s() - before) / (time.monotonic() - begin))
        return
    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield lambda: round(sum(waiting) / max(1, len(waiting)), 3)
    finally:
        done.set()
        thread.join()
