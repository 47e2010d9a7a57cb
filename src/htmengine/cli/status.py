"""The state of the engine and its metrics in words: what `htmengine status` and `htmengine doctor` print."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from htmengine.cli.session import print_table, utc
from htmengine.cli.terminal import echo_stderr, echo_stdout
from htmengine.doors.reasons import known, remedy_of
from htmengine.doors.samples import shortened
from htmengine.readable import counted, duration
from htmengine.service.health import ServiceHealth

if TYPE_CHECKING:
    from htmengine.admin.health import Health
    from htmengine.admin.metric_report import MetricReport

MAX_EXAMPLE: Final = 50
"""Characters of a refused line that are shown."""


def print_health(health: Health) -> None:
    """Show the engine to a person."""
    print_table(
        ("Service", "Runs", "Up", "Restarts", "Queued", "Oldest", "Dead letters"),
        [
            (
                one.name,
                {True: "yes", False: "NO", None: "?"}[one.alive],
                duration(one.up_s) if one.up_s is not None else None,
                one.restarts,
                one.queued,
                duration(one.oldest_s) if one.queued and one.oldest_s else None,
                one.dead_letters,
            )
            for one in health.services
        ],
    )
    for one in health.services:
        for line in [*_counted(one), *_each(one)]:
            echo_stdout(line)
    totals = health.totals
    by_status = ", ".join(f"{count} {name}" for name, count in sorted(totals.by_status.items()))
    echo_stdout(
        f"{counted(totals.metrics, 'metric')}{f' ({by_status})' if by_status else ''}, "
        f"{counted(totals.rows, 'sample')} stored, {totals.unscored} waiting for scores; "
        f"{counted(health.dead_letters, 'dead letter')}."
    )
    for finding in health.findings:
        echo_stderr(f"! {finding}")


def _each(service: ServiceHealth) -> list[str]:
    """Return a line for each process of a service that has several on this machine."""
    if len(service.processes) < 2:
        return []
    return [
        f"  process {one.pid}, up {duration(one.up_s)}: "
        + ", ".join(
            f"{name.replace('_', ' ')} {count}"
            for name, count in one.counters.items()
            if isinstance(count, int)
        )
        for one in service.processes
    ]


def _counted(service: ServiceHealth) -> list[str]:
    """Return a service's counters as lines: what was refused by its reason, with an example."""
    plain = {name: count for name, count in service.counters.items() if isinstance(count, int) and count}
    lines = [
        f"{service.name} since its start: "
        + ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in plain.items())
    ] * bool(plain)
    for reason, refused in service.counters.get("rejected", {}).items():
        example = (
            f", for example {shortened(refused['examples'][-1], MAX_EXAMPLE)!r}"
            if refused["examples"]
            else ""
        )
        if peer := refused.get("peer"):
            example += f", from {peer}"
        if last := refused.get("last"):
            example += f", at {utc(last)} UTC"
        remedy = f"; {remedy}" if (remedy := remedy_of(reason)) else ""
        of = known(reason)
        what = "left out" if of and of.by_policy else "rejected"
        lines.append(f"  {counted(refused['count'], 'line')} {what}: {reason}{example}{remedy}")
    return lines


def print_reports(reports: Sequence[MetricReport], *, everything: bool) -> None:
    """Show metrics to a person."""
    if not reports and not everything:
        echo_stdout("No metric waits for anything. `htmengine doctor NAME` looks at one.")
    for report in reports:
        echo_stdout("")
        echo_stdout(report.name, bold=True)
        if metric := report.metric:
            checkpoint = (
                f"row {report.last_checkpoint}, {duration(report.checkpoint_age_s or 0.0)} ago"
                if report.last_checkpoint is not None
                else "none yet"
            )
            last = utc(metric.tail_timestamp)
            echo_stdout(
                f"  {metric.status_name}; samples in {report.samples_in}, stored {metric.last_rowid}, "
                f"scored {metric.scored_rowid}, waiting {metric.unscored}, lag {duration(report.lag_s or 0.0)}\n"
                f"  model: generation {metric.generation}, "
                f"{max(metric.scored_rowid - metric.base_rowid, 0)} samples old; checkpoint: {checkpoint}\n"
                f"  last sample: {f'{last} UTC' if last else 'none yet'}"
            )
            if metric.message and not metric.failed:
                echo_stdout(f"  {metric.message}")
        echo_stdout(f"  {report.diagnosis.sentence}")
