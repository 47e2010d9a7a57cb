"""What tells the series of one table apart: columns such as a host's name, found by what they do to the order of time."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from htmengine.htm.arrays import FloatArray
from htmengine.series import numbers
from htmengine.series.columns import Column, column
from htmengine.series.tables import Table, normalised

KEY_NAMES: Final = frozenset(
    [
        "host",
        "hostname",
        "instance",
        "server",
        "node",
        "device",
        "disk",
        "iface",
        "interface",
        "dev",
        "sensor",
        "station",
        "series",
        "metric",
        "metricname",
        "target",
        "item",
        "tag",
        "symbol",
        "ticker",
        "site",
        "location",
        "region",
        "city",
        "country",
        "pod",
        "container",
        "service",
        "job",
        "app",
        "application",
        "core",
        "dimension",
        "variable",
        "signal",
        "channel",
        "meter",
        "machine",
        "room",
        "entity",
        "hostid",
        "deviceid",
        "sensorid",
        "stationid",
        "instanceid",
        "serverid",
        "nodeid",
        "object",
        "resource",
    ]
)
"""Names of columns that tell series apart; in lower case without punctuation."""
MAX_VALUES: Final = 10_000
"""Distinct values of a column that may tell series apart."""
_MAX_NUMBERS = 50  # distinct ones in the head of a column of whole numbers that may tell series apart
_MAX_COLUMNS = 3
_LEAST = 3  # rows that share their time with another: fewer are a slip
_LEFT = 0.1  # of the rows that share their time, as many may do so still

Codes = npt.NDArray[np.int64]


class Key(NamedTuple):
    """The columns that tell series apart, and why they do."""

    columns: tuple[Column, ...]
    reason: str


def candidates(table: Table, excluded: set[int]) -> list[Column]:
    """Return the columns that may tell series apart: of texts or of few whole numbers, each of which recurs."""
    found = []
    for index in range(table.width):
        cells = table.cells(index)
        if index in excluded or not cells:
            continue
        distinct = set(cells)
        plain = numbers.detect(cells[:100], delimiter=table.delimiter)
        # `all` beside 0, 1, 2, as sar writes of processors, makes texts of them.
        if 10 * numbers.count_numbers(plain, cells[:100]) >= 9 * len(cells[:100]):
            whole = all(cell.isascii() and cell.isdecimal() for cell in distinct)
            if not whole or len(distinct) > _MAX_NUMBERS or 5 * len(distinct) > len(cells):
                continue
        if len(distinct) <= max(2, 0.7 * len(cells)):
            found.append(column(table, index))
    return found


def is_named(table: Table, one: Column) -> bool:
    """Whether a column of texts has a name that says that it tells series apart."""
    if not one.name or normalised(one.name) not in KEY_NAMES:
        return False
    cells = table.cells(one.at, 100)
    return 2 * numbers.count_numbers(numbers.detect(cells, delimiter=table.delimiter), cells) < len(cells)


def find(timestamps: FloatArray, codes: Mapping[Column, Codes], named: Collection[Column]) -> Key | None:
    """Return what tells series apart; None if the rows are of one series.

    It does if rows that share their time differ in it, or if time goes back just where it changes.

    Parameters
    ----------
    timestamps : shape (n,), in the order of the file.
    codes : of each column that may tell series apart a number for each value, shape (n,).
    named : the columns that `is_named` is true of.
    """
    varying = {one: code for one, code in codes.items() if code.size and (code != code[0]).any()}
    if len(timestamps) < 2 or not varying:
        return None
    shared = _shared(timestamps, np.zeros(len(timestamps), dtype=np.int64))
    if shared >= max(_LEAST, len(timestamps) // 100):
        return _by_shared_times(timestamps, varying, shared)
    back = np.diff(timestamps) < 0
    if 0 < back.sum() <= len(timestamps) // 4:
        for one, code in varying.items():
            changes = np.diff(code) != 0
            if (changes[back]).all() and changes.sum() == back.sum():
                return Key((one,), "time goes back where it changes")
    for one, code in varying.items():
        distinct = len(np.unique(code))
        if one in named and 10 * distinct <= len(timestamps):
            return Key((one,), "by its name")
    return None


def _by_shared_times(timestamps: FloatArray, codes: Mapping[Column, Codes], shared: int) -> Key | None:
    chosen: list[Column] = []
    combined = np.zeros(len(timestamps), dtype=np.int64)
    left = shared
    while len(chosen) < _MAX_COLUMNS:
        trials = {}
        for one, code in codes.items():
            if one not in chosen:
                joined = combine(combined, code)
                # Few series go before many: a remark in each row tells all rows apart and no series.
                groups = int(joined.max()) + 1
                if 2 * groups <= len(timestamps):
                    trials[one] = _shared(timestamps, joined), groups, joined
        if not trials:
            return None
        enough = {one: trial for one, trial in trials.items() if trial[0] <= _LEFT * shared}
        if enough:
            best = min(enough, key=lambda one: (enough[one][1], one.number))
            return Key((*chosen, best), "rows of the same time differ in it")
        best = min(trials, key=lambda one: (trials[one][0], one.number))
        if trials[best][0] >= left:
            return None
        left, _, combined = trials[best]
        chosen.append(best)
    return None


def combine(first: Codes, second: Codes) -> Codes:
    """Return a number for each pair of numbers, from 0, in the order of their first appearance."""
    pairs = first * (int(second.max(initial=0)) + 1) + second
    _, positions, inverse = np.unique(pairs, return_index=True, return_inverse=True)
    ranks = np.empty(len(positions), dtype=np.int64)
    ranks[np.argsort(positions)] = np.arange(len(positions))
    joined: Codes = ranks[inverse.reshape(-1)]
    return joined


def _shared(timestamps: FloatArray, group: Codes) -> int:
    """Return how many rows have the time of another row of their group."""
    order = np.lexsort((timestamps, group))
    return int(((np.diff(timestamps[order]) == 0) & (np.diff(group[order]) == 0)).sum())


class Coder:
    """Gives the values of a column numbers while its rows are read; gives up where they are too many."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = list(columns)
        self.values: list[dict[str, int]] = [{} for _ in columns]
        self.codes: list[list[int]] = [[] for _ in columns]

    def add(self, fields: Sequence[str]) -> None:
        """Take the next row."""
        for one, values, codes in zip(self.columns, self.values, self.codes, strict=True):
            codes.append(values.setdefault(fields[one.at], len(values)))

    def prune(self) -> None:
        """Give up columns of too many values."""
        kept = [i for i, values in enumerate(self.values) if len(values) <= MAX_VALUES]
        if len(kept) < len(self.columns):
            self.columns = [self.columns[i] for i in kept]
            self.values = [self.values[i] for i in kept]
            self.codes = [self.codes[i] for i in kept]
