"""Write scored rows to a file: CSV, JSON lines or Parquet, by the name's ending.

The file appears whole or not at all: rows go to a temporary file beside it, which takes its name at the end.
"""

import errno
import json
import os
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np

from htmengine import extras, iso_times
from htmengine.errors import ExplainedError, MisuseError
from htmengine.htm.arrays import FloatArray
from htmengine.htm.explanation import SeriesScores

SCORES = (
    "raw_anomaly_score",
    "anomaly_score",
    "log_score",
    "forecast",
    "usual_low",
    "usual_high",
    "one_in",
)
"""The scores that are written, by their names in `SeriesScores`."""
COLUMNS = ("timestamp", "value", *SCORES)
LABEL = "series"
"""The column before them in a file of many series."""
_ROWS_PER_ROW_GROUP = 100_000
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class ScoreWriter(ABC):
    """Writes scored rows, in pieces, to a file that is open."""

    def __init__(self, *, labelled: bool) -> None:
        """`labelled`: whether each row names its series."""
        self.columns = (LABEL, *COLUMNS) if labelled else COLUMNS
        self._labelled = labelled

    def write(
        self, timestamps: FloatArray, values: FloatArray, scores: SeriesScores, label: str = ""
    ) -> None:
        """Write rows: arrays of shape (n,), NaN stands for nothing; `label` names their series."""
        columns = (values, *(getattr(scores, name) for name in SCORES))
        self._write((label,) if self._labelled else (), timestamps, *columns)

    @abstractmethod
    def _write(self, labels: tuple[str, ...], timestamps: FloatArray, *columns: FloatArray) -> None:
        """Write arrays of shape (n,) in the order of COLUMNS, behind what each row begins with."""

    @abstractmethod
    def close(self) -> None:
        """Write what is still held back, and let go of the file."""


class CsvWriter(ScoreWriter):
    """Times as ISO 8601 in UTC, numbers with all their digits, an empty field for what is missing."""

    def __init__(self, path: Path, *, labelled: bool) -> None:
        super().__init__(labelled=labelled)
        self._file = path.open("w", encoding="utf-8", newline="\n")
        self._file.write(",".join(self.columns) + "\n")

    def _write(self, labels: tuple[str, ...], timestamps: FloatArray, *columns: FloatArray) -> None:
        first = "".join(f'"{label.replace(chr(34), chr(34) * 2)}",' for label in labels)
        self._file.writelines(first + line for line in csv_lines(timestamps, *columns))

    def close(self) -> None:
        self._file.close()


def csv_lines(timestamps: FloatArray, *columns: FloatArray) -> Iterator[str]:
    """Yield rows as lines of CSV: arrays of shape (n,), NaN stands for nothing."""
    for timestamp, *numbers in _rows(timestamps, columns):
        fields = ("" if isnan(number) else repr(number) for number in numbers)
        yield f"{iso_times.text(timestamp)},{','.join(fields)}\n"


class JsonLinesWriter(ScoreWriter):
    """One object a line; times as ISO 8601 in UTC, null for what is missing."""

    def __init__(self, path: Path, *, labelled: bool) -> None:
        super().__init__(labelled=labelled)
        self._file = path.open("w", encoding="utf-8", newline="\n")

    def _write(self, labels: tuple[str, ...], timestamps: FloatArray, *columns: FloatArray) -> None:
        for timestamp, *numbers in _rows(timestamps, columns):
            cells = (None if isnan(number) else number for number in numbers)
            record = dict(zip(self.columns, (*labels, iso_times.text(timestamp), *cells), strict=True))
            self._file.write(json.dumps(record, allow_nan=False) + "\n")

    def close(self) -> None:
        self._file.close()


