"""Hashes of samples, many at once: `identity` makes digests of them."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

_Hashes = npt.NDArray[np.uint64]
_SHIFTS: Final = (np.uint64(30), np.uint64(27), np.uint64(31))
_FACTORS: Final = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_STEP: Final = np.uint64(0x9E3779B97F4A7C15)
_MASK: Final = np.uint64((1 << 63) - 1)
"""As `identity.MASK`."""


def of_samples(timestamps: npt.ArrayLike, values: npt.ArrayLike) -> _Hashes:
    """Return a hash of each sample, below 2**63."""
    seconds = np.array(timestamps, dtype=np.float64).view(np.uint64)
    bits = (np.array(values, dtype=np.float64) + 0.0).view(np.uint64)
    return _mixed(_mixed(seconds + _STEP) ^ bits) & _MASK


def _mixed(words: _Hashes) -> _Hashes:
    """Return words of which each bit depends on all bits of those given: SplitMix64's last steps (Steele et al., 2014)."""
    for shift, factor in zip(_SHIFTS, _FACTORS, strict=False):
        words = (words ^ (words >> shift)) * factor
    return words ^ (words >> _SHIFTS[2])
