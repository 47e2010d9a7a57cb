"""Array types of this package and its callers, and conversions to them."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from htmengine.htm.real_numbers import real

FloatArray: TypeAlias = NDArray[np.float64]
Float32Array: TypeAlias = NDArray[np.float32]
IndexArray: TypeAlias = NDArray[np.uint32]


def reals(numbers: ArrayLike) -> FloatArray:
    """Return real numbers as contiguous floats, None as NaN. Raises TypeError for anything else, as `real` does."""
    array: NDArray[Any] = np.asarray(numbers)
    if array.dtype.kind == "O":
        flat = [np.nan if number is None else real(number) for number in array.flat]
        array = np.array(flat, dtype=np.float64).reshape(array.shape)
    elif array.dtype.kind not in "fiub":
        raise TypeError(f"real numbers are needed, not {array.dtype.type.__name__}")
    return np.ascontiguousarray(array, dtype=np.float64)
