"""Naive twin of the first-order temporal memory: one cell per column, segments as lists."""

from tests.reference.mixing import MixingRandom


class Segment:
    def __init__(self, column, step):
        self.column = column
        self.synapses = []  # [source column, permanence]
        self.last_used = step


class TransitionMemory:
    def __init__(
        self,
        *,
        columns,
        max_segments,
        activation_threshold,
        match_threshold,
        new_synapses,
        initial_permanence,
        connected_permanence,
        permanence_increment,
        permanence_decrement,
        seed,
    ):
        self.max_segments = max_segments
        self.activation_threshold = activation_threshold
        self.match_threshold = match_threshold
        self.new_synapses = new_synapses
        self.initial_permanence = initial_permanence
        self.connected_permanence = connected_permanence
        self.permanence_increment = permanence_increment
        self.permanence_decrement = permanence_decrement
        self.random = MixingRandom(seed)
        self.places = []  # all segments; a new one takes the place of the one it replaces
        self.of_column = {column: [] for column in range(columns)}  # newest first
        self.previous = []
        self.foreseen = []
        self.before = []
        self.step = 0

    def compute(self, active):
        self.step += 1
        unpredicted = 0
        foreseen = []
        for column in active:
            best = None
            best_potential = max(self.match_threshold, 1) - 1
            predicted = False
            for segment in list(self.of_column[column]):
                potential = [p for source, p in segment.synapses if source in self.previous]
                connected = [p for p in potential if p >= self.connected_permanence]
                if len(connected) >= self.activation_threshold:
                    predicted = True
                    self.reinforce(segment)
                elif len(potential) > best_potential:
                    best, best_potential = segment, len(potential)
            if predicted:
                foreseen.append(column)
                continue
            unpredicted += 1
            if best is not None:
                self.reinforce(best)
            elif self.previous:
                self.grow(self.new_segment(column), self.new_synapses)
        self.before, self.previous, self.foreseen = self.previous, list(active), foreseen
        return unpredicted / len(active) if active else 0.0

    def predicted(self):
        """Return the columns that were predicted for the last step: those of the step itself as it found them."""
        others = {
            segment.column
            for segment in self.places
            if sum(source in self.before and p >= self.connected_permanence for source, p in segment.synapses)
            >= self.activation_threshold
        }
        return (others - set(self.previous)) | set(self.foreseen)

    def reinforce(self, segment):
        potential = sum(source in self.previous for source, _ in segment.synapses)
        changed = [
            [source, min(p + self.permanence_increment, 63)]
            if source in self.previous
            else [source, p - self.permanence_decrement]
            for source, p in segment.synapses
        ]
        segment.synapses = [[source, p] for source, p in changed if p > 0]
        segment.last_used = self.step
        self.grow(segment, self.new_synapses - potential)

    def grow(self, segment, wanted):
        present = {source for source, _ in segment.synapses}
        candidates = [column for column in self.previous if column not in present]
        while wanted > 0 and len(segment.synapses) < 16 and candidates:
            drawn = self.random.below(len(candidates))
            segment.synapses.append([candidates[drawn], self.initial_permanence])
            candidates[drawn] = candidates[-1]
            candidates.pop()
            wanted -= 1

    def new_segment(self, column):
        segment = Segment(column, self.step)
        if len(self.places) < self.max_segments:
            self.places.append(segment)
        else:
            place = min(range(len(self.places)), key=lambda i: (self.places[i].last_used, i))
            oldest = self.places[place]
            self.of_column[oldest.column].remove(oldest)
            self.places[place] = segment
        self.of_column[column].insert(0, segment)
        return segment
