"""Read time series from a file of any kind that is known: what it holds is found out, and said.

Each step answers one question and knows nothing of the others: what the file is packed in (`container`), how its text
is encoded (`lines`), how rows stand in it (`delimited`, `blanks`, `documents`, `graphite_raw`, `influx_lines`, `sheets`; `wide` turns those whose times stand in the header), what their columns hold
(`time_columns`, `value_columns`, `timestamps`, `numbers`), which of these readings fits best (`layouts`), what tells series apart (`keys`), in which zone the clocks were (`zones`), and in
what order the rows are (`order`).
"""

import io
import math
import re
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from htmengine import foreign, iso_times, readable
from htmengine.errors import MisuseError
from htmengine.htm.arrays import FloatArray
from htmengine.series import (
    columns,
    container,
    keys,
    layouts,
    numbers,
    sentinels,
    timestamps,
    zones,
)
from htmengine.series.columns import Column, Time, Value
from htmengine.series.layouts import SERIES_NAMED, Layout
from htmengine.series.options import NO_OPTIONS, Options
from htmengine.series.order import Order, put_in_order
from htmengine.series.tables import BadRows
from htmengine.series.time_columns import changing_zone

_PROGRESS_ROWS = 20_000
_EXAMPLES = 3  # of rows that are dropped
_DAY_S = 86400.0
_YEAR_S = 366 * _DAY_S
_YEAR_EXAMPLE = "2024-01-01"


class Series(NamedTuple):
    """One series, in the order of time."""

    source: str  # the file, for messages
    label: str  # tells it from others that are read; empty where it is the only one
    lines: npt.NDArray[np.int64]  # (n,) of the file, from 1; rows where it has no lines
    timestamps: FloatArray  # (n,) seconds since the epoch, UTC, never decreasing
    values: FloatArray  # (n,) NaN where the file has no value
    bad: BadRows
    time: Time | None  # None where the rows have no times
    value: Value
    repeated: int  # rows that have the time of the row before
    notes: tuple[str, ...]  # what was guessed and done, as sentences for the user

    @property
    def name(self) -> str:
        """The file, and what tells the series from others of it."""
        return f"{self.source}: {self.label}" if self.label else self.source

    @property
    def missing(self) -> int:
        """Rows without a value."""
        return int(np.isnan(self.values).sum())


def read(
    stream: io.BufferedReader,
    name: str,
    options: Options = NO_OPTIONS,
    *,
    show: Callable[[int], None] = lambda _rows: None,
) -> Iterator[Series]:
    """Yield the series of a file: one, unless `options` ask for several.

    Parameters
    ----------
    stream : bytes; it is left open.
    name : of the file, for messages.
    show : is told now and then how many rows were read.

    Raises
    ------
    MisuseError : the file is of a kind that is not read, has no series, or a column that was named is not there; or most
        of its rows cannot be used.
    ExplainedError : compressed data is damaged.
    """
    several = options.all_series or bool(options.by) or len(options.values) > 1
    failures: list[MisuseError] = []
    found = False
    whole: list[tuple[str, list[Series]]] = []
    for member in container.members(stream, name):
        where = f"{name}: {member.label}" if member.label else name
        try:
            chosen = layouts.chosen(layouts.of_member(member, where, options), several)
            for layout in chosen:
                series = list(_Reading(where, layout, options, show).series(several))
                if several:
                    found = True
                    yield from series
                else:
                    whole.append((member.label, series))
        except MisuseError as error:
            failures.append(error)
    if several:
        if not found:
            raise failures[0]
        return
    if not whole:
        raise max(failures, key=lambda error: len(str(error)) == 0)
    label, series = max(whole, key=lambda read: len(read[1][0].lines))
    if len(whole) + len(failures) > 1:
        others = ", ".join(columns.quoted(other) for other, _ in whole[:SERIES_NAMED] if other != label)
        note = f"Of the files in {name} {columns.quoted(label)} is read" + (
            f", not {others}; --all reads each." if others else "."
        )
        series = [one._replace(notes=(foreign.visible(note), *one.notes)) for one in series]
    yield from series


