"""Whether an alert budget holds: "at most N a week" over a fleet of generated metrics with things going wrong in them.

    python -m benchmarks.alert_budget
    python -m benchmarks.alert_budget --budget 5 --metrics 100 --weeks 8 --seeds 5

Each metric is a season with noise, at five minutes; at random times something is put into one of them, or into several of a
host, which is what one would be told of, and more often than the budget allows. Every metric is scored by a default model of
its own, alarms are put together to incidents, and each day the score that the budget takes is looked for in what came before,
as the engine does every hour. Reported for each seed: the incidents of each week, and how many are told of. The budget says
how many there may be; that few are told of while much happens would be a fault as well.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor
from typing import Final

import numpy as np

from benchmarks.command import print_report
from benchmarks.detectors import FIXED_THRESHOLD
from benchmarks.summary import Report
from htmengine.alerts import budget
from htmengine.alerts.history import PastIncident
from htmengine.alerts.rules import AlarmFacts, default_rule
from htmengine.htm.arrays import FloatArray
from htmengine.htm.model import Model
from htmengine.htm.params import parameter_set
from htmengine.incidents.grouping import Alarm, group
from htmengine.incidents.names import Fleet

INTERVAL_S: Final = 300
DAY_S: Final = 86_400
WEEK_S: Final = 7 * DAY_S
HOSTS: Final = 10
TROUBLES_A_WEEK: Final = 10.0
"""So often something goes wrong somewhere."""
SHARED: Final = 0.4
"""How often it is seen in several metrics of a host."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.alert_budget", description=__doc__)
    parser.add_argument("--budget", type=float, default=2.0, help="incidents a week (default: 2)")
    parser.add_argument("--metrics", type=int, default=100)
    parser.add_argument("--weeks", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    report: Report = {
        f"seed {seed}": measure(options.metrics, options.weeks, options.budget, seed)
        for seed in range(1, options.seeds + 1)
    }
    print_report(report, one_line=options.json)


def measure(metrics: int, weeks: int, per_week: float, seed: int) -> Report:
    """Return the incidents of each week, and how many of them are told of."""
    names = [f"site.host{metric % HOSTS}.metric{metric}" for metric in range(metrics)]
    series = fleet(metrics, weeks, seed)
    with ProcessPoolExecutor() as pool:
        scored = list(pool.map(score, series))
    facts = {
        (name, row): AlarmFacts(name, name, row * INTERVAL_S, log_score, float(values[row]))
        for name, values, alarms in zip(names, series, scored, strict=True)
        for row, log_score, _ in alarms
    }
    alarms = [
        Alarm(name, row, name, row * INTERVAL_S, float(INTERVAL_S), one_in)
        for name, found in zip(names, scored, strict=True)
        for row, _, one_in in found
    ]
    incidents = [
        PastIncident(
            number,
            opened=own[0].timestamp,
            changed=own[-1].timestamp,
            resolved=own[-1].timestamp,
            metrics=len({one.uid for one in own}),
            alarm_count=len(own),
            alarms=[facts[one.uid, one.rowid] for one in own],
        )
        for number, own in enumerate(group(alarms, Fleet(names)), start=1)
    ]
    rule = default_rule(["people"])._replace(budget=per_week)
    happened: Counter[int] = Counter()
    notices: Counter[int] = Counter()
    for day in range(7 * weeks):
        now = float(day * DAY_S)
        past = [one for one in incidents if now - budget.WEEKS * budget.WEEK_S <= one.opened < now]
        least = budget.threshold(budget.scores_of(rule, past), per_week, budget.weeks_of(past, now))
        today = [one for one in incidents if now <= one.opened < now + DAY_S]
        scores = budget.scores_of(rule, today)
        happened[day // 7] += len(scores)
        notices[day // 7] += sum(score >= least for score in scores)
    second_half = [notices[week] for week in range(weeks // 2, weeks)]
    return {
        "alarms": len(alarms),
        "incidents_a_week": [happened[week] for week in range(weeks)],
        "notices_a_week": [notices[week] for week in range(weeks)],
        "notices_in_second_half": sum(second_half) / len(second_half),
    }


def fleet(metrics: int, weeks: int, seed: int) -> list[FloatArray]:
    """Return the values of each metric, shape (rows,)."""
    rng = np.random.default_rng(seed)
    rows = weeks * WEEK_S // INTERVAL_S
    day = DAY_S // INTERVAL_S
    hours = np.arange(rows) * 2 * np.pi / day
    of_host: defaultdict[int, list[int]] = defaultdict(list)
    series: list[FloatArray] = []
    noises = []
    for metric in range(metrics):
        of_host[metric % HOSTS].append(metric)
        noise = rng.lognormal(0.0, 0.5)
        season = rng.uniform(0, 15) * noise * np.sin(hours + rng.uniform(0, 2 * np.pi))
        series.append(100.0 + season + noise * rng.standard_normal(rows))
        noises.append(noise)
    for _ in range(rng.poisson(TROUBLES_A_WEEK * weeks)):
        begin = int(rng.integers(day, rows - day))
        first = int(rng.integers(metrics))
        others = [one for one in of_host[first % HOSTS] if one != first]
        concerned = [first]
        if rng.random() < SHARED:
            concerned += list(
                rng.choice(others, size=min(len(others), int(rng.integers(2, 6))), replace=False)
            )
        length = int(rng.integers(1, 12))
        size = rng.lognormal(2.2, 0.6) * rng.choice([-1.0, 1.0])
        for place, metric in enumerate(concerned):
            start = begin + place // 2
            series[metric][start : start + length] += size * noises[metric]
    return series


def score(values: FloatArray) -> list[tuple[int, float, float]]:
    """Return the alarms of a series: row, log score, and one in how many rows is as unusual."""
    times = np.arange(len(values)) * float(INTERVAL_S)
    model = Model(parameter_set("default", minimum=None, maximum=None, seed=1))
    scores = model.score_series(times, values)
    return [
        (int(row), float(scores.log_score[row]), float(np.nan_to_num(scores.one_in[row])))
        for row in np.flatnonzero(scores.log_score >= FIXED_THRESHOLD)
    ]


if __name__ == "__main__":
    main()
