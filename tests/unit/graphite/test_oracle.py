"""Equal to graphite-web itself, where it is installed: times, patterns, consolidation, and each function that both have."""

import json
import math
import os
import subprocess
from datetime import UTC
from pathlib import Path

import numpy as np
import pytest

from htmengine.graphite import globs, times
from htmengine.graphite.functions import FUNCTIONS
from htmengine.graphite.series import AGGREGATIONS, Grid, consolidate
from htmengine.graphite.target import TargetError
from tests.unit.graphite.recorded import Recorded, evaluate, listed

PYTHON = os.environ.get("HTMENGINE_GRAPHITE_WEB")
pytestmark = [
    pytest.mark.oracle,
    pytest.mark.skipif(
        not PYTHON, reason="needs HTMENGINE_GRAPHITE_WEB: the Python of an environment with graphite-web"
    ),
]
SCRIPT = Path(__file__).parents[2] / "support" / "graphite_web.py"
NOW = 1_790_000_000


def ask(**question):
    done = subprocess.run(
        [PYTHON, SCRIPT], input=json.dumps([question]), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)[0]


TIMES = [
    *("now", "-1h", "-15min", "now-2d", "-1w", "-1mon", "-1y", "-30s", "now+1h", "1790000000"),
    *("today", "yesterday", "tomorrow", "midnight", "noon", "teatime", "midnight_yesterday", "noon_tomorrow"),
    *("20260131", "01/31/26", "1/31/2026", "jan15", "january 15", "monday", "mon", "sunday", "10:30"),
    *("8am", "8:15pm", "noon yesterday", "10:30_20260131", "midnight+2h", "today-1d"),
    *("6pm today", "04:00_20260131", "-5minutes", "-2hours", "-3days", "-90seconds", "-2weeks", "-1months"),
]


def test_times():
    found = ask(kind="times", texts=TIMES, now=NOW)
    ours = [times.parse_time(text, NOW, UTC) for text in TIMES]
    differing = {text: (a, b) for text, a, b in zip(TIMES, ours, found, strict=True) if a != b}
    assert differing == {}


PATTERNS = [
    "*",
    "a*",
    "?b",
    "[ab]*",
    "[!a]*",
    "{a,b}b",
    "a{b,c{d,e}}*",
    "[a-c]?",
    "ab",
    "*b*",
    "a-b",
    "{a,}b",
    "[]",
    "a.b",
]


def test_patterns():
    names = ["a", "b", "ab", "bb", "abc", "acd", "ace", "cc", "c1", "a-b", "xaby", "[]"]
    found = ask(kind="globs", names=names, patterns=PATTERNS)
    for pattern, expected in zip(PATTERNS, found, strict=True):
        if "." in pattern:
            continue
        ours = {name for plain in globs.expand(pattern) for name in names if globs.segment(plain)(name)}
        assert sorted(ours) == sorted(set(expected)), pattern


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_consolidation(count):
    values = [1.0, None, 3.0, 8.0, None, None, 2.0, 5.0, 5.0, None, None, None, 7.0]
    functions = ["average", "sum", "min", "max", "first", "last"]
    found = ask(kind="consolidated", values=values, functions=functions, count=count)
    for how, expected in zip(functions, found, strict=True):
        ours = consolidate(Grid(0, 1, np.array(values, dtype=np.float64)), count, how).values.tolist()
        assert [None if value != value else value for value in ours] == expected, how
        assert how in AGGREGATIONS


