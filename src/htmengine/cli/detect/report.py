"""What `htmengine detect` tells: a table for people, or one JSON document for programs."""

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from htmengine import readable
from htmengine.cli.terminal import echo_stderr, echo_stdout
from htmengine.htm.arrays import FloatArray
from htmengine.htm.explanation import Scores
from htmengine.htm.params import DefaultParameters
from htmengine.series.incidents import Incident, IncidentFinder, ScoredRow
from htmengine.series.reader import SeriesReader
from htmengine.series.timestamps import isoformat

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

REASONS: Mapping[str | None, str] = {
    "sequence": "unknown sequence",
    "jump": "large steps",
    "extreme": "new extreme",
    "distance": "far from its level",
    "error": "far from its forecast",
    "offset": "off its level for long",
    "unrest": "unsteady for long",
    None: "-",
}


class Extent:
    """How many rows there were, and from when to when."""

    def __init__(self) -> None:
        self.rows = 0
        self.repeated = 0  # rows with the same time as the row before
        self.first = math.nan
        self.last = math.nan

    def add(self, timestamps: FloatArray) -> None:
        """Take the times of the next rows, shape (n,), n > 0."""
        if not self.rows:
            self.first = float(timestamps[0])
        self.repeated += int((timestamps[1:] == timestamps[:-1]).sum()) + int(timestamps[0] == self.last)
        self.last = float(timestamps[-1])
        self.rows += len(timestamps)


class Result(NamedTuple):
    """A finished detection."""

    reader: SeriesReader
    extent: Extent
    finder: IncidentFinder
    parameters: str
    seed: int | None
    threshold: float
    top: int
    outputs: Sequence[Path]

    @property
    def scored(self) -> int:
        """Rows that have scores."""
        return self.extent.rows - self.reader.missing

    def shown(self, limit: int) -> tuple[list[Incident], bool]:
        """Return at most `limit` incidents, the strongest first, and whether they reach the threshold.

        If none does, each of the `top` strongest rows stands as an incident of its own.
        """
        incidents = self.finder.incidents()
        if incidents:
            return incidents[:limit], True
        return [Incident(row, row, row, 1) for row in self.finder.strongest()], False


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


def document(result: Result) -> dict[str, Any]:
    """Return the result as JSON types."""
    reader, layout = result.reader, result.reader.layout
    incidents, anomalous = result.shown(result.top)
    return {
        "input": reader.name,
        "rows": result.extent.rows + reader.bad.count,
        "scored": result.scored,
        "missing": reader.missing,
        "bad": {"count": reader.bad.count, "first": [row._asdict() for row in reader.bad.first]},
        "from": isoformat(result.extent.first),
        "to": isoformat(result.extent.last),
        "parameters": result.parameters,
        "seed": result.seed,
        "columns": {
            "timestamp": layout.timestamp._asdict() | {"format": layout.timestamp_format.name},
            "time_of_day": layout.time_of_day and layout.time_of_day._asdict(),
            "value": layout.value._asdict(),
        },
        "threshold": result.threshold,
        "incidents": [
            {
                "start": isoformat(incident.start.timestamp),
                "end": isoformat(incident.end.timestamp),
                "duration_s": incident.duration_s,
                "rows": incident.rows,
                "anomalous": anomalous,
                "peak": _row(incident.peak),
            }
            for incident in incidents
        ],
        "anomalies": [_row(row) for row in result.finder.anomalies],
        "candidates": [_row(row) for row in result.finder.farthest()],
        "outputs": [str(path) for path in result.outputs],
    }


def _expected(scores: Scores) -> dict[str, Any]:
    usual = (scores.usual_low, scores.usual_high)
    return {
        "one_in": _known(scores.one_in),
        "forecast": _known(scores.forecast),
        "usual": None if math.isnan(scores.usual_low) else usual,
    }


def _known(number: float) -> float | None:
    return None if math.isnan(number) else number


def _row(row: ScoredRow) -> dict[str, Any]:
    why = row.why
    return {
        "timestamp": isoformat(row.timestamp),
        "value": row.value,
        "anomaly_score": row.scores.anomaly_score,
        "log_score": row.scores.log_score,
        **_expected(row.scores),
        "line": row.line,
        "why": why
        and {
            "cause": why.cause,
            "channel": why.channel,
            "strengths": why.strengths,
            "damped": why.damped,
            "forecast": why.forecast,
            "usual": why.usual,
            "foreseen": why.foreseen(),
            "alarms_before": why.alarms_before,
            "last_alarm": None if why.last_alarm is None else isoformat(why.last_alarm),
        },
    }


