"""The SDR classifier, as naively as can be: weights by cell and bucket in dictionaries."""

import numpy as np

from tests.reference.portable_math import exp

real = np.float32


class Classifier:
    """Softmax regression from active cells to the bucket of the value, some steps ahead."""

    def __init__(self, steps, alpha, value_gain, max_buckets):
        self.steps, self.alpha, self.value_gain, self.max_buckets = steps, alpha, value_gain, max_buckets
        self.values = {}  # by bucket, in the order in which they came up
        self.past = []  # active cells of all samples
        self.weights = {step: {} for step in steps}  # by (cell, bucket)

    def compute(self, cells, bucket, value):
        if bucket not in self.values and len(self.values) == self.max_buckets:
            bucket = min(self.values, key=lambda known: abs(known - bucket))
        if bucket in self.values:
            self.values[bucket] = (1.0 - self.value_gain) * self.values[bucket] + self.value_gain * value
        else:
            self.values[bucket] = value
        self.past.append(sorted(cells))
        found = []
        for step in self.steps:
            weights = self.weights[step]
            if len(self.past) > step:
                before = self.past[-1 - step]
                errors = {
                    b: self.alpha * (float(b == bucket) - share)
                    for b, share in self.shares(weights, before).items()
                }
                for cell in before:
                    for b, error in errors.items():
                        weights[cell, b] = real(float(weights.get((cell, b), 0.0)) + error)
            shares = self.shares(weights, self.past[-1])
            best = max(shares, key=shares.get)  # the first of those that tie
            found.append((self.values[best], shares[best]))
        return found

    def shares(self, weights, cells):
        sums = {}
        for b in self.values:
            sums[b] = 0.0
            for cell in cells:
                sums[b] += float(weights.get((cell, b), 0.0))
        largest = max(sums.values())
        powers = {b: exp(total - largest) for b, total in sums.items()}
        whole = 0.0
        for power in powers.values():
            whole += power
        return {b: power / whole for b, power in powers.items()}
