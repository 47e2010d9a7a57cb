"""A progress bar on standard error, for input that takes its time."""

import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_PATIENCE_S = 0.5  # what is done by then needs no bar


@contextmanager
def progress_bar(stream: io.BufferedReader, label: str = "Scoring") -> Iterator[Callable[[int], None]]:
    """Give a function to be called with the number of rows done so far.

    How far the work has come is read off the position in `stream`; where that has none, as in a pipe, only the
    rows are counted. Nothing is shown unless standard error is a terminal.
    """
    began = time.monotonic()
    total = os.fstat(stream.fileno()).st_size if stream.seekable() else None
    bar: Any = None
    task: Any = None

    def show(rows: int) -> None:
        nonlocal bar, task
        if bar is None:
            if not sys.stderr.isatty() or time.monotonic() - began < _PATIENCE_S:
                return
            bar, task = _start(total, label)
        bar.update(task, completed=stream.tell() if total else None, rows=f"{rows:,} rows")

    try:
        yield show
    finally:
        if bar is not None:
            bar.stop()


def _start(total: int | None, label: str) -> tuple[Any, Any]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn(label),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    bar.start()
    return bar, bar.add_task("", total=total, rows="")
