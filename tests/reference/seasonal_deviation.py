"""Naive twin of how far values lie from what is expected of them at their time."""

import math

from tests.reference.alarm_size import AlarmSize
from tests.reference.deviation import HIGHEST, Tail
from tests.reference.expectation import Expectation, within
from tests.reference.far_records import LoneBurst, StandIn
from tests.reference.habits import Habits

LEAST_SHARE = 0.1
FURTHEST_SIZE = 1e5
FURTHEST_RECENT = 20.0
FOLLOWED_AT_ONCE = 9.0
HABITUAL_STRENGTH = 0.5
ASSUMED_RECORDS = 5
FAR_SIZE = 20.0
WILD_SIZE = 100.0
BULK_RECORDS = 8
LONGEST_OUTSIDE = 30
TINY = 1e-300


class RunningMean:
    """Of sizes; `rate` holds once there were many."""

    def __init__(self, rate, mean):
        self.rate = rate
        self.mean = mean

    def add(self, size, one_of_all):
        self.mean += max(self.rate, one_of_all) * (size - self.mean)


class UsualSize:
    """Of errors or distances: recently, and in the long run."""

    def __init__(self, parameters, assumed):
        self.limit = parameters["limit"]
        self.of_late = RunningMean(parameters["spread_rate"], assumed)
        self.of_long = RunningMean(parameters["long_rate"], assumed)

    def long(self):
        return self.of_long.mean

    def recent(self):
        return max(self.of_late.mean, LEAST_SHARE * self.long())

    def unit(self):
        if self.long() <= 0.0:
            return 0.0
        return self.long() * math.sqrt(math.sqrt(math.sqrt(self.recent() / self.long())))

    def counted(self, deviation, times):
        """Return a deviation up to so many usual ones; all of it as long as there are none."""
        return within(deviation, times * self.recent()) if self.recent() > 0.0 else deviation

    def learn(self, deviation, one_of_all):
        size = abs(self.counted(deviation, self.limit))
        self.of_late.add(size, one_of_all)
        self.of_long.add(size, one_of_all)


