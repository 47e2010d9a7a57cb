"""The random generator of the original, restated with Python integers.

Source: reference "HTM scalar anomaly models", section 3.
"""


class Random:
    """31 words; a draw adds two of them modulo 2^32 - 1 and drops the lowest bit."""

    def __init__(self, seed):
        words = [seed % (2**32 - 1)]
        while len(words) < 31:
            signed = words[-1] - 2**32 if words[-1] >= 2**31 else words[-1]
            quotient = abs(signed) // 127773 * (1 if signed >= 0 else -1)  # C++ division rounds towards zero
            word = 16807 * (signed - 127773 * quotient) - 2836 * quotient
            words.append((word + 2**31 - 1 if word < 0 else word) % 2**32)
        self.words, self.front, self.rear = words, 3, 0
        for _ in range(310):
            self.draw()

    def draw(self):
        """Return the next 31 random bits."""
        word = (self.words[self.front] + self.words[self.rear]) % (2**32 - 1)
        self.words[self.front] = word
        self.front, self.rear = (self.front + 1) % 31, (self.rear + 1) % 31
        return word >> 1

    def below(self, bound=2**32 - 1):
        """Return a whole number from 0 to bound - 1."""
        return self.draw() % bound

    def sample(self, items, count):
        """Return `count` of the items, in their order."""
        taken = []
        for i, item in enumerate(items):
            if len(taken) < count and self.below(len(items) - i) < count - len(taken):
                taken.append(item)
        return taken
