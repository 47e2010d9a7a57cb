"""Spatial pooler: learns which columns stand for which input, and makes a fixed number of them active.

Source: reference "HTM scalar anomaly models", section 5; BaMI, "Spatial Pooling Algorithm Details".
"""

import numpy as np
import numpy.typing as npt

from htmengine.htm import _kernels
from htmengine.htm.arrays import Float32Array, IndexArray
from htmengine.htm.params import POOLER


class SpatialPooler:
    """Turns a sparse input into a fixed number of active columns, similar ones for similar inputs.

    Each column has permanences, from 0 to 1, to a random part of the inputs: its potential pool. The overlap of a
    column is the number of active inputs whose permanence is at least `connected_permanence`. The columns with the
    largest overlaps become active (of equals, those with the higher index), and learn.

    Parameters
    ----------
    inputs : number of input bits, up to 65536.
    columns : number of columns, up to 65536.
    active_columns : active at each step.
    potential_pct : share of the inputs in each potential pool.
    connected_permanence : from which on a synapse counts; about half of them start above it.
    active_increment, inactive_decrement : how much the permanences of an active column to active inputs grow, and
        those to inactive inputs fall, in one step.
    boost_strength : 0 to 64. Above 0, columns that are active less often than the average get larger overlaps
        while learning.
    duty_cycle_period : steps over which duty cycles are averaged.
    min_overlap_duty : columns whose overlap duty cycle is below this share of the largest one are strengthened.
    seed : of the potential pools and the initial permanences; not 0.

    Raises
    ------
    ValueError : for parameters out of range.
    """

    def __init__(
        self,
        inputs: int,
        *,
        columns: int = POOLER.columns,
        active_columns: int = POOLER.active_columns,
        potential_pct: float = POOLER.potential_pct,
        connected_permanence: float = POOLER.connected_permanence,
        active_increment: float = POOLER.active_increment,
        inactive_decrement: float = POOLER.inactive_decrement,
        boost_strength: float = POOLER.boost_strength,
        duty_cycle_period: int = POOLER.duty_cycle_period,
        min_overlap_duty: float = POOLER.min_overlap_duty,
        seed: int = POOLER.seed,
    ) -> None:
        counts = {
            "inputs": inputs,
            "columns": columns,
            "active_columns": active_columns,
            "duty_cycle_period": duty_cycle_period,
        }
        for name, count in counts.items():
            if not 0 < count < 2**32:
                raise ValueError(f"{name} is {count}, but must be at least 1 and below 4294967296")
        if not 0 < seed < 2**64:
            raise ValueError(f"seed is {seed}, but must be from 1 to 18446744073709551615")
        self._shape = (columns, inputs)
        self._kernel = _kernels.SpatialPooler(
            **counts,
            potential_pct=potential_pct,
            connected_permanence=connected_permanence,
            active_increment=active_increment,
            inactive_decrement=inactive_decrement,
            boost_strength=boost_strength,
            min_overlap_duty=min_overlap_duty,
            seed=seed,
        )

    def compute(self, bits: npt.ArrayLike, *, learn: bool = True) -> IndexArray:
        """Return the active columns for an input, ascending, and learn from it. Shape (active_columns,).

        `bits` are the indices of the active inputs: whole numbers, ascending, each once. Without `learn` no state
        changes, and boosting does not count.

        Raises TypeError when `bits` are not whole numbers, and ValueError when they do not ascend or are not below
        the number of inputs.
        """
        array = np.asarray(bits)
        if array.size == 0:
            array = array.astype(np.uint32)
        if array.dtype.kind not in "ui":
            raise TypeError(f"active bits are whole numbers, not {array.dtype}")
        if array.ndim != 1:
            raise ValueError(f"active bits have one dimension, not {array.ndim}")
        if array.dtype != np.uint32:
            if array.size and (array.min() < 0 or array.max() >= 2**32):
                raise ValueError("active bits must ascend and be below the number of inputs")
            array = array.astype(np.uint32)
        columns: IndexArray = self._kernel.compute(np.ascontiguousarray(array), learn)
        return columns

    @property
    def overlaps(self) -> IndexArray:
        """Overlaps of the latest step, without boosting. Shape (columns,)."""
        overlaps: IndexArray = self._kernel.overlaps()
        return overlaps

    @property
    def permanences(self) -> Float32Array:
        """Permanences, -1 outside the potential pools. Shape (columns, inputs)."""
        permanences: Float32Array = self._kernel.permanences()
        return permanences.reshape(self._shape)

    @property
    def active_duty_cycles(self) -> Float32Array:
        """Share of the recent learning steps in which a column was active. Shape (columns,)."""
        duty_cycles: Float32Array = self._kernel.active_duty_cycles()
        return duty_cycles

    @property
    def overlap_duty_cycles(self) -> Float32Array:
        """Share of the recent learning steps in which a column had an overlap. Shape (columns,)."""
        duty_cycles: Float32Array = self._kernel.overlap_duty_cycles()
        return duty_cycles

    @property
    def boost_factors(self) -> Float32Array:
        """Factors on the overlaps while learning; all 1 without boosting. Shape (columns,)."""
        factors: Float32Array = self._kernel.boost_factors()
        return factors

    def save_state(self) -> bytes:
        """Return what was learned: permanences and duty cycles, without the parameters."""
        return bytes(self._kernel.save_state())

    def restore_state(self, state: bytes) -> None:
        """Continue from a state that a pooler with the same parameters saved.

        Raises StateError, a ValueError, when the bytes are no such state; the pooler is then as before.
        """
        self._kernel.restore_state(state)
