"""How well alarms are put together to incidents, on generated fleets, and on the metrics of a real machine.

    python -m benchmarks.incidents
    python -m benchmarks.incidents --capture FILE.lines.gz --incident START_S

A generated fleet has names `site.service.host.metric`. Each metric alarms by chance, some seldom and some often; in between
incidents are staged, each of which makes several metrics alarm. Reported for each fleet and rule:

- ``calm``: incidents a day of a fleet in which nothing is staged: lone alarms, and those of more than one alarm, of which
  there should be none; and how many metrics the largest has;
- for each kind of staged incident the means of ``completeness``, the largest share of its alarms that is in one incident;
  ``purity``, the share of that incident's alarms that are of the staged one; and ``first_mover``, how often it is named.

- of a capture: how many alarms came alone, how many incidents have several metrics and how long the longest is; and of the
  incident that was staged, when the largest incident at that time begins and ends, how many metrics it has, and how many of the
  alarms of the first 15 seconds are in it.

The rules: `chance` is the one that the engine has; `prefix` is the one that it replaced: an alarm joins an incident if it
comes within two intervals and five minutes of its last alarm, and shares the first segment of its name with a member, or the
incident has three metrics.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Final

import numpy as np

from benchmarks.capture import Metric, read
from benchmarks.command import print_report
from benchmarks.detectors import FIXED_THRESHOLD
from benchmarks.summary import Report
from htmengine.htm.model import Model
from htmengine.htm.params import parameter_set
from htmengine.incidents.grouping import RARE, Alarm, group
from htmengine.incidents.names import Fleet

DAY_S: Final = 86_400
ALARM_RATE: Final = 1 / 2000
"""Alarms by chance for each sample, the mean over metrics."""
RARE_BY_CHANCE: Final = 0.02
"""Share of these that are rare: odds of one in 100,000 are reached about so often."""
RARE_STAGED: Final = 0.6
"""The same of alarms in a staged incident: in the one of the capture they were six of ten."""
SPREAD: Final = 1.0
"""Standard deviation of its logarithm, from metric to metric."""
APART_S: Final = 3 * 3600
"""From one staged incident to the next."""
YOUNG_ROWS: Final = 180
"""Alarms of a captured metric's first rows are left out: it is learning what is usual."""

Rule = Callable[[Sequence[Alarm], Fleet], list[list[Alarm]]]


@dataclass(frozen=True)
class Shape:
    """A fleet's size: services, hosts of each, metrics of each of these."""

    services: int
    hosts: int
    metrics: int
    interval_s: int

    def names(self) -> list[str]:
        """Return the names of all metrics."""
        return [
            f"site.service{service}.host{service}x{host}.metric{metric}"
            for service in range(self.services)
            for host in range(self.hosts)
            for metric in range(self.metrics)
        ]

    def host(self, service: int, host: int) -> list[str]:
        """Return the names of a host's metrics."""
        return [
            f"site.service{service}.host{service}x{host}.metric{metric}" for metric in range(self.metrics)
        ]

    def service(self, service: int) -> list[str]:
        """Return the names of a service's metrics."""
        return [name for host in range(self.hosts) for name in self.host(service, host)]


SHAPES: Final = {
    "12 metrics": Shape(3, 2, 2, 60),
    "200 metrics": Shape(4, 5, 10, 60),
    "200 metrics, 10 s": Shape(4, 5, 10, 10),
    "5000 metrics": Shape(20, 10, 25, 60),
    "50000 metrics": Shape(50, 40, 25, 60),
}


