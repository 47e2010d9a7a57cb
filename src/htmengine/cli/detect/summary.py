"""What `htmengine detect` tells of many series: the worst first."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from htmengine import readable
from htmengine.cli.detect import report
from htmengine.cli.detect.report import TableColumn
from htmengine.cli.terminal import echo_stderr, echo_stdout
from htmengine.detection.result import Result, document, readable_time
from htmengine.errors import ExplainedError
from htmengine.series.incidents import Incident

_NOTES_SHOWN = 20
_LEAST_FIRST = ("Rows", "Lasts", "How rare", "Log score", "Why")


class Summary(NamedTuple):
    """Many finished detections."""

    results: Sequence[Result]
    failures: Sequence[tuple[str, ExplainedError]]  # files that could not be read, and why

    def worst_first(self) -> list[tuple[Result, Incident | None, int]]:
        """Return each result with its strongest incident, or its strongest row, and how many incidents there are."""
        ranked = []
        for result in self.results:
            shown, anomalous = result.shown(1)
            ranked.append(
                (result, next(iter(shown), None), len(result.finder.incidents()) if anomalous else 0)
            )
        return sorted(ranked, key=lambda rank: -rank[1].peak.scores.log_score if rank[1] else 1.0)


def print_json(summary: Summary, _threshold: float, _top: int) -> None:
    """Print one JSON document to stdout: that of each series, the worst first."""
    summarised: dict[str, Any] = {
        "series": [document(result) for result, _, _ in summary.worst_first()],
        "failed": [
            {"input": source, "error": str(error), "hint": error.hint} for source, error in summary.failures
        ],
    }
    echo_stdout(json.dumps(summarised, allow_nan=False, indent=2))


def print_table(summary: Summary, threshold: float, top: int) -> None:
    """Print a line for each series to stdout, the worst first; what was guessed and what failed to stderr."""
    _print_notes(summary.results)
    for _, error in summary.failures:
        echo_stderr(f"{error}\n  {error.hint}")
    ranked = summary.worst_first()
    striking = sum(count > 0 for _, _, count in ranked)
    echo_stdout(
        f"{readable.counted(len(ranked), 'series', 'series')} scored, {striking:,} with incidents at or above "
        f"log score {threshold:g}, the worst first:"
    )
    shown = ranked[:top]
    peaks = [incident and incident.peak for _, incident, _ in shown]
    report.print_columns(
        [
            TableColumn("Series", False, [_short(result.name) for result, _, _ in shown]),
            TableColumn("Rows", True, [f"{result.scored:,}" for result, _, _ in shown]),
            TableColumn("Incidents", True, [f"{count:,}" for _, _, count in shown]),
            TableColumn(
                "Strongest (UTC)",
                False,
                [readable_time(peak.timestamp) if peak else "-" for peak in peaks],
            ),
            TableColumn("Value", True, [readable.number(peak.value) if peak else "-" for peak in peaks]),
            TableColumn(
                "Log score", True, [f"{peak.scores.log_score:.4f}" if peak else "-" for peak in peaks]
            ),
            TableColumn(
                "How rare", True, [readable.one_in(peak.scores.one_in) if peak else "-" for peak in peaks]
            ),
            TableColumn("Why", False, [report.cause(peak) if peak else "-" for peak in peaks]),
        ],
        _LEAST_FIRST,
    )
    if len(ranked) > top:
        echo_stdout(f"{len(ranked) - top:,} more: see them with --top {len(ranked)}.")
    for path in summary.results[0].outputs:
        echo_stderr(f"Written: {path}")


def _short(name: str) -> str:
    return name if len(name) <= 60 else f"…{name[-59:]}"


def _print_notes(results: Sequence[Result]) -> None:
    """Tell what was guessed: once what holds for many series."""
    series_of: dict[str, list[str]] = {}
    for result in results:
        notes = list(result.notes)
        if result.bad.count:
            line, reason = result.bad.first[0]
            notes.append(
                f"{readable.counted(result.bad.count, 'bad row')} skipped, such as line {line}: {reason}."
            )
        if result.missing:
            notes.append(f"{readable.counted(result.missing, 'row')} without a value: not scored.")
        for note in notes:
            series_of.setdefault(note, []).append(result.name)
    for note, names in list(series_of.items())[:_NOTES_SHOWN]:
        where = names[0] if len(names) == 1 else f"{len(names):,} series, such as {names[0]}"
        echo_stderr(f"{where}: {note}")
    if len(series_of) > _NOTES_SHOWN:
        echo_stderr(f"and {len(series_of) - _NOTES_SHOWN:,} more notes; --json lists them.")
