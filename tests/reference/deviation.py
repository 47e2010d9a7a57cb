"""Naive twins of the tail of a distribution and of deviations from level and forecast."""

import math
from collections import defaultdict

from tests.reference import portable_math

HIGHEST = 1000.0
WEIGHT = 16
EDGES = [0.0] + [2.0 ** (place // 8 - 7) * (1 + place % 8 / 8) for place in range(1, 17 * 8 + 1)]
LAST = len(EDGES) - 2


def digits(probability):
    return -portable_math.log(probability) / 2.302585092994046


class Tail:
    def __init__(self, *, share, memory, refit, probation, heaviest, outlier):
        self.share = share
        self.memory = memory
        self.refit = refit
        self.probation = probation
        self.heaviest = heaviest
        self.outlier = outlier
        self.counts = defaultdict(int)
        self.numbers = 0
        self.distribution = None  # threshold, probability of more, shape, scale

    def update(self, number):
        if self.numbers >= self.probation and (self.distribution is None or self.numbers % self.refit == 0):
            self.distribution = self.fit()
        rarity = self.rarity(number)
        counted = number
        if self.distribution and self.numbers >= 2 * self.probation:
            threshold, _, _, scale = self.distribution
            counted = min(number, threshold + self.outlier * scale)
        self.numbers += 1
        self.counts[self.bin(counted)] += WEIGHT
        if sum(self.counts.values()) > WEIGHT * self.memory:
            for place in self.counts:
                self.counts[place] //= 2
        return rarity

    def bin(self, number):
        return next(place for place in range(LAST, -1, -1) if EDGES[place] <= number)

    def above(self, first):
        return sum(count for place, count in self.counts.items() if place >= first)

    def rarity(self, number):
        if self.distribution is None:
            return 0.0
        threshold, beyond, shape, scale = self.distribution
        if number <= threshold:
            above = self.above(self.bin(number))
            return digits(above / sum(self.counts.values()) if above else beyond)
        excess = (number - threshold) / scale
        e_folds = portable_math.log(1.0 + shape * excess) / shape if shape > 1e-6 else excess
        return digits(beyond) + e_folds / 2.302585092994046

    def exceeded(self, probability):
        """Return the number that is exceeded so often; NaN on probation."""
        if self.distribution is None:
            return math.nan
        threshold, beyond, shape, scale = self.distribution
        if probability >= beyond:
            return threshold
        e_folds = portable_math.log(beyond / probability)
        excess = (portable_math.exp(shape * e_folds) - 1.0) / shape if shape > 1e-6 else e_folds
        return threshold + scale * excess

    def fit(self):
        total = sum(self.counts.values())
        first = LAST + 1
        while first > 1 and self.above(first - 1) <= self.share * total:
            first -= 1
        threshold = EDGES[first] if first <= LAST else HIGHEST
        count = self.above(first)
        if count == 0:
            return threshold, WEIGHT / (total + WEIGHT), 1.0, max(threshold, 1.0)
        mean = squares = 0.0
        for place in range(first, LAST + 1):
            excess = 0.5 * (EDGES[place] + EDGES[place + 1]) - threshold
            mean += self.counts[place] * excess
            squares += self.counts[place] * excess * excess
        mean /= count
        variance = max(squares / count - mean * mean, 1e-12)
        shape = min(max(0.5 * (1.0 - mean * mean / variance), 0.0), self.heaviest)
        return threshold, count / total, shape + WEIGHT / count, mean * (1.0 - shape)


def within(x, limit):
    return min(max(x, -limit), limit)


class ErrorSize:
    def __init__(self):
        self.mean = 0.0
        self.long_term = 0.0

    def size(self):
        return max(self.mean, 0.1 * self.long_term)

    def learn(self, error, rate, longest):
        self.mean += rate * (abs(error) - self.mean)
        self.long_term += longest * (abs(error) - self.long_term)


class Deviation:
    """Takes the parameters of the kernel of the same name; those of its tails begin with `tail_`."""

    def __init__(self, *, level_rate, spread_rate, forecast_rate, recent_rate, ridge, limit, **tail):
        self.level_rate = level_rate
        self.spread_rate = spread_rate
        self.forecast_rate = forecast_rate
        self.recent_rate = recent_rate
        self.ridge = ridge
        self.limit = limit
        tail = {name.removeprefix("tail_"): value for name, value in tail.items()}
        self.distance_tail, self.error_tail, self.offset_tail, self.unrest_tail = (
            Tail(**tail) for _ in range(4)
        )
        self.distances, self.errors = ErrorSize(), ErrorSize()
        self.count = 0
        self.level = self.last = self.squares = self.products = self.offset = self.unrest = 0.0

    def position(self, value):
        """Where a value lies, in spreads from the level."""
        spread = self.distances.size()
        return within((value - self.level) / spread, 10.0) if spread > 0.0 else 0.0

    def forecast(self):
        weight = within(1.0 + self.products / (self.squares + self.ridge), 1.0)
        return self.level + self.distances.size() * weight * self.position(self.last)

    def update(self, value):
        """Return the digits of the distance, of the forecast's error, and of both over the last records."""
        if self.count == 0:
            self.count = 1
            self.level = self.last = value
            return 0.0, 0.0, 0.0, 0.0
        expected = self.forecast()
        error = value - expected
        rarities = self.rarities(value - self.level, error)

        usual = self.errors.size()
        believed = expected + (within(error, self.limit * usual) if usual > 0.0 else error)
        distance = believed - self.level
        if self.distances.size() > 0.0:
            start, end = self.position(self.last), within(distance / self.distances.size(), 10.0)
            rate = max(self.forecast_rate, 1.0 / self.count)
            self.squares += rate * (start * start - self.squares)
            self.products += rate * (start * (end - start) - self.products)
        rate, longest = max(self.spread_rate, 1.0 / self.count), max(1e-4, 1.0 / self.count)
        self.distances.learn(distance, rate, longest)
        self.errors.learn(
            believed - expected if usual <= 0.0 else within(error, self.limit * usual), rate, longest
        )
        self.count += 1
        self.level += max(self.level_rate, 1.0 / self.count) * distance
        self.last = value
        return rarities

    def rarities(self, distance, error):
        spread, usual = self.distances.size(), self.errors.size()
        if (spread == 0.0 and distance != 0.0) or (usual == 0.0 and error != 0.0):
            return self.distance_tail.rarity(HIGHEST), self.error_tail.rarity(HIGHEST), 0.0, 0.0
        far = within(distance / spread, HIGHEST) if spread else 0.0
        surprising = within(error / usual, HIGHEST) if usual else 0.0
        self.offset += self.recent_rate * (within(far, 20.0) - self.offset)
        self.unrest += self.recent_rate * (min(abs(surprising), 20.0) - self.unrest)
        return (
            self.distance_tail.update(abs(far)),
            self.error_tail.update(abs(surprising)),
            self.offset_tail.update(abs(self.offset)),
            self.unrest_tail.update(self.unrest),
        )
