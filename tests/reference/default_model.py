"""Naive twin of the default model, put together from the twins of its parts."""

import math

from tests.reference import hash_encoder
from tests.reference.likelihood import Likelihood, Parameters, log_likelihood
from tests.reference.novelty import Novelty, ValueScale
from tests.reference.portable_math import exp
from tests.reference.transition_memory import TransitionMemory


def likelihood_of_log(log_score):
    """The probability whose value on the log scale is `log_score`."""
    return min(max(1.0000000001 - exp(-23.02585084720009 * log_score), 0.0), 1.0)


class DefaultModel:
    """Built from the parameters as plain dicts."""

    def __init__(self, parameters):
        self.parameters = parameters
        self.scale = ValueScale(**parameters["scale"])
        self.novelty = Novelty(**parameters["novelty"])
        self.jump_likelihood = Likelihood(Parameters(**parameters["jump_likelihood"]))
        self.since_alarm = parameters["quiet_records"]
        self.samples = []  # all so far
        self.begin_again()

    def begin_again(self):
        self.memory = TransitionMemory(**self.parameters["memory"])
        if len(self.samples) <= 1024:
            self.sequence_likelihood = Likelihood(Parameters(**self.parameters["sequence_likelihood"]))
            for timestamp, value in self.samples:
                self.sequence_likelihood.update(self.surprise(timestamp, value), value)

    def surprise(self, timestamp, value):
        columns = hash_encoder.encode(timestamp, self.scale.steps(value), **self.parameters["encoder"])
        return self.memory.compute(columns)

    def score(self, timestamp, value):
        """Return raw, anomaly, log, sequence and novelty score; None for a sample without a value."""
        if not math.isfinite(value):
            return None
        value = min(max(value, -1e300), 1e300)
        if self.scale.observe(value):
            self.begin_again()
        self.samples.append((timestamp, value))
        raw = self.surprise(timestamp, value)
        jump, extreme = self.novelty.update(value)
        sequence = log_likelihood(self.sequence_likelihood.update(raw, value))
        novelty = max(log_likelihood(self.jump_likelihood.update(jump, value)), extreme)
        log = max(sequence, novelty)
        quiet = self.since_alarm < self.parameters["quiet_records"]
        self.since_alarm = 1 if log >= 0.5 else min(self.since_alarm + 1, self.parameters["quiet_records"])
        if quiet:
            log *= self.parameters["damping"]
        return raw, likelihood_of_log(log), log, sequence, novelty
