"""Naive twin of the random generator. Source: reference "HTM scalar anomaly models", section 3."""

WORD = 2**32 - 1
PRIME = 2**31 - 1


class Random:
    def __init__(self, seed):
        word = seed % WORD
        self.words = [word]
        for _ in range(30):
            signed = word - 2**32 if word >= 2**31 else word
            # Schrage's method, with the division of C: towards zero.
            quotient = abs(signed) // 127773 * (1 if signed >= 0 else -1)
            word = 16807 * (signed - quotient * 127773) - 2836 * quotient
            if word < 0:
                word += PRIME
            self.words.append(word)
        self.front = 3
        self.rear = 0
        for _ in range(310):
            self.draw()

    def draw(self):
        self.words[self.front] = (self.words[self.front] + self.words[self.rear]) % WORD
        drawn = self.words[self.front] >> 1
        self.front = (self.front + 1) % 31
        self.rear = (self.rear + 1) % 31
        return drawn

    def below(self, bound=WORD):
        drawn = self.draw()
        while drawn > WORD - WORD % bound:
            drawn = self.draw()
        return drawn % bound

    def real(self):
        low = self.below()
        high = self.below()
        return (low + high * 2**32) % 2**48 / 2**48

    def sample(self, population, count):
        taken = []
        for i, item in enumerate(population):
            if len(taken) == count:
                break
            if self.below(len(population) - i) < count - len(taken):
                taken.append(item)
        return taken

    def shuffle(self, items):
        for i in range(len(items)):
            j = i + self.below(len(items) - i)
            items[i], items[j] = items[j], items[i]