SERIES = {
    "web.a.hits": [60, [3, None, 5, 4.5, 9, 0, -2, None, None, 6, 7, 8, 8, 8, None, 1, 2, 30, 4, 5]],
    "web.b.hits": [60, [1, 2, 3, None, None, 2, 8, 8, 1, None, 5, 5, 0, 6, 6, 6, 1, 1, 9, None]],
    "web.a.total": [60, [10, 20, 25, 25, None, 40, 7, 9, 100, 140, 150, 2, 3, 4, 5, 6, 7, 8, 9, 10]],
    "web.slow": [120, [100, 200, None, 50, 75, 80, 10, 20, 30, 40]],
}
TARGETS = [
    "constantLine(100)",
    "constantLine(1.5)",
    "web.a.hits",
    "alias(web.*.hits, 'x y')",
    r"aliasSub(web.*.hits, '^web\.(\w+)', '\1!')",
    r'aliasSub(constantLine(100), "(^.*$)", "\1 A")',
    "aliasByNode(web.*.hits, 1)",
    "aliasByNode(scale(web.*.hits, 2), 1, 0)",
    "aliasByNode(web.*.hits, -1, 7)",
    "aliasByMetric(web.*.hits)",
    "aliasByMetric(scale(web.*.hits,2))",
    "group(web.a.hits, web.slow)",
    "sumSeries(web.*.hits)",
    "sum(web.a.hits, web.b.hits)",
    "sumSeries(web.a.hits, web.slow)",
    "averageSeries(web.*.hits)",
    "avg(web.*.hits, web.slow)",
    "minSeries(web.*.hits)",
    "maxSeries(web.*.hits)",
    "scale(web.a.hits, 0.5)",
    "web.a.hits|scale(10)|offset(-1)",
    "offset(web.a.hits, 2)",
    "absolute(web.a.hits)",
    "invert(web.a.hits)",
    "limit(web.*.hits, 1)",
    "sortByMaxima(web.*.*)",
    "highestMax(web.*.*, 2)",
    "highestCurrent(web.*.*, 2)",
    "currentAbove(web.*.*, 4)",
    "maximumAbove(web.*.*, 10)",
    "exclude(web.*.*, 'total')",
    "grep(web.*.*, 'a.+hits$')",
    "removeBelowValue(web.a.hits, 5)",
    "removeAboveValue(web.a.hits, 5)",
    "keepLastValue(web.a.hits)",
    "keepLastValue(web.a.hits, 1)",
    "transformNull(web.a.hits)",
    "transformNull(web.a.hits, -1)",
    "summarize(web.a.hits, '3min')",
    "summarize(web.a.hits, '5min', 'max')",
    "summarize(web.a.hits, '5min', 'avg', true)",
    "summarize(web.a.hits, '4min', 'last')",
    "movingAverage(web.a.hits, 3)",
    "movingAverage(web.a.hits, '5min')",
    "movingMax(web.a.hits, 4)",
    "movingMax(web.*.hits, '2min')",
    "timeShift(web.a.hits, '5min')",
    "timeShift(web.a.hits, '+2min')",
    "derivative(web.a.total)",
    "nonNegativeDerivative(web.a.total)",
    "nonNegativeDerivative(web.a.total, 255)",
    "perSecond(web.a.total)",
    "threshold(5)",
    "threshold(5, 'limit')",
    "consolidateBy(web.a.hits, 'max')",
    "asPercent(web.*.hits)",
    "asPercent(web.*.hits, 200)",
]


def test_functions():
    start, end = 540, 1140
    found = ask(kind="rendered", series=SERIES, targets=TARGETS, start=start, end=end)
    source = Recorded(SERIES)
    differing = {}
    for text, expected in zip(TARGETS, found, strict=True):
        try:
            ours = listed(evaluate(source, text, start, end))
        except TargetError as error:
            ours = str(error)
        if not same(ours, expected):
            differing[text] = (ours, expected)
    assert differing == {}


def same(ours, expected):
    """Compare but for what is meant to differ: lines are named by the number as it was written, and empty slots at the end."""
    if isinstance(ours, str) or isinstance(expected, str) or len(ours) != len(expected):
        return False
    for (name, start, step, values), (their_name, their_start, their_step, theirs) in zip(
        ours, expected, strict=True
    ):
        if name != their_name.replace("100.0", "100") and f"{name}.0" != their_name:
            return False
        if (start, step) != (their_start, their_step):
            return False
        values, theirs = shortened(values), shortened(theirs)
        if [value is None for value in values] != [value is None for value in theirs]:
            return False
        if not all(
            a is None or math.isclose(a, b, abs_tol=1e-6) for a, b in zip(values, theirs, strict=True)
        ):
            return False
    return True


def shortened(values):
    while values and values[-1] is None:
        values = values[:-1]
    return values


def test_every_function_that_both_have_is_compared():
    compared = {name for name in FUNCTIONS.all if any(f"{name}(" in text for text in TARGETS)}
    ours = {name for name, one in FUNCTIONS.all.items() if one.group == "Anomaly"}
    assert set(FUNCTIONS.all) - compared - ours == {
        "seriesByTag",
        "aliasByTags",
    }  # of which it knows by a database
