"""Naive twin of the default model, put together from the twins of its parts."""

import itertools
import math

from tests.reference import hash_encoder
from tests.reference.classifier import SoftmaxClassifier
from tests.reference.default_model_v1 import digits_of_latest, graded, likelihood_of_log, stretched
from tests.reference.deviation import HIGHEST
from tests.reference.expectation import rounded, within
from tests.reference.frozen_value import FrozenValue
from tests.reference.likelihood import Likelihood, Parameters
from tests.reference.novelty import Novelty
from tests.reference.odds import Odds
from tests.reference.seasonal_deviation import SeasonalDeviation
from tests.reference.transition_memory import TransitionMemory
from tests.reference.value_resolution import VALUES_TO_SETTLE, ValueResolution

DAY = 86400.0
BAND = 0.05
BAND_BY_DEVIATION = 0.7
NEAR_ALARM = 0.5
SHARE_BELOW_ALARM = 0.4
JUST_BELOW_ALARM = 0.49
WILD_FACTOR = 200.0
ONE_IN_BY_RECORDS = 100.0
CALM_BETWEEN = 3
LONGEST_QUIET = 21600.0


def scaled(strength):
    """The log scale of a strength: 0.5 at 1."""
    return strength / (strength + 1.0)


def ranked(strength, prominence):
    """What a deviation ranks by: just below an alarm by its strength, otherwise by its prominence."""
    if strength >= 1.0:
        return max(prominence, 1.0)
    return strength if strength >= NEAR_ALARM else min(prominence, NEAR_ALARM)


