"""Naive twin of the default model, put together from the twins of its parts."""

import math

from tests.reference import hash_encoder
from tests.reference.classifier import SoftmaxClassifier
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
    return 0.1 * max(0.0, digits) if digits <= 5.0 else 1.0 - 2.5 / digits


def stretched(digits):
    """The digits of a deviation beyond 3, which the fitted tails underestimate."""
    return 3.0 + 1.7 * (digits - 3.0) if digits > 3.0 else digits


def digits_of_latest(likelihood):
    """Digits of certainty of the latest record; 0 on probation."""
    if likelihood.distribution is None:
        return 0.0
    return -log(max(likelihood.tail(), 1e-300)) / 2.302585092994046


DEVIATIONS = "distance", "error", "offset", "unrest"


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
        self.alarms = []  # timestamps
        self.begin_again()

    def begin_again(self):
        if self.parameters["classifier"]:
            self.classifier = SoftmaxClassifier(**self.parameters["classifier"])
        self.memory = TransitionMemory(**self.parameters["memory"])
        if len(self.samples) <= 1024:
            self.sequence_likelihood = Likelihood(Parameters(**self.parameters["sequence_likelihood"]))
            for timestamp, value in self.samples:
                self.sequence_likelihood.update(self.surprise(timestamp, value), value)

    def predict(self):
        """Return the predictions made at the last sample."""
        timestamp, value = self.samples[-1]
        columns = hash_encoder.encode(timestamp, self.scale.steps(value), **self.parameters["encoder"])
        return [predicted for predicted, _ in self.classifier.compute(columns, self.bucket(value), value)]

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
        first = not self.samples
        self.samples.append((timestamp, value))
        raw = self.surprise(timestamp, value)
        forecast = math.nan if first else self.deviation.forecast()
        usual_error = self.deviation.errors.size()
        jump, extreme = self.novelty.update(value)
        self.sequence_likelihood.update(raw, value)
        self.jump_likelihood.update(jump, value)
        distance, error, offset, unrest = map(stretched, self.deviation.update(value))
        strengths = {
            "sequence": graded(digits_of_latest(self.sequence_likelihood)),
            "jump": graded(digits_of_latest(self.jump_likelihood)),
            "extreme": extreme,
            "distance": graded(distance),
            "error": graded(error),
            "offset": graded(offset),
            "unrest": graded(unrest),
        }
        for name in strengths:
            channel = "deviation" if name in DEVIATIONS else name
            if channel not in self.parameters["channels"]:
                strengths[name] = 0.0

        pattern = max(strengths["sequence"], strengths["jump"], strengths["extreme"])
        deviation = max(strengths[name] for name in DEVIATIONS)
        ranked = 0.4 * pattern if pattern < 0.5 else 0.5 + 0.1 * (pattern - 0.5)
        combined = max(ranked, deviation)
        damped = self.since_alarm < self.parameters["quiet_records"]
        alarms_before, last_alarm = len(self.alarms), self.alarms[-1] if self.alarms else math.nan
        if combined >= 0.5:
            self.since_alarm = 1
            if not damped:
                self.alarms.append(timestamp)
        else:
            self.since_alarm = min(self.since_alarm + 1, self.parameters["quiet_records"])
        log_score = self.parameters["damping"] * combined if damped else combined
        novelty = max(strengths["jump"], strengths["extreme"], deviation)
        scores = raw, likelihood_of_log(log_score), log_score, strengths["sequence"], novelty
        self.latest = {
            "timestamp": timestamp,
            "value": value,
            "scores": scores,
            "strengths": strengths,
            "pattern_decided": ranked > deviation,
            "damped": damped,
            "forecast": forecast,
            "usual_error": usual_error,
            "alarms_before": alarms_before,
            "last_alarm": last_alarm,
        }
        return scores

    def explain(self):
        """Return why the last sample got its scores."""
        margin = self.latest["usual_error"] * self.deviation.error_tail.exceeded(0.01)
        return self.latest | {"margin": margin, "buckets": self.expected()}

    def expected(self):
        forecast = self.latest["forecast"]
        middle = self.bucket(self.latest["value"] if math.isnan(forecast) else forecast)
        first = max(self.bucket(min(self.scale.seen)), middle - 128)
        last = min(self.bucket(max(self.scale.seen)), middle + 127)
        predicted = self.memory.predicted()
        buckets = []
        for bucket in range(first, last + 1):
            columns = hash_encoder.encode(self.latest["timestamp"], bucket, **self.parameters["encoder"])
            foreseen = sum(column in predicted for column in columns) / len(columns)
            buckets.append((self.scale.value_at(bucket), self.scale.value_at(bucket + 1), foreseen))
        return buckets

    def bucket(self, value):
        return int(min(max(math.floor(self.scale.steps(value)), -1e15), 1e15))
