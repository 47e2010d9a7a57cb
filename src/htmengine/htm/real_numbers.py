"""Conversions to floats."""

import sys
from typing import SupportsFloat


def real(number: SupportsFloat) -> float:
    """Return a real number as a float, the largest one for an integer beyond it.

    Raises TypeError for anything else, text included: this package does not decide whether "1_0" or digits of other scripts are numbers.
    """
    if isinstance(number, str | bytes | bytearray):
        raise TypeError(f"a real number is needed, not {type(number).__name__}")
    try:
        return float(number)
    except OverflowError:
        return sys.float_info.max if number > 0 else -sys.float_info.max  # type: ignore[operator]
