"""The load of this machine as a source of metrics: processors, memory, disks and network, read through psutil.

Names begin with the host's: `HOST.cpu.user_percent`, `HOST.disk.sda.read_bytes_per_s`. Counters become rates a second
between two readings, so they are there from the second reading on. A device that comes or goes, or a counter that starts
anew, costs one sample of that metric.
"""

from __future__ import annotations

import logging
import re
import socket
import threading
import time
from collections.abc import Callable
from typing import Final

import psutil

from htmengine.bus import BusUnavailable
from htmengine.service.context import Context
from htmengine.service.lines import publish_lines

INTERVAL_S: Final = 10.0
NAME: Final = "this_machine"
_NOT_IN_A_NAME: Final = re.compile(r"[^A-Za-z0-9_-]+")
_CPU_SHARES: Final = ("user", "system", "iowait", "steal")
_VIRTUAL_DISKS: Final = re.compile(r"(loop|ram|zram|fd|sr)\d")
_PARTITIONS: Final = re.compile(r"((nvme|mmcblk)\d+(n\d+)?p\d+|(sd|vd|xvd|hd)[a-z]+\d+)$")
_NO_DISKS: Final = frozenset({"squashfs", "iso9660", "overlay"})

log = logging.getLogger(__name__)


class MachineLoadSender(threading.Thread):
    """Sends this machine's load to the engine every ten seconds until the program ends, from the first second on."""

    def __init__(self, context: Context, load: MachineLoad) -> None:
        super().__init__(name=NAME, daemon=True)
        self._context = context
        self._load = load

    def run(self) -> None:
        """Read and send until the program ends."""
        began = time.monotonic()
        while True:
            now = int(time.time())
            lines = [f"{name} {value!r} {now}" for name, value in self._load.read().items()]
            try:
                publish_lines(self._context, lines)
            except BusUnavailable as error:
                log.warning("%s.not_sent metrics=%d reason=%s", NAME, len(lines), error)
            since = time.monotonic() - began
            if self._context.stop.wait(INTERVAL_S - since % INTERVAL_S):
                return


class MachineLoad:
    """Reads the load of this machine.

    Parameters
    ----------
    host : first segment of the names; by default the host's name.
    clock : seconds that never go back, for rates.
    """

    def __init__(self, host: str | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.host = _segment(host or socket.gethostname())
        self._clock = clock
        self._counters: dict[str, float] = {}
        self._read_at = 0.0
        psutil.cpu_times_percent()  # the first call only marks where shares begin

    def read(self) -> dict[str, float]:
        """Return values by name: gauges as they are now, counters as rates a second since the last reading."""
        now = self._clock()
        values = _gauges()
        counters = _counters()
        elapsed = now - self._read_at
        if self._counters and elapsed > 0:
            values |= {
                f"{name}_per_s": (count - self._counters[name]) / elapsed
                for name, count in counters.items()
                if count >= self._counters.get(name, float("inf"))
            }
        self._counters, self._read_at = counters, now
        return {f"{self.host}.{name}": round(float(value), 3) for name, value in values.items()}


def _gauges() -> dict[str, float]:
    shares = psutil.cpu_times_percent()
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    values = {
        f"cpu.{share}_percent": getattr(shares, share) for share in _CPU_SHARES if hasattr(shares, share)
    }
    values |= {
        "load.1m": psutil.getloadavg()[0],
        "memory.used_percent": memory.percent,
        "memory.available_bytes": memory.available,
        "processes.count": len(psutil.pids()),
    }
    if swap.total:
        values["swap.used_percent"] = swap.percent
    for partition in psutil.disk_partitions():
        if partition.fstype in _NO_DISKS:
            continue
        try:
            usage = psutil.disk_usage(partition.mountpoint)
        except OSError:  # unmounted in between, or not for this user
            continue
        values[f"filesystem.{_segment(partition.mountpoint.strip('/') or 'root')}.used_percent"] = (
            usage.percent
        )
    return values


def _counters() -> dict[str, float]:
    system = psutil.cpu_stats()
    counts: dict[str, float] = {
        "system.context_switches": system.ctx_switches,
        "system.interrupts": system.interrupts,
    }
    for device, disk in (psutil.disk_io_counters(perdisk=True) or {}).items():
        if _VIRTUAL_DISKS.match(device) or _PARTITIONS.match(device):
            continue
        name = f"disk.{_segment(device)}"
        counts |= {f"{name}.read_bytes": disk.read_bytes, f"{name}.write_bytes": disk.write_bytes}
        counts |= {f"{name}.reads": disk.read_count, f"{name}.writes": disk.write_count}
    for interface, network in psutil.net_io_counters(pernic=True).items():
        if interface == "lo":
            continue
        name = f"network.{_segment(interface)}"
        counts |= {f"{name}.received_bytes": network.bytes_recv, f"{name}.sent_bytes": network.bytes_sent}
        counts |= {
            f"{name}.received_packets": network.packets_recv,
            f"{name}.sent_packets": network.packets_sent,
        }
        counts[f"{name}.errors"] = network.errin + network.errout
    return counts


def _segment(text: str) -> str:
    """Return a text as one segment of a metric's name."""
    return _NOT_IN_A_NAME.sub("_", text).strip("_") or "unnamed"
