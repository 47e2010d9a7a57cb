"""Naive twins of the value scale and of the novelty channel."""


class ValueScale:
    def __init__(self, *, minimum, maximum, buckets, padding):
        self.known = minimum is not None
        self.padded = 1.0 + 2.0 * padding
        self.buckets = buckets
        self.seen = []
        self.resolution = self.resolution_of(maximum - minimum) if self.known else 0.0

    def resolution_of(self, width):
        return max(self.padded * width / self.buckets, 1e-300)

    def observe(self, value):
        self.seen.append(value)
        if self.known:
            return False
        width = max(self.seen) - min(self.seen)
        if width == 0:
            return False
        count = len(self.seen)
        is_power_of_two = bin(count).count("1") == 1
        if self.resolution and not is_power_of_two:
            return False
        wanted = self.resolution_of(width)
        if wanted > (1.25 if count <= 1024 else 4.0) * self.resolution:
            self.resolution = wanted
            return True
        return False

    def steps(self, value):
        return value / self.resolution if self.resolution else 0.0

    def value_at(self, steps):
        return steps * self.resolution if self.resolution else self.seen[0]


class Novelty:
    def __init__(
        self, *, jump_rate, jump_limit, range_memory, range_tolerance, range_settling, range_saturation
    ):
        self.jump_rate = jump_rate
        self.jump_limit = jump_limit
        self.range_memory = range_memory
        self.range_tolerance = range_tolerance
        self.range_settling = range_settling
        self.range_saturation = range_saturation
        self.count = 0
        self.last = 0.0
        self.mean_jump = 0.0
        self.low = 0.0
        self.high = 0.0

    def update(self, value):
        """Return the scores of the jump and of the extreme, each from 0 to 1."""
        jump, extreme = self.jump(value), self.extreme(value)
        self.last = value
        self.count += 1
        return jump, extreme

    def jump(self, value):
        if self.count == 0:
            return 0.0
        jump = abs(value - self.last)
        limit = self.jump_limit
        score = 0.0
        if jump > 0.0 and self.count >= 3:
            score = (min(jump / self.mean_jump, limit) if self.mean_jump > 0.0 else limit) / limit
        rate = max(self.jump_rate, 1.0 / self.count)
        counted = min(jump, limit * self.mean_jump) if self.mean_jump > 0.0 else jump
        self.mean_jump += rate * (counted - self.mean_jump)
        return score

    def extreme(self, value):
        if self.count == 0:
            self.low = self.high = value
            return 0.0
        width = self.high - self.low
        score = 0.0
        if width > 0.0 and self.count >= 100:
            outside = max(value - self.high, self.low - value) / width
            tolerance = max(self.range_settling / self.count, 1.0) * self.range_tolerance
            if outside > tolerance:
                graded = (outside - tolerance) / (max(self.range_saturation, 2.0 * tolerance) - tolerance)
                score = 0.5 + 0.5 * min(graded, 1.0)
        rate = 1.0 / self.range_memory
        self.low = min(value, self.low + rate * (value - self.low))
        self.high = max(value, self.high - rate * (self.high - value))
        return score