class Chance:
    """What happens by chance in a fleet."""

    def __init__(self, shape: Shape, seed: int) -> None:
        self.shape = shape
        self.random = random.Random(seed)
        self._rowids: dict[str, int] = defaultdict(int)

    def alarm(self, name: str, time: float, rare: float) -> Alarm:
        """Return an alarm of a metric, at the next of its samples; with so much probability a rare one."""
        interval = self.shape.interval_s
        self._rowids[name] += 1
        one_in = RARE if self.random.random() < rare else 1000.0
        return Alarm(
            name, self._rowids[name], name, int(-(-time // interval) * interval), float(interval), one_in
        )

    def alarms(self, seconds: float) -> Iterator[Alarm]:
        """Yield what alarms by chance in so long a time."""
        for name in self.shape.names():
            rate = ALARM_RATE / self.shape.interval_s * self.random.lognormvariate(-(SPREAD**2) / 2, SPREAD)
            time = self.random.expovariate(rate)
            while time < seconds:
                yield self.alarm(name, time, RARE_BY_CHANCE)
                time += max(self.random.expovariate(rate), 15 * self.shape.interval_s)


Staged = list[Alarm]
"""The alarms of an incident; the first is that of the metric that moves first."""


def _moving(chance: Chance, names: Sequence[str], begin: float, lag_s: Callable[[], float]) -> Staged:
    """Let metrics alarm one after the other, each so long after the one before; some do so again."""
    found, time = [], begin
    again = []
    for name in names:
        found.append(chance.alarm(name, time, RARE_STAGED))
        if chance.random.random() < 0.2:
            later = time + chance.random.uniform(16, 25) * chance.shape.interval_s
            again.append(chance.alarm(name, later, RARE_STAGED))
        time += lag_s()
    return found + again


def one_host(chance: Chance, begin: float) -> list[Staged]:
    """Eight metrics of a host, all within some two intervals."""
    shape, pick = chance.shape, chance.random
    names = shape.host(pick.randrange(shape.services), pick.randrange(shape.hosts))
    chosen = pick.sample(names, min(8, len(names)))
    return [_moving(chance, chosen, begin, lambda: pick.expovariate(4 / shape.interval_s))]


def one_service(chance: Chance, begin: float) -> list[Staged]:
    """Twelve metrics of a service's hosts, half a minute after each other."""
    shape, pick = chance.shape, chance.random
    names = shape.service(pick.randrange(shape.services))
    chosen = pick.sample(names, min(12, len(names)))
    return [_moving(chance, chosen, begin, lambda: pick.expovariate(1 / 30))]


def across_services(chance: Chance, begin: float) -> list[Staged]:
    """Three metrics of a host, and a minute later ten of another service."""
    shape, pick = chance.shape, chance.random
    one, other = pick.sample(range(shape.services), 2)
    first = pick.sample(shape.host(one, 0), min(3, shape.metrics))
    names = shape.service(other)
    then = pick.sample(names, min(10, len(names)))
    lags = iter([5.0] * (len(first) - 1) + [60.0] + [10.0] * len(then))
    return [_moving(chance, [*first, *then], begin, lambda: next(lags))]


def slow_cascade(chance: Chance, begin: float) -> list[Staged]:
    """Eight metrics of two hosts of a service, four to seven minutes after each other."""
    shape, pick = chance.shape, chance.random
    service = pick.randrange(shape.services)
    names = [name for host in pick.sample(range(shape.hosts), 2) for name in shape.host(service, host)]
    chosen = pick.sample(names, min(8, len(names)))
    return [_moving(chance, chosen, begin, lambda: pick.uniform(240, 420))]


def two_at_once(chance: Chance, begin: float) -> list[Staged]:
    """Eight metrics of a host and, two minutes later, eight of a host of another service, which has nothing to do with it."""
    shape, pick = chance.shape, chance.random
    found = []
    for number, service in enumerate(pick.sample(range(shape.services), 2)):
        chosen = pick.sample(shape.host(service, 0), min(8, shape.metrics))
        lag = lambda: pick.expovariate(4 / shape.interval_s)  # noqa: E731
        found.append(_moving(chance, chosen, begin + 120 * number, lag))
    return found


KINDS: Final = (one_host, one_service, across_services, slow_cascade, two_at_once)


def by_prefix(alarms: Sequence[Alarm], _fleet: Fleet) -> list[list[Alarm]]:
    """Return incidents by the rule that was replaced."""
    incidents: list[list[Alarm]] = []
    still: list[list[Alarm]] = []
    for alarm in sorted(alarms, key=lambda one: (one.timestamp, one.uid, one.rowid)):
        still = [own for own in still if alarm.timestamp - own[-1].timestamp <= 2 * alarm.interval_s + 300]
        first = alarm.name.split(".")[1]  # the first segment is the site
        for own in still:
            if len({one.uid for one in own}) >= 3 or any(one.name.split(".")[1] == first for one in own):
                own.append(alarm)
                break
        else:
            still.append([alarm])
            incidents.append(still[-1])
    return incidents


RULES: Final[dict[str, Rule]] = {"chance": lambda alarms, fleet: group(alarms, fleet), "prefix": by_prefix}


def calm(shape: Shape, rule: Rule, *, days: float, seed: int) -> Report:
    """Return what a rule makes of a fleet in which nothing happens."""
    alarms = list(Chance(shape, seed).alarms(days * DAY_S))
    incidents = rule(alarms, Fleet(shape.names()))
    several = [own for own in incidents if len(own) > 1]
    return {
        "alarms_a_day": len(alarms) / days,
        "lone_a_day": (len(incidents) - len(several)) / days,
        "several_a_day": len([own for own in several if len({one.uid for one in own}) > 1]) / days,
        "again_a_day": len([own for own in several if len({one.uid for one in own}) == 1]) / days,
        "largest": max((len({one.uid for one in own}) for own in incidents), default=0),
    }


def staged(
    shape: Shape, rule: Rule, kind: Callable[[Chance, float], list[Staged]], *, count: int, seed: int
) -> Report:
    """Return how a rule finds incidents of a kind among chance alarms."""
    chance = Chance(shape, seed)
    truth = [own for number in range(1, count + 1) for own in kind(chance, APART_S * number)]
    alarms = [*chance.alarms(APART_S * (count + 1)), *(one for own in truth for one in own)]
    found = rule(alarms, Fleet(shape.names()))
    incident_of = {one[:2]: number for number, own in enumerate(found) for one in own}
    completeness, purity, first = [], [], []
    for own in truth:
        shares: dict[int, int] = defaultdict(int)
        for one in own:
            shares[incident_of[one[:2]]] += 1
        best = max(shares, key=shares.__getitem__)
        completeness.append(shares[best] / len(own))
        purity.append(shares[best] / len(found[best]))
        begin = found[best][0].timestamp
        first.append(any(one.timestamp == begin and one.name == own[0].name for one in found[best]))
    return {"completeness": fmean(completeness), "purity": fmean(purity), "first_mover": fmean(first)}


def capture_alarms(metrics: Sequence[Metric], *, from_row: int) -> list[Alarm]:
    """Return the alarms of the metrics of a capture, from a row of each on."""
    found = []
    for metric in metrics:
        scores = Model(parameter_set("default", minimum=None, maximum=None, seed=1)).score_series(
            metric.timestamps, metric.values
        )
        interval = float(np.median(np.diff(metric.timestamps))) if len(metric.timestamps) > 1 else 60.0
        for row in np.flatnonzero(scores.log_score >= FIXED_THRESHOLD):
            if row >= from_row:
                found.append(
                    Alarm(
                        uid=metric.name,
                        rowid=int(row) + 1,
                        name=metric.name,
                        timestamp=int(metric.timestamps[row]),
                        interval_s=max(1.0, interval),
                        one_in=float(np.nan_to_num(scores.one_in[row])),
                    )
                )
    return found


def on_capture(path: Path, rule: Rule, start: float | None) -> Report:
    """Return what a rule makes of the alarms of a real machine, and of the incident that was staged on it."""
    metrics = read(path)
    alarms = capture_alarms(metrics, from_row=YOUNG_ROWS)
    incidents = rule(alarms, Fleet(metric.name for metric in metrics))
    report: Report = {
        "alarms": len(alarms),
        "lone": sum(len(own) == 1 for own in incidents),
        "several": sum(len({one.uid for one in own}) > 1 for own in incidents),
        "longest_s": max(own[-1].timestamp - own[0].timestamp for own in incidents),
    }
    if start is not None:
        begun = [own for own in incidents if any(start <= one.timestamp <= start + 15 for one in own)]
        largest = max(begun, key=lambda own: len({one.uid for one in own}))
        report["staged"] = {
            "begins_s": largest[0].timestamp - start,
            "ends_s": largest[-1].timestamp - start,
            "metrics": len({one.uid for one in largest}),
            "alarms_within_15_s": sum(start <= one.timestamp <= start + 15 for one in alarms),
            "of_them_in_it": sum(start <= one.timestamp <= start + 15 for one in largest),
        }
    return report


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.incidents", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--capture", type=Path, metavar="FILE", help="plaintext lines of a machine's metrics")
    parser.add_argument("--incident", type=float, metavar="START_S", help="when one was staged there")
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES), help="fleets")
    parser.add_argument("--rules", nargs="+", choices=RULES, default=list(RULES))
    parser.add_argument("--count", type=int, default=20, help="staged incidents of each kind (default: 20)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    options = parser.parse_args()
    report: Report = {}
    for name in options.rules:
        rule = RULES[name]
        own: Report = {}
        if options.capture:
            own["capture"] = on_capture(options.capture, rule, options.incident)
        for shape_name in options.shapes:
            shape = SHAPES[shape_name]
            days = min(14.0, 20_000 / len(shape.names()))
            own[shape_name] = {"calm": calm(shape, rule, days=days, seed=options.seed)} | {
                kind.__name__: staged(shape, rule, kind, count=options.count, seed=options.seed + 1)
                for kind in KINDS
            }
        report[name] = own
    print_report(report, one_line=options.json)


if __name__ == "__main__":
    main()
