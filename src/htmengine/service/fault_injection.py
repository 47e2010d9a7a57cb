"""Fault injection: ends the process at a named step of its own.

The environment variable HTMENGINE_KILL_AT names a step and a count, such as `metric_storer.committed:3`: the process
kills itself, as by `kill -9`, when that step is done for the third time. The chaos test finds with it what random
moments rarely meet: a crash between a commit and a publication.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Mapping
from typing import Final

from htmengine.errors import MisuseError

Step = Callable[[str], None]
"""Called with the name of each step when it is done; fault injection ends the process there."""

KILL_VARIABLE: Final = "HTMENGINE_KILL_AT"


def no_step(name: str) -> None:
    """Do nothing: outside of tests no step has an effect."""


def kill_self() -> None:
    """End this process at once: nothing is flushed, closed or saved."""
    os.kill(os.getpid(), signal.SIGKILL)


def from_environment(environ: Mapping[str, str] = os.environ, kill: Callable[[], None] = kill_self) -> Step:
    """Return the step function that HTMENGINE_KILL_AT asks for, or one that does nothing where it is not set.

    Raises
    ------
    MisuseError : the variable is not NAME:COUNT.
    """
    wanted = environ.get(KILL_VARIABLE)
    if not wanted:
        return no_step
    name, _, count = wanted.rpartition(":")
    if not name or not count.isdecimal() or int(count) < 1:
        raise MisuseError(
            f"{KILL_VARIABLE}={wanted!r} is not a step's name and a count.",
            hint=f"Give for example {KILL_VARIABLE}=metric_storer.committed:3, or unset it.",
        )
    left = int(count)
    lock = threading.Lock()

    def step(done: str) -> None:
        nonlocal left
        if done != name:
            return
        with lock:
            left -= 1
            if left == 0:
                kill()

    return step
