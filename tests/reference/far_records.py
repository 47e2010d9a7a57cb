"""Naive twins of what is told apart among records far from what is expected."""

BURST_FADING = 1.0 / 1024.0
MOST_BURSTS = 1.5
LONGEST_BURST = 12
APART = 8
VISIT_FADING = 1.0 / 2048.0
USUAL_VISITS = 8.0
KNOWN_VOTES = 2
MOST_VOTES = 8
LEVEL_RECORDS = 12


class LoneBurst:
    def __init__(self):
        self.bursts = 0.0
        self.since = APART
        self.records = 0

    def observe(self, far):
        """Return whether a record belongs to a lone burst."""
        self.bursts -= BURST_FADING * self.bursts
        self.since += 1
        if not far:
            return False
        if self.since >= APART:
            self.bursts += 1.0
            self.records = 0
        self.since = 0
        self.records += 1
        return self.bursts <= MOST_BURSTS and self.records <= LONGEST_BURST


class StandIn:
    def __init__(self):
        self.value = 0.0
        self.visits = 0.0
        self.votes = 0
        self.records = 0

    def observe(self, value, far):
        """Return how much of its strength a record keeps that stands in for another; None for one that does not."""
        self.visits -= VISIT_FADING * self.visits
        if self.votes and value == self.value and (far or self.records):
            if not self.records:
                self.visits += 1.0
                self.votes = min(self.votes + 1, MOST_VOTES)
            self.records += 1
            if self.votes < KNOWN_VOTES or self.records >= LEVEL_RECORDS:
                return None
            return 0.0 if self.visits >= USUAL_VISITS else 0.5
        self.records = 0
        if far and self.votes:
            self.votes -= 1
        elif far:
            self.value, self.visits, self.votes, self.records = value, 1.0, 1, 1
        return None
