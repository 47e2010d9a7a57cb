"""Naive twin of the odds of a record."""

import math
from collections import defaultdict

from tests.reference.deviation import EDGES, HIGHEST, LAST, WEIGHT
from tests.reference.portable_math import exp, log

GROUP = [1.0, 1.16, 1.2, 1.25, 1.49]
USUAL_SHARES = [0.35, 0.4, 0.2, 0.05]


class Odds:
    """Counts deviations by the bins of a tail, and findings by those of their group."""

    def __init__(self, *, share, memory, refit, probation, **_):
        self.share = share
        self.memory = memory
        self.refit = refit
        self.probation = probation
        self.deviations = defaultdict(int)
        self.findings = [0, 0, 0, 0]
        self.numbers = 0
        self.distribution = None  # threshold, probability of more, exponent

    def update(self, number):
        if self.numbers >= self.probation and (self.distribution is None or self.numbers % self.refit == 0):
            self.distribution = self.fit()
        one_in = 1.0 / self.probability(number) if self.distribution else math.nan
        self.count(number)
        return one_in

    def count(self, number):
        self.numbers += 1
        if 1.0 <= number < GROUP[-1]:
            self.findings[self.place_in_group(number)] += WEIGHT
        else:
            self.deviations[self.bin(number)] += WEIGHT
        doubled = self.numbers in [2**power for power in range(8, 40)] and self.numbers < self.memory
        if doubled or self.total() > WEIGHT * self.memory:
            self.findings = [count // 2 for count in self.findings]
            for place in self.deviations:
                self.deviations[place] //= 2

    def total(self):
        return sum(self.deviations.values()) + sum(self.findings)

    def bin(self, number):
        """The bin of a deviation: what lies behind the group but in its last bin of equal ratio belongs to the next."""
        if GROUP[-1] <= number < 1.5:
            number = 1.5
        return next(place for place in range(LAST, -1, -1) if EDGES[place] <= number)

    def place_in_group(self, number):
        return max(place for place in range(4) if GROUP[place] <= number)

    def probability(self, number):
        unseen = 0.06 / self.numbers * min(1.0, GROUP[-1] / max(number, 1.0))
        return min(1.0, self.of_deviations(number) + self.of_findings(number) + unseen)

    def above(self, number):
        return sum(count for place, count in self.deviations.items() if EDGES[place + 1] > number)

    def of_deviations(self, number):
        threshold, beyond, exponent = self.distribution
        if number > threshold:
            return beyond * exp(-log(number / threshold) / exponent)
        above = self.above(1.5 if GROUP[-1] <= number < 1.5 else number)
        return above / self.total() if above else beyond

    def of_findings(self, number):
        if number >= GROUP[-1]:
            return 0.0
        count = sum(self.findings) / WEIGHT
        rate = (count + 1.0) / (self.total() / WEIGHT + 1600.0)
        if number < 1.0:
            return rate
        shares = [
            (own / WEIGHT + 4.0 * usual) / (count + 4.0)
            for own, usual in zip(self.findings, USUAL_SHARES, strict=True)
        ]
        place = self.place_in_group(number)
        if place == 3:
            return rate * shares[3] * exp((GROUP[3] - number) / 0.03)
        higher = shares[place] * ((GROUP[place + 1] - number) / (GROUP[place + 1] - GROUP[place]))
        for share in shares[place + 1 :]:
            higher += share
        return rate * higher

    def fit(self):
        total = self.total()
        most = max(self.share * total, WEIGHT * 16.0)
        first, above = LAST + 1, 0
        while first > 1 and above + self.deviations[first - 1] <= most:
            first -= 1
            above += self.deviations[first]
        threshold = EDGES[first] if first <= LAST else HIGHEST
        if above == 0:
            return threshold, WEIGHT / (total + WEIGHT), 1.0
        ratios = 0.0
        for place in range(first, LAST + 1):
            if self.deviations[place]:
                ratios += self.deviations[place] * log(0.5 * (EDGES[place] + EDGES[place + 1]) / threshold)
        return threshold, above / total, ratios / above
