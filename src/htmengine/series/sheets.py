"""Tables in binary files: workbooks of spreadsheets, and Parquet. Cells become text; numbers keep all their digits."""

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import Any

from htmengine import extras
from htmengine.errors import ExplainedError
from htmengine.series import tables
from htmengine.series.tables import HEAD_ROWS, BadRows, Row, Table

_BATCH_ROWS = 10_000


def of_workbook(stream: io.BufferedReader, name: str) -> list[Table]:
    """Return a table for each sheet that holds rows.

    Raises
    ------
    PackageMissing : the extra `excel` is not installed.
    ExplainedError : the workbook is damaged.
    """
    extras.require("excel", f"{name}: an Excel workbook", otherwise=", or save the sheet as CSV")
    import openpyxl

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and validations, which are no concern of ours
            book = openpyxl.load_workbook(_seekable(stream), read_only=True, data_only=True)
            sheets = [(sheet.title, list(_cells(sheet))) for sheet in book.worksheets]
            book.close()
    except Exception as error:  # openpyxl says with errors of many kinds that a file is damaged
        raise _damaged(name, "workbook", error) from error
    filled = [(title, rows) for title, rows in sheets if len(rows) > 1]
    found = []
    for title, rows in filled:
        table = _of_sheet(title if len(filled) > 1 else "", rows)
        if table is not None:
            found.append(table)
    return found


def of_parquet(stream: io.BufferedReader, name: str) -> list[Table]:
    """Return the table of a Parquet file. Raises PackageMissing or ExplainedError, likewise."""
    extras.require("parquet", f"{name}: a Parquet file", otherwise=", or write it as CSV")
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(_seekable(stream))
        names = [field.name for field in file.schema_arrow]
        first = next(file.iter_batches(HEAD_ROWS), None)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise _damaged(name, "Parquet file", error) from error

    def read(_bad: BadRows, _usable: Callable[[list[str]], bool]) -> Iterator[Row]:
        number = 0
        try:
            for batch in file.iter_batches(_BATCH_ROWS):
                for cells in _rows_of(batch):
                    number += 1
                    yield number, cells
        except (pyarrow.ArrowException, OSError, ValueError) as error:
            raise _damaged(name, "Parquet file", error) from error

    head = (
        [(number, cells) for number, cells in enumerate(_rows_of(first), start=1)]
        if first is not None
        else []
    )
    return [Table("", names, len(names), ",", head, read)] if head else []


def _rows_of(batch: Any) -> Iterator[list[str]]:
    columns = [[_text(cell) for cell in column.to_pylist()] for column in batch.columns]
    return ([*cells] for cells in zip(*columns, strict=True))


def _damaged(name: str, what: str, error: Exception) -> ExplainedError:
    reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
    return ExplainedError(
        f"{name}: the {what} cannot be read: {reason}.", hint="Fetch the file again, or write it as CSV."
    )


def _seekable(stream: io.BufferedReader) -> Any:
    return stream if stream.seekable() else io.BytesIO(stream.read())


def _cells(sheet: Any) -> Iterator[Row]:
    for number, row in enumerate(sheet.iter_rows(values_only=True), start=1):
        cells = [_text(cell) for cell in row]
        if any(cells):
            yield number, cells


def _of_sheet(title: str, rows: Sequence[Row]) -> Table | None:
    """Return the table of a sheet; titles above its names and empty columns are left out."""
    width = max(len(cells) for _, cells in rows)
    used = [
        i
        for i in range(width)
        if sum(i < len(cells) and bool(cells[i]) for _, cells in islice(rows, HEAD_ROWS)) > 1
    ]
    if not used:
        return None
    narrowed = [(number, [cells[i] if i < len(cells) else "" for i in used]) for number, cells in rows]
    titled = next(
        (i for i, (_, cells) in enumerate(narrowed) if sum(map(bool, cells)) >= min(2, len(used))), 0
    )
    below = narrowed[titled:]
    names = below[0][1] if tables.is_header(below[0][1], below[1:]) else None
    if names is not None:
        del below[0]
    if not below:
        return None
    return tables.in_memory(title, names, len(used), below)


def _text(cell: Any) -> str:
    """Return a cell as a text that reads back as the same."""
    if cell is None:
        return ""
    if isinstance(cell, float):
        return repr(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, datetime):
        return cell.isoformat(" ")
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return repr(cell.total_seconds())
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "replace").strip()
    return str(cell).strip()
