"""What commands have in common that talk to an engine: opening its parts, and showing results."""

import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from htmengine.cli.terminal import echo_stderr, echo_stdout
from htmengine.errors import ExplainedError
from htmengine.foreign import visible
from htmengine.service.context import Context, opened, require_data, settings_for

T = TypeVar("T")


@contextmanager
def installation(directory: Path | None, data: Path | None) -> Iterator[Context]:
    """Open the bus and the repository of an installation that exists; whether its services run does not matter.

    Raises
    ------
    MisuseError : no engine has run in the folder, or the configuration cannot be used.
    ExplainedError : the bus or the repository is unavailable.
    """
    from htmengine.bus import BusError
    from htmengine.repository.errors import RepositoryUnavailable

    settings = settings_for(directory, data)
    require_data(settings)
    with opened(settings, serving=False) as context:
        try:
            yield context
        except (BusError, RepositoryUnavailable) as error:
            raise ExplainedError(
                f"The engine's files or servers do not answer: {error}.",
                hint="Try again in a moment; `htmengine status` shows whether services run.",
            ) from error


@contextmanager
def new_or_existing(directory: Path | None, data: Path | None) -> Iterator[Context]:
    """Open the bus and the repository of an installation; embedded ones are made where there are none yet."""
    with opened(settings_for(directory, data), serving=False) as context:
        yield context


def tell_if_nobody_takes(context: Context, queues: Sequence[str], service: str, so: str) -> None:
    """Tell the user that a service does not run, where none takes from its queues, and what that means."""
    if not any(queue.consumers for queue in context.bus.status() if queue.name in queues):
        echo_stderr(f"No {service} runs: {so} Start one with `htmengine up`.")


def print_json(document: Any) -> None:
    """Print one JSON document on one line."""
    echo_stdout(json.dumps(document, allow_nan=False))


def utc(seconds: float | None) -> str | None:
    """Return a time as text, or None where there is none."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def number_of(count: int, noun: str) -> str:
    """Return how many there are: `1 metric`, `2 metrics`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def duration(seconds: float) -> str:
    """Return a length of time in the unit that suits it: `45 s`, `12 min`, `3.5 h`, `2.1 days`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 36 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"


def print_table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; columns that hold numbers only are aligned to the right.

    On a terminal that is too narrow for it the cells are folded; a file or a pipe gets a line for each row.
    """
    numbers = [
        all(isinstance(cell, int | float | None) for cell in column) for column in _columns(rows, headings)
    ]
    texts = [["" if cell is None else _shown(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in _columns([headings, *texts], headings)]
    if sys.stdout.isatty() and sum(widths) + 2 * len(widths) - 2 > shutil.get_terminal_size().columns:
        _print_folded(headings, texts, numbers)
        return
    for index, row in enumerate([headings, *texts]):
        cells = zip(row, widths, numbers, strict=True)
        line = "  ".join(text.rjust(width) if right else text.ljust(width) for text, width, right in cells)
        echo_stdout(line.rstrip(), **({} if index else {"bold": True}))


def _columns(rows: Sequence[Sequence[T]], headings: Sequence[str]) -> list[list[T]]:
    return [[row[index] for row in rows] for index in range(len(headings))]


def _print_folded(headings: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[bool]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading, right in zip(headings, numbers, strict=True):
        table.add_column(heading, justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    Console(file=sys.stdout).print(table)


def _shown(cell: object) -> str:
    return f"{cell:.6g}" if isinstance(cell, float) else visible(str(cell)).replace("\n", "\\n")
