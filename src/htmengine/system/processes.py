"""Which processes are alive: by number and time of birth, so that a number that was given again is not mistaken."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import NamedTuple


class Process(NamedTuple):
    """A process of this machine."""

    pid: int
    born: str
    """Names its start; no two processes of one number share it. Empty where the system does not tell."""


@cache
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _birth(pid: int) -> str | None:
    """Return what names a process's start; None for one that has ended, be it only that nobody waited for it yet."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    fields = stat[stat.rindex(b")") + 2 :].split()  # the name before it may hold blanks and brackets
    state, started = fields[0], fields[19]
    return None if state in b"ZX" else f"{_boot()}/{started.decode()}"


def this_process() -> Process:
    """Return the process that asks."""
    pid = os.getpid()
    return Process(pid, _birth(pid) or "")


def is_alive(process: Process) -> bool:
    """Tell whether a process still runs."""
    if process.born:
        return _birth(process.pid) == process.born
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it is another user's
    return True
