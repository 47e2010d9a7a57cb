"""Naive twins of the encoders of values. Source: reference "HTM scalar anomaly models", sections 4.1 to 4.3."""

import math

from tests.reference.random_generator import Random


def round_half_away(x):
    whole = math.floor(abs(x))
    rounded = whole + (abs(x) - whole >= 0.5)
    return rounded if x >= 0 else -rounded


class RandomDistributedScalarEncoder:
    def __init__(self, resolution, w=21, n=400, seed=42, offset=None):
        self.resolution, self.w, self.n, self.offset = resolution, w, n, offset
        self.random = Random(seed)
        bits = list(range(n))
        self.random.shuffle(bits)
        self.buckets = {500: bits[:w]}

    def bucket(self, value):
        steps = (value - self.offset) / self.resolution
        if math.isinf(steps):
            return 0 if steps < 0 else 999
        return min(max(500 + round_half_away(steps), 0), 999)

    def fits(self, bucket, bits, bit, far_overlap):
        for other, others in self.buckets.items():
            overlap = len(set(bits) & set(others))
            distance = abs(bucket - other)
            if distance < self.w and overlap != self.w - distance:
                return False
            # What shares more already, because nothing else was left for it, is no obstacle to a bit that it has not.
            if distance >= self.w and overlap > far_overlap and bit in others:
                return False
        return True

    def add_bucket(self, bucket, neighbour):
        def with_bit(bit):
            bits = list(self.buckets[neighbour])
            bits[bucket % self.w] = bit
            return bits

        def good(bit, far_overlap):
            fresh = bit not in self.buckets[neighbour]
            return fresh and self.fits(bucket, with_bit(bit), bit, far_overlap)

        # The original would never end when no bit is left; we then let distant buckets share more.
        far_overlap = 2
        while not any(good(bit, far_overlap) for bit in range(self.n)):
            far_overlap += 1
        bit = self.random.below(self.n)
        while not good(bit, far_overlap):
            bit = self.random.below(self.n)
        self.buckets[bucket] = with_bit(bit)

    def encode(self, value):
        """Return (bits, bucket)."""
        if not math.isfinite(value):
            return [], None
        if self.offset is None:
            self.offset = value
        bucket = self.bucket(value)
        while max(self.buckets) < bucket:
            self.add_bucket(max(self.buckets) + 1, max(self.buckets))
        while min(self.buckets) > bucket:
            self.add_bucket(min(self.buckets) - 1, min(self.buckets))
        return sorted(self.buckets[bucket]), bucket


class ScalarEncoder:
    def __init__(self, minimum, maximum, w, n=None, radius=None, resolution=None, periodic=False, clip=False):
        self.minimum, self.maximum, self.w, self.periodic, self.clip = minimum, maximum, w, periodic, clip
        span = maximum - minimum
        padding = 0 if periodic else (w - 1) // 2
        if n is not None:
            self.n = n
            self.resolution = span / n if periodic else span / (n - w)
        else:
            if radius is not None:
                self.resolution = radius / w
            else:
                self.resolution = resolution
                radius = w * resolution
            encoded = span if periodic else span + self.resolution
            self.n = math.ceil(w * encoded / radius + 2 * padding)

    def encode(self, value):
        """Return (bits, bucket)."""
        if not math.isfinite(value):
            return [], None
        half = (self.w - 1) // 2
        if self.periodic:
            if not self.minimum <= value < self.maximum:
                raise ValueError
            centre = int((value - self.minimum) * self.n / (self.maximum - self.minimum))
            return sorted((centre + i) % self.n for i in range(-half, half + 1)), centre
        if not self.minimum <= value <= self.maximum:
            if not self.clip:
                raise ValueError
            value = min(max(value, self.minimum), self.maximum)
        centre = int(((value - self.minimum) + self.resolution / 2) / self.resolution) + half
        return [centre + i for i in range(-half, half + 1)], centre - half


class AdaptiveScalarEncoder:
    """Keeps the window that the original keeps."""

    def __init__(self, w, n, minimum=None, maximum=None):
        self.w, self.n, self.minimum, self.maximum = w, n, minimum, maximum
        self.window = []

    def encode(self, value):
        """Return (bits, bucket)."""
        if not math.isfinite(value):
            return [], None
        if len(self.window) == 300:
            del self.window[0]
        self.window.append(value)
        if self.minimum is None:
            self.minimum, self.maximum = value, value + 1
        else:
            self.window.sort()
            self.minimum = min(self.minimum, self.window[0])
            self.maximum = max(self.maximum, self.window[-1])
        return ScalarEncoder(self.minimum, self.maximum, self.w, n=self.n, clip=True).encode(value)


class DeltaEncoder:
    def __init__(self, w, n, minimum=None, maximum=None):
        self.n = n
        self.adaptive = AdaptiveScalarEncoder(w, n, minimum, maximum)
        self.previous = None

    def encode(self, value):
        """Return (bits, bucket)."""
        if not math.isfinite(value):
            return [], None
        change = 0.0 if self.previous is None else value - self.previous
        self.previous = value
        return self.adaptive.encode(change)