class SeasonalDeviation:
    """Takes the parameters of the kernel of the same name; those of its parts as dicts.

    `bulk`, where it is given, is the level, error and distance that are assumed.
    """

    def __init__(self, *, expectation, alarm_size, tail, habits, bulk=None, **parameters):
        self.own = parameters
        self.parameters = {
            **parameters,
            "expectation": expectation,
            "alarm_size": alarm_size,
            "tail": tail,
            "habits": habits,
        }
        level, error, distance = bulk or (None, 0.0, 0.0)
        self.assumed = bulk is not None
        self.least = alarm_size["least"]
        self.expectation = Expectation(**expectation)
        if self.assumed:
            self.expectation.assume(level)
        self.habits = Habits(**habits)
        self.errors = UsualSize(parameters, error)
        self.distances = UsualSize(parameters, distance)
        self.alarm_error, self.alarm_distance, self.alarm_offset = (AlarmSize(**alarm_size) for _ in range(3))
        self.distance_tail, self.error_tail, self.offset_tail, self.unrest_tail = (
            Tail(**tail) for _ in range(4)
        )
        self.burst = LoneBurst()
        self.stand_in = StandIn()
        self.records = 0
        self.outside = 0
        self.offset = self.recent_offset = self.unrest = 0.0

    def renewed(self, level, error, distance):
        return SeasonalDeviation(**self.parameters, bulk=(level, error, distance))

    def exceeds(self, error, distance, factor):
        return self.errors.long() > factor * error or self.distances.long() > factor * distance

    def update(self, timestamp, value):
        """Return what the kernel's binding does: forecast, usual range, unit, strengths, prominence, rareness,
        whether habitual."""
        self.habits.visit(timestamp)
        if self.records == 0:
            self.expectation.begin(timestamp, value)
            self.habits.add(0.0, value - self.expectation.origin)
            self.records = 1
            return math.nan, math.nan, math.nan, 0.0, 0.0, 0.0, 0.0, 0.0, (0.0, 0.0, 0.0, 0.0), False
        followed = FOLLOWED_AT_ONCE * max(self.distances.long(), TINY)
        forecast, level = self.expectation.expect(timestamp, followed)
        closest_forecast, closest_level = self.expectation.closest(value, forecast, level)
        error, distance = value - closest_forecast, value - closest_level
        error_size = self.size_of(error, self.errors.unit())
        distance_size = self.size_of(distance, self.distances.unit())
        unit = self.distances.unit()
        units_away = within(distance / unit, FURTHEST_RECENT) if unit > 0.0 else 0.0
        kept = self.stand_in.observe(value, self.varies() and distance_size >= FAR_SIZE)
        if kept is None:
            self.offset += self.own["offset_rate"] * (units_away - self.offset)

        margin = self.errors.unit() * self.alarm_error.usual()
        expected = forecast, forecast - margin, forecast + margin, self.errors.unit()
        strengths = [
            self.alarm_distance.strength(distance_size),
            self.alarm_error.strength(error_size),
            self.alarm_offset.strength(abs(self.offset)),
        ]
        typical = self.alarm_error.typical()
        prominence = max(distance_size, error_size) / typical if typical > 0.0 else 0.0
        relative = value - self.expectation.origin
        habitual = self.habits.usual_strength() > HABITUAL_STRENGTH or self.habits.usual_value(relative)
        beyond = [self.habits.beyond_usual(strength) for strength in (*strengths, prominence)]
        if kept is not None:
            return *expected, *(kept * strength for strength in beyond), (0.0, 0.0, 0.0, 0.0), True
        rareness = self.rareness(error, distance)

        lone = self.burst.observe(self.varies() and distance_size >= WILD_SIZE)
        first = unit == 0.0 and distance != 0.0 and self.records >= BULK_RECORDS
        self.learn(value, closest_forecast, closest_level, follows=not lone and not first)
        self.alarm_error.learn(error_size)
        self.alarm_distance.learn(distance_size)
        self.alarm_offset.learn(abs(self.offset))
        self.habits.add(max(strengths), relative)
        return *expected, *beyond, rareness, habitual

    def rareness(self, error, distance):
        far = surprising = 0.0
        if self.distances.recent() > 0.0:
            far = within(distance / self.distances.recent(), HIGHEST)
        if self.errors.recent() > 0.0:
            surprising = min(abs(error) / self.errors.recent(), HIGHEST)
        rate = self.own["recent_rate"]
        self.recent_offset += rate * (within(far, FURTHEST_RECENT) - self.recent_offset)
        self.unrest += rate * (min(surprising, FURTHEST_RECENT) - self.unrest)
        return (
            self.distance_tail.update(abs(far)),
            self.error_tail.update(surprising),
            self.offset_tail.update(abs(self.recent_offset)),
            self.unrest_tail.update(self.unrest),
        )

    def varies(self):
        return self.alarm_error.varies if self.alarm_error.size() > 0.0 else self.records >= BULK_RECORDS

    def size_of(self, deviation, unit):
        if unit > 0.0:
            return min(abs(deviation) / unit, FURTHEST_SIZE)
        if deviation == 0.0:
            return 0.0
        return min(self.least * self.records / self.own["constant_records"], FURTHEST_SIZE)

    def learn(self, value, forecast, level, *, follows):
        error, distance = value - forecast, value - level
        known = self.records + (ASSUMED_RECORDS if self.assumed else 0)

        self.count_outside(distance)
        recent_error, recent_distance = self.errors.recent(), self.distances.recent()
        limit, furthest = self.own["limit"], self.own["furthest"]
        largest = max(recent_distance, self.distances.long())
        limits = {
            "step": limit * recent_distance * 2.0 ** max(abs(self.outside) - 1, 0) or math.inf,
            "error": furthest * recent_error or math.inf,
            "distance": furthest * recent_distance or math.inf,
            "rest": limit * largest or math.inf,
            "profile": self.own["profile_limit"] * largest or math.inf,
            "spread": recent_distance or 1.0,
        }
        if follows:
            self.expectation.learn(value, level, 1.0 / (known + 1.0), limits)
        self.errors.learn(error, 1.0 / known)
        self.distances.learn(distance, 1.0 / known)
        self.records += 1

    def count_outside(self, distance):
        """Count the records in a row beyond the limit, above or, negative, below."""
        beyond = self.errors.recent() > 0.0 and abs(distance) > self.own["limit"] * self.distances.recent()
        if not beyond:
            self.outside = 0
            return
        side = 1 if distance > 0.0 else -1
        self.outside = self.outside + side if self.outside * side > 0 else side
        self.outside = int(within(self.outside, LONGEST_OUTSIDE))
