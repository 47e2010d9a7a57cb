"""Anomaly likelihood, as a naive twin: every score is kept, and every fit starts from scratch.

Source: reference "HTM scalar anomaly models", sections 9 and 10.
"""

import math
from dataclasses import dataclass

from tests.reference import portable_math

NULL = (0.5, 1000.0)  # mean and standard deviation of the distribution under which everything is likely
RED = 1 - 0.99999
YELLOW = 1 - 0.999


@dataclass
class Parameters:
    """As LikelihoodParameters of the kernel."""

    schedule: str = "streaming"
    averaging_window: int = 10
    learning: int = 288
    probation: int = 388
    history: int = 8640
    refit: int = 100
    mean_floor: float = 0.03
    variance_floor: float = 0.0003
    flat_variance: float = 1.5e-5
    two_sided: bool = False
    red_filter: bool = True


def moving_averages(scores, window):
    """Average each score with the window - 1 before it, or with as many as there are."""
    averages = []
    for i in range(len(scores)):
        recent = scores[max(0, i + 1 - window) : i + 1]
        total = 0.0
        for score in recent:
            total += score
        averages.append(total / len(recent))
    return averages


def tail_probability(x, mean, deviation, two_sided=False):
    """Return the probability of a value above x; below the mean, of one below x if two-sided."""
    if x < mean:
        mirrored = tail_probability(2 * mean - x, mean, deviation)
        return mirrored if two_sided else 1 - mirrored
    return 0.5 * portable_math.erfc((x - mean) / deviation / 1.4142)


def filter_tails(tails):
    """Replace every red tail whose unfiltered predecessor is red, too, by the yellow threshold."""
    return [
        YELLOW if i > 0 and tails[i - 1] <= RED and tails[i] <= RED else tails[i] for i in range(len(tails))
    ]


def log_likelihood(likelihood):
    """Return the likelihood on the logarithmic scale, from 0 to 1."""
    return min(1.0, max(0.0, portable_math.log(1.0000000001 - likelihood) / -23.02585084720009))


def moments(blocks):
    """Return the mean and the population variance of all numbers in the blocks, each summed up on its own."""
    count, mean, squares = 0, 0.0, 0.0
    for numbers in blocks:
        own_count, own_mean, own_squares = 0, 0.0, 0.0
        for x in numbers:
            own_count += 1
            delta = x - own_mean
            own_mean += delta / own_count
            own_squares += delta * (x - own_mean)
        if count == 0:
            count, mean, squares = own_count, own_mean, own_squares
            continue
        delta = own_mean - mean
        share = own_count / (count + own_count)
        mean += delta * share
        squares += own_squares + delta * delta * (count * share)
        count += own_count
    return mean, squares / count


class Likelihood:
    """The naive twin of the kernel of the same name."""

    def __init__(self, parameters):
        self.parameters = parameters
        self.scores, self.values = [], []
        self.distribution = None
        self.last_fit = 0

    def fit(self):
        """Estimate the distribution of the averages in the window, which begins at the edge of a block."""
        p, n = self.parameters, len(self.scores)
        engine = p.schedule == "engine"
        skipped = p.learning if engine else 0  # records at the window's start that never count
        block_offset = p.history - skipped - (p.probation if engine else 0)
        start, first = 0, p.learning
        if n > p.history:
            first = n - p.history + skipped
            first -= (first + block_offset) % p.refit
            start, first = max(0, first - skipped), max(first, p.learning)
        self.last_fit = n
        self.distribution = NULL
        if first < n:
            averages = moving_averages(self.scores[start:], p.averaging_window)
            blocks = {}
            for i in range(first, n):
                blocks.setdefault((i + block_offset) // p.refit, []).append(i)
            if (
                not moments([[self.values[i] for i in block] for block in blocks.values()])[1]
                < p.flat_variance
            ):
                mean, variance = moments([[averages[i - start] for i in block] for block in blocks.values()])
                self.distribution = (max(mean, p.mean_floor), math.sqrt(max(variance, p.variance_floor)))

    def tail(self):
        """Return the unfiltered tail probability of the latest average."""
        p = self.parameters
        average = moving_averages(self.scores[-2 * p.averaging_window :], p.averaging_window)[-1]
        return tail_probability(average, *self.distribution, p.two_sided)

    def add(self, raw, value):
        """Keep a record."""
        self.scores.append(raw)
        self.values.append(value)

    def score(self, raw, value):
        """Keep a record and return its likelihood under the present distribution."""
        tails = [self.tail()] if self.scores else []
        self.add(raw, value)
        tails.append(self.tail())
        return 1 - (filter_tails(tails) if self.parameters.red_filter else tails)[-1]

    def update(self, raw, value):
        """Return the likelihood of one record."""
        if self.parameters.schedule == "engine":
            return self.update_batch([raw], [value])[0]
        n = len(self.scores)
        if n < self.parameters.probation:
            self.add(raw, value)
            return 0.5
        if self.distribution is None or n % self.parameters.refit == 0:
            self.fit()
        return self.score(raw, value)

    def update_batch(self, raws, values):
        """Return the likelihoods of some records that arrived together."""
        p = self.parameters
        if p.schedule == "streaming":
            return [self.update(raw, value) for raw, value in zip(raws, values, strict=True)]
        interval = int(max(p.refit, 0.1 * len(raws)))
        likelihoods = []
        surprised = False
        for raw, value in zip(raws, values, strict=True):
            n = len(self.scores)
            if n < p.probation:
                self.add(raw, value)
                likelihoods.append(0.0)
                continue
            if self.distribution is None or n >= self.last_fit + interval or surprised:
                self.fit()
            likelihoods.append(self.score(raw, value))
            surprised = likelihoods[-1] > 0.99 and len(self.scores) > self.last_fit + 3
        return likelihoods
