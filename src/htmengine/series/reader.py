"""Read a series of (time, value) rows from delimited text, in pieces, in the order of time."""

import io
import math
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from htmengine.errors import MisuseError
from htmengine.htm.arrays import FloatArray
from htmengine.series.layout import Line, find_layout, is_comment
from htmengine.series.lines import MAX_LINE_LENGTH, numbered_lines

HEAD_LINES = 1_000  # from which the layout is found out
MAX_HEAD_LINES = (
    100_000  # as far as a day above 12 is looked for, before the order of day and month is guessed
)
CHUNK_ROWS = 2_000
MAX_BAD_ROWS_KEPT = 100
# A row is ahead of its time when most of so many rows after it come before it: a wrong year must not make every
# later row look late.
_LOOKAHEAD = 7
_LEAST_LOOKAHEAD = 3  # at the end of the file


class BadRow(NamedTuple):
    """A row that was skipped."""

    line: int  # from 1
    reason: str


class BadRows:
    """How many rows were skipped, and the first of them."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[BadRow] = []

    def add(self, line: int, reason: str) -> None:
        """Count a row that is skipped."""
        self.count += 1
        if len(self.first) < MAX_BAD_ROWS_KEPT:
            self.first.append(BadRow(line, reason))


class Chunk(NamedTuple):
    """Consecutive usable rows."""

    lines: npt.NDArray[np.int64]  # (n,) line numbers from 1
    timestamps: FloatArray  # (n,) seconds since the epoch, UTC, never decreasing
    values: FloatArray  # (n,) NaN where the file has no value


class _Row(NamedTuple):
    line: int
    timestamp: float
    value: float


class SeriesReader:
    """The rows of one file; `bad`, `missing` and `late` count along while `chunks` is read."""

    def __init__(
        self,
        stream: io.BufferedReader,
        name: str,
        *,
        timestamp: str | None = None,
        value: str | None = None,
        day_first: bool | None = None,
    ) -> None:
        """Read as much of `stream` as it takes to find out its layout.

        Parameters
        ----------
        stream : bytes of delimited text, plain or gzip; see `htmengine.series.lines`.
        name : of the file, for messages.
        timestamp, value, day_first : see `htmengine.series.layout.find_layout`.

        Raises
        ------
        MisuseError : no layout makes a single row usable, or a column that was named is not there.
        ExplainedError : compressed data is damaged.
        """
        self.name = name
        self.bad = BadRows()
        self.missing = 0
        self.late = 0  # of the bad rows those whose time goes back
        self._lines = numbered_lines(stream, name)
        self._head: list[Line] = list(islice(self._lines, HEAD_LINES))
        if self._head and re.fullmatch("sep=.", self._head[0][1] or "", re.IGNORECASE):
            del self._head[0]  # a spreadsheet's note to itself
        lay_out = partial(find_layout, name=name, timestamp=timestamp, value=value, day_first=day_first)
        self.layout = lay_out(self._head)
        while self.layout.day_and_month_ambiguous and len(self._head) < MAX_HEAD_LINES:
            more = list(islice(self._lines, len(self._head)))
            if not more:
                break
            self._head += more
            self.layout = lay_out(self._head)

    def chunks(self) -> Iterator[Chunk]:
        """Yield the usable rows, at most CHUNK_ROWS at a time; to be called once.

        Raises
        ------
        ExplainedError : compressed data is damaged; the rows before have been yielded.
        """
        rows = self._in_time_order(self._parsed(self._all_lines()))
        while batch := list(islice(rows, CHUNK_ROWS)):
            lines, timestamps, values = zip(*batch, strict=True)
            chunk = Chunk(np.array(lines, dtype=np.int64), np.array(timestamps), np.array(values))
            self.missing += int(np.isnan(chunk.values).sum())
            yield chunk

    def require_rows(self, read: int) -> None:
        """Raise MisuseError if among the `read` rows that `chunks` gave, to its end, none had a value."""
        if read > self.missing:
            return
        reasons = [f"line {line}: {reason}" for line, reason in self.bad.first[:3]]
        if self.missing:
            reasons.append(f"{self.missing} without a value")
        raise MisuseError(
            f"{self.name}: not one row is usable ({'; '.join(reasons)}).",
            hint="Choose the columns with --timestamp and --value, or mend the rows.",
        )

    def _all_lines(self) -> Iterator[Line]:
        head, self._head = self._head, []  # not kept while the rest is read
        yield from head
        yield from self._lines

    def _parsed(self, lines: Iterable[Line]) -> Iterator[_Row]:
        layout = self.layout
        parse_timestamp, parse_value = layout.timestamp_format.parse, layout.number_format.parse
        value_index = layout.value.number - 1
        for line, text in lines:
            if line == layout.header_line:
                continue
            if text is None:
                self.bad.add(line, f"longer than {MAX_LINE_LENGTH} characters")
                continue
            if is_comment(text) or not text.strip(" \t\r,;|"):
                continue  # or a blank line, or one of empty fields, as spreadsheets leave at the end
            try:
                fields = layout.fields(text)
            except ValueError as error:
                self.bad.add(line, str(error))
                continue
            time = layout.time(fields)
            try:
                timestamp = parse_timestamp(time)
            except ValueError as error:
                self.bad.add(line, f"time {time[:40]!r}: {error}")
                continue
            try:
                value = parse_value(fields[value_index])
            except ValueError as error:
                self.bad.add(line, f"value {fields[value_index][:40]!r}: {error}")
                continue
            yield _Row(line, timestamp, value)

    @staticmethod
    def _is_ahead(row: _Row, later: Sequence[_Row], last: float) -> bool:
        if len(later) < _LEAST_LOOKAHEAD or later[-1].timestamp >= row.timestamp:
            return False
        between = sum(last <= other.timestamp < row.timestamp for other in later)
        return 2 * between > len(later)

    def _in_time_order(self, rows: Iterable[_Row]) -> Iterator[_Row]:
        """Yield the rows without those whose time goes back, and a few that are ahead of their time."""
        last = -math.inf
        waiting: deque[_Row] = deque()
        remaining = iter(rows)
        waiting.extend(islice(remaining, _LOOKAHEAD))
        while waiting:
            waiting.extend(islice(remaining, 1))
            row = waiting.popleft()
            if row.timestamp < last:
                self.bad.add(row.line, "time goes back")
                self.late += 1
            elif self._is_ahead(row, waiting, last):
                self.bad.add(row.line, "time is ahead of the rows after it")
            else:
                last = row.timestamp
                yield row
