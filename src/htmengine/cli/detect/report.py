"""What `htmengine detect` prints: a table for people, or one JSON document for programs."""

import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from htmengine import readable
from htmengine.cli.terminal import echo_stderr, echo_stdout
from htmengine.detection.result import Result, document, expected, readable_time
from htmengine.htm.params import DefaultParameters
from htmengine.incidents import sentences
from htmengine.series.incidents import Incident, ScoredRow

_BAD_ROWS_SHOWN = 5
_PIPE_WIDTH = 200  # characters, where no terminal says how wide it is
_GAP = 2  # characters between two columns of the table
# Columns of the table that a narrow terminal goes without, the first of them first.
_LEAST_FIRST = ("Start (UTC)", "Rows", "Line", "Lasts", "Usual", "Log score", "Why", "How rare")

# What a model of a parameter set cannot say of the first rows. Of the very first nothing is expected, so it does not count.
_DEFAULT = DefaultParameters(name="default")
_PROBATION: Mapping[str, str] = {
    "default": f" The first {1 + _DEFAULT.deviation.alarm_size.probation} cannot be anomalies, and how rare a row is, is known "
    f"from row {_DEFAULT.odds.probation + 1} on."
}


class TableColumn(NamedTuple):
    """A column of the table of incidents."""

    name: str
    is_numeric: bool  # stands at the right
    cells: list[str]

    @property
    def width(self) -> int:
        """Characters of its widest cell."""
        return max(map(len, (self.name, *self.cells)))


def print_json(result: Result) -> None:
    """Print one JSON document to stdout."""
    echo_stdout(json.dumps(document(result), allow_nan=False, indent=2))


def print_table(result: Result) -> None:
    """Print the incidents to stdout as a table, and what was skipped to stderr."""
    _print_advice(result)
    echo_stdout(
        f"{result.name}: {readable.counted(result.scored, 'row')} scored, "
        f"{readable_time(result.first)} to {readable_time(result.last)} UTC."
    )
    incidents, anomalous = result.shown(result.choice.top)
    candidates = result.finder.farthest()
    all_incidents = len(result.finder.incidents())
    limit = f"log score {result.choice.threshold:g}"
    if anomalous:
        echo_stdout(
            f"{readable.counted(all_incidents, 'incident')} at or above {limit}, the strongest first:"
        )
    elif candidates:
        echo_stdout(f"No row reaches {limit}.")
    else:
        echo_stdout(f"No row reaches {limit}. The strongest rows, none of them an anomaly by this measure:")
    if anomalous or not candidates:
        print_columns(incident_table(incidents, anomalous), _LEAST_FIRST)
    if all_incidents > len(incidents):
        echo_stdout(f"{all_incidents - len(incidents):,} more: see them with --top {all_incidents}.")
    if candidates:
        echo_stdout("Far from the median, but no anomaly to a model that has learned so little:")
        print_columns(_candidate_table(candidates), _LEAST_FIRST)


def incident_table(incidents: Sequence[Incident], anomalous: bool) -> list[TableColumn]:
    """Return what a person sees of incidents; `anomalous` as `Result.shown` gives it."""
    peaks = [incident.peak for incident in incidents]
    columns = [
        TableColumn("#", True, [str(rank) for rank in range(1, len(incidents) + 1)]),
        TableColumn("Peak (UTC)", False, [readable_time(peak.timestamp) for peak in peaks]),
        TableColumn("Value", True, [readable.number(peak.value) for peak in peaks]),
        TableColumn("Log score", True, [f"{peak.scores.log_score:.4f}" for peak in peaks]),
    ]
    if any(not math.isnan(peak.scores.one_in) for peak in peaks):
        columns.append(TableColumn("How rare", True, [readable.one_in(peak.scores.one_in) for peak in peaks]))
    if any(not math.isnan(peak.scores.forecast) for peak in peaks):
        columns.append(TableColumn("Usual", False, [_usual(peak) for peak in peaks]))
    if any(peak.why for peak in peaks):
        columns.append(TableColumn("Why", False, [cause(peak) for peak in peaks]))
    if anomalous:
        columns += [
            TableColumn("Start (UTC)", False, [readable_time(each.start.timestamp) for each in incidents]),
            TableColumn("Lasts", True, [readable.duration(each.duration_s) for each in incidents]),
            TableColumn("Rows", True, [f"{each.rows:,}" for each in incidents]),
        ]
    return [*columns, TableColumn("Line", True, [f"{peak.line:,}" for peak in peaks])]


def _candidate_table(rows: Sequence[ScoredRow]) -> list[TableColumn]:
    return [
        TableColumn("Time (UTC)", False, [readable_time(row.timestamp) for row in rows]),
        TableColumn("Value", True, [readable.number(row.value) for row in rows]),
        TableColumn("Log score", True, [f"{row.scores.log_score:.4f}" for row in rows]),
        TableColumn("Usual", False, [_usual(row) for row in rows]),
        TableColumn("Line", True, [f"{row.line:,}" for row in rows]),
    ]


def print_columns(columns: list[TableColumn], least_first: Sequence[str]) -> None:
    """Print a table to stdout; a narrow terminal goes without the columns `least_first`, the first of them first."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    console = Console(file=sys.stdout, width=width, markup=False, highlight=False)
    columns, left_out = _fitted(columns, console.width, least_first)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, _GAP - 1, 0, 0), pad_edge=False)
    for column in columns:
        table.add_column(column.name, justify="right" if column.is_numeric else "left", no_wrap=True)
    for cells in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*cells)
    console.print(table)
    if left_out:
        echo_stderr(f"A wider window has room for more: {', '.join(left_out)}.")


def _fitted(
    columns: list[TableColumn], width: int, least_first: Sequence[str]
) -> tuple[list[TableColumn], list[str]]:
    """Return the columns that a terminal `width` characters wide has room for, and the names of the others."""
    dispensable = [name for name in least_first if any(column.name == name for column in columns)]
    left_out: list[str] = []
    while dispensable and 2 - _GAP + sum(column.width + _GAP for column in columns) > width:
        left_out.append(dispensable.pop(0))
        columns = [column for column in columns if column.name != left_out[-1]]
    return columns, left_out[::-1]


def cause(row: ScoredRow) -> str:
    """Return in words what decided a row's score."""
    return sentences.reason(row.why, row.value) if row.why and row.why.cause else "-"


def _usual(row: ScoredRow) -> str:
    usual: tuple[float, float] | None = expected(row.scores)["usual"]
    if usual is None:
        return "-"
    low, high = (readable.rounded(limit, 4) for limit in usual)
    return f"{low} to {high}"


def _print_advice(result: Result) -> None:
    if result.missing:
        echo_stderr(f"{readable.counted(result.missing, 'row')} without a value: not scored.")
    if result.bad.count:
        echo_stderr(f"{readable.counted(result.bad.count, 'bad row')} skipped:")
        for line, reason in result.bad.first[:_BAD_ROWS_SHOWN]:
            echo_stderr(f"  line {line}: {reason}")
        if result.bad.count > _BAD_ROWS_SHOWN:
            echo_stderr(f"  and {result.bad.count - _BAD_ROWS_SHOWN:,} more; --json lists them.")
    if result.finder.has_few:
        echo_stderr(
            f"{readable.counted(result.scored, 'row')} with a value: too few to learn what is usual."
            f"{_PROBATION.get(result.choice.params, '')}"
        )
    for path in result.outputs:
        echo_stderr(f"Written: {path}")
