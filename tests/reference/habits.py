"""Naive twin of what a metric does repeatedly at a time of day."""

import math

from tests.reference.expectation import rounded, time_of_day

HIGHEST_STRENGTH = 1000.0


class HalfHour:
    """What one half-hour of the day showed."""

    def __init__(self):
        self.days = 0
        self.peak = self.usual_peak = 0.0
        self.low = self.high = self.usual_low = self.usual_high = 0.0

    def learn(self, strengths, values, kept):
        peak, low, high = max(strengths), min(values), max(values)
        middle = 0.5 * (low + high)

        def faded(extreme):
            return middle + kept * (extreme - middle)

        self.days += 1
        if self.days == 1:
            self.usual_low = self.usual_high = rounded(middle)
            self.peak, self.low, self.high = rounded(peak), rounded(low), rounded(high)
            return
        self.usual_peak = rounded(max(min(peak, self.peak), kept * self.usual_peak))
        low_twice, high_twice = max(low, self.low), min(high, self.high)
        if self.days == 2:
            self.usual_low, self.usual_high = rounded(low_twice), rounded(high_twice)
        else:
            self.usual_low = rounded(min(low_twice, faded(self.usual_low)))
            self.usual_high = rounded(max(high_twice, faded(self.usual_high)))
        self.peak = rounded(max(peak, kept * self.peak))
        self.low = rounded(min(low, faded(self.low)))
        self.high = rounded(max(high, faded(self.high)))


class Habits:
    def __init__(self, *, fading, margin, value_margin):
        self.kept = 1.0 - fading
        self.margin = margin
        self.value_margin = value_margin
        self.half_hours = [HalfHour() for _ in range(48)]
        self.now = None
        self.strengths = []
        self.values = []

    def visit(self, timestamp):
        now = min(int(time_of_day(timestamp) / 1800.0), 47)
        if now == self.now:
            return
        if self.values:
            self.half_hours[self.now].learn(self.strengths, self.values, self.kept)
        self.now, self.strengths, self.values = now, [0.0], []

    def add(self, strength, value):
        self.strengths.append(min(strength, HIGHEST_STRENGTH))
        self.values.append(value)

    def around(self):
        return [self.half_hours[(self.now + step) % 48] for step in (-1, 0, 1)]

    def usual_strength(self):
        return max(half_hour.usual_peak for half_hour in self.around())

    def beyond_usual(self, strength):
        return strength / max(1.0, self.margin * self.usual_strength())

    def usual_value(self, value):
        known = [half_hour for half_hour in self.around() if half_hour.days >= 2]
        low = min((half_hour.usual_low for half_hour in known), default=math.inf)
        high = max((half_hour.usual_high for half_hour in known), default=-math.inf)
        margin = self.value_margin * (high - low)
        return low <= high and low - margin <= value <= high + margin