class _Reading:
    """The rows of one table, read once, and the series that they make."""

    def __init__(self, name: str, layout: Layout, options: Options, show: Callable[[int], None]) -> None:
        self._name = name
        self._table, self._columns, _ = layout
        self._options = options
        self._show = show
        self._bad = BadRows()
        self._notes = list(self._columns.notes)
        time = self._columns.time
        if time and options.tz is None and (changing := changing_zone(time.columns[0].name)):
            self._notes.append(
                f"The times are read as UTC, but their name tells a zone whose clocks are changed, {changing}: "
                "--tz Europe/Berlin, or another zone, reads them right."
            )

    def series(self, several: bool) -> Iterator[Series]:
        """Yield the series that are wanted. Raises MisuseError if most rows cannot be used."""
        lines, moments, absolute, values, coder = self._parsed()
        self._require(len(lines))
        times = self._moments(moments)
        codes = layouts.codes(coder)
        groups, labels = self._groups(times, codes, coder)
        picked = range(len(labels)) if several else [0]
        if not several and len(labels) > 1:
            counts = np.bincount(groups)
            picked = [int(np.argmax(counts))]
            self._say_choice(labels, picked[0])
        for group in picked:
            rows = np.flatnonzero(groups == group) if len(labels) > 1 else np.arange(len(lines))
            for value, column_values in zip(self._columns.values, values, strict=True):
                label = self._label(labels[group] if several else "", value)
                yield self._ordered(
                    label, lines[rows], times[rows], absolute[rows], column_values[rows], value
                )

    def _parsed(
        self,
    ) -> tuple[npt.NDArray[np.int64], FloatArray, npt.NDArray[np.bool_], list[FloatArray], keys.Coder]:
        """Return lines, times, whether these say their zone, values of each column, and the cells that may tell series apart."""
        time, values = self._columns.time, self._columns.values
        options, table = self._options, self._table
        where = [(columns.named(table, key, "--where", self._name), cell) for key, cell in options.where]
        coder = self._coder(values)
        lines, times, found = array("q"), array("d"), [array("d") for _ in values]
        absolute = array("b")
        formats = [numbers.with_missing(value.format, options.missing).parse for value in values]
        parse_time = time.format.parse if time else None
        is_absolute = time.format.is_absolute if time and options.tz else None
        index, join = (time.columns[0].at, time.join) if time else (0, None)
        (value_index, parse_value) = (values[0].column.at, formats[0])
        others = [
            (value.column.at, parse, kept)
            for value, parse, kept in zip(values[1:], formats[1:], found[1:], strict=True)
        ]
        first = found[0]
        bad, coded = self._bad, bool(coder.columns)
        for line, fields in table.read(bad, lambda fields: columns.usable(self._columns, fields)):
            if where and any(fields[at] != cell for at, cell in where):
                continue
            text = join(fields) if join else fields[index]
            try:
                moment = parse_time(text) if parse_time else float(len(times))
            except ValueError as error:
                bad.add(line, f"time {columns.quoted(text[:40])}: {error}")
                continue
            try:
                value = parse_value(fields[value_index])
            except ValueError as error:
                if not others:
                    bad.add(line, f"value {columns.quoted(fields[value_index][:40])}: {error}")
                    continue
                value = math.nan
            lines.append(line)
            times.append(moment)
            first.append(value)
            for at, parse, kept in others:
                try:
                    kept.append(parse(fields[at]))
                except ValueError:
                    kept.append(math.nan)
            if is_absolute:
                absolute.append(is_absolute(text))
            if coded:
                coder.add(fields)
            if not len(lines) % _PROGRESS_ROWS:
                self._show(len(lines))
                coder.prune()
                coded = bool(coder.columns)
        said = np.array(absolute, dtype=bool) if is_absolute else np.ones(len(lines), dtype=bool)
        return (
            np.array(lines, dtype=np.int64),
            np.array(times),
            said,
            [np.array(kept) for kept in found],
            coder,
        )

    def _coder(self, values: Sequence[Value]) -> keys.Coder:
        if self._options.by:
            return keys.Coder(
                [
                    columns.column(self._table, columns.named(self._table, by, "--by", self._name))
                    for by in self._options.by
                ]
            )
        if self._columns.time is None or self._options.where:
            return keys.Coder([])
        taken = {one.at for one in self._columns.time.columns} | {value.column.at for value in values}
        return keys.Coder(keys.candidates(self._table, taken))

    def _require(self, read: int) -> None:
        """Raise MisuseError if most rows were dropped, or all."""
        bad = self._bad
        if read > bad.count:
            return
        examples = "; ".join(f"line {line}: {reason}" for line, reason in bad.first[:_EXAMPLES])
        if not read and not bad.count:
            raise MisuseError(
                f"{self._name}: no row is left.", hint="Give --where a cell that stands in the file."
            )
        what = (
            f"{bad.count:,} of {bad.count + read:,} rows cannot be used" if read else "not one row is usable"
        )
        raise MisuseError(
            f"{self._name}: {what} ({examples}).",
            hint="Choose the columns with --timestamp and --value, or take the rows out that are none.",
        )

    def _moments(self, moments: FloatArray) -> FloatArray:
        """Return times in seconds since the epoch, as far as no zone matters: of counted rows, and of clocks without a date."""
        time, options = self._columns.time, self._options
        start = options.start or 0.0
        if time is None:
            self._notes.append(
                f"The rows have no times: the first is of {iso_times.text(start)}"
                + ("." if options.start else "; --start sets another time.")
            )
            return start + (options.every_s or 1.0) * moments
        if time.format in timestamps.WITHOUT_YEAR:
            return self._with_years(moments)
        if time.format is not timestamps.TIME_OF_DAY:
            return moments
        day = options.start
        if day is None and self._table.day:
            detection = timestamps.detect([self._table.day], day_first=options.day_first)
            day = detection.format.parse(self._table.day) if detection else None
        advice = "" if day is not None else "; --start 2024-03-04 sets the day of the first row"
        day = math.floor((day or 0.0) / _DAY_S) * _DAY_S
        self._notes.append(
            f"The times are clocks without a date: they are counted from {iso_times.text(day)[:10]}, and where they go "
            f"back a day begins{advice}."
        )
        # A step back of more than half a day is midnight; a smaller one is a row that is late.
        midnights = np.cumsum(np.diff(moments, prepend=moments[:1]) < -_DAY_S / 2)
        return day + moments + _DAY_S * midnights

    def _with_years(self, moments: FloatArray) -> FloatArray:
        """Return times whose dates have no year, in years that follow each other."""
        start = self._options.start
        year = timestamps.YEAR_UNKNOWN if start is None else int(iso_times.text(start)[:4])
        advice = "" if start is not None else f"; --start {_YEAR_EXAMPLE} sets the year of the first row"
        self._notes.append(
            f"The dates have no year: {year} is that of the first row, and where they go back by months a year begins{advice}."
        )
        steps = np.diff(moments, prepend=moments[:1])
        # From December to January, or the other way where the rows run from the newest to the oldest.
        years = np.cumsum((steps < -_YEAR_S / 2).astype(np.int64) - (steps > _YEAR_S / 2)) + year
        whole = np.floor(moments).astype(np.int64)
        months = whole.astype("datetime64[s]").astype("datetime64[M]")
        within = moments - months.astype("datetime64[s]").astype(np.float64)
        others = months + np.array(12 * (years - timestamps.YEAR_UNKNOWN), dtype="timedelta64[M]")
        in_years: FloatArray = others.astype("datetime64[s]").astype(np.float64) + within
        return in_years

    def _groups(
        self, times: FloatArray, codes: Mapping[Column, keys.Codes], coder: keys.Coder
    ) -> tuple[npt.NDArray[np.int64], list[str]]:
        """Return the number of each row's series, and what tells each series apart."""
        if self._options.by:
            key: keys.Key | None = keys.Key(tuple(codes), "as --by says")
        else:
            key = keys.find(times, codes, [one for one in codes if keys.is_named(self._table, one)])
        group = np.zeros(len(times), dtype=np.int64)
        if key is None:
            return group, [""]
        for one in key.columns:
            group = keys.combine(group, codes[one])
        self._key = key
        names = {one: list(values) for one, values in zip(coder.columns, coder.values, strict=True)}
        _, firsts = np.unique(group, return_index=True)
        labels = [
            ", ".join(f"{one.name or one.number}={names[one][int(codes[one][row])]}" for one in key.columns)
            for row in firsts.tolist()
        ]
        return group, labels

    _key: keys.Key | None = None

    def _say_choice(self, labels: Sequence[str], picked: int) -> None:
        assert self._key is not None
        key = " and ".join(str(one) for one in self._key.columns)
        options = " ".join(f"--by {_argument(one.name or str(one.number))}" for one in self._key.columns)
        others = ", ".join(label for i, label in enumerate(labels[: SERIES_NAMED + 1]) if i != picked)
        more = " and more" * (len(labels) > SERIES_NAMED + 1)
        self._notes.insert(
            0,
            f"The file holds {len(labels):,} series, told apart by {key} ({self._key.reason}): {labels[picked]} is read. "
            f"{options} reads each, --where one of {others}{more}.",
        )

    def _label(self, group: str, value: Value) -> str:
        parts = [self._table.label, group]
        if len(self._columns.values) > 1:
            parts.append(value.column.name or f"column {value.column.number}")
        return ", ".join(filter(None, parts))

    def _ordered(
        self,
        label: str,
        lines: npt.NDArray[np.int64],
        times: FloatArray,
        absolute: npt.NDArray[np.bool_],
        values: FloatArray,
        value: Value,
    ) -> Series:
        notes = list(self._notes)
        if self._options.tz is not None and self._columns.time is not None:
            in_utc = zones.to_utc(times, absolute, self._options.tz)
            times = in_utc.timestamps
            if in_utc.skipped:
                notes.append(
                    f"{in_utc.skipped:,} rows stand in an hour that the clocks of {self._options.tz.key} leave out."
                )
        order = put_in_order(times, values)
        bad = self._with_strays(order, lines, times)
        notes += _order_notes(order, times, lines)
        rows = order.rows
        if (suspected := sentinels.suspect(values[rows])) is not None and not self._options.missing:
            notes.append(
                f"{suspected.value:g} stands in {suspected.rows:,} rows, far off all other values: if it stands for no value, "
                f"add --missing {suspected.value:g}."
            )
        if not np.isfinite(values[rows]).any():
            reasons = [f"line {line}: {reason}" for line, reason in bad.first[:_EXAMPLES]]
            reasons.append(f"{len(rows):,} without a value")
            raise MisuseError(
                f"{self._name}: not one row is usable ({'; '.join(reasons)}).",
                hint="Choose the columns with --timestamp and --value, or mend the rows.",
            )
        return Series(
            source=self._name,
            label=label,
            lines=lines[rows],
            timestamps=times[rows],
            values=values[rows],
            bad=bad,
            time=self._columns.time,
            value=value,
            repeated=order.repeated,
            notes=tuple(map(foreign.visible, notes)),
        )

    def _with_strays(self, order: Order, lines: npt.NDArray[np.int64], times: FloatArray) -> BadRows:
        """Return the rows that were skipped, those of a wrong time among them, in the order of the file."""
        bad = BadRows()
        strays = [
            (int(lines[row]), f"time {iso_times.text(times[row])} lies far off all others")
            for row in order.strays.tolist()
        ]
        for line, reason in sorted([*self._bad.first, *strays]):
            bad.add(line, reason)
        bad.count = self._bad.count + len(strays)
        return bad


