"""Naive twin of what a metric's next value is expected to be, by experts that compete."""

import math
from collections import Counter

import numpy as np

DAY = 86400.0
SLOT = 300.0
HOUR = 3600.0
MINUTE = 60.0
SLOTS_BACK = 12

MOST_VISITS = 250
SETTLED_VISITS = 3
MOST_OUTSIDE = 30
RECORDS_TO_COUNT = 20
RECORDS_TO_IMPROVE = 100
SHARE_OF_OTHERS = 0.8
FURTHEST_POSITION = 10.0
MOST_WEIGHT = 1e6
TINY = 1e-300
LARGEST_FLOAT = float(np.finfo(np.float32).max)

ALIKE = {0: 4, 1: 0, 2: 1, 3: 2, 4: 3, 5: 5, 6: 5}  # by weekday, from Monday, the one to take it for


def within(x, limit):
    return min(max(x, -limit), limit)


def rounded(x):
    """Round to a number that 32 bits hold."""
    return float(np.float32(within(x, LARGEST_FLOAT)))


def time_of_day(timestamp):
    return min(max(timestamp - float(math.floor(timestamp / DAY)) * DAY, 0.0), DAY - 1e-3)


def weekday_of(timestamp):
    day = float(math.floor(timestamp / DAY)) + 3.0
    return int(min(max(day - float(math.floor(day / 7.0)) * 7.0, 0.0), 6.0))


def day_slot(timestamp):
    return math.floor(time_of_day(timestamp) / SLOT + 0.5) % 288


def week_slot(timestamp):
    return weekday_of(timestamp), int(time_of_day(timestamp) / HOUR)


def minute_of_hour(timestamp):
    return math.floor(time_of_day(timestamp) / MINUTE + 0.5) % 60


class Profile:
    """Running means over past visits, by slot of any kind."""

    def __init__(self, rate):
        self.rate = rate
        self.means = {}
        self.visits = Counter()
        self.outside = Counter()
        self.slot = None
        self.values = []  # of this visit, as they count
        self.beyond = []  # for each, whether it lay beyond the limit

    def visit(self, slot, limit):
        if slot == self.slot:
            return
        if self.slot is not None:
            self.end_visit(self.slot, limit)
        self.slot, self.values, self.beyond = slot, [], []

    def end_visit(self, slot, limit):
        if not self.values:
            return
        total = 0.0
        for value in self.values:
            total += value
        before = self.means.get(slot, 0.0)
        step = total / len(self.values) - before
        elsewhere = sum(self.beyond) > len(self.beyond) / 2
        if self.visits[slot] >= SETTLED_VISITS:
            wider = self.wider(slot, limit)
            elsewhere = elsewhere or abs(step) > wider
            counted = within(step, wider)
        else:
            counted = step
        if elsewhere and self.outside[slot] > 0:
            self.visits[slot] = 0
        if self.visits[slot] == 0:
            self.means[slot] = rounded(before + step)
        else:
            rate = max(self.rate, 1.0 / (self.visits[slot] + 1.0))
            self.means[slot] = rounded(before + rate * counted)
        self.visits[slot] = min(self.visits[slot] + 1, MOST_VISITS)
        self.outside[slot] = min(self.outside[slot] + 1, MOST_OUTSIDE) if elsewhere else 0

    def wider(self, slot, limit):
        """Return the limit, four times as wide for each visit in a row that lay beyond it."""
        return limit * 4.0 ** self.outside[slot]

    def add(self, value, expected, limit):
        wider = self.wider(self.slot, limit)
        before = self.means.get(self.slot, expected)
        self.values.append(before + within(value - before, wider))
        self.beyond.append(abs(value - before) > wider)


class Expert:
    def __init__(self):
        self.rest = None  # distance of the last value from its level, if it had one
        self.squares = self.products = 0.0
        self.forecast_error = self.level_error = 0.0
        self.records = 0
        self.level = None
        self.forecast = None

    def expect(self, level, ridge):
        self.level = self.forecast = level
        if level is not None and self.rest is not None:
            kept = within(1.0 + self.products / (self.squares + ridge), 1.0)
            self.forecast = level + kept * self.rest

    def learn(self, value, limits, parameters):
        if self.level is None:
            self.rest = None
            return
        self.records += 1
        rate = max(parameters["loss_rate"], 1.0 / self.records)
        error, rest = value - self.forecast, value - self.level
        self.forecast_error += rate * (min(abs(error), limits["error"]) - self.forecast_error)
        self.level_error += rate * (min(abs(rest), limits["distance"]) - self.level_error)
        if self.rest is not None:
            start = within(self.rest / limits["spread"], FURTHEST_POSITION)
            end = within(rest / limits["spread"], FURTHEST_POSITION)
            rate = max(parameters["forecast_rate"], 1.0 / self.records)
            self.squares += rate * (start * start - self.squares)
            self.products += rate * (start * (end - start) - self.products)
        self.rest = within(rest, limits["rest"])


def weight(error, first_error):
    ratio = max(first_error, TINY) / max(error, TINY)
    return min(ratio * ratio, MOST_WEIGHT)


def weighted_mean(numbers, weights):
    total = weights_total = 0.0
    for number, its_weight in zip(numbers, weights, strict=True):
        total += its_weight * number
        weights_total += its_weight
    return total / weights_total


