"""Which alarms belong together: those that come so many and so close as they hardly would by chance.

Alarms are points in time, and in the tree of names. An alarm looks around itself, at each group that its metric is in
(`names`) and over windows of several lengths: if so many metrics of the group alarm there as chance would bring in one
of a hundred cases at most, all of them belong together. So two metrics of a small service suffice, and of a fleet of
thousands a crowd is needed. Alarms of one metric belong together while it has not been quiet. What belongs together
through others does so, too.

That is density-based clustering (Ester et al. 1996) with a density that a scan statistic asks for (Kulldorff 1997). Each
such link depends on the alarms around it alone, and another alarm can only add links. Hence

- the incidents are the same in whatever order alarms come;
- an alarm that comes late may join incidents, and never divides one;
- the links that new alarms bring are found from what lies around them (`reach_s`).

References
----------
Ester, Kriegel, Sander, Xu (1996), "A density-based algorithm for discovering clusters", KDD-96.
Kulldorff (1997), "A spatial scan statistic", Communications in Statistics 26, doi:10.1080/03610929708831995
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from htmengine.incidents.names import Fleet, groups_of

CHANCE_RATE: Final = 1 / 2000
"""Alarms per sample of a metric where nothing happens, as measured on calm series."""
UNLIKELY: Final = 0.01
"""Probability under which a coincidence is none."""
WIDER: Final = 4
"""From one window to the next, beginning with one interval."""
LONGEST_INTERVAL_S: Final = 3600.0
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


def horizon_s(interval_s: float) -> float:
    """Return how far in time an alarm looks for those of other metrics."""
    return 2 * min(interval_s, LONGEST_INTERVAL_S) + 300


def quiet_s(interval_s: float) -> float:
    """Return how long a metric must have no alarm for its next one to be another incident."""
    interval_s = min(interval_s, LONGEST_INTERVAL_S)
    return min(30 * interval_s, max(1800, 6 * interval_s))


def open_s(interval_s: float) -> float:
    """Return how long after an alarm its incident counts as open, unless another alarm joins it."""
    return max(quiet_s(interval_s), 300)


def reach_s(longest_interval_s: float) -> float:
    """Return how far from an alarm others lie at most that may have a say in its links: no metric has a longer interval."""
    return max(quiet_s(longest_interval_s), 2 * horizon_s(longest_interval_s))


def windows_s(interval_s: float) -> Iterator[float]:
    """Yield how far an alarm looks to each side, the shortest first."""
    longest = horizon_s(interval_s)
    window = interval_s
    while window < longest:
        yield window
        window *= WIDER
    yield longest


@lru_cache(maxsize=100_000)
def crowd(others: int, samples: int) -> int:
    """Return how many of a group's metrics must alarm, the one that looks included, to be no coincidence.

    Parameters
    ----------
    others : the group's other metrics.
    samples : of each of them, in the window.
    """
    expected = others * samples * CHANCE_RATE
    term = math.exp(-expected)
    at_most, count = term, 0
    if term == 0.0:  # of so many, the normal distribution is near enough
        return 1 + math.ceil(expected + 2.326 * math.sqrt(expected))
    while 1.0 - at_most > UNLIKELY:
        count += 1
        term *= expected / count
        at_most += term
    return count + 2


def links(
    alarms: Sequence[Alarm], fleet: Fleet, *, new: Iterable[Alarm] | None = None
) -> Iterator[tuple[int, int]]:
    """Yield pairs of places of alarms that belong together.

    Parameters
    ----------
    alarms : by timestamp.
    new : those of them that are new. Links that the others have without them may be left out.
    """
    groups = None if new is None else {group for alarm in new for group in groups_of(alarm.name)}
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
        for group in dict.fromkeys(groups_of(alarm.name)):
            if groups is None or group in groups:
                members[group].append(place)
    for group, places in members.items():
        size = fleet.size(group)
        if len(places) > 1 and size > 1:
            yield from _links_in(size, [alarms[place] for place in places], places)


def _links_in(size: int, alarms: Sequence[Alarm], places: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the links that the alarms of one group have."""
    for interval_s in sorted({alarm.interval_s for alarm in alarms}):
        for window in windows_s(interval_s):
            needed = crowd(size - 1, 1 + int(2 * window / interval_s))
            if needed > size:
                continue
            first = end = joined = 0  # up to `joined`, an alarm is joined to the one before it
            metrics: dict[str, int] = {}
            for centre in alarms:
                while end < len(alarms) and alarms[end].timestamp <= centre.timestamp + window:
                    metrics[alarms[end].uid] = metrics.get(alarms[end].uid, 0) + 1
                    end += 1
                while alarms[first].timestamp < centre.timestamp - window:
                    uid = alarms[first].uid
                    metrics[uid] -= 1
                    if not metrics[uid]:
                        del metrics[uid]
                    first += 1
                if centre.interval_s == interval_s and len(metrics) >= needed:
                    for place in range(max(first, joined), end - 1):
                        yield places[place], places[place + 1]
                    joined = max(joined, end - 1)


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