def _argument(name: str) -> str:
    """Return a name as it can be typed behind an option."""
    return name if re.fullmatch(r"[\w.:/-]+", name) else columns.quoted(name)


def _order_notes(order: Order, times: FloatArray, lines: npt.NDArray[np.int64]) -> list[str]:
    notes = []
    back = np.flatnonzero(np.diff(times) < 0)
    if order.reversed:
        notes.append("The rows run from the newest to the oldest: they are turned round.")
    if order.moved:
        first = f", the first in line {int(lines[back[0] + 1]):,}" if not order.reversed else ""
        are = "is" if order.moved == 1 else "are"
        notes.append(
            f"{readable.counted(order.moved, 'row')} {are} out of the order of time{first}: the rows are sorted."
        )
        if not order.reversed and _is_clock_change(times, back):
            notes.append(
                "Time goes back by an hour, as where clocks are set back: --tz Europe/Berlin, or another zone, reads it right."
            )
    if order.copies:
        repeat = "repeats" if order.copies == 1 else "repeat"
        notes.append(
            f"{readable.counted(order.copies, 'row')} {repeat} time and value of another one: they are left out."
        )
    if order.repeated:
        have = "has" if order.repeated == 1 else "have"
        notes.append(
            f"{readable.counted(order.repeated, 'row')} {have} the time of the row before: each of them is read."
        )
    return notes


def _is_clock_change(times: FloatArray, back: npt.NDArray[np.intp]) -> bool:
    steps = times[back] - times[back + 1]
    return len(back) <= 1 + (times.max() - times.min()) / (360 * _DAY_S) and bool(
        ((steps > 0) & (steps <= 3600)).all()
    )
