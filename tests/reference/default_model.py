"""Naive twin of the default model, put together from the twins of its parts."""

import math

from tests.reference import hash_encoder
from tests.reference.deviation import Deviation
from tests.reference.likelihood import Likelihood, Parameters
from tests.reference.novelty import Novelty, ValueScale
from tests.reference.portable_math import exp, log
from tests.reference.transition_memory import TransitionMemory


def likelihood_of_log(log_score):
    """The probability whose value on the log scale is `log_score`."""
    return min(max(1.0000000001 - exp(-23.02585084720009 * log_score), 0.0), 1.0)


def graded(digits):
    """The log scale of so many digits of certainty: 0.5 at 5 digits, 1 at infinitely many."""
    return 0.1 * max(digits, 0.0) if digits <= 5.0 else 1.0 - 2.5 / digits


def digits_of_latest(likelihood):
    """Digits of certainty of the latest record; 0 on probation."""
    if likelihood.distribution is None:
        return 0.0
    return -log(max(likelihood.tail(), 1e-300)) / 2.302585092994046


class DefaultModel:
    """Built from the parameters as plain dicts."""

    def __init__(self, parameters):
        self.parameters = parameters
        self.scale = ValueScale(**parameters["scale"])
        self.novelty = Novelty(**parameters["novelty"])
        self.deviation = Deviation(**parameters["deviation"])
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
        self.sequence_likelihood.update(raw, value)
        self.jump_likelihood.update(jump, value)
        deviation_digits = max(self.deviation.update(value))
        if deviation_digits > 3.0:
            deviation_digits = 3.0 + 1.7 * (deviation_digits - 3.0)
        scores = {
            "sequence": graded(digits_of_latest(self.sequence_likelihood)),
            "jump": graded(digits_of_latest(self.jump_likelihood)),
            "extreme": extreme,
            "deviation": graded(deviation_digits),
        }
        for name in set(scores) - set(self.parameters["channels"]):
            scores[name] = 0.0

        pattern = max(scores["sequence"], scores["jump"], scores["extreme"])
        ranked = 0.4 * pattern if pattern < 0.5 else 0.5 + 0.1 * (pattern - 0.5)
        combined = max(ranked, scores["deviation"])
        quiet = self.since_alarm < self.parameters["quiet_records"]
        self.since_alarm = (
            1 if combined >= 0.5 else min(self.since_alarm + 1, self.parameters["quiet_records"])
        )
        damped = self.parameters["damping"] * combined if quiet else combined
        novelty = max(scores["jump"], scores["extreme"], scores["deviation"])
        return raw, likelihood_of_log(damped), damped, scores["sequence"], novelty
