"""The statistics of timers agree with those of StatsD's own code."""

import json
import random
import subprocess

import pytest

from htmengine.doors.samples import Refusals, Samples
from htmengine.doors.statsd import parse
from htmengine.doors.statsd_aggregation import STATISTICS, Aggregation, Series
from tests.servers import require
from tests.support.agents import of_npm

INTERVAL_S = 10.0
PERCENTILES = (90.0, 50.0, 99.9, 1.0, -10.0, -75.5)
SCRIPT = """
const { process_metrics } = require(process.argv[1]);
const { timers, rates, percentiles } = JSON.parse(require("fs").readFileSync(0));
const timer_counters = Object.fromEntries(
  Object.entries(timers).map(([name, values]) => [name, values.length / rates[name]]));
const metrics = {
  counters: {}, gauges: {}, timers, timer_counters, sets: {}, counter_rates: {}, timer_data: {}, pctThreshold: percentiles,
};
process_metrics(metrics, [], 10000, 0, (found) => console.log(JSON.stringify(found.timer_data)));
"""


@pytest.mark.parametrize("seed", range(3))
def test_timers_give_what_statsd_gives(seed):
    code = of_npm("statsd") / "lib" / "process_metrics.js"
    drawn = random.Random(seed)
    timers = {
        f"t{n}": [round(drawn.expovariate(0.01), 3) for _ in range(drawn.choice([1, 2, 3, 7, 10, 99, 500]))]
        for n in range(20)
    }
    rates = {name: drawn.choice([1.0, 0.5, 0.1]) for name in timers}
    sent = json.dumps({"timers": timers, "rates": rates, "percentiles": PERCENTILES})
    done = subprocess.run(
        [require("nodejs", "node"), "-e", SCRIPT, str(code)],
        input=sent,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    expected = {
        f"{name}.{statistic}": value
        for name, statistics in json.loads(done.stdout).items()
        for statistic, value in statistics.items()
    }
    aggregation = Aggregation(INTERVAL_S, Series(timers=STATISTICS, percentiles=PERCENTILES))
    refusals = Refusals()
    for name, values in timers.items():
        lines = "\n".join(f"{name}:{value}|ms|@{rates[name]}" for value in values)
        aggregation.add(parse(lines.encode(), refusals), Samples.empty(), refusals)
    found = aggregation.flush(0.0, refusals)
    assert not refusals
    ours = dict(zip(found.names, found.values, strict=True))
    assert ours.keys() == expected.keys()
    # Where a percentile below 0 has all values, StatsD's own sum is not a number.
    numbers = {name: value for name, value in expected.items() if value is not None}
    assert all("_top75_5" in name for name in expected.keys() - numbers.keys())
    assert {name: ours[name] for name in numbers} == pytest.approx(numbers, rel=1e-9)
