"""The backtracking temporal memory, as a naive twin: every query visits every segment.

Source: reference "HTM scalar anomaly models", sections 7 and 8. Permanences, confidences and duty cycles are
32-bit floats. Two things are our own, and change confidences in the last digits only: duty cycles are kept divided
by the decay since the last rebase, and summed as whole multiples of 2^-48.
"""

from dataclasses import dataclass

import numpy as np

from tests.reference._lagged_fibonacci import Random
from tests.reference.temporal_memory import raw_anomaly_score

real = np.float32

TIERS = [
    (320, 0.0032),
    (1000, 0.0010),
    (3200, 0.00032),
    (10000, 0.00010),
    (32000, 0.000032),
    (100000, 0.000010),
    (320000, 0.0000032),
    (float("inf"), 0.0000010),
]


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
    initial_permanence: float = 0.21
    connected_permanence: float = 0.5
    permanence_increment: float = 0.1
    permanence_decrement: float = 0.1
    pam_length: int = 3
    max_sequence_length: int = 32
    max_inference_backtrack: int = 10
    max_learning_backtrack: int = 5
    seed: int = 1960


class Segment:
    """Synapses onto one cell, and how often it was right."""

    def __init__(self, cell, synapses, duty):
        self.cell = cell
        self.synapses = synapses  # source cell -> permanence
        self.duty = duty

    def sources_on(self, cells):
        return sorted(source for source in self.synapses if source in cells)


