"""What was skipped, in one line for each reason."""

from collections import Counter


def pytest_terminal_summary(terminalreporter):
    """Say how many tests each reason skipped. pytest itself says it for each line of the tests' source."""
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ") for report in terminalreporter.stats.get("skipped", [])
    )
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"SKIPPED [{count}] {reason}")
