"""Input for the tests of temporal memories: sequences that repeat, with noise, gaps, resets and pauses of learning."""

import random

import hypothesis.strategies as st

RESET, RELOAD = "reset", "reload"


@st.composite
def streams(draw, columns, steps=100):
    """Draw a list of (active columns, learn), RESET and RELOAD."""
    rng = random.Random(draw(st.integers(0, 2**32 - 1)))
    noise = draw(st.sampled_from([0.0, 0.05, 0.3]))
    rare = draw(st.sampled_from([0.0, 0.03]))
    size = draw(st.integers(3, 6))
    patterns = [sorted(rng.sample(range(columns), size)) for _ in range(draw(st.integers(2, 8)))]
    songs = [[rng.choice(patterns) for _ in range(rng.randint(3, 7))] for _ in range(2)]
    stream = []
    while len(stream) < steps:
        for pattern in rng.choice(songs):
            if rng.random() < rare:
                stream.append(RESET)
            if rng.random() < 0.03:
                stream.append(RELOAD)
            if rng.random() < rare:
                pattern = []
            if rng.random() < noise:
                pattern = sorted(rng.sample(range(columns), rng.randint(1, size + 2)))
            stream.append((pattern, rng.random() >= rare))
    return stream


def segments_of(memory):
    """Return, in no order that matters, (cell, ((source, permanence), ...)) of all segments of a kernel."""
    segments = {}
    for segment, cell, source, permanence in zip(*memory.synapses(), strict=True):
        segments.setdefault((int(segment), int(cell)), []).append((int(source), float(permanence)))
    return sorted((cell, tuple(sorted(synapses))) for (_, cell), synapses in segments.items())
