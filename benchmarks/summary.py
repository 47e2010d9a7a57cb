"""Numbers of several runs, put together."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

Report = dict[str, object]
"""What a run says: numbers by name, and reports within it."""


def over_runs(runs: Sequence[Report]) -> Report:
    """Replace every number that the reports have in common by its mean and standard deviation over them.

    The deviation is that of a sample (n - 1); 0 for a single run.
    """
    return {name: _summary([run[name] for run in runs]) for name in runs[0]}


def _summary(values: list[object]) -> Report:
    numbers = [value for value in values if isinstance(value, int | float)]
    if len(numbers) == len(values):
        return {
            "mean": statistics.fmean(numbers),
            "sd": statistics.stdev(numbers) if len(numbers) > 1 else 0.0,
        }
    return over_runs([value for value in values if isinstance(value, dict)])


def rounded(report: Report, digits: int = 4) -> Report:
    """Return the report with its numbers rounded, for people to read."""
    return {name: _rounded(value, digits) for name, value in report.items()}


def _rounded(value: object, digits: int) -> object:
    if isinstance(value, float):
        return round(value, digits)
    if isinstance(value, dict):
        return rounded(value, digits)
    if isinstance(value, list):
        return [_rounded(item, digits) for item in value]
    return value