def print_table(result: Result) -> None:
    """Print the incidents to stdout as a table, and what was skipped to stderr."""
    _print_advice(result)
    extent = result.extent
    echo_stdout(
        f"{result.reader.name}: {readable.counted(result.scored, 'row')} scored, "
        f"{readable_time(extent.first)} to {readable_time(extent.last)} UTC."
    )
    incidents, anomalous = result.shown(result.top)
    candidates = result.finder.farthest()
    all_incidents = len(result.finder.incidents())
    limit = f"log score {result.threshold:g}"
    if anomalous:
        echo_stdout(
            f"{readable.counted(all_incidents, 'incident')} at or above {limit}, the strongest first:"
        )
    elif candidates:
        echo_stdout(f"No row reaches {limit}.")
    else:
        echo_stdout(f"No row reaches {limit}. The strongest rows, none of them an anomaly by this measure:")
    if anomalous or not candidates:
        _print_rows(incident_table(incidents, anomalous))
    if all_incidents > len(incidents):
        echo_stdout(f"{all_incidents - len(incidents):,} more: see them with --top {all_incidents}.")
    if candidates:
        echo_stdout("Far from the median, but no anomaly to a model that has learned so little:")
        _print_rows(_candidate_table(candidates))


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
        why = [REASONS[peak.why.cause] if peak.why else "-" for peak in peaks]
        columns.append(TableColumn("Why", False, why))
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


def _print_rows(columns: list[TableColumn]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    console = Console(file=sys.stdout, width=width, markup=False, highlight=False)
    columns, left_out = _fitted(columns, console.width)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, _GAP - 1, 0, 0), pad_edge=False)
    for column in columns:
        table.add_column(column.name, justify="right" if column.is_numeric else "left", no_wrap=True)
    for cells in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*cells)
    console.print(table)
    if left_out:
        echo_stderr(f"A wider window has room for more: {', '.join(left_out)}.")


def _fitted(columns: list[TableColumn], width: int) -> tuple[list[TableColumn], list[str]]:
    """Return the columns that a terminal `width` characters wide has room for, and the names of the others."""
    dispensable = [name for name in _LEAST_FIRST if any(column.name == name for column in columns)]
    left_out: list[str] = []
    while dispensable and 2 - _GAP + sum(column.width + _GAP for column in columns) > width:
        left_out.append(dispensable.pop(0))
        columns = [column for column in columns if column.name != left_out[-1]]
    return columns, left_out[::-1]


def _usual(row: ScoredRow) -> str:
    return usual_values(_expected(row.scores)["usual"])


def usual_values(usual: tuple[float, float] | None) -> str:
    """Return a range of values with four digits; `-` if there is none."""
    if usual is None:
        return "-"
    low, high = (readable.rounded(limit, 4) for limit in usual)
    return f"{low} to {high}"


def _print_advice(result: Result) -> None:
    reader, extent = result.reader, result.extent
    if reader.missing:
        echo_stderr(f"{readable.counted(reader.missing, 'row')} without a value: not scored.")
    if reader.bad.count:
        echo_stderr(f"{readable.counted(reader.bad.count, 'bad row')} skipped:")
        for line, reason in reader.bad.first[:_BAD_ROWS_SHOWN]:
            echo_stderr(f"  line {line}: {reason}")
        if reader.bad.count > _BAD_ROWS_SHOWN:
            echo_stderr(f"  and {reader.bad.count - _BAD_ROWS_SHOWN:,} more; --json lists them.")
    if 3 * (extent.repeated + reader.late) >= extent.rows + reader.bad.count:
        echo_stderr(
            f"{extent.repeated + reader.late:,} rows have the time of the row before, or an earlier one. If the file "
            "holds several series, take them apart first: a model learns one.",
        )
    if result.finder.has_few:
        echo_stderr(
            f"{readable.counted(result.scored, 'row')} with a value: too few to learn what is usual."
            f"{_PROBATION.get(result.parameters, '')}"
        )
    for path in result.outputs:
        echo_stderr(f"Written: {path}")


def readable_time(timestamp: float) -> str:
    """Return seconds since the epoch as `2014-07-01 00:05:00`, in UTC."""
    return isoformat(timestamp).replace("T", " ").removesuffix("Z")
