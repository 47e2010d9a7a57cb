"""Which tables a file holds, and what their columns are: of several readings, the one under which the most rows are usable."""

import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Final, NamedTuple

import numpy as np

from htmengine.errors import MisuseError
from htmengine.series import (
    blanks,
    columns,
    delimited,
    documents,
    graphite_raw,
    influx_lines,
    keys,
    sheets,
    wide,
)
from htmengine.series.columns import Column, Columns, Value, Wanted, column, listing, named
from htmengine.series.container import Member
from htmengine.series.lines import Line, numbered_lines
from htmengine.series.options import Options
from htmengine.series.tables import Table
from htmengine.series.time_columns import find_time
from htmengine.series.value_columns import find_values, format_of

HEAD_LINES: Final = 1_000  # from which the layout is found out
MAX_HEAD_LINES: Final = (
    100_000  # as far as a day above 12 is looked for, before the order of day and month is guessed
)
SERIES_NAMED: Final = 5  # series, tables or files that a note names
_OTHERS = 5  # columns that a note names


class Layout(NamedTuple):
    """A table, and what its columns hold."""

    table: Table
    columns: Columns
    usable: int  # rows of the head


def chosen(layouts: list[Layout], several: bool) -> list[Layout]:
    """Return the tables that are read: all, or the one of which the most rows of the head are usable."""
    if several or len(layouts) == 1:
        return layouts
    best = max(layouts, key=lambda layout: layout.usable)
    others = ", ".join(
        columns.quoted(layout.table.label) for layout in layouts[:SERIES_NAMED] if layout is not best
    )
    note = f"Of the tables in the file {columns.quoted(best.table.label)} is read, not {others}; --all reads each."
    return [best._replace(columns=best.columns._replace(notes=(note, *best.columns.notes)))]


def of_member(member: Member, name: str, options: Options) -> list[Layout]:
    """Return the tables of a file that have a time and a value. Raises MisuseError if there is none."""
    if member.kind != "text":
        found = (
            sheets.of_workbook(member.stream, name)
            if member.kind == "workbook"
            else sheets.of_parquet(member.stream, name)
        )
        return _laid_out(found, name, options)
    lines = _Lines(numbered_lines(member.stream, name))
    first = next((text for _, text in lines.head if text and not text.isspace()), "")
    if graphite_raw.is_raw(first):
        return _laid_out([graphite_raw.table(lines.keep())], name, options)
    if influx_lines.is_line(next((text for _, text in lines.head if text and text[0] not in "# \t"), "")):
        return _laid_out([influx_lines.table(lines.keep())], name, options)
    if documents.is_json(first):
        read = lines.keep()
        if (tables := documents.tables(read, name)) is not None:
            return _laid_out(tables, name, options)
    is_yaml = documents.is_yaml(lines.head)
    try:
        return _of_text(lines, name, options)
    except MisuseError as error:
        if not is_yaml:
            raise
        raise MisuseError(
            f"{name}: this looks like YAML, which is not read.",
            hint="Write it as JSON or CSV; `yq -o=json` turns YAML into JSON.",
        ) from error


def find(table: Table, name: str, wanted: Wanted, key: Sequence[Column] = ()) -> Columns:
    """Return which columns hold the time and the values.

    Parameters
    ----------
    name : of the file, for messages.
    key : columns that tell series apart: they hold neither.

    Raises
    ------
    MisuseError : there are no such columns, or one that was named is not there.
    """
    taken = {column.at for column in key}
    time = find_time(table, name, wanted, taken) if wanted.timed else None
    taken |= {column.at for column in time.columns} if time else set()
    notes = [*table.notes, *(time.notes if time else ())]
    if wanted.values:
        chosen = [named(table, value, "--value", name) for value in wanted.values]
        if (
            time
            and (both := next((index for index in chosen if index == time.columns[0].at), None)) is not None
        ):
            raise MisuseError(
                f"{name}: {column(table, both)} cannot be both the time and the value.",
                hint=f"Choose two of these with --timestamp and --value: {listing(table)}.",
            )
    else:
        chosen, reason, others = find_values(table, time, key, taken, name)
        if wanted.every_value:
            chosen += others
        elif others:
            listed = ", ".join(str(column(table, other)) for other in others[:_OTHERS])
            more = " and more" * (len(others) > _OTHERS)
            notes.append(
                f"The value is taken from {column(table, chosen[0])}, {reason}; --value chooses another: {listed}{more}."
            )
    values = tuple(Value(column(table, index), format_of(table, index)) for index in dict.fromkeys(chosen))
    return Columns(time, values, tuple(notes))


