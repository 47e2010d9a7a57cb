"""Temporal memories: which columns of a spatial pooler follow which, in context.

Two of them, both from NuPIC: the plain temporal memory, and the older backtracking one, which predicts from
synapses that are not connected yet and, when lost, searches the last inputs for a point from which it could have
followed. Results repeat bit for bit on every machine.

Source: reference "HTM scalar anomaly models", sections 6 to 8.
"""

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from htmengine.htm import _kernels, params
from htmengine.htm.arrays import Float32Array, IndexArray

__all__ = ["BacktrackingTemporalMemory", "Synapses", "TemporalMemory", "raw_anomaly_score"]


_PLAIN: Final = params.TemporalMemory()
_BACKTRACKING: Final = params.BacktrackingTemporalMemory()


class Synapses(NamedTuple):
    """The synapses of a memory, one item each in four arrays of shape (n,), grouped by segment."""

    segment: IndexArray  # number of the segment
    cell: IndexArray  # to which the segment belongs
    source: IndexArray  # cell from which the synapse comes
    permanence: Float32Array  # from 0 to 1


class _Memory:
    """What both memories have in common; `_kernel` does the work."""

    _kernel: Any

    def __init__(self, kernel: Any, columns: int, cells_per_column: int) -> None:
        self._kernel = kernel
        self._columns = columns
        self._cells_per_column = cells_per_column

    @property
    def columns(self) -> int:
        """Number of columns."""
        return self._columns

    @property
    def cells_per_column(self) -> int:
        """Number of cells in each column; cell = column * cells_per_column + k."""
        return self._cells_per_column

    @property
    def segment_count(self) -> int:
        """Number of segments learned so far."""
        return int(self._kernel.segment_count)

    @property
    def synapse_count(self) -> int:
        """Number of synapses learned so far."""
        return int(self._kernel.synapse_count)

    def synapses(self) -> Synapses:
        """Return a copy of all synapses."""
        return Synapses(*self._kernel.synapses())

    def compute(self, active_columns: npt.ArrayLike, *, learn: bool = True) -> float:
        """Take the next input, and return how much of it was unexpected.

        Parameters
        ----------
        active_columns : shape (n,), whole numbers, ascending, each once, below `columns`. May be empty.
        learn : whether segments change.

        Returns
        -------
        Raw anomaly score from 0 to 1: the share of active columns that had not been predicted, as a 32-bit float
        widened to 64 bits; 0 if no column is active.

        Raises
        ------
        ValueError : the columns are not ascending or out of range; nothing has changed then.
        """
        return float(self._kernel.compute(_ascending(active_columns, self._columns), learn))

    def reset(self) -> None:
        """Begin a new sequence: forget what is active and predicted, keep what was learned."""
        self._kernel.reset()

    def save_state(self) -> bytes:
        """Return the state as bytes; parameters are not part of it."""
        return bytes(self._kernel.save_state())

    def restore_state(self, state: bytes) -> None:
        """Continue from a saved state of a memory with the same parameters, bit for bit.

        Raises ValueError, and leaves the memory as it was, when the bytes do not fit the parameters.
        """
        self._kernel.restore_state(state)


