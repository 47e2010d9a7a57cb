"""Array types of this package and its callers, and conversions to them."""

import sys
from typing import Any, SupportsFloat, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray: TypeAlias = NDArray[np.float64]
Float32Array: TypeAlias = NDArray[np.float32]
IndexArray: TypeAlias = NDArray[np.uint32]


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


def reals(numbers: ArrayLike) -> FloatArray:
    """Return real numbers as contiguous floats, None as NaN. Raises TypeError for anything else, as `real` does."""
    array: NDArray[Any] = np.asarray(numbers)
    if array.dtype.kind == "O":
        flat = [np.nan if number is None else real(number) for number in array.flat]
        array = np.array(flat, dtype=np.float64).reshape(array.shape)
    elif array.dtype.kind not in "fiub":
        raise TypeError(f"real numbers are needed, not {array.dtype.type.__name__}")
    return np.ascontiguousarray(array, dtype=np.float64)