class Expectation:
    def __init__(self, *, level_rate, day_rate, week_rate, hour_rate, forecast_rate, loss_rate, ridge):
        self.level_rate = level_rate
        self.ridge = ridge
        self.rates = {"loss_rate": loss_rate, "forecast_rate": forecast_rate}
        self.day = Profile(day_rate)
        self.week = Profile(week_rate)
        self.hour = Profile(hour_rate)
        self.experts = [Expert(), Expert(), Expert()]
        self.by_minute = Expert()
        self.others_level = None
        self.settled_only = None
        self.others_error = self.others_bias = 0.0
        self.level = None
        self.begun = self.origin = None

    def assume(self, level):
        self.level = level

    def begin(self, timestamp, value):
        self.begun = timestamp
        if self.level is None:
            self.level = value
        self.origin = self.level
        self.visit(timestamp, 0.0)

    def visit(self, timestamp, limit):
        self.day.visit(day_slot(timestamp), limit)
        self.week.visit(week_slot(timestamp), limit)
        self.hour.visit(minute_of_hour(timestamp), limit)

    def add(self, value, level, limit):
        self.day.add(value - self.origin, level - self.origin, limit)
        self.week.add(value - self.origin, level - self.origin, limit)

    def expect(self, timestamp, limit):
        """Return the forecast and the level. Profiles follow the visits that end by at most the limit."""
        self.visit(timestamp, limit)
        levels, settled = [self.level, None, None], [True, False, False]
        if timestamp - self.begun >= DAY:
            levels[1:], settled[1:] = zip(self.day_level(timestamp), self.week_level(timestamp), strict=True)
        for expert, level in zip(self.experts, levels, strict=True):
            expert.expect(level, self.ridge)
        counted = [
            (expert, sure)
            for expert, sure in zip(self.experts, settled, strict=True)
            if expert is self.experts[0] or (expert.level is not None and expert.records >= RECORDS_TO_COUNT)
        ]
        _, self.others_level = self.combined([expert for expert, _ in counted])
        doubtful = any(not sure and abs(expert.level - self.level) > limit for expert, sure in counted)
        minute = minute_of_hour(timestamp)
        known = self.hour.visits[minute] >= SETTLED_VISITS
        self.by_minute.expect(self.others_level + self.hour.means[minute] if known else None, self.ridge)
        if (
            known
            and self.by_minute.records >= RECORDS_TO_IMPROVE
            and self.by_minute.level_error <= SHARE_OF_OTHERS * self.others_error
        ):
            counted.append((self.by_minute, not doubtful))
        heard = [expert for expert, _ in counted]
        believed = [expert for expert, sure in counted if sure or abs(expert.level - self.level) <= limit]
        self.settled_only = self.combined(believed) if doubtful else None
        return self.combined(heard)

    def combined(self, heard):
        """Return the forecast and the level that experts have together."""
        first = self.experts[0]
        forecast = weighted_mean(
            [expert.forecast for expert in heard],
            [weight(expert.forecast_error, first.forecast_error) for expert in heard],
        )
        level = weighted_mean(
            [expert.level for expert in heard],
            [weight(expert.level_error, first.level_error) for expert in heard],
        )
        return forecast, level

    def closest(self, value, forecast, level):
        """Return what was just expected, or what is closer of that without experts that know something far from a visit or two."""
        if self.settled_only is None:
            return forecast, level
        other_forecast, other_level = self.settled_only
        return (
            other_forecast if abs(value - other_forecast) < abs(value - forecast) else forecast,
            other_level if abs(value - other_level) < abs(value - level) else level,
        )

    def day_level(self, timestamp):
        """Return the level of the time of day, or None, and whether enough visits say so."""
        for back in range(SLOTS_BACK + 1):
            slot = (day_slot(timestamp) - back) % 288
            if slot in self.day.means:
                return self.origin + self.day.means[slot], self.day.visits[slot] >= SETTLED_VISITS
        return None, False

    def week_level(self, timestamp):
        """Return the level of the hour of the week, or None, and whether enough visits say so."""
        hours = time_of_day(timestamp) / HOUR - 0.5
        hour = math.floor(hours)
        slots = [
            self.known_hour(weekday_of(timestamp), hour),
            self.known_hour(weekday_of(timestamp), hour + 1),
        ]
        if slots == [None, None]:
            return None, False
        earlier, later = (self.week.means[slot or slots[0] or slots[1]] for slot in slots)
        settled = all(self.week.visits[slot] >= SETTLED_VISITS for slot in slots if slot is not None)
        return self.origin + earlier + (hours - hour) * (later - earlier), settled

    def known_hour(self, weekday, hour):
        """Return the slot of an hour, -1 to 24, of a weekday, or else of the last weekday of its kind, or None."""
        weekday = (weekday + hour // 24) % 7
        for day in (weekday, ALIKE[weekday]):
            if (day, hour % 24) in self.week.means:
                return day, hour % 24
        return None

    def learn(self, value, level, rate, limits):
        """Take the value for which a level was just expected. Limits as those of the kernel, by name."""
        for expert in [*self.experts, self.by_minute]:
            expert.learn(value, limits, self.rates)
        beside = value - self.others_level
        loss_rate = max(self.rates["loss_rate"], 1.0 / self.experts[0].records)
        self.others_error += loss_rate * (min(abs(beside), limits["distance"]) - self.others_error)
        self.others_bias += loss_rate * (within(beside, limits["distance"]) - self.others_bias)
        self.hour.add(beside - self.others_bias, 0.0, limits["profile"])
        self.level += max(self.level_rate, rate) * within(value - self.level, limits["step"])
        self.add(value, level, limits["profile"])
