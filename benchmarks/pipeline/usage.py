"""CPU time and memory of a process from /proc, by thread: the engine names its threads after their services."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


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
