"""Numbers as they stand in files: with a decimal point or a decimal comma, in groups of three, in percent, or missing."""

import math
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from htmengine import foreign

MISSING = frozenset({"", "-", "na", "n/a", "nan", "-nan", "none", "null", "nil"})  # in lower case

_GROUPS_WITH_POINT = re.compile(r"[+-]?\d{1,3}(?:([,' \u00a0\u202f])\d{3})(?:\1\d{3})*(?:\.\d*)?", re.ASCII)
_WITH_COMMA = re.compile(
    r"[+-]?(?:\d+|\d{1,3}(?:([.' \u00a0\u202f])\d{3})(?:\1\d{3})*)(?:,\d*)?(?:[eE][+-]?\d+)?", re.ASCII
)
_PERCENT = re.compile(r"(?<=[\d.,])\s?%\Z", re.ASCII)
_GROUPING = re.compile(r"[' \u00a0\u202f]")


class NumberFormat(NamedTuple):
    """One way to write numbers."""

    decimal: str  # the decimal mark
    parse: Callable[[str], float]  # NaN for a missing value; ValueError if the text is not a finite number


def _parse_with_point(text: str) -> float:
    try:
        value = foreign.number(text)
    except ValueError:
        if text.lower() in MISSING:
            return math.nan
        if _PERCENT.search(text):
            return _parse_with_point(_PERCENT.sub("", text))
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
    raise ValueError("not a number")


def _finite(value: float) -> float:
    if math.isinf(value):
        raise ValueError("not a finite number")
    return value


POINT = NumberFormat(".", _parse_with_point)
COMMA = NumberFormat(",", _parse_with_comma)


def detect(cells: Sequence[str], *, delimiter: str) -> NumberFormat:
    """Return the format that reads the most of `cells`, texts of one column.

    Where both read as many, `1,234` is a thousand and some in a file with commas or tabs between the fields, and
    one and some in a file with semicolons: who writes a decimal comma needs another delimiter.
    """
    points, commas = count_numbers(POINT, cells), count_numbers(COMMA, cells)
    if commas == points:
        return COMMA if delimiter == ";" and any("," in cell for cell in cells) else POINT
    return COMMA if commas > points else POINT


def count_numbers(candidate: NumberFormat, cells: Sequence[str]) -> int:
    """Return how many of `cells` are numbers in this format; missing values are not."""
    count = 0
    for cell in cells:
        try:
            count += not math.isnan(candidate.parse(cell))
        except ValueError:
            continue
    return count
