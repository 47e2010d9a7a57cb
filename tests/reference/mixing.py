"""Naive twin of the integer mixing in kernels/mixing.hpp."""

WORD = (1 << 64) - 1


def mix(word):
    """The splitmix64 finaliser of the next word."""
    word = (word + 0x9E3779B97F4A7C15) & WORD
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & WORD
    return word ^ (word >> 31)


class MixingRandom:
    """Random whole numbers below a bound, from one word of state."""

    def __init__(self, seed):
        self.state = mix(seed)

    def below(self, bound):
        word = mix(self.state)
        self.state = (self.state + 0x9E3779B97F4A7C15) & WORD
        return ((word >> 32) * bound) >> 32
