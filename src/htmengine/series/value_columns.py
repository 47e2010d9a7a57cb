"""Which columns of a table hold values, and which other ones might have been meant."""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from htmengine.errors import MisuseError
from htmengine.series import numbers, timestamps
from htmengine.series.columns import Column, Time, beginnings, column, is_named, parses
from htmengine.series.tables import SAMPLED, TIME_NAMES, Table
from htmengine.series.time_columns import counts_from_elsewhere

VALUE_NAMES: Final = (
    "value",
    "metricvalue",
    "y",
    "val",
    "values",
    "wert",
    "valeur",
    "valor",
    "measurement",
    "reading",
    "average",
    "mean",
)
_ID_NAMES: Final = ("", "id", "index", "idx", "row", "rowid", "no", "nr", "num", "unnamed0", "key", "seq", "seqno", "sequence", "offset", "record", "entry")  # fmt: skip
_OTHER_NAMES: Final = ("status", "statuscode", "httpstatus", "responsecode", "year", "month", "day", "hour", "weekday", "dayofweek", "dow", "week", "weekofyear", "quarter", "dayofyear", "doy", "hourofday", "weekend", "isweekend", "jahr", "monat", "tag", "stunde", "wochentag")  # fmt: skip
"""Of codes, and of parts of the time: numbers that are no measurement."""
_ID_ENDING = re.compile(
    r"(?:^|[\W_])(?:id|uid|gid|pid|tid|uuid|guid|no|nr|idx|index|code|port|zip|zipcode|version|interval|seq)$|[a-z](?:Id|ID)$"
)


def find_values(
    table: Table, time: Time | None, key: Sequence[Column], taken: set[int], name: str
) -> tuple[list[int], str, list[int]]:
    """Return the index of the value column, why it was taken, and those that might have been meant as well.

    By name; else the first with numbers that is neither an id, a running number, a counter, a second time column nor
    constant in each series, which `key` tells apart. Words such as `up` and `down` are numbers where there are no others.
    """
    shares = {}
    for index in range(table.width):
        cells = table.cells(index, SAMPLED)
        if index not in taken and cells:
            shares[index] = numbers.count_numbers(
                numbers.detect(cells, delimiter=table.delimiter), cells
            ) / len(cells)
    whole = [index for index, share in shares.items() if share >= 0.9]
    candidates = whole or [index for index, share in shares.items() if share >= 0.5]
    if not candidates and not any(
        _unusual(table, index) for index in shares
    ):  # so that the rows without a number are told
        candidates = [index for index, share in shares.items() if share > 0 and share == max(shares.values())]
    if not candidates:
        candidates = [index for index in shares if _unusual(table, index)]
    if not candidates:
        beside = f" beside {column(table, time.columns[0].at)}" if time else ""
        raise MisuseError(
            f"{name}: no column{beside} holds numbers.",
            hint=f"Write the values as numbers. The columns begin with: {beginnings(table)}.",
        )
    secondary = [index for index in candidates if _is_secondary(table, index, time)]
    varying = [index for index in candidates if _varies(table, index, key)]
    for known in VALUE_NAMES:
        for index in candidates:
            if is_named(table, index, (known,)):
                return (
                    [index],
                    "by its name",
                    [] if known == "value" else [i for i in candidates if i != index and i not in secondary],
                )
    preferred = [
        index for index in candidates if index not in secondary and (index in varying or not varying)
    ]
    first, *others = preferred or [index for index in candidates if index in varying] or candidates
    before = [index for index in candidates if index < first]
    reason = (
        "the first with numbers"
        if not before
        else "the first with numbers that are no id, counter or constant"
    )
    return [first], reason, others


def _varies(table: Table, index: int, key: Sequence[Column]) -> bool:
    """Whether a column has different cells within a series, of which `key` tells the rows."""
    rows = [fields for _, fields in table.head if fields[index].lower() not in numbers.MISSING]
    series = [tuple(fields[one.at] for one in key) for fields in rows]
    cells = [fields[index] for fields in rows]
    return len(set(zip(series, cells, strict=True))) > len(set(series))


def _is_secondary(table: Table, index: int, time: Time | None) -> bool:
    if table.names is not None:
        name = table.names[index]
        if is_named(table, index, (*_ID_NAMES, *_OTHER_NAMES)) or _ID_ENDING.search(name.strip()):
            return True
        # `time=12.3` behind the time of a line is a duration.
        if is_named(table, index, TIME_NAMES) and not (time and counts_from_elsewhere(table, index)):
            return True
    cells = table.cells(index, SAMPLED)
    return (
        _counts_by_ones(cells)
        or _only_grows(table.cells(index))
        or (time is not None and _is_same_time(table, index, time))
    )


def _only_grows(cells: Sequence[str]) -> bool:
    """Whether whole numbers grow with each row, as a counter does, and a measurement hardly."""
    return (
        len(cells) >= _LEAST_COUNTED
        and all(cell.isascii() and cell.isdecimal() for cell in cells)
        and all(int(before) < int(after) for before, after in pairwise(cells))
    )


_LEAST_COUNTED: Final = 20


def _unusual(table: Table, index: int) -> numbers.NumberFormat | None:
    """Return the format of a column of two words such as `up` and `down` alone, or of durations as clocks show them."""
    cells = table.cells(index, SAMPLED)
    states = [numbers.STATES] if len(set(table.cells(index))) == 2 else []
    found = (one for one in (*states, numbers.CLOCKS) if numbers.count_numbers(one, cells) == len(cells))
    return next(found, None)


def format_of(table: Table, index: int) -> numbers.NumberFormat:
    """Return how the numbers of a column are written."""
    plain = numbers.detect(table.cells(index), delimiter=table.delimiter)
    is_plain = numbers.count_numbers(plain, table.cells(index, SAMPLED)) > 0
    return plain if is_plain else _unusual(table, index) or plain


def _counts_by_ones(cells: Sequence[str]) -> bool:
    return len(cells) > 2 and all(
        cell.isascii() and cell.isdecimal() and int(cell) == int(cells[0]) + i for i, cell in enumerate(cells)
    )


def _is_same_time(table: Table, index: int, time: Time) -> bool:
    """Whether a column holds times near those of its rows."""
    detection = timestamps.detect(table.cells(index, SAMPLED))
    if detection is None:
        return False
    near = seen = 0
    for _, fields in table.head[:SAMPLED]:
        text = time.text(fields)
        if parses(time.format.parse, text) and parses(detection.format.parse, fields[index]):
            seen += 1
            near += abs(time.format.parse(text) - detection.format.parse(fields[index])) < 2 * 86400.0
    return seen > 0 and 2 * near > seen