def median(numbers):
    """The upper one of two in the middle."""
    return sorted(numbers)[len(numbers) // 2]


def bulk_mean(sizes):
    """The mean of sizes but for the largest twentieth, each counted up to five medians."""
    kept = sorted(sizes)[: len(sizes) - max(1, len(sizes) // 20)]
    most = 5.0 * median(sizes) or math.inf
    total = 0.0
    for size in kept:
        total += min(size, most)
    return total / len(kept)


def bulk_scale(values):
    """Return level, error and distance of the bulk."""
    level = median(values)
    steps = [abs(after - before) for before, after in itertools.pairwise(values)]
    return level, bulk_mean(steps), bulk_mean([abs(value - level) for value in values])


class DefaultModel:
    """Built from the parameters as plain dicts."""

    def __init__(self, parameters):
        self.parameters = parameters
        self.combination = parameters["combination"]
        self.resolution = ValueResolution(**parameters["scale"])
        self.novelty = Novelty(**parameters["novelty"])
        self.deviation = SeasonalDeviation(**parameters["deviation"])
        self.jump_likelihood = Likelihood(Parameters(**parameters["jump_likelihood"]))
        self.frozen = FrozenValue()
        self.odds = Odds(**parameters["odds"])
        self.since_alarm = self.combination["quiet_records"]
        self.last_detection = -math.inf
        self.peak = 0.0
        self.samples = []  # all so far
        self.alarms = []  # timestamps
        self.begin_again()

    def begin_again(self):
        if self.parameters["classifier"]:
            self.classifier = SoftmaxClassifier(**self.parameters["classifier"])
        self.memory = TransitionMemory(**self.parameters["memory"])
        if len(self.samples) < VALUES_TO_SETTLE:
            self.sequence_likelihood = Likelihood(Parameters(**self.parameters["sequence_likelihood"]))
            for timestamp, value in self.samples:
                self.sequence_likelihood.update(self.surprise(timestamp, value), value)

    def surprise(self, timestamp, value):
        return self.memory.compute(self.columns(timestamp, self.resolution.steps(value)))

    def columns(self, timestamp, steps):
        return hash_encoder.encode(timestamp, steps, **self.parameters["encoder"])

    def predict(self):
        """Return the predictions made at the last sample."""
        timestamp, value = self.samples[-1]
        columns = self.columns(timestamp, self.resolution.steps(value))
        return [predicted for predicted, _ in self.classifier.compute(columns, self.bucket(value), value)]

    def bucket(self, value):
        return int(within(math.floor(self.resolution.steps(value)), 1e15))

    def score(self, timestamp, value):
        """Return raw, anomaly, log, sequence and novelty score, forecast, usual range, and one in how many records.

        None for a sample without a value.
        """
        if not math.isfinite(value):
            return None
        value = within(value, 1e300)
        if self.resolution.observe(value):
            self.begin_again()
        self.samples.append((timestamp, value))
        raw = self.surprise(timestamp, value)
        jump, extreme = self.novelty.update(value)
        forecast, low, high, unit, *deviations, prominence, rareness, habitual = self.deviation.update(
            timestamp, value
        )
        self.sequence_likelihood.update(raw, value)
        self.jump_likelihood.update(jump, value)
        frozen = self.frozen.update(value)

        evidence = max(deviations)
        strength = evidence if "deviation" in self.parameters["channels"] else 0.0
        age = max(timestamp - self.deviation.expectation.begun, 1.0)
        young = min(self.combination["young_evidence"] * DAY / age, 1e9)
        found = {
            "sequence": graded(digits_of_latest(self.sequence_likelihood)),
            "jump": graded(digits_of_latest(self.jump_likelihood)),
            "extreme": extreme,
            "rareness": [graded(stretched(digits)) for digits in rareness],
        }
        for channel in ("sequence", "jump", "extreme"):
            no_evidence = evidence < max(self.combination[f"{channel}_evidence"], young)
            if no_evidence or (habitual and channel != "sequence"):
                found[channel] = min(found[channel], JUST_BELOW_ALARM)
            if channel == "sequence" and age >= DAY:
                found[channel] = max(found[channel], frozen)
            if channel not in self.parameters["channels"]:
                found[channel] = 0.0
        if evidence < max(self.combination["rareness_evidence"], young):
            found["rareness"] = [min(rare, JUST_BELOW_ALARM) for rare in found["rareness"]]
        if "deviation" not in self.parameters["channels"]:
            found["rareness"] = deviations = [0.0] * 4
            prominence = 0.0

        pattern = max(found["sequence"], found["jump"], found["extreme"])
        large = scaled(ranked(strength, prominence))
        combined = self.combine(max(pattern, *found["rareness"]), strength, large)
        since = timestamp - self.last_detection
        few_records = self.since_alarm < self.combination["quiet_records"]
        quiet = since < self.combination["quiet_seconds"] or (few_records and since < LONGEST_QUIET)
        side = -1.0 if value < forecast else 1.0
        other_side = side * self.peak < 0.0 and min(deviations[:2]) >= 1.0
        calm = self.since_alarm >= CALM_BETWEEN and since >= self.combination["quiet_seconds"]
        another = calm and other_side
        surpassing = strength > self.combination["surpassing"] * abs(self.peak)
        damped = quiet and not (strength >= 1.0 and (surpassing or another))
        alarms_before, last_alarm = len(self.alarms), self.alarms[-1] if self.alarms else math.nan
        if combined >= 0.5:
            own = max(strength, 1.0)
            if not quiet or another or own > abs(self.peak):
                self.peak = side * own
            self.since_alarm = 1
            self.last_detection = timestamp
            if not damped:
                self.alarms.append(timestamp)
        else:
            self.since_alarm = min(self.since_alarm + 1, self.combination["quiet_records"])

        log_score = self.combination["damping"] * combined if damped else combined
        unrest = found["rareness"][3]
        strengths = {
            "sequence": found["sequence"],
            "jump": found["jump"],
            "extreme": found["extreme"],
            "distance": max(scaled(deviations[0]), found["rareness"][0]),
            "error": max(scaled(deviations[1]), found["rareness"][1]),
            "offset": max(scaled(deviations[2]), found["rareness"][2]),
            "unrest": unrest,
        }
        novelty = max(strengths[name] for name in strengths if name != "sequence")
        scores = (
            raw,
            likelihood_of_log(log_score),
            log_score,
            strengths["sequence"],
            novelty,
            rounded(forecast),
            rounded(low),
            rounded(high),
            self.one_in(self.combine(max(pattern, *found["rareness"]), strength, scaled(strength))),
        )
        self.latest = {
            "timestamp": timestamp,
            "value": value,
            "scores": scores,
            "strengths": strengths,
            "pattern_decided": strength < 1.0 and pattern > max(*found["rareness"], large),
            "damped": damped,
            "forecast": rounded(forecast),
            "usual_error": unit,
            "alarms_before": alarms_before,
            "last_alarm": last_alarm,
        }
        self.learn_scale_again()
        return scores

    def combine(self, found, strength, large):
        """Rank deviations that are alarms by themselves above all others, and the others well below them."""
        if strength >= 1.0:
            return 0.5 + BAND + (1.0 - 2.0 * BAND) * (large - 0.5)
        if found >= 0.5:
            own = BAND_BY_DEVIATION * 2.0 * large
            return 0.5 + BAND * (own + (1.0 - BAND_BY_DEVIATION) * min(2.0 * (found - 0.5), 1.0))
        return max(SHARE_BELOW_ALARM * found, large)

    def one_in(self, combined):
        strength = combined / (1.0 - combined)
        found = self.odds.update(min(strength * strength, HIGHEST))
        return found if math.isnan(found) else min(found, ONE_IN_BY_RECORDS * len(self.samples))

    def learn_scale_again(self):
        """Learn the scale of deviations from the bulk when a wild value has set it, at each power of two."""
        if len(self.samples) not in (8, 16, 32, 64, 128, 256, VALUES_TO_SETTLE):
            return
        level, error, distance = bulk_scale([value for _, value in self.samples])
        if self.deviation.exceeds(error, distance, WILD_FACTOR):
            self.deviation = self.deviation.renewed(level, error, distance)
            for timestamp, value in self.samples:
                self.deviation.update(timestamp, value)

    def explain(self):
        """Return why the last sample got its scores."""
        *_, forecast, _, high, _ = self.latest["scores"]
        return self.latest | {"margin": high - forecast, "buckets": self.expected()}

    def expected(self):
        forecast = self.latest["forecast"]
        middle = self.bucket(self.latest["value"] if math.isnan(forecast) else forecast)
        first = max(self.bucket(min(self.resolution.seen)), middle - 128)
        last = min(self.bucket(max(self.resolution.seen)), middle + 127)
        predicted = self.memory.predicted()
        buckets = []
        for bucket in range(first, last + 1):
            columns = self.columns(self.latest["timestamp"], bucket)
            foreseen = sum(column in predicted for column in columns) / len(columns)
            buckets.append((self.resolution.value_at(bucket), self.resolution.value_at(bucket + 1), foreseen))
        return buckets
