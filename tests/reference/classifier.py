"""The SDR classifiers, as naive twins: weights by cell and bucket in dictionaries."""

import math

import numpy as np

from tests.reference.portable_math import exp

real = np.float32


class SoftmaxClassifier:
    """Softmax regression from active cells to the bucket of the value, some steps ahead."""

    def __init__(self, steps, alpha, value_gain, max_buckets):
        self.steps, self.alpha, self.value_gain, self.max_buckets = steps, alpha, value_gain, max_buckets
        self.values = {}  # by bucket, in the order in which they came up
        self.past = []  # active cells of all samples
        self.weights = {step: {} for step in steps}  # by (cell, bucket)

    def compute(self, cells, bucket, value):
        bucket = self.see(bucket, value)
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

    def see(self, bucket, value):
        """Enter a value into its bucket, or the nearest when there are no more; return that."""
        if bucket not in self.values and len(self.values) == self.max_buckets:
            bucket = min(self.values, key=lambda known: abs(known - bucket))
        if bucket in self.values:
            self.values[bucket] = (1.0 - self.value_gain) * self.values[bucket] + self.value_gain * value
        else:
            self.values[bucket] = value
        return bucket

    def shares(self, weights, cells):
        sums = {b: sum_of(weights, cells, b) for b in self.values}
        largest = max(sums.values())
        powers = {b: exp(total - largest) for b, total in sums.items()}
        whole = 0.0
        for power in powers.values():
            whole += power
        return {b: power / whole for b, power in powers.items()}


class NupicClassifier(SoftmaxClassifier):
    """NuPIC's: predicts before it learns, all buckets from 0 to the highest so far take part, and a flawed softmax."""

    def compute(self, cells, bucket, value):
        self.past.append(sorted(cells))
        found = [self.predict(self.weights[step], value) for step in self.steps]
        bucket = self.see(max(bucket, 0), value)
        for step in self.steps:
            if len(self.past) > step:
                self.learn(self.weights[step], self.past[-1 - step], bucket)
        return found

    def see(self, bucket, value):
        bucket = super().see(bucket, value)
        self.values = dict(sorted(self.values.items()))  # of the nearest buckets the lower one counts
        return bucket

    def predict(self, weights, value):
        if not self.values:
            return value, 1.0
        by_value = {}
        best = value, 0.0
        for buckets, share in self.shares(weights, self.past[-1]):
            predicted = self.values.get(buckets[0], value)
            by_value[predicted] = by_value.get(predicted, 0.0) + len(buckets) * share
            if by_value[predicted] > best[1]:
                best = predicted, by_value[predicted]
        return best

    def learn(self, weights, cells, bucket):
        for buckets, share in self.shares(weights, cells):
            for b in buckets:
                for cell in cells:
                    weight = weights.get((cell, b), 0.0) + self.alpha * (float(b == bucket) - share)
                    weights[cell, b] = 0.0 if abs(weight) <= 1e-6 else weight

    def groups(self):
        """Buckets with a value each alone, those between them together, which have the same weights."""
        groups, begin = [], 0
        for b in self.values:
            groups += [range(begin, b), range(b, b + 1)]
            begin = b + 1
        return [group for group in groups if group]

    def shares(self, weights, cells):
        """By group of buckets, the share of each of them."""
        groups = self.groups()
        sums = []
        for buckets in groups:
            first, *others = {sum_of(weights, cells, b) for b in buckets}
            assert not others
            sums.append(first)
        largest = max(sums)
        until = sums.index(largest)
        flawed = [exp(total - largest if i <= until else total) for i, total in enumerate(sums)]
        stable = [exp(total - largest) for total in sums]
        for powers in flawed, stable:
            whole = 0.0
            for buckets, power in zip(groups, powers, strict=True):
                whole += len(buckets) * power
            if math.isfinite(whole):
                break
        return [(buckets, power / whole) for buckets, power in zip(groups, powers, strict=True)]


def sum_of(weights, cells, bucket):
    total = 0.0
    for cell in cells:
        total += float(weights.get((cell, bucket), 0.0))
    return total
