"""Which alarms belong together: those that are too many and too close in time to be chance.

Alarms are points in time, and in the tree of names. An alarm looks around itself, at each group that its metric is in
(`names`) and over windows of several lengths. It *sees a crowd* where more metrics of the group alarm than chance would let
in one of a hundred cases; of a small host two suffice, of a thousand metrics a crowd is needed. What a smaller group
explains does not count: a crowd must be left, whichever group within is left out. Those that see a crowd of a group within
a window, and are within it of each other, belong together. Rare alarms look for rare ones as well, of which fewer suffice.
Alarms of one metric belong together while it has not been quiet. What belongs together through others does so, too.

That is density-based clustering, of core points alone (Ester et al. 1996, Campello et al. 2013), with a density that a scan
statistic asks for (Kulldorff 1997). Each link depends on the alarms around it alone, and another alarm can only add links.
Hence

- the incidents are the same in whatever order alarms come;
- an alarm that comes late may join incidents, and never divides one;
- the links that new alarms bring are found from what lies around them (`reach_s`).

References
----------
Campello, Moulavi, Sander (2013), "Density-based clustering based on hierarchical density estimates", PAKDD,
doi:10.1007/978-3-642-37456-2_14
Ester, Kriegel, Sander, Xu (1996), "A density-based algorithm for discovering clusters", KDD-96.
Kulldorff (1997), "A spatial scan statistic", Communications in Statistics 26, doi:10.1080/03610929708831995
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from itertools import pairwise
from statistics import NormalDist
from typing import Final, NamedTuple

from htmengine.incidents.names import Fleet

CHANCE_RATE: Final = 1 / 2000
"""Alarms per sample of a metric where nothing happens, as measured on calm series."""
RARE: Final = 100_000.0
"""Alarms with such odds, one in so many, or rarer ones look for their like, too."""
RARE_RATE: Final = 1 / 50_000
"""What these are per sample where nothing happens: of each kind of calm series at most 1.8 times what they promise."""
UNLIKELY: Final = 0.01
"""Probability under which a coincidence is none, in a group of at most `SMALL` metrics; in larger ones it is less, so that
none alarms more often as a crowd by chance than a small one."""
SMALL: Final = 25
WIDER: Final = 4
"""From one window to the next, beginning with one interval."""
MAX_INTERVAL_S: Final = 3600.0
"""Metrics with longer ones are looked at as if they had this."""


class Alarm(NamedTuple):
    """What grouping goes by."""

    uid: str
    rowid: int
    name: str
    timestamp: int
    """Seconds since the epoch."""
    interval_s: float
    """Usual time from a sample of the metric to the next, at least 1."""
    one_in: float = 0.0
    """One in how many samples of the metric is as unusual; 0 where that is not known."""


def horizon_s(interval_s: float) -> float:
    """Return how far in time an alarm looks for those of other metrics."""
    interval_s = min(interval_s, MAX_INTERVAL_S)
    return min(60 * interval_s, 2 * interval_s + 300)


def quiet_s(interval_s: float) -> float:
    """Return how long a metric must have no alarm for its next one to be another incident."""
    interval_s = min(interval_s, MAX_INTERVAL_S)
    return min(30 * interval_s, max(1800, 6 * interval_s))


def open_s(interval_s: float) -> float:
    """Return how long after an alarm its incident counts as open, unless another alarm joins it."""
    return max(quiet_s(interval_s), 300)


def reach_s(longest_interval_s: float) -> float:
    """Return how far from an alarm others lie at most that may have a say in its links: no metric has a longer interval."""
    # An alarm may make another one see a crowd, which is joined then to one that sees its own.
    return max(quiet_s(longest_interval_s), 3 * horizon_s(longest_interval_s))


def windows_s(interval_s: float) -> Iterator[float]:
    """Yield how far an alarm looks to each side, the shortest first."""
    longest = horizon_s(interval_s)
    window = interval_s
    while window < longest:
        yield window
        window *= WIDER
    yield longest


@lru_cache(maxsize=100_000)
def crowd(metrics: int, samples: int, rate: float, unlikely: float) -> int:
    """Return how many of so many metrics must alarm within so many samples of each to be no coincidence; at least 1.

    Parameters
    ----------
    rate : alarms per sample by chance.
    unlikely : with less than this probability it is no coincidence.
    """
    expected = metrics * samples * rate
    term = math.exp(-expected)
    if term == 0.0:  # of so many, the normal distribution is near enough
        return math.ceil(expected - NormalDist().inv_cdf(unlikely) * math.sqrt(expected))
    at_most, count = term, 0
    while 1.0 - at_most > unlikely:
        count += 1
        term *= expected / count
        at_most += term
    return count + 1


def links(
    alarms: Sequence[Alarm], fleet: Fleet, *, new: Iterable[Alarm] | None = None
) -> Iterator[tuple[int, int]]:
    """Yield pairs of places of alarms that belong together.

    Parameters
    ----------
    alarms : by timestamp.
    new : those of them that are new. Links that the others have without them may be left out.
    """
    groups_of = {name: fleet.groups_of(name) for name in {alarm.name for alarm in alarms}}
    groups = None if new is None else {group for alarm in new for group in groups_of[alarm.name]}
    members: defaultdict[str, list[int]] = defaultdict(list)
    of_metric: defaultdict[str, list[int]] = defaultdict(list)
    for place, alarm in enumerate(alarms):
        later, since = place, alarm.timestamp - quiet_s(alarm.interval_s)
        for earlier in reversed(of_metric[alarm.uid]):
            if alarms[earlier].timestamp < since:
                break
            yield earlier, later
            later = earlier
        of_metric[alarm.uid].append(place)
        for group in groups_of[alarm.name]:
            if groups is None or group in groups:
                members[group].append(place)
    for group, places in members.items():
        if len(places) > 1 and fleet.size(group) > 1:
            yield from _links_in(
                group, [alarms[place] for place in places], places, fleet, groups_of, CHANCE_RATE
            )
            rare = [place for place in places if alarms[place].one_in >= RARE]
            if len(rare) > 1:
                yield from _links_in(
                    group, [alarms[place] for place in rare], rare, fleet, groups_of, RARE_RATE
                )


def _links_in(
    group: str,
    alarms: Sequence[Alarm],
    places: Sequence[int],
    fleet: Fleet,
    groups_of: Mapping[str, Sequence[str]],
    rate: float,
) -> Iterator[tuple[int, int]]:
    """Yield the links that alarms of one group have among each other; by chance there are so many per sample."""
    size = fleet.size(group)
    smaller = {
        name: [other for other in groups_of[name] if fleet.size(other) < size]
        for name in {alarm.name for alarm in alarms}
    }
    sees_s = [0.0] * len(alarms)  # the longest window in which an alarm is one of a crowd
    for interval_s in {alarm.interval_s for alarm in alarms}:
        for window_s in windows_s(interval_s):
            look = _Look(size, smaller, fleet, 1 + int(2 * window_s / interval_s), rate)
            first = end = 0
            for place, centre in enumerate(alarms):
                while end < len(alarms) and alarms[end].timestamp <= centre.timestamp + window_s:
                    look.add(alarms[end])
                    end += 1
                while alarms[first].timestamp < centre.timestamp - window_s:
                    look.remove(alarms[first])
                    first += 1
                if centre.interval_s == interval_s and look.sees_a_crowd():
                    sees_s[place] = window_s
    for window_s in sorted(set(sees_s) - {0.0}):
        seeing = [place for place, sees in enumerate(sees_s) if sees >= window_s]
        for before, after in pairwise(seeing):
            if alarms[after].timestamp - alarms[before].timestamp <= window_s:
                yield places[before], places[after]


class _Look:
    """The alarms of a group within a window that moves."""

    def __init__(
        self, size: int, smaller: Mapping[str, Sequence[str]], fleet: Fleet, samples: int, rate: float
    ) -> None:
        """`smaller`: by the name of a metric, the smaller groups that it is in."""
        self._size = size
        self._smaller = smaller
        self._fleet = fleet
        unlikely = UNLIKELY * min(1.0, SMALL / self._size)
        self._crowd = partial(crowd, samples=samples, rate=rate, unlikely=unlikely)
        self._least = 1 + self._crowd(self._size - 1)
        self._enough = self._crowd(self._size)
        self._alarms: dict[str, int] = {}
        """How many alarms there are, by the uid of their metric."""
        self._metrics: dict[str, int] = {}
        """How many metrics alarm, by each smaller group that they are in."""
        self._most = 1
        """No smaller group has had more."""

    def add(self, alarm: Alarm) -> None:
        count = self._alarms.get(alarm.uid, 0)
        self._alarms[alarm.uid] = count + 1
        if not count:
            for group in self._smaller[alarm.name]:
                self._metrics[group] = metrics = self._metrics.get(group, 0) + 1
                self._most = max(self._most, metrics)

    def remove(self, alarm: Alarm) -> None:
        self._alarms[alarm.uid] -= 1
        if not self._alarms[alarm.uid]:
            del self._alarms[alarm.uid]
            for group in self._smaller[alarm.name]:
                self._metrics[group] -= 1
                if not self._metrics[group]:
                    del self._metrics[group]

    def sees_a_crowd(self) -> bool:
        """Return whether so many alarm that it is no coincidence, whatever smaller group is left out."""
        metrics = len(self._alarms)
        if metrics < self._least:
            return False
        if metrics - self._most >= self._enough:
            return True
        self._most = max(self._metrics.values(), default=1)
        return all(
            metrics - own >= self._crowd(self._size - self._fleet.size(group))
            for group, own in self._metrics.items()
        )


def group(alarms: Iterable[Alarm], fleet: Fleet) -> list[list[Alarm]]:
    """Return incidents: the alarms of each by time, the incident that began first first."""
    ordered = sorted(alarms, key=lambda alarm: (alarm.timestamp, alarm.uid, alarm.rowid))
    return [[ordered[place] for place in places] for places in joined(len(ordered), links(ordered, fleet))]


def joined(count: int, pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Return which of so many places are together by these pairs: each set ascending, and the sets by their first."""
    parents = list(range(count))

    def root(place: int) -> int:
        while parents[place] != place:
            parents[place] = parents[parents[place]]
            place = parents[place]
        return place

    for one, other in pairs:
        low, high = sorted((root(one), root(other)))
        parents[high] = low
    found: defaultdict[int, list[int]] = defaultdict(list)
    for place in range(count):
        found[root(place)].append(place)
    return list(found.values())
