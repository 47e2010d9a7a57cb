"""A progress bar on standard error, for input that takes its time."""

import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_TIMEOUT_S = 0.5  # what is done by then needs no bar


@contextmanager
def progress_bar(stream: io.BufferedReader, label: str = "Scoring") -> Iterator[Callable[[int], None]]:
    """Give a function to be called with the number of rows done so far.

    How far the work has come is read off the position in `stream`; where that has none, as in a pipe, only the
    rows are counted. Nothing is shown unless standard error is a terminal.
    """
    total = os.fstat(stream.fileno()).st_size if stream.seekable() else None
    with _shown() as show:
        yield lambda rows: show(label, stream.tell() if total else None, total, f"{rows:,} rows")


@contextmanager
def counting_bar() -> Iterator[Callable[[str, int, int], None]]:
    """Give a function to be called with what is done, how much of it is, and of how much. Likewise shown."""
    with _shown() as show:
        yield lambda label, done, total: show(label, done, total, f"{done:,} of {total:,}")


@contextmanager
def counting(label: str = "Sending") -> Iterator[Callable[[str], None]]:
    """Give a function to be called with what has been done, where nobody knows of how much. Likewise shown."""
    with _shown() as show:
        yield lambda detail: show(label, None, None, detail)


@contextmanager
def _shown() -> Iterator[Callable[[str, int | None, int | None, str], None]]:
    began = time.monotonic()
    bar: Any = None
    task: Any = None

    def show(label: str, done: int | None, total: int | None, detail: str) -> None:
        nonlocal bar, task
        if bar is None:
            if not sys.stderr.isatty() or time.monotonic() - began < _TIMEOUT_S:
                return
            bar, task = _start()
        bar.update(task, description=label, completed=done, total=total, detail=detail)

    try:
        yield show
    finally:
        if bar is not None:
            bar.stop()


def _start() -> tuple[Any, Any]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[detail]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    bar.start()
    return bar, bar.add_task("", total=None, detail="")
