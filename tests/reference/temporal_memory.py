"""The plain temporal memory, as a naive twin: one object per segment, every segment visited every step.

Source: reference "HTM scalar anomaly models", sections 6 and 8. Permanences are 32-bit floats.
"""

from dataclasses import dataclass, field

import numpy as np

from tests.reference._lagged_fibonacci import Random

real = np.float32


@dataclass
class Parameters:
    """The parameter set; the defaults are those of the small golden vectors."""

    columns: int = 64
    cells_per_column: int = 4
    activation_threshold: int = 4
    min_threshold: int = 3
    new_synapse_count: int = 5
    max_segments_per_cell: int = 3
    max_synapses_per_segment: int = 8
    initial_permanence: float = 0.24
    connected_permanence: float = 0.5
    permanence_increment: float = 0.1
    permanence_decrement: float = 0.02
    predicted_segment_decrement: float = 0.004
    seed: int = 1960


@dataclass
class Segment:
    """Synapses onto one cell, oldest first."""

    last_used: int
    synapses: dict = field(default_factory=dict)  # source cell -> permanence
    potential: int = 0  # synapses whose source is active
    connected: int = 0  # those of them that are connected


def raw_anomaly_score(active_columns, predicted_columns):
    """Return the share of active columns that were not predicted; 0 when no column is active."""
    if not active_columns:
        return 0.0
    surprising = [column for column in active_columns if column not in predicted_columns]
    return float(real(len(surprising)) / real(len(active_columns)))


class TemporalMemory:
    """Cell = column * cells_per_column + k; the segments of a cell stand in the order of their creation."""

    def __init__(self, parameters):
        self.parameters = parameters
        self.random = Random(parameters.seed)
        self.iteration = 0
        self.segments = [[] for _ in range(parameters.columns * parameters.cells_per_column)]
        self.reset()

    def reset(self):
        self.active_cells, self.winner_cells = set(), set()
        for segment in self._all_segments():
            segment.potential = segment.connected = 0

    def predictive_cells(self):
        return [
            cell
            for cell, segments in enumerate(self.segments)
            if any(segment.connected >= self.parameters.activation_threshold for segment in segments)
        ]

    def compute(self, active_columns, learn):
        predicted = {cell // self.parameters.cells_per_column for cell in self.predictive_cells()}
        self._activate_cells(active_columns, learn)
        self._activate_segments(learn)
        return raw_anomaly_score(active_columns, predicted)

    def segment_count(self):
        return len(self._all_segments())

    def synapse_count(self):
        return sum(len(segment.synapses) for segment in self._all_segments())

    def _all_segments(self):
        return [segment for segments in self.segments for segment in segments]

    def _activate_cells(self, active_columns, learn):
        p = self.parameters
        active, winners = set(), set()
        for column in range(p.columns):
            cells = range(column * p.cells_per_column, (column + 1) * p.cells_per_column)
            owned = [(cell, segment) for cell in cells for segment in self.segments[cell]]
            predicting = [(c, s) for c, s in owned if s.connected >= p.activation_threshold]
            matching = [(c, s) for c, s in owned if s.potential >= p.min_threshold]
            if column not in active_columns:
                if learn:
                    for cell, segment in matching:
                        self._adapt(cell, segment, -real(p.predicted_segment_decrement), real(0))
            elif predicting:
                for cell, segment in predicting:
                    active.add(cell)
                    winners.add(cell)
                    if learn:
                        self._reinforce(cell, segment)
            else:
                active.update(cells)
                if matching:
                    cell, segment = max(matching, key=lambda match: match[1].potential)
                    if learn:
                        self._reinforce(cell, segment)
                else:
                    cell = self._least_used_cell(cells)
                    if learn and self.winner_cells:
                        self._grow(self._new_segment(cell), p.new_synapse_count)
                winners.add(cell)
        self.active_cells, self.winner_cells = active, winners

    def _activate_segments(self, learn):
        p = self.parameters
        threshold = real(p.connected_permanence) - real(1e-5)
        for segment in self._all_segments():
            on = [
                permanence for source, permanence in segment.synapses.items() if source in self.active_cells
            ]
            segment.potential = len(on)
            segment.connected = sum(permanence >= threshold for permanence in on)
            if learn and segment.connected >= p.activation_threshold:
                segment.last_used = self.iteration
        if learn:
            self.iteration += 1

    def _least_used_cell(self, cells):
        fewest = min(len(self.segments[cell]) for cell in cells)
        tied = [cell for cell in cells if len(self.segments[cell]) == fewest]
        return tied[self.random.below(len(tied))]

    def _new_segment(self, cell):
        segments = self.segments[cell]
        if len(segments) == self.parameters.max_segments_per_cell:
            segments.remove(min(segments, key=lambda segment: segment.last_used))
        segments.append(Segment(last_used=self.iteration))
        return segments[-1]

    def _reinforce(self, cell, segment):
        p = self.parameters
        wanted = p.new_synapse_count - segment.potential
        self._adapt(cell, segment, real(p.permanence_increment), -real(p.permanence_decrement))
        if segment.synapses and wanted > 0:
            self._grow(segment, wanted)

    def _adapt(self, cell, segment, active_change, inactive_change):
        for source, permanence in list(segment.synapses.items()):
            change = active_change if source in self.active_cells else inactive_change
            permanence = min(max(permanence + change, real(0)), real(1))
            if permanence < real(1e-6):
                del segment.synapses[source]
            else:
                segment.synapses[source] = permanence
        if not segment.synapses:
            self.segments[cell] = [other for other in self.segments[cell] if other is not segment]

    def _grow(self, segment, wanted):
        p = self.parameters
        candidates = sorted(self.winner_cells - segment.synapses.keys())
        wanted = min(wanted, len(candidates))
        for _ in range(len(segment.synapses) + wanted - p.max_synapses_per_segment):
            weakest, lowest = None, real(np.inf)
            for source, permanence in segment.synapses.items():
                if source not in self.winner_cells and permanence < lowest - real(1e-6):
                    weakest, lowest = source, permanence
            if weakest is not None:
                del segment.synapses[weakest]
        for _ in range(min(wanted, p.max_synapses_per_segment - len(segment.synapses))):
            source = candidates.pop(self.random.below(len(candidates)))
            segment.synapses[source] = real(p.initial_permanence)
