"""What `htmengine backtest` does: try settings on a time that has passed, and show what each would have told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from htmengine.admin.backtest import Outcome, Variant, backtest, document, rules_in_use, variants_of
from htmengine.alerts import configuration
from htmengine.alerts.rules import Rules
from htmengine.cli.progress import counting_bar
from htmengine.cli.session import duration, print_json, print_table, utc
from htmengine.cli.terminal import echo_stderr
from htmengine.errors import MisuseError
from htmengine.labels import files
from htmengine.runtime.metric_storer import name_patterns
from htmengine.service.context import Context


class Request(NamedTuple):
    """What the user asked for; see the options of `htmengine.cli.commands.backtest`."""

    pattern: str
    since: float
    until: float
    models: tuple[str, ...]
    rules: tuple[Path, ...]
    labels: Path | None
    json: bool


def run(context: Context, request: Request) -> None:
    """Try the variants and print what came of each. Raises MisuseError or ConfigError."""
    if request.since >= request.until:
        raise MisuseError("--since is not before --until.", hint="Give an earlier --since.")
    labels = files.read(request.labels) if request.labels else None
    with counting_bar() as show:
        outcomes = backtest(
            context.database,
            _variants(request, context.settings.alerts),
            request.since,
            request.until,
            fits=name_patterns.glob(request.pattern),
            labels=labels,
            show=lambda done, total: show("Scoring", done, total),
        )
    if request.json:
        print_json(document(outcomes, request.since, request.until))
        return
    _print(outcomes, request)


def _variants(request: Request, in_use: Path | None) -> list[Variant]:
    rules = {str(path): _rules_of(path) for path in request.rules}
    return variants_of(request.models, rules or {"": rules_in_use(in_use)})


def _rules_of(path: Path) -> Rules:
    found = configuration.load(path)
    configuration.close(found)
    return found.rules


def _print(outcomes: Sequence[Outcome], request: Request) -> None:
    echo_stderr(
        f"{outcomes[0].metrics:,} metrics, {utc(request.since)} to {utc(request.until)} UTC, "
        f"{outcomes[0].labels:,} labelled anomalies."
    )
    has_labels = outcomes[0].labels > 0
    headings = ["Variant", "Alarms", "Incidents", "Notices", "A week"]
    if has_labels:
        headings += ["Alarmed", "Found", "Recall", "Precision", "Delay"]
    rows = []
    for one in outcomes:
        row: list[object] = [one.variant, one.alarms, one.incidents, one.notices, f"{one.notices_a_week:.1f}"]
        if has_labels:
            delay = None if one.delay_s is None else duration(one.delay_s)
            row += [one.alarmed, one.found, _share(one.recall), _share(one.precision), delay]
        rows.append(row)
    print_table(headings, rows)
    if not has_labels:
        echo_stderr(
            "With labels it says what is found, and which notices are right: `htmengine labels add`, or --labels FILE."
        )


def _share(share: float | None) -> str | None:
    return None if share is None else f"{100 * share:.0f} %"