class TemporalMemory(_Memory):
    """The plain temporal memory: predicts by connected synapses alone.

    Parameters
    ----------
    columns, cells_per_column : shape of the memory.
    activation_threshold : connected active synapses that make a segment predict its cell.
    min_threshold : active synapses, connected or not, that make a segment fit to learn; at most the former.
    new_synapse_count : active synapses that learning brings a segment to.
    max_segments_per_cell, max_synapses_per_segment : limits of growth; at most 65535 and 255.
    initial_permanence : of a new synapse. All permanences are 32-bit floats from 0 to 1.
    connected_permanence : from which a synapse is connected.
    permanence_increment, permanence_decrement : change of synapses from active and inactive cells on a segment
        that learns.
    predicted_segment_decrement : taken from active synapses of segments that match in a column that stays silent.
    seed : of the random choice of cells and sources.

    Raises
    ------
    ValueError : a parameter is out of range.

    References
    ----------
    Cui, Ahmad, Hawkins (2016), Neural Computation 28(11), doi:10.1162/NECO_a_00893
    """

    def __init__(
        self,
        *,
        columns: int = params.POOLER.columns,
        cells_per_column: int = _PLAIN.cells_per_column,
        activation_threshold: int = _PLAIN.activation_threshold,
        min_threshold: int = _PLAIN.min_threshold,
        new_synapse_count: int = _PLAIN.new_synapse_count,
        max_segments_per_cell: int = _PLAIN.max_segments_per_cell,
        max_synapses_per_segment: int = _PLAIN.max_synapses_per_segment,
        initial_permanence: float = _PLAIN.initial_permanence,
        connected_permanence: float = _PLAIN.connected_permanence,
        permanence_increment: float = _PLAIN.permanence_increment,
        permanence_decrement: float = _PLAIN.permanence_decrement,
        predicted_segment_decrement: float = _PLAIN.predicted_segment_decrement,
        seed: int = _PLAIN.seed,
    ) -> None:
        parameters = _filled(
            _kernels.TemporalMemoryParameters(),
            columns=columns,
            cells_per_column=cells_per_column,
            activation_threshold=activation_threshold,
            min_threshold=min_threshold,
            new_synapse_count=new_synapse_count,
            max_segments_per_cell=max_segments_per_cell,
            max_synapses_per_segment=max_synapses_per_segment,
            initial_permanence=initial_permanence,
            connected_permanence=connected_permanence,
            permanence_increment=permanence_increment,
            permanence_decrement=permanence_decrement,
            predicted_segment_decrement=predicted_segment_decrement,
            seed=seed,
        )
        super().__init__(_kernels.TemporalMemory(parameters), columns, cells_per_column)

    def active_cells(self) -> IndexArray:
        """Return the active cells, ascending."""
        return self._kernel.active_cells()  # type: ignore[no-any-return]

    def winner_cells(self) -> IndexArray:
        """Return the cells that stand for the input in its context and learn, ascending."""
        return self._kernel.winner_cells()  # type: ignore[no-any-return]

    def predictive_cells(self) -> IndexArray:
        """Return the cells predicted for the next input, ascending."""
        return self._kernel.predictive_cells()  # type: ignore[no-any-return]