class _Lines:
    """The lines of a text: its head, which is looked at again and again, and all of them, once."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self.head: list[Line] = list(islice(lines, HEAD_LINES))
        if self.head and re.fullmatch("sep=.", self.head[0][1] or "", re.IGNORECASE):
            del self.head[0]  # a spreadsheet's note to itself

    def extend(self) -> bool:
        """Double the head; tell whether there was more."""
        more = list(islice(self._lines, len(self.head)))
        self.head += more
        return bool(more)

    def keep(self) -> list[Line]:
        """Return all lines; they can be read once more."""
        kept = self.head + list(self._lines)
        self.head, self._lines = kept[:HEAD_LINES], iter(kept[HEAD_LINES:])
        return kept

    def all(self) -> Iterator[Line]:
        """Yield all lines, once."""
        head, self.head = self.head, []  # not kept while the rest is read
        yield from chain(head, self._lines)


def _of_text(lines: _Lines, name: str, options: Options) -> list[Layout]:
    while True:
        layouts = _best_layout(lines, name, options)
        times = [layout.columns.time for layout in layouts]
        if (
            not any(time and time.ambiguous for time in times)
            or len(lines.head) >= MAX_HEAD_LINES
            or not lines.extend()
        ):
            return layouts


def _best_layout(lines: _Lines, name: str, options: Options) -> list[Layout]:
    """Return the layout under which the most lines of the head are usable: a few bad rows change nothing."""
    alone = options.every_s is not None
    filled = sum(text is None or (not text.isspace() and text != "") for _, text in lines.head)
    tables = delimited.candidates(lines.head, lines.all, alone=alone)
    failures: list[tuple[int, MisuseError]] = []
    best: list[Layout] = []
    for table in tables:
        try:
            (layout,) = _laid_out([table], name, options)
        except MisuseError as error:
            failures.append((len(table.head), error))
        else:
            # Of two readings of as many rows, the one that has names for its columns has not cut them.
            if not best or _merit(layout) > _merit(best[0]):
                best = [layout]
    if not best or 2 * best[0].usable < filled:
        between_blanks = blanks.candidates(lines.head, lines.all, alone=alone)
        try:
            spaced = _laid_out(between_blanks, name, options) if between_blanks else []
        except MisuseError as error:
            failures.append((max(len(table.head) for table in between_blanks), error))
        else:
            if sum(layout.usable for layout in spaced) > (best[0].usable if best else 0):
                best = spaced
    if best:
        return best
    if failures:
        raise max(failures, key=lambda failure: failure[0])[1]  # a person sees what most of the rows lack
    if not filled:
        complaint = "the file is empty"
    elif filled == 1 and any(
        delimiter in (text or "") for delimiter in delimited.DELIMITERS for _, text in lines.head
    ):
        complaint = "there is only a header line"
    else:
        complaint = "there are no rows of two or more fields"
    raise MisuseError(
        f"{name}: {complaint}.",
        hint="Give a file with a time and a value in each row, and , ; | blanks or tabs between them; --every 5m takes rows "
        "of a value alone.",
    )


def _merit(layout: Layout) -> tuple[int, bool]:
    return layout.usable, layout.table.names is not None


def _laid_out(tables: Sequence[Table], name: str, options: Options) -> list[Layout]:
    """Return the tables that have a time and a value. Raises the first one's MisuseError if there is none."""
    wanted = Wanted(
        options.timestamp, options.values, options.all_series, options.day_first, options.every_s is None
    )
    found = []
    failures = []
    for given in tables:
        table = wide.lengthened(given) or given
        try:
            known = [columns.column(table, columns.named(table, by, "--by", name)) for by in options.by]
            known += [
                columns.column(table, columns.named(table, key, "--where", name)) for key, _ in options.where
            ]
            layout = find(table, name, wanted, known)
            if not known and (key := _key_columns(table, layout)):
                layout = find(table, name, wanted, key)
        except MisuseError as error:
            failures.append((len(table.head), error))
            continue
        usable = sum(columns.usable(layout, fields) for _, fields in table.head)
        found.append(Layout(table, layout, usable))
    if not found:
        if not failures:
            raise MisuseError(
                f"{name}: there are no rows.", hint="Give a file with a time and a value in each row."
            )
        raise max(failures, key=lambda failure: failure[0])[1]
    return found


def _key_columns(table: Table, layout: Columns) -> tuple[Column, ...]:
    """Return the columns of the head that tell series apart, which are no values."""
    time = layout.time
    if time is None:
        return ()
    possible = keys.candidates(table, {one.at for one in time.columns})
    coder = keys.Coder(possible)
    times = array("d")
    for _, fields in table.head:
        try:
            times.append(time.format.parse(time.text(fields)))
        except ValueError:
            continue
        coder.add(fields)
    named = [one for one in possible if keys.is_named(table, one)]
    found = keys.find(np.array(times), codes(coder), named)
    return found.columns if found else ()


def codes(coder: keys.Coder) -> Mapping[Column, keys.Codes]:
    """Return the numbers that a coder gave to the values of each column, shape (n,)."""
    return {
        one: np.array(codes, dtype=np.int64) for one, codes in zip(coder.columns, coder.codes, strict=True)
    }