class ParquetWriter(ScoreWriter):
    """Times as timestamps in UTC with microseconds, null for what is missing."""

    def __init__(self, path: Path, *, labelled: bool) -> None:
        super().__init__(labelled=labelled)
        extras.require("parquet", "A Parquet file", otherwise=", or write .csv or .jsonl")
        import pyarrow
        import pyarrow.parquet

        self._arrow: Any = pyarrow
        types = (pyarrow.timestamp("us", "UTC"), *[pyarrow.float64()] * (len(COLUMNS) - 1))
        types = (pyarrow.string(), *types) if labelled else types
        self._schema = pyarrow.schema(list(zip(self.columns, types, strict=True)))
        self._file = pyarrow.parquet.ParquetWriter(path, self._schema)
        self._held: list[Any] = []
        self._held_rows = 0

    def _write(self, labels: tuple[str, ...], timestamps: FloatArray, *columns: FloatArray) -> None:
        microseconds = np.round(timestamps * 1e6).astype("datetime64[us]")
        cells = [self._arrow.array(column, from_pandas=True) for column in columns]  # NaN becomes null
        times = self._arrow.array(microseconds, type=self._schema.field("timestamp").type)
        first = [self._arrow.array([label] * len(timestamps)) for label in labels]
        self._held.append(self._arrow.record_batch([*first, times, *cells], schema=self._schema))
        self._held_rows += len(timestamps)
        if self._held_rows >= _ROWS_PER_ROW_GROUP:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._file.close()

    def _flush(self) -> None:
        if self._held:
            self._file.write_table(self._arrow.Table.from_batches(self._held))
        self._held, self._held_rows = [], 0


_WRITERS: dict[str, Callable[..., ScoreWriter]] = {
    ".csv": CsvWriter,
    ".jsonl": JsonLinesWriter,
    ".parquet": ParquetWriter,
}


ENDINGS = tuple(_WRITERS)
"""Of names of files that can be written."""


def _rows(timestamps: FloatArray, columns: tuple[FloatArray, ...]) -> Iterator[tuple[float, ...]]:
    return zip(timestamps.tolist(), *(column.tolist() for column in columns), strict=True)


def check_ending(path: Path, endings: tuple[str, ...], option: str) -> None:
    """Raise MisuseError if the name of `path` ends in none of `endings`."""
    if path.suffix.lower() not in endings:
        listing = " or ".join(endings)
        raise MisuseError(
            f"{option} {path}: the ending {path.suffix!r} names no kind of file that is written here.",
            hint=f"Give a name that ends in {listing}.",
        )


@contextmanager
def score_writer(path: Path, *, labelled: bool = False) -> Iterator[ScoreWriter]:
    """Open `path` for scored rows; on leaving, the file is there whole, or, after an error, not at all.

    `labelled`: whether each row names its series.

    Raises
    ------
    MisuseError : the name's ending is unknown, or the file cannot be written there.
    PackageMissing : the package that the kind of file needs is not installed.
    """
    check_ending(path, tuple(_WRITERS), "--out")
    with replacing(path) as temporary:
        writer = _WRITERS[path.suffix.lower()](temporary, labelled=labelled)
        try:
            yield writer
        finally:
            writer.close()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give the path of an empty temporary file that takes the name `path` on leaving, or vanishes after an error.

    Raises
    ------
    MisuseError : no file can be written there; found before any work is done.
    ExplainedError : the disk is full.
    """
    target = path.resolve()  # a symbolic link stays one
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}{target.suffix}")
    try:
        if target.exists() and not target.is_file():
            raise OSError("not a regular file")
        if target.exists() and not os.access(target, os.W_OK):
            raise PermissionError("the file there is read-only")
        temporary.touch(exist_ok=False)
    except OSError as error:
        raise MisuseError(
            f"{path}: cannot be written: {error.strerror or error}.",
            hint="Give a path in a folder that exists and that you may write to.",
        ) from error
    try:
        yield temporary
        temporary.replace(target)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise ExplainedError(
            f"{path}: could not be written: {os.strerror(error.errno)}.",
            hint="Make room on the disk, or give a path on another one, and run the command again.",
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