class BacktrackingTemporalMemory(_Memory):
    """The backtracking temporal memory.

    Two state machines share the segments. Inference keeps every context that explains the input; learning follows
    a single path, and ends a sequence when too much of it is surprising or after a fixed length. The first cell of
    a column is its start cell: it means that a sequence begins there.

    Parameters
    ----------
    columns, cells_per_column : shape of the memory; at least two cells.
    activation_threshold : active synapses that make a segment predict.
    min_threshold : active synapses that make a segment match when learning.
    new_synapse_count : active synapses that learning brings a segment to.
    max_segments_per_cell, max_synapses_per_segment : limits of growth; at most 65535 and 255.
    initial_permanence : of a new synapse. All permanences are 32-bit floats from 0 to 1.
    connected_permanence : from which a synapse is connected.
    permanence_increment, permanence_decrement : change of synapses from active and inactive cells on a segment
        that was right.
    pam_length : surprising inputs in a row after which a learned sequence ends.
    max_sequence_length : inputs after which a learned sequence ends.
    max_inference_backtrack, max_learning_backtrack : inputs before the current one among which a start is sought.
    seed : of the random choice of cells and sources.

    Raises
    ------
    ValueError : a parameter is out of range.

    References
    ----------
    The method is NuPIC's; no paper describes it. Reference "HTM scalar anomaly models", section 7.
    """

    def __init__(
        self,
        *,
        columns: int = params.POOLER.columns,
        cells_per_column: int = _BACKTRACKING.cells_per_column,
        activation_threshold: int = _BACKTRACKING.activation_threshold,
        min_threshold: int = _BACKTRACKING.min_threshold,
        new_synapse_count: int = _BACKTRACKING.new_synapse_count,
        max_segments_per_cell: int = _BACKTRACKING.max_segments_per_cell,
        max_synapses_per_segment: int = _BACKTRACKING.max_synapses_per_segment,
        initial_permanence: float = _BACKTRACKING.initial_permanence,
        connected_permanence: float = _BACKTRACKING.connected_permanence,
        permanence_increment: float = _BACKTRACKING.permanence_increment,
        permanence_decrement: float = _BACKTRACKING.permanence_decrement,
        pam_length: int = _BACKTRACKING.pam_length,
        max_sequence_length: int = _BACKTRACKING.max_sequence_length,
        max_inference_backtrack: int = _BACKTRACKING.max_inference_backtrack,
        max_learning_backtrack: int = _BACKTRACKING.max_learning_backtrack,
        seed: int = _BACKTRACKING.seed,
    ) -> None:
        parameters = _filled(
            _kernels.BacktrackingMemoryParameters(),
            columns=columns,
            cells_per_column=cells_per_column,
            activation_threshold=activation_threshold,
            min_threshold=min_threshold,
            new_synapse_count=new_synapse_count,
            max_segments_per_cell=max_segments_per_cell,
            max_synapses_per_segment=max_synapses_per_segment,
            initial_permanence=initial_permanence,
            connected_permanence=connected_permanence,
            permanence_increment=permanence_increment,
            permanence_decrement=permanence_decrement,
            pam_length=pam_length,
            max_sequence_length=max_sequence_length,
            max_inference_backtrack=max_inference_backtrack,
            max_learning_backtrack=max_learning_backtrack,
            seed=seed,
        )
        super().__init__(_kernels.BacktrackingMemory(parameters), columns, cells_per_column)

    def inferred_active_cells(self) -> IndexArray:
        """Return the cells that inference holds active, ascending."""
        return np.sort(self._kernel.inferred_active_cells())

    def inferred_predicted_cells(self) -> IndexArray:
        """Return the cells that inference expects next by connected synapses, ascending."""
        return np.sort(self._kernel.inferred_predicted_cells())

    def learned_active_cells(self) -> IndexArray:
        """Return the cells on the path of learning, at most one per column, ascending."""
        return self._kernel.learned_active_cells()  # type: ignore[no-any-return]

    def learned_predicted_cells(self) -> IndexArray:
        """Return the cells that learning expects next, at most one per column, ascending."""
        return self._kernel.learned_predicted_cells()  # type: ignore[no-any-return]

    def predicted_columns(self) -> IndexArray:
        """Return the columns that will not count as anomalous next, ascending."""
        return self._kernel.predicted_columns()  # type: ignore[no-any-return]

    def column_confidences(self) -> Float32Array:
        """Return the confidence of each of the `predicted_columns()`: above 0, together 1."""
        return self._kernel.column_confidences()  # type: ignore[no-any-return]

    @property
    def average_learned_length(self) -> float:
        """Moving average of the length of learned sequences, in inputs."""
        return float(self._kernel.average_learned_length)


def raw_anomaly_score(active_columns: npt.ArrayLike, predicted_columns: npt.ArrayLike) -> float:
    """Return the share of active columns that are not predicted, as a 32-bit float; 0 if none is active.

    Both are whole numbers, shape (n,) and (m,), ascending, each once.

    Raises ValueError when one of them is not ascending.
    """
    active = _ascending(active_columns, 2**32)
    predicted = _ascending(predicted_columns, 2**32)
    if active.size == 0:
        return 0.0
    return float(
        np.float32(np.setdiff1d(active, predicted, assume_unique=True).size) / np.float32(active.size)
    )


def _filled(parameters: Any, **values: float) -> Any:
    """Set the attributes of a kernel's parameter struct."""
    for name, value in values.items():
        whole = isinstance(getattr(parameters, name), int)
        largest = 2**64 - 1 if name == "seed" else 2**32 - 1
        if whole and not (isinstance(value, int | np.integer) and 0 <= value <= largest):
            raise ValueError(f"{name} = {value!r} is not a whole number from 0 to {largest}")
        setattr(parameters, name, int(value) if whole else float(value))
    return parameters


def _ascending(columns: npt.ArrayLike, bound: int) -> IndexArray:
    array = np.asarray(columns)
    if array.ndim != 1:
        raise ValueError(f"columns have shape {array.shape}, expected one dimension")
    if array.size == 0:
        return np.empty(0, np.uint32)
    if array.dtype.kind not in "iu":
        raise ValueError(f"columns have type {array.dtype}, expected whole numbers")
    if array[0] < 0 or array[-1] >= bound or np.any(array[1:] <= array[:-1]):
        raise ValueError(f"columns are not ascending, each once, from 0 to {bound - 1}")
    return np.ascontiguousarray(array, dtype=np.uint32)
