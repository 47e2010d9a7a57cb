"""False silences over generated schedules, and how soon a metric that stops is found; and what it costs to look for them.

    python -m benchmarks.silence
    python -m benchmarks.silence --metrics 100000

For each schedule, over several seeds and `--weeks`: how many gaps of a metric that never fails are found as silences, in the
first week and in each later one; and after how long one is found that stops for good, at random times in the last week while it
is not resting, as the median and the longest of them, beside the usual time from a sample to the next.

With `--metrics`, a fleet of so many that come once a minute is watched in a SQLite file, with a clock of its own: the
processor time for each minute of the fleet, while all come and when all have stopped, without the storing of rows.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

from sqlalchemy import update

from benchmarks.command import print_report
from benchmarks.summary import Report
from htmengine import config
from htmengine.incidents.writer import Writer as IncidentsWriter
from htmengine.repository import metrics, migrations, samples, schema
from htmengine.repository.opening import open_database
from htmengine.repository.status import MetricStatus
from htmengine.silence.rhythm import DAY_S, WEEK_S, Rhythm
from htmengine.silence.writer import LimitsFile, Writer

MONDAY: Final = 1_704_067_200
HOUR_S: Final = 3600
STOPS: Final = 40
"""Times at which each metric stops."""
MINUTES: Final = 15
"""Of the fleet, while all come, and when all have stopped."""
TICK_S: Final = 2.0

Schedule = Callable[[random.Random], Iterator[int]]
"""Yields seconds after a Monday, 00:00."""


def regular(interval_s: int) -> Schedule:
    """Come on time."""
    return lambda _: iter(range(0, 100 * WEEK_S, interval_s))


def jittery(interval_s: int) -> Schedule:
    """Come a quarter of the interval early or late (standard deviation)."""

    def schedule(chance: random.Random) -> Iterator[int]:
        at = 0
        while True:
            yield at
            at += max(1, int(chance.gauss(interval_s, interval_s / 4)))

    return schedule


def dropping(interval_s: int) -> Schedule:
    """Come on time, but one in ten does not come."""
    return lambda chance: (at for at in range(0, 100 * WEEK_S, interval_s) if chance.random() > 0.1)


def at_random(interval_s: int) -> Schedule:
    """Come at random, independent of each other."""

    def schedule(chance: random.Random) -> Iterator[int]:
        at = 0
        while True:
            yield at
            at += 1 + int(chance.expovariate(1 / interval_s))

    return schedule


def heavy_tailed(chance: random.Random) -> Iterator[int]:
    """Come with gaps of every size: a Pareto distribution of infinite variance."""
    at = 0
    while True:
        yield at
        at += 1 + int(30 * chance.paretovariate(1.5))


def bursty(chance: random.Random) -> Iterator[int]:
    """Come each second for a while, then not for half an hour or longer."""
    at = 0
    while True:
        for _ in range(chance.randint(5, 200)):
            yield at
            at += 1
        at += 300 + int(chance.expovariate(1 / 1800))


def within(
    interval_s: int, begins_h: float, ends_h: float, *, days: int = 7, spread_h: float = 0.0
) -> Schedule:
    """Come by day only, on the first days of the week; begin and end are early or late by so much (standard deviation)."""

    def schedule(chance: random.Random) -> Iterator[int]:
        for day in range(700):
            if day % 7 >= days:
                continue
            begin, end = (
                (hour + chance.gauss(0, spread_h)) * HOUR_S + day * DAY_S for hour in (begins_h, ends_h)
            )
            first = -(-int(begin) // interval_s) * interval_s
            yield from range(first, int(end), interval_s)

    return schedule


def with_lunch(chance: random.Random) -> Iterator[int]:
    """Come by day on working days, with a pause of an hour and a half at noon."""
    for at in within(60, 8, 18, days=5)(chance):
        if not 12 * HOUR_S <= at % DAY_S < 13.5 * HOUR_S:
            yield at


def job(chance: random.Random) -> Iterator[int]:
    """Come for five minutes once or twice a day, at any time."""
    at = 0
    while True:
        for _ in range(30):
            yield at
            at += 10
        at += int(chance.uniform(4 * HOUR_S, 20 * HOUR_S))


SCHEDULES: Final[dict[str, Schedule]] = {
    "regular 10 s": regular(10),
    "regular 60 s": regular(60),
    "regular 1 h": regular(HOUR_S),
    "regular 1 d": regular(DAY_S),
    "jittery 60 s": jittery(60),
    "jittery 1 h": jittery(HOUR_S),
    "one in ten missing": dropping(60),
    "at random, 60 s": at_random(60),
    "heavy-tailed gaps": heavy_tailed,
    "bursty": bursty,
    "job at any time": job,
    "nightly pause": within(60, 7, 22),
    "nightly pause, unpunctual": within(300, 7, 22, spread_h=0.4),
    "weekdays only": within(60, 8, 18, days=5),
    "weekdays with lunch": with_lunch,
}


def times_of(schedule: Schedule, chance: random.Random, weeks: int) -> list[int]:
    """Return the timestamps of a metric that never fails."""
    found: list[int] = []
    for after_s in schedule(chance):
        if after_s >= weeks * WEEK_S:
            break
        if after_s >= 0:
            found.append(MONDAY + after_s)
    return found


def watched(times: Sequence[int], chance: random.Random, weeks: int) -> tuple[list[int], list[float], float]:
    """Return how many gaps of each week are found, after how long stops are, and the interval."""
    rhythm = Rhythm(live=True)
    found = [0] * weeks
    last_week = range(len(times) * (weeks - 1) // weeks, len(times) - 1)
    stops = set(chance.sample(last_week, k=min(STOPS, len(last_week))))
    delays: list[float] = []
    for place, (since, until) in enumerate(pairwise(times)):
        overdue = rhythm.expected_by(since)
        if rhythm.is_known and until > overdue:
            found[(since - MONDAY) // WEEK_S] += 1
        if place in stops and rhythm.resting_until(since) <= until:
            delays.append(overdue - since)
        rhythm = rhythm.learned((since, until))
    return found, delays, rhythm.interval_s


def measure(name: str, weeks: int, seeds: int) -> Report:
    """Return what a schedule gives, the means over seeds."""
    counts: list[list[int]] = []
    delays: list[float] = []
    intervals: list[float] = []
    for seed in range(seeds):
        chance = random.Random(f"{name} {seed}")
        found, own, interval_s = watched(times_of(SCHEDULES[name], chance, weeks), chance, weeks)
        counts.append(found)
        delays += own
        intervals.append(interval_s)
    return {
        "false_first_week": statistics.fmean(found[0] for found in counts),
        "false_each_later_week": statistics.fmean(sum(found[1:]) / (weeks - 1) for found in counts),
        "found_after_s": statistics.median(delays) if delays else None,
        "found_after_at_most_s": max(delays, default=None),
        "interval_s": statistics.median(intervals),
    }


def cost(count: int) -> Report:
    """Return what it costs to watch a fleet."""
    now = float(MONDAY)
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(config.Repository(path=Path(folder) / "repository.sqlite"))
        migrations.upgrade(database, shards=4)
        names = [f"site.service{n // 500}.host{n // 20}.metric{n % 20}" for n in range(count)]
        with database.write() as conn:
            uids = list(metrics.create_custom(conn, names).values())
            conn.execute(update(schema.metric).values(status=MetricStatus.ACTIVE))
        writer = Writer(database, lambda: 0.0, LimitsFile(None), clock=lambda: now)
        writer.work()
        spent: list[float] = []
        for minute in range(1, 2 * MINUTES + 1):
            if minute <= MINUTES:
                with database.write() as conn:
                    tails = [samples.Advance(uid, minute - 1, minute, int(now)) for uid in uids]
                    samples.advance_last(conn, tails)
                    samples.append(conn, uids, [minute] * count, [int(now)] * count, [1.0] * count)
            spent.append(0.0)
            for _ in range(int(60 / TICK_S)):
                now += TICK_S
                began = time.process_time()
                while writer.work():
                    pass
                spent[-1] += time.process_time() - began
        incidents = IncidentsWriter(database, clock=lambda: now)
        began = time.process_time()
        while incidents.work():
            pass
        grouped = time.process_time() - began
        writer.close()
        again = Writer(database, lambda: 0.0, LimitsFile(None), clock=lambda: now)
        began = time.process_time()
        again.work()
        restart = time.process_time() - began
        found = writer.counters.snapshot()
        database.close()
    return {
        "metrics": count,
        "silences": found.get("silences_found", 0),
        "coming_cpu_s_a_minute": statistics.fmean(spent[MINUTES - 5 : MINUTES]),
        "silent_cpu_s_a_minute": statistics.fmean(spent[-5:]),
        "worst_minute_cpu_s": max(spent),
        "incidents_cpu_s": grouped,
        "start_cpu_s": restart,
    }


def main() -> None:
    """Run the benchmark that was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weeks", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--metrics", type=int, help="measure the cost of a fleet of so many")
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    options = parser.parse_args()
    report: Report
    if options.metrics:
        report = cost(options.metrics)
    else:
        report = {name: measure(name, options.weeks, options.seeds) for name in SCHEDULES}
    print_report(report, one_line=options.json)


if __name__ == "__main__":
    main()
