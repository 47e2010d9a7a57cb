"""Naive twin of the spatial pooler. Source: reference "HTM scalar anomaly models", section 5."""

import math

from numpy import float32

from tests.reference.portable_math import exp
from tests.reference.random_generator import Random


class SpatialPooler:
    def __init__(
        self,
        inputs,
        columns,
        active_columns,
        potential_pct=0.8,
        connected_permanence=0.2,
        active_increment=0.003,
        inactive_decrement=0.0005,
        boost_strength=0.0,
        duty_cycle_period=1000,
        min_overlap_duty=0.001,
        seed=1956,
    ):
        self.inputs, self.columns, self.active_columns = inputs, columns, active_columns
        self.connected = float32(connected_permanence)
        self.increment = float32(active_increment)
        self.decrement = float32(inactive_decrement)
        self.boost_strength = float32(boost_strength)
        self.duty_cycle_period = duty_cycle_period
        self.min_overlap_duty = float32(min_overlap_duty)
        self.trim_threshold = self.increment / float32(2)

        random = Random(seed)
        for _ in range(columns):
            random.real()
        self.permanences = []  # per column: {input: permanence} for the inputs in its potential pool
        for column in range(columns):
            centre = math.floor((column + 0.5) * inputs / columns)
            neighbours = [(centre + i) % inputs for i in range(inputs)]
            count = math.floor(float(float32(inputs) * float32(potential_pct)) + 0.5)
            pool = sorted(random.sample(neighbours, count))
            self.permanences.append({i: self.initial_permanence(random) for i in pool})

        self.steps = 0
        self.overlaps = [0] * columns
        self.active_duty_cycles = [float32(0)] * columns
        self.overlap_duty_cycles = [float32(0)] * columns
        self.weak_duty_cycle = float32(0)
        self.boost_factors = [float32(1)] * columns

    def initial_permanence(self, random):
        if random.real() <= 0.5:
            permanence = float(self.connected) + float(float32(1) - self.connected) * random.real()
        else:
            permanence = float(self.connected) * random.real()
        permanence = float32(int(float32(permanence) * float32(100000))) / float32(100000)
        return float32(0) if permanence < self.trim_threshold else permanence

    def is_connected(self, permanence):
        return permanence >= self.connected - float32(1e-6)

    def change(self, column, change_of):
        pool = self.permanences[column]
        for i in pool:
            permanence = min(pool[i] + change_of(i), float32(1))
            pool[i] = float32(0) if permanence < self.trim_threshold else permanence

    def compute(self, bits, learn=True):
        bits = set(bits)
        self.overlaps = [
            sum(i in bits and self.is_connected(permanence) for i, permanence in pool.items())
            for pool in self.permanences
        ]
        boosted = [
            float32(overlap) * (factor if learn else float32(1))
            for overlap, factor in zip(self.overlaps, self.boost_factors, strict=True)
        ]
        by_overlap = sorted(range(self.columns), key=lambda column: (boosted[column], column))
        active = sorted(by_overlap[-self.active_columns :])
        if learn:
            self.learn(bits, active)
        return active

    def learn(self, bits, active):
        self.steps += 1
        for column in active:
            self.change(column, lambda i: self.increment if i in bits else -self.decrement)
        period = float32(min(self.duty_cycle_period, self.steps))
        for column in range(self.columns):
            for duty_cycles, now in [
                (self.active_duty_cycles, column in active),
                (self.overlap_duty_cycles, self.overlaps[column] > 0),
            ]:
                total = duty_cycles[column] * (period - float32(1)) + float32(now)
                duty_cycles[column] = total / period
        for column in range(self.columns):
            if self.overlap_duty_cycles[column] < self.weak_duty_cycle:
                self.change(column, lambda i: self.connected / float32(10))
        density = float32(self.active_columns) / float32(self.columns)
        for column in range(self.columns):
            exponent = (density - self.active_duty_cycles[column]) * self.boost_strength
            self.boost_factors[column] = float32(exp(float(exponent)))
        if self.steps % 50 == 0:
            self.weak_duty_cycle = self.min_overlap_duty * max(self.overlap_duty_cycles)
