"""Files that `detect` and `replay` read: how they are named, opened, and what the user says about them."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from htmengine.errors import MisuseError
from htmengine.series import timestamps, units, zones
from htmengine.series.folders import files_in
from htmengine.series.options import Options

STANDARD_INPUT: Final = "-"


def files_of(sources: Sequence[str]) -> list[str]:
    """Return the files that are meant: those of a folder stand for it, in the order of their names, hidden ones left out.

    Raises MisuseError if a folder has none.
    """
    found: list[str] = []
    for source in sources:
        folder = Path(source)
        if source == STANDARD_INPUT or not folder.is_dir():
            found.append(source)
        else:
            found += map(str, files_in(folder))
    return found


@contextmanager
def opened(source: str | None) -> Iterator[tuple[io.BufferedReader, str]]:
    """Give the bytes of a file and its name for messages; `-` or nothing is standard input.

    Raises MisuseError if it cannot be read.
    """
    if source in (None, STANDARD_INPUT):
        if sys.stdin is None or (source is None and sys.stdin.isatty()):
            raise MisuseError(
                "There is nothing to read: no file is named and nothing is piped in.",
                hint="Name a file, as in `htmengine detect requests.csv`, or give - to type rows by hand.",
            )
        # A duplicate of its own: closing it leaves the process's standard input alone.
        with os.fdopen(os.dup(sys.stdin.fileno()), "rb") as stream:
            yield stream, "standard input"
        return
    path = Path(str(source))
    try:
        file = path.open("rb")
    except OSError as error:
        raise MisuseError(
            f"{path}: cannot be read: {error.strerror or error}.",
            hint="Give the path of a file that you may read, or - for standard input.",
        ) from error
    with file as stream:
        yield stream, str(path)


def reading_options(
    *,
    timestamp: str | None = None,
    values: Sequence[str] | None = None,
    day_first: bool | None = None,
    by: Sequence[str] | None = None,
    where: Sequence[str] | None = None,
    missing: Sequence[str] | None = None,
    tz: str | None = None,
    every: str | None = None,
    start: str | None = None,
    all_series: bool = False,
) -> Options:
    """Return what the user says about a file. Raises MisuseError for what cannot be meant."""
    return Options(
        timestamp=timestamp,
        values=tuple(values or ()),
        day_first=day_first,
        by=tuple(by or ()),
        where=tuple(map(_condition, where or ())),
        missing=tuple(missing or ()),
        tz=zones.zone(tz) if tz else None,
        every_s=None if every is None else _interval(every),
        start=None if start is None else _moment(start, day_first),
        all_series=all_series,
    )


def _condition(text: str) -> tuple[str, str]:
    column, equals, cell = text.rpartition("=")
    if not equals:
        raise MisuseError(
            f"--where {text!r} has no `=`.", hint="Give a column and a cell, as in --where host=web1."
        )
    return column, cell


def _interval(text: str) -> float:
    try:
        seconds = float(text) if text.replace(".", "", 1).isdecimal() else units.duration(text)
    except ValueError:
        seconds = 0.0
    if seconds <= 0:
        raise MisuseError(f"--every {text!r} is no span of time.", hint="Give one such as 30s, 5m, 1h or 1d.")
    return seconds


def _moment(text: str, day_first: bool | None) -> float:
    detection = timestamps.detect([text], day_first=day_first)
    if detection is None:
        raise MisuseError(
            f"--start {text!r} is no time.", hint="Give one such as 2024-03-04 or 2024-03-04T08:00:00Z."
        )
    return detection.format.parse(text)
