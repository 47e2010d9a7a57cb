"""How a model behaves where metrics are awkward: series in which one thing at a time is so.

    python -m benchmarks.behaviour --seeds 10
    python -m benchmarks.behaviour --seeds 20 --only glitch job --json

Prints a table: alarms on what should alarm and after how many samples, further alarms of the same event, and false
alarms. An alarm is a record whose log score is at least 0.5. Unless a series says otherwise, nothing is left out at its
beginning. Where an event is due, and until when alarms are further ones of it: `series.Series`. Series that look for the
after-effects of a disturbance are also measured without it.

`steady` has events on metrics that go on as they are, `outliers` single values far outside and what they hide, `hours`
what is usual at one hour and not at another.
"""

from benchmarks.behaviour.report import BEHAVIOURS, Outcome, Pair, compare, measure
from benchmarks.behaviour.series import Series, day, noise, times

__all__ = ["BEHAVIOURS", "Outcome", "Pair", "Series", "compare", "day", "measure", "noise", "times"]