class BacktrackingTemporalMemory:
    """Cell = column * cells_per_column + k; a released slot of a cell holds None until it is taken again."""

    def __init__(self, parameters):
        self.parameters = parameters
        self.random = Random(parameters.seed)
        cells = parameters.columns * parameters.cells_per_column
        self.slots = [[] for _ in range(cells)]
        self.free_slots = [[] for _ in range(cells)]
        self.density = None
        self.learning_steps = 0
        self.decay = 1.0
        self.pam_counter = parameters.pam_length
        self.learned_length = 0
        self.average_learned_length = real(0)
        self.reset()
        self.was_reset = False

    def reset(self):
        self.inf_active, self.inf_predicted, self.inf_predicted_before = set(), set(), set()
        self.lrn_active, self.lrn_predicted = set(), set()
        self.lrn_active_before, self.lrn_predicted_before = set(), set()
        self.confidences = {}
        self.inf_history, self.lrn_history = [], []
        self.queue = []
        self.was_reset = True

    def compute(self, active_columns, learn):
        raw = raw_anomaly_score(active_columns, self.confidences)
        count = float(len(active_columns))
        self.density = count if self.density is None else 0.99 * self.density + 0.01 * count
        if learn:
            self._count_learning_step()
        self._infer(active_columns)
        if learn:
            self._learn(active_columns)
        self.was_reset = False
        return raw

    def segments(self):
        return [segment for slots in self.slots for segment in slots if segment is not None]

    def segment_count(self):
        return len(self.segments())

    def synapse_count(self):
        return sum(len(segment.synapses) for segment in self.segments())

    def _cells(self, column):
        return range(
            column * self.parameters.cells_per_column, (column + 1) * self.parameters.cells_per_column
        )

    def _columns_of(self, cells):
        return {cell // self.parameters.cells_per_column for cell in cells}

    def _start_cells(self, columns):
        return {column * self.parameters.cells_per_column for column in columns}

    # Duty cycles.

    def _gain(self):
        if self.learning_steps <= 100:
            return 1.0 / self.learning_steps
        return next(gain for limit, gain in TIERS if self.learning_steps <= limit)

    def _count_learning_step(self):
        last = self.learning_steps
        if last > 0 and (last == 100 or last in [limit for limit, _ in TIERS] or last % 100000 == 0):
            for segment in self.segments():
                segment.duty = real(float(segment.duty) * self.decay)
            self.decay = 1.0
        self.learning_steps += 1
        self.decay = self._gain() if self.learning_steps <= 100 else self.decay * (1.0 - self._gain())

    # Inference.

    def _infer(self, columns):
        self.inf_predicted_before = set(self.inf_predicted)
        if len(self.inf_history) > self.parameters.max_inference_backtrack:
            self.inf_history.pop(0)
        self.inf_history.append(list(columns))
        if not (self._infer_active(columns, self.was_reset) and self._infer_predicted()):
            self._backtrack_inference()

    def _infer_active(self, columns, from_start):
        if from_start:
            self.inf_active = self._start_cells(columns)
            return True
        self.inf_active = set()
        expected = 0
        for column in columns:
            predicted = self.inf_predicted_before.intersection(self._cells(column))
            expected += bool(predicted)
            self.inf_active |= predicted or set(self._cells(column))
        return expected >= 0.5 * len(columns)

    def _infer_predicted(self):
        p = self.parameters
        self.inf_predicted = set()
        sums = {}
        for segment in self.segments():
            on = segment.sources_on(self.inf_active)
            if len(on) >= p.activation_threshold:
                column = segment.cell // p.cells_per_column
                sums[column] = sums.get(column, 0) + 1 + int(float(segment.duty) * self.decay * 2.0**48)
                if (
                    sum(segment.synapses[s] >= real(p.connected_permanence) for s in on)
                    >= p.activation_threshold
                ):
                    self.inf_predicted.add(segment.cell)
        self.confidences = {
            column: real(float(sums[column]) / float(sum(sums.values()))) for column in sorted(sums)
        }
        return len(self._columns_of(self.inf_predicted)) >= 0.5 * self.density

    def _backtrack_inference(self):
        saved_active = self.inf_active
        for start in range(len(self.inf_history)):
            for offset in range(start, len(self.inf_history)):
                self.inf_predicted_before = set(self.inf_predicted)
                survives = (
                    self._infer_active(self.inf_history[offset], offset == start) and self._infer_predicted()
                )
                if not survives:
                    break
            if survives:
                self.inf_history = self.inf_history[start + 1 :]
                break
        else:
            self.inf_history = []
            self.inf_active = saved_active
            self._infer_predicted()

    # Learning.

    def _learn(self, columns):
        p = self.parameters
        self._shift_learning()
        if len(self.lrn_history) > p.max_learning_backtrack:
            self.lrn_history.pop(0)
        self.lrn_history.append(list(columns))
        self._process_queue(columns)
        self.pam_counter = max(self.pam_counter - 1, 0)
        self.learned_length += 1
        if not self.was_reset and self._learn_active(columns):
            self.pam_counter = p.pam_length
        if self.was_reset or self.pam_counter == 0 or self.learned_length >= p.max_sequence_length:
            self._start_over(columns)
        self._learn_predicted(learn=True)

    def _shift_learning(self):
        self.lrn_active_before, self.lrn_predicted_before = self.lrn_active, self.lrn_predicted

    def _process_queue(self, columns):
        queue, self.queue = self.queue, []
        for segment, active in queue:
            if segment.cell // self.parameters.cells_per_column in columns:
                self._reinforce(segment, active)

    def _learn_active(self, columns, learn=True):
        self.lrn_active = set()
        unexpected = 0
        for column in columns:
            predicted = self.lrn_predicted_before.intersection(self._cells(column))
            if predicted:
                self.lrn_active |= predicted
                continue
            unexpected += 1
            if learn:
                self.lrn_active.add(self._learn_surprise(column))
        return unexpected < len(columns) // 2

    def _learn_surprise(self, column):
        best = self._best_match(column, self.lrn_active_before, self.parameters.min_threshold)
        if best is not None:
            self._reinforce(best, self._learning_sources(best, self.lrn_active_before))
            return best.cell
        cell = self._cell_for_new_segment(column)
        sources = self._learning_sources(None, self.lrn_active_before)
        if sources:
            synapses = {source: real(self.parameters.initial_permanence) for source in sources}
            # As if it had been right once in all steps.
            segment = Segment(cell, synapses, real(1.0 / self.learning_steps / self.decay))
            if self.free_slots[cell]:
                self.slots[cell][self.free_slots[cell].pop()] = segment
            else:
                self.slots[cell].append(segment)
        return cell

    def _learn_predicted(self, learn):
        self.lrn_predicted = set()
        for column in range(self.parameters.columns):
            best = self._best_match(column, self.lrn_active, self.parameters.activation_threshold)
            if best is not None:
                self.lrn_predicted.add(best.cell)
                if learn:
                    self.queue.append((best, self._learning_sources(best, self.lrn_active)))

    def _best_match(self, column, active, threshold):
        best, most = None, threshold
        for cell in reversed(self._cells(column)):
            for segment in self.slots[cell]:
                activity = 0 if segment is None else len(segment.sources_on(active))
                if activity >= most:
                    best, most = segment, activity + 1
        return best

    def _start_over(self, columns):
        p = self.parameters
        length = self.learned_length - (p.pam_length if self.pam_counter == 0 else 0)
        gain = 0.5 if self.learning_steps < 100 else 0.1
        self.average_learned_length = real((1.0 - gain) * float(self.average_learned_length) + gain * length)
        if self.was_reset or not self._backtrack_learning():
            self.lrn_active = self._start_cells(columns)
            self.lrn_history = []
            self.learned_length = 0
        self.pam_counter = p.pam_length
        self.queue = []

    def _backtrack_learning(self):
        for start in range(len(self.lrn_history) - 1):
            if self._replay_learning(start, learn=False):
                self.queue = []
                self._replay_learning(start, learn=True)
                self.learned_length = len(self.lrn_history) - 1 - start
                self.lrn_history = self.lrn_history[start + 1 :]
                return True
        return False

    def _replay_learning(self, start, learn):
        for offset in range(start, len(self.lrn_history)):
            columns = self.lrn_history[offset]
            self._shift_learning()
            if learn:
                self._process_queue(columns)
            if offset == start:
                self.lrn_active = self._start_cells(columns)
            elif not self._learn_active(columns, learn):
                return False
            if offset < len(self.lrn_history) - 1:
                self._learn_predicted(learn)
        return True

    # Segments.

    def _cell_for_new_segment(self, column):
        p = self.parameters
        cells = self._cells(column)[1:]
        roomy = [c for c in cells if sum(s is not None for s in self.slots[c]) < p.max_segments_per_cell]
        if roomy:
            return roomy[self.random.below(len(roomy))]
        weakest = min((segment for cell in cells for segment in self.slots[cell]), key=lambda s: s.duty)
        self._release(weakest)
        return weakest.cell

    def _learning_sources(self, segment, active):
        """Return the sources to be reinforced, and those to be added to them: sorted separately."""
        on = segment.sources_on(active) if segment else []
        wanted = self.parameters.new_synapse_count - len(on)
        if wanted <= 0:
            return on
        candidates = sorted(active - segment.synapses.keys() if segment else active)
        if len(candidates) <= wanted:
            return on + candidates
        if wanted == 1:
            return [*on, candidates[self.random.below(len(candidates))]]
        return on + self.random.sample(candidates, wanted)

    def _reinforce(self, segment, sources):
        if not sources:
            return
        p = self.parameters
        segment.duty = real(float(segment.duty) + self._gain() / self.decay)
        for source, permanence in list(segment.synapses.items()):
            if source in sources:
                segment.synapses[source] = min(permanence + real(p.permanence_increment), real(1))
            elif permanence - real(p.permanence_decrement) > 0:
                segment.synapses[source] = permanence - real(p.permanence_decrement)
            else:
                del segment.synapses[source]
        new = [source for source in sources if source not in segment.synapses]
        surplus = len(segment.synapses) + len(new) - p.max_synapses_per_segment
        by_worth = sorted(segment.synapses, key=lambda s: (s in sources, segment.synapses[s], s))
        for source in by_worth[: max(surplus, 0)]:
            del segment.synapses[source]
        for source in new:
            segment.synapses[source] = real(p.initial_permanence)
        if not segment.synapses:
            self._release(segment)

    def _release(self, segment):
        slot = self.slots[segment.cell].index(segment)
        self.slots[segment.cell][slot] = None
        self.free_slots[segment.cell].append(slot)
