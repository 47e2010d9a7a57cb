"""What running services say of themselves: a small file for each and each process, in the data folder, for `htmengine doctor`."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from htmengine.system import private
from htmengine.system.processes import Process, is_alive, this_process

log = logging.getLogger(__name__)

INTERVAL_S: Final = 2.0
STALE_S: Final = 15.0

Snapshot = Callable[[], Mapping[str, Any]]
"""Returns what a service has counted since it started; must be quick and safe to call from another thread."""


class ServiceReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one service said last."""

    service: str
    pid: int
    born: str = ""
    """See `system.processes`: one that nobody waited for is not alive, nor one that got the number later."""
    started_at: float
    """As `written_at` by a clock that only grows: that of the machine since it was started."""
    written_at: float
    restarts: int = 0
    counters: dict[str, Any] = {}

    def alive(self, now: float) -> bool:
        """Whether the service was there a moment ago. `now`: of `time.monotonic`."""
        return now - self.written_at < STALE_S and is_alive(Process(self.pid, self.born))


class Reporter:
    """Writes the reports of one process's services every few seconds."""

    def __init__(self, folder: Path, *, timer: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._timer = timer
        self._started_at = timer()
        self._counters: dict[str, Snapshot] = {}
        self._restarts: Mapping[str, int] = {}
        self._ended = threading.Event()
        self._writing = threading.Lock()  # one file of a name at a time, whoever asks
        self._thread = threading.Thread(target=self._run, name="reports", daemon=True)

    def start(self, services: list[str], counters: dict[str, Snapshot], restarts: Mapping[str, int]) -> None:
        """Report on these services from now on; what the mappings hold is looked up each time."""
        self._services, self._counters, self._restarts = services, counters, restarts
        self._thread.start()

    def close(self) -> None:
        """Remove the status files: the services have stopped as they should."""
        if not self._thread.ident:
            return
        self._ended.set()
        self._thread.join()
        for service in self._services:
            _file(self._folder, service, os.getpid()).unlink(missing_ok=True)

    def write(self) -> None:
        """Write every report now."""
        with self._writing:
            self._write()

    def _write(self) -> None:
        process = this_process()
        private.folder(self._folder)
        for service in self._services:
            counters = self._counters.get(service)
            report = ServiceReport(
                service=service,
                pid=process.pid,
                born=process.born,
                started_at=self._started_at,
                written_at=self._timer(),
                restarts=self._restarts.get(service, 0),
                counters=dict(counters()) if counters else {},
            )
            path = _file(self._folder, service, process.pid)
            temporary = path.with_suffix(".new")
            private.write_text(temporary, json.dumps(msgspec.to_builtins(report)))
            temporary.replace(path)

    def _forget_the_dead(self) -> None:
        """Remove the files of processes that were killed."""
        for path, report in _reports(self._folder):
            if report.service in self._services and not is_alive(Process(report.pid, report.born)):
                path.unlink(missing_ok=True)

    def _run(self) -> None:
        failing = False
        with suppress(OSError):
            self._forget_the_dead()
        while True:
            try:
                self.write()
                failing = False
            except OSError as error:
                if not failing:
                    log.warning("reports.not_written reason=%s", error)
                failing = True
            if self._ended.wait(INTERVAL_S):
                return


def read(folder: Path) -> dict[str, list[ServiceReport]]:
    """Return, by service, the last report of each process that has not stopped in good order, the newest last."""
    reports: dict[str, list[ServiceReport]] = {}
    for _, report in _reports(folder):
        reports.setdefault(report.service, []).append(report)
    for own in reports.values():
        own.sort(key=lambda report: report.written_at)
    return reports


def _reports(folder: Path) -> Iterator[tuple[Path, ServiceReport]]:
    for path in sorted(folder.glob("*.json")):
        with suppress(OSError, msgspec.MsgspecError):
            yield path, msgspec.json.decode(path.read_bytes(), type=ServiceReport)


def _file(folder: Path, service: str, pid: int) -> Path:
    return folder / f"{service}.{pid}.json"
