"""Naive twin of the size of an alarm. Sizes are counted in the bins of the tails of distributions."""

import bisect
import math
from collections import Counter

from tests.reference import portable_math
from tests.reference.deviation import EDGES, HIGHEST, LAST, WEIGHT

USUAL_SHARE = 0.01
LEAST_RARE = 2.5
MOST_RARE = 0.25
COMMON_TO_RARE = 2.5
YOUNG = 200
YOUNG_REFIT = 10
FIRST_FADING = 256
LONGEST_RUN = 4
STILL = 1 / 8


class AlarmSize:
    def __init__(
        self,
        *,
        common_share,
        rare_share,
        odds,
        caution,
        recurring_share,
        recurring_support,
        recurring_factor,
        recurring_limit,
        least,
        memory,
        refit,
        probation,
    ):
        self.common_share = common_share
        self.rare_share = rare_share
        self.odds = odds
        self.caution = caution
        self.recurring_share = recurring_share
        self.recurring_support = recurring_support
        self.recurring_factor = recurring_factor
        self.recurring_limit = recurring_limit
        self.least = least
        self.memory = memory
        self.refit = refit
        self.probation = probation
        self.counts = Counter()  # by bin
        self.sizes = 0
        self.run = 0  # alarms in a row
        self.varies = False
        self.fitted = 0.0
        self.typical_size = 0.0
        self.usual_size = math.nan

    def size(self):
        return self.fitted

    def typical(self):
        return self.typical_size

    def usual(self):
        return self.usual_size

    def strength(self, size):
        return size / self.fitted if self.fitted > 0.0 else 0.0

    def learn(self, size):
        self.sizes += 1
        if self.varies and size >= (self.fitted if self.fitted > 0.0 else self.least):
            weight = WEIGHT // 2 ** min(self.run, LONGEST_RUN)
            self.run += 1
        else:
            weight = WEIGHT
            self.run = 0
        self.counts[min(bisect.bisect_right(EDGES, min(size, HIGHEST)) - 1, LAST)] += weight
        doublings = [2**n for n in range(64) if FIRST_FADING <= 2**n < self.memory]
        if self.sizes in doublings:
            self.fade(7, 10)
        if self.counts.total() > WEIGHT * self.memory:
            self.fade(1, 2)
        if (
            self.sizes >= self.probation
            and self.sizes % (YOUNG_REFIT if self.sizes < YOUNG else self.refit) == 0
        ):
            self.fit()

    def fade(self, part, whole):
        for place in self.counts:
            self.counts[place] = self.counts[place] * part // whole

    def exceeded_by(self, weight):
        """Return the size that so many records exceed, as if those of a bin were spread evenly; 0 if all do."""
        above = 0
        for place in range(LAST, -1, -1):
            count = self.counts[place]
            if count > 0 and above + count >= weight:
                return EDGES[place + 1] - (weight - above) / count * (EDGES[place + 1] - EDGES[place])
            above += count
        return 0.0

    def fit(self):
        total = self.counts.total()
        rare = max(self.rare_share * total, min(LEAST_RARE * WEIGHT, MOST_RARE * total))
        common = max(self.common_share * total, COMMON_TO_RARE * rare)
        far, near = self.exceeded_by(rare), self.exceeded_by(common)
        per_e_fold = (far - near) / portable_math.log(common / rare)
        self.fitted = self.caution * (far + per_e_fold * portable_math.log(rare / total / self.odds))
        if total >= 4.0 * self.recurring_support * WEIGHT:
            support = self.recurring_support * WEIGHT
            recurring = self.exceeded_by(max(self.recurring_share * total, support))
            raised = min(self.recurring_factor * recurring, self.recurring_limit * self.fitted)
            self.fitted = max(self.fitted, raised)
        self.fitted = max(self.fitted, self.least)
        records = YOUNG_REFIT if self.sizes <= YOUNG else self.refit
        if self.typical_size > 0.0:
            rise = portable_math.log(self.fitted / self.typical_size)
            self.typical_size *= portable_math.exp(min(records / self.sizes, 1.0) * rise)
        else:
            self.typical_size = self.fitted
        self.usual_size = self.exceeded_by(USUAL_SHARE * total)
        still = sum(count for place, count in self.counts.items() if EDGES[place] < STILL)
        self.varies = 3 * still <= total
