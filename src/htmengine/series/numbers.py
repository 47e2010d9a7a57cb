"""Numbers as they stand in files: with a decimal point or comma, in groups of three, with units, or missing."""

import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from htmengine import foreign
from htmengine.series import units

MISSING = frozenset(
    {
        *(
            "",
            "-",
            "--",
            ".",
            "?",
            "na",
            "n/a",
            "n.a.",
            "nan",
            "-nan",
            "none",
            "null",
            "nil",
            "<na>",
            "nat",
            "\\n",
        ),
        *("missing", "no data", "nodata"),
        *("#n/a", "#div/0!", "#value!", "#ref!", "#num!", "#name?", "#null!"),  # errors of spreadsheets
    }
)
"""In lower case."""

_GROUPS_WITH_POINT = re.compile(r"[+-]?\d{1,3}(?:([,' \u00a0\u202f])\d{3})(?:\1\d{3})*(?:\.\d*)?", re.ASCII)
_WITH_COMMA = re.compile(
    r"[+-]?(?:\d+|\d{1,3}(?:([.' \u00a0\u202f])\d{3})(?:\1\d{3})*)(?:,\d*)?(?:[eE][+-]?\d+)?", re.ASCII
)
_PERCENT = re.compile(r"(?<=[\d.,])\s?%\Z", re.ASCII)
_GROUPING = re.compile(r"[' \u00a0\u202f]")
_MINUS = "\u2212"  # as typographers write it
_BOOKED = re.compile(r"\((?=[\d.,])(.*)\)")  # a negative number, as accountants write it


_STATES = {"true": 1.0, "yes": 1.0, "on": 1.0, "up": 1.0, "false": 0.0, "no": 0.0, "off": 0.0, "down": 0.0}


class NumberFormat(NamedTuple):
    """One way to write numbers."""

    decimal: str  # the decimal mark
    parse: Callable[[str], float]  # NaN for a missing value; ValueError if the text is not a finite number
    unit: str = ""  # what the numbers count where units were taken off, such as `B` or `s`


def _parse_with_point(text: str) -> float:
    try:
        value = foreign.number(text)
    except ValueError:
        if text.lower() in MISSING:
            return math.nan
        if _PERCENT.search(text):
            return _parse_with_point(_PERCENT.sub("", text))
        if (positive := _without_minus(text)) is not None:
            return -_parse_with_point(positive)
        if not _GROUPS_WITH_POINT.fullmatch(text):
            raise ValueError("not a number") from None
        value = float(_GROUPING.sub("", text).replace(",", ""))
    return _finite(value)


def _parse_with_comma(text: str) -> float:
    text = _PERCENT.sub("", text)
    if _WITH_COMMA.fullmatch(text):
        return _finite(float(_GROUPING.sub("", text).replace(".", "").replace(",", ".")))
    if text.lower() in MISSING:
        return math.nan
    if (positive := _without_minus(text)) is not None:
        return -_parse_with_comma(positive)
    raise ValueError("not a number")


def _without_minus(text: str) -> str | None:
    """Return a number without the sign that only people write; None where there is none, or another one behind it."""
    found = _BOOKED.fullmatch(text)
    positive = found[1] if found else text[1:] if text.startswith(_MINUS) else ""
    return positive if positive[:1].isdigit() or positive[:1] in (".", ",") else None


def _finite(value: float) -> float:
    if math.isinf(value):
        raise ValueError("not a finite number")
    return value


def _parse_state(text: str) -> float:
    state = text.lower()
    if state in MISSING:
        return math.nan
    if state not in _STATES:
        raise ValueError("neither on nor off")
    return _STATES[state]


STATES = NumberFormat("", _parse_state)
"""Words such as `true` and `off`, as 1 and 0. `detect` does not look for it."""


def _parse_clock(text: str) -> float:
    return math.nan if text.lower() in MISSING else units.clock(text)


CLOCKS = NumberFormat(".", _parse_clock, "s")
"""Durations as clocks show them. `detect` does not look for it: clocks are mostly times of the day."""

POINT = NumberFormat(".", _parse_with_point)
COMMA = NumberFormat(",", _parse_with_comma)


def detect(cells: Sequence[str], *, delimiter: str) -> NumberFormat:
    """Return the format that reads the most of `cells`, texts of one column.

    Where both read as many, `1,234` is a thousand and some in a file with commas or tabs between the fields, and
    one and some in a file with semicolons: who writes a decimal comma needs another delimiter.
    """
    plain = _plain(cells, delimiter)
    numbers = count_numbers(plain, cells)
    if numbers == len(cells):
        return plain
    with_units = _with_units(cells, delimiter)
    return with_units if with_units and count_numbers(with_units, cells) > numbers else plain


def _plain(cells: Sequence[str], delimiter: str) -> NumberFormat:
    points, commas = count_numbers(POINT, cells), count_numbers(COMMA, cells)
    if commas == points:
        return COMMA if delimiter == ";" and any("," in cell for cell in cells) else POINT
    return COMMA if commas > points else POINT


def _with_units(cells: Sequence[str], delimiter: str) -> NumberFormat | None:
    """Return the format of numbers that units follow; None if the cells have none that go together."""
    pairs = [pair for cell in cells if (pair := units.split(cell))]
    if not pairs:
        return _durations(cells)
    plain = _plain([number for number, _ in pairs], delimiter)
    commonest = Counter(unit for _, unit in pairs).most_common(_UNITS)
    # Rows that are broken may bring units of their own: try without the rarest.
    scales = (units.scale(unit for unit, _ in commonest[:n]) for n in range(len(commonest), 0, -1))
    scale = next(filter(None, scales), None)
    if scale is None:
        return _durations(cells)

    def parse(text: str) -> float:
        pair = units.split(text)
        if pair is None:
            return plain.parse(text)
        number, unit = pair
        if (factor := scale.factors.get(unit)) is None:
            found = units.factor(unit, minutes=scale.minutes)
            if found is None or found[0] not in ("", scale.base):
                raise ValueError(f"{unit[:20]!r} is not a unit of this column")
            factor = found[1]
        return plain.parse(number) * factor

    found, durations = NumberFormat(plain.decimal, parse, scale.base), _durations(cells)
    return durations if durations and count_numbers(durations, cells) > count_numbers(found, cells) else found


_UNITS = 20  # distinct ones of a column that are looked at


def _durations(cells: Sequence[str]) -> NumberFormat | None:
    """Return the format of durations in several parts, such as `1h 5m`; None if the cells are none."""

    def parse(text: str) -> float:
        return math.nan if text.lower() in MISSING else units.duration(text)

    found = NumberFormat(".", parse, "s")
    return found if count_numbers(found, cells) else None


def with_missing(plain: NumberFormat, missing: Collection[str]) -> NumberFormat:
    """Return a format in which some values mean that there is none: texts or numbers, `-999` is `-999.00` too."""
    if not missing:
        return plain
    texts = {text.strip().lower() for text in missing}
    sentinels = set()
    for text in missing:
        try:
            sentinels.add(plain.parse(text.strip()))
        except ValueError:
            continue

    def parse(text: str) -> float:
        if text.lower() in texts:
            return math.nan
        value = plain.parse(text)
        return math.nan if value in sentinels else value

    return plain._replace(parse=parse)


def count_numbers(candidate: NumberFormat, cells: Sequence[str]) -> int:
    """Return how many of `cells` are numbers in this format; missing values are not."""
    count = 0
    for cell in cells:
        try:
            count += not math.isnan(candidate.parse(cell))
        except ValueError:
            continue
    return count
