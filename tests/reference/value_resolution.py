"""Naive twin of the resolution of values, which follows the bulk of them."""

VALUES_TO_SETTLE = 512
GROWTH_WHILE_YOUNG = 1.25
FALL_WHILE_YOUNG = 1.6
GROWTH_WHEN_SETTLED = 4.0
MOST_GROWTH = 8.0
FAR_OUTSIDE = 1.5
VALUES_OF_BULK = 8
FINEST = 1e-300


def bulk_of(values, share):
    """Return the range of the values but for the few at each end that lie further from all others."""
    values = sorted(values)
    count = len(values)
    first = min(max(int(share * count), 1), count // 4)
    last = count - 1 - first
    while True:
        before = first, last
        width = values[last] - values[first]
        if first > 0 and 0 < width >= values[first] - values[first - 1]:
            first -= 1
        width = values[last] - values[first]
        if last < count - 1 and 0 < width >= values[last + 1] - values[last]:
            last += 1
        if (first, last) == before:
            break
    return (values[first], values[last]) if values[last] > values[first] else (values[0], values[-1])


class ValueResolution:
    def __init__(self, *, minimum=None, maximum=None, buckets, padding, wild_share):
        self.known = minimum is not None
        self.buckets = buckets
        self.padding = padding
        self.wild_share = wild_share
        self.seen = []
        self.bulk = None
        self.outside = []  # for each value since the last look, whether it is far outside the bulk
        self.resolution = self.resolution_of(maximum - minimum) if self.known else 0.0

    def resolution_of(self, width):
        return max((1.0 + 2.0 * self.padding) * width / self.buckets, FINEST)

    def observe(self, value):
        """Take note of a value; tell whether the resolution changed."""
        self.seen.append(value)
        if self.known or min(self.seen) == max(self.seen):
            return False
        before = self.resolution
        if len(self.seen) <= VALUES_TO_SETTLE:
            self.look_while_young()
        else:
            self.look_when_settled(value)
        return self.resolution != before

    def at_a_power_of_two(self):
        return len(self.seen) in [2**n for n in range(64)]

    def look_while_young(self):
        if self.resolution and not self.at_a_power_of_two():
            return
        if len(self.seen) < VALUES_OF_BULK:
            self.bulk = min(self.seen), max(self.seen)
        else:
            self.bulk = bulk_of(self.seen, self.wild_share)
        wanted = self.resolution_of(self.bulk[1] - self.bulk[0])
        if wanted > GROWTH_WHILE_YOUNG * self.resolution or wanted < self.resolution / FALL_WHILE_YOUNG:
            self.resolution = wanted

    def look_when_settled(self, value):
        lowest, highest = min(self.seen), max(self.seen)
        if self.resolution == 0.0:
            self.bulk = lowest, highest
            self.resolution = self.resolution_of(highest - lowest)
            return
        low, high = self.bulk
        far = FAR_OUTSIDE * (high - low)
        self.outside.append(value > high + far or value < low - far)
        if not self.at_a_power_of_two():
            return
        moved = sum(self.outside) > self.wild_share * len(self.outside)
        self.outside = []
        grown = min(highest - lowest, MOST_GROWTH * (high - low))
        if moved and self.resolution_of(grown) > GROWTH_WHEN_SETTLED * self.resolution:
            self.resolution = self.resolution_of(grown)
            self.bulk = max(lowest, low - grown), min(highest, high + grown)

    def steps(self, value):
        return value / self.resolution if self.resolution else 0.0

    def value_at(self, steps):
        return steps * self.resolution if self.resolution else min(self.seen)
