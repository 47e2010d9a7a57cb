"""Array types of this package, and of all who use it."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]
Float32Array: TypeAlias = NDArray[np.float32]
IndexArray: TypeAlias = NDArray[np.uint32]
