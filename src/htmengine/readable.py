"""Numbers, durations and odds as people read them."""

from __future__ import annotations

import math
from typing import Final

_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_SCALES: Final = ((1e9, " billion"), (1e6, " million"), (1.0, ""))


def number(value: float) -> str:
    """Return a number with six significant digits, all before the point, without exponent while it is of a usual size."""
    if value == 0 or not 1e-4 <= abs(value) < 1e15:
        return f"{value:.6g}"
    decimals = max(0, 5 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def rounded(value: float, digits: int) -> str:
    """Return a number with so many significant digits: `12,300` of 12345 with three."""
    return number(float(f"{value:.{digits}g}"))


def duration(seconds: float) -> str:
    """Return a duration in its two largest units, such as `1 h 5 min`; `-` for none."""
    if seconds == 0:
        return "-"
    if seconds < 60:
        return f"{seconds:.3g} s"
    parts: list[str] = []
    rest = round(seconds)
    for size, unit in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count:,} {unit}")
    return " ".join(parts[:2])


def one_in(count: float | None) -> str:
    """Return the odds that one row in `count` is as unusual, with two digits; `-` if they are not known."""
    if count is None or math.isnan(count):
        return "-"
    size, unit = next(scale for scale in _SCALES if count >= scale[0])
    return f"1 in {rounded(count / size, 2)}{unit}"


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun, such as `1 metric` or `2 metrics`."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"
