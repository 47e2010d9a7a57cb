"""What is skipped: slow tests, unless they are asked for; and one line for each reason."""

from collections import Counter

import pytest


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="run also the tests that are marked slow")


def pytest_itemcollected(item):
    """Skip a slow test, instead of leaving it out: who names one is told why it does not run."""
    if item.get_closest_marker("slow") and not item.config.getoption("slow"):
        item.add_marker(pytest.mark.skip(reason="slow: run with --slow"))


def pytest_terminal_summary(terminalreporter):
    """Say how many tests each reason skipped. pytest itself says it for each line of the tests' source."""
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ") for report in terminalreporter.stats.get("skipped", [])
    )
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"SKIPPED [{count}] {reason}")
