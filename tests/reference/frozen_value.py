"""Naive twin of how much longer than usual a value has stood still."""

RUNS_TO_JUDGE = 500
FADING = 1.0 / 16384.0
LEAST_FROZEN = 6.0
BEYOND_USUAL = 2.0
NEW_STATE = 4.0


class FrozenValue:
    def __init__(self):
        self.value = None
        self.run = 0
        self.runs = 0
        self.longest = [0.0, 0.0]  # two of them, each fading

    def update(self, value):
        """Return it on the log scale: 0.5 and more where it is an alarm, else 0."""
        self.longest = [run - FADING * run for run in self.longest]
        if value == self.value:
            self.run += 1
        else:
            self.longest = sorted([*self.longest, float(self.run)], reverse=True)[:2]
            self.runs += self.run > 0
            self.value = value
            self.run = 1
        frozen = max(LEAST_FROZEN, BEYOND_USUAL * self.longest[1])
        if self.runs < RUNS_TO_JUDGE or not frozen <= self.run < NEW_STATE * frozen:
            return 0.0
        return 1.0 - 0.5 * frozen / self.run
