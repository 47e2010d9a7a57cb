"""Draw a scored series, with its incidents marked: a page to explore, or a picture to send."""

import json
import math
from collections.abc import Sequence
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from htmengine import extras
from htmengine.cli.detect.report import Result, incident_table, readable_time
from htmengine.htm.arrays import FloatArray
from htmengine.series.incidents import Incident

ENDINGS = (".html", ".png")
_LISTED = 200  # incidents that are marked, whatever the terminal shows
_GAP_INTERVALS = 10  # irregular rows leave a few of their usual intervals out
_BUCKETS = 4_000  # more than a wide screen has pixels: zooming in shows more before it shows the reduction


class Series(NamedTuple):
    """What is drawn; arrays of shape (n,)."""

    timestamps: FloatArray  # seconds since the epoch, UTC, never decreasing
    values: FloatArray  # NaN where there is none
    scores: FloatArray  # log scores; NaN where there is none


def require_packages(path: Path) -> None:
    """Raise PackageMissing if drawing this kind of file needs a package that is not installed."""
    if path.suffix.lower() == ".png":
        extras.require(
            "plot", f"--plot {path}: a PNG picture", otherwise=", or give a name that ends in .html"
        )


def draw(path: Path, series: Series, result: Result) -> None:
    """Write a page or a picture to `path`, by its ending."""
    incidents, anomalous = result.shown(max(result.top, _LISTED))
    always = [row.position for incident in incidents for row in (incident.start, incident.peak, incident.end)]
    broken, moved = with_gaps(series)
    reduced = reduce(broken, _BUCKETS, [int(moved[position]) for position in always])
    if path.suffix.lower() == ".png":
        _draw_picture(path, reduced, result, incidents if anomalous else [])
    else:
        path.write_text(_page(reduced, result, incidents, anomalous), encoding="utf-8")


def with_gaps(series: Series) -> tuple[Series, npt.NDArray[np.intp]]:
    """Return the series with a row without value in each gap, so that no line is drawn across it, and each row's new position.

    A gap is an interval of more than _GAP_INTERVALS median ones.
    """
    intervals = np.diff(series.timestamps)
    positions = np.arange(len(series.timestamps))
    usual = float(np.median(intervals)) if intervals.size else 0.0
    before = np.flatnonzero(intervals > _GAP_INTERVALS * usual) + 1 if usual > 0 else positions[:0]
    if not before.size:
        return series, positions
    middles = (series.timestamps[before - 1] + series.timestamps[before]) / 2
    broken = Series(
        np.insert(series.timestamps, before, middles),
        np.insert(series.values, before, np.nan),
        np.insert(series.scores, before, np.nan),
    )
    return broken, positions + np.searchsorted(before, positions, side="right")


def reduce(series: Series, buckets: int, always: Sequence[int] = ()) -> Series:
    """Return the rows that a picture `buckets` pixels wide cannot do without.

    Of each bucket: the first row, the lowest and the highest value, the highest score, and a row without value
    if there is one, so that a gap stays a gap; and the rows at the positions `always`.
    """
    n = len(series.timestamps)
    if n <= 4 * buckets:
        return series
    span = series.timestamps[-1] - series.timestamps[0]
    fraction = (series.timestamps - series.timestamps[0]) / (span or 1.0)
    bucket = np.minimum((fraction * buckets).astype(np.int64), buckets - 1)
    firsts = np.flatnonzero(np.diff(bucket, prepend=-1))
    missing = np.isnan(series.values)
    kept = [np.array(always, dtype=np.int64), firsts, np.array([n - 1])]
    for column in (
        np.where(missing, np.inf, series.values),
        np.where(missing, np.inf, -series.values),
        np.where(np.isnan(series.scores), np.inf, -series.scores),
        -missing.astype(np.float64),
    ):
        # Sorted by bucket, then by what is sought: each bucket's first is its extreme.
        order = np.lexsort((column, bucket))
        kept.append(order[firsts])
    rows = np.unique(np.concatenate(kept))
    return Series(*(column[rows] for column in series))


def _draw_picture(path: Path, series: Series, result: Result, incidents: Sequence[Incident]) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 6.5), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(5, 2))
    times = np.round(series.timestamps * 1e6).astype("datetime64[us]")
    upper.plot(times, series.values, color="#3b6ea5", linewidth=0.8)
    alone = _alone(series.values)
    upper.plot(
        times[alone], series.values[alone], color="#3b6ea5", linestyle="none", marker=".", markersize=2
    )
    lower.plot(
        times[alone], series.scores[alone], color="#5b6675", linestyle="none", marker=".", markersize=2
    )
    lower.fill_between(times, 0, series.scores, color="#8a94a3", linewidth=0, alpha=0.5)
    lower.plot(times, series.scores, color="#5b6675", linewidth=0.7)
    lower.axhline(result.threshold, color="#c43c39", linewidth=0.8, linestyle="--")
    for incident in incidents:
        start, end = (
            np.datetime64(round(row.timestamp * 1e6), "us") for row in (incident.start, incident.end)
        )
        for axes in (upper, lower):
            axes.axvspan(start, end, color="#c43c39", alpha=0.15, linewidth=1)
    peaks = [incident.peak for incident in incidents]
    marked = np.array([round(peak.timestamp * 1e6) for peak in peaks], dtype="datetime64[us]")
    marker = {"linestyle": "none", "marker": "o", "markersize": 5, "color": "#c43c39", "zorder": 3}
    upper.plot(marked, [peak.value for peak in peaks], **marker)
    lower.plot(marked, [peak.scores.log_score for peak in peaks], **marker)
    for rank, peak in enumerate(peaks[: result.top], start=1):
        upper.annotate(
            str(rank),
            (np.datetime64(round(peak.timestamp * 1e6), "us"), peak.value),
            xytext=(6, 4),
            textcoords="offset points",
            color="#c43c39",
            fontsize=9,
        )
    upper.set_title(_title(result), loc="left", fontsize=11, parse_math=False)
    upper.set_ylabel(_value_name(result), parse_math=False)
    lower.set_ylabel("log score")
    lower.set_ylim(0, max(1.0, float(np.nanmax(series.scores, initial=0.0))) * 1.05)
    lower.set_xlabel("time (UTC)")
    lower.margins(x=0.01)
    lower.tick_params(axis="x", labelsize=8)
    for axes in (upper, lower):
        axes.grid(color="#dddddd", linewidth=0.5)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, format="png")


def _alone(values: FloatArray) -> npt.NDArray[np.bool_]:
    """Return which values have no neighbour, so that no line shows them; shape (n,)."""
    missing = np.pad(np.isnan(values), 1, constant_values=True)
    alone: npt.NDArray[np.bool_] = ~missing[1:-1] & missing[:-2] & missing[2:]
    return alone


def _page(series: Series, result: Result, incidents: Sequence[Incident], anomalous: bool) -> str:
    """Return a page that carries its data, its style and its script in itself."""
    assets, uplot = (
        resources.files("htmengine.cli") / "assets",
        resources.files("htmengine.web") / "page" / "vendor" / "uplot",
    )
    table = incident_table(incidents, anomalous)
    data = {
        "columns": [[_json_number(number) for number in column.tolist()] for column in series],
        "valueName": _value_name(result),
        "threshold": result.threshold,
        "anomalous": anomalous,
        "table": [
            {"name": column.name, "numeric": column.is_numeric, "cells": column.cells} for column in table
        ],
        "incidents": [
            {
                "start": incident.start.timestamp,
                "end": incident.end.timestamp,
                "peak": incident.peak.timestamp,
            }
            for incident in incidents
        ],
    }
    total = len(result.finder.incidents())
    return Template((assets / "detect.html").read_text(encoding="utf-8")).substitute(
        title=escape(_title(result)),
        summary=escape(_summary(result, total, len(incidents))),
        uplot_license=(uplot / "LICENSE").read_text(encoding="utf-8"),
        uplot_style=(uplot / "uPlot.min.css").read_text(encoding="utf-8"),
        uplot_script=(uplot / "uPlot.iife.min.js").read_text(encoding="utf-8"),
        script=(assets / "detect.js").read_text(encoding="utf-8"),
        # `<` would let a name in the data end the script.
        data=json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c"),
    )


def _json_number(number: float) -> float | int | None:
    if math.isnan(number):
        return None
    return int(number) if number.is_integer() else float(f"{number:.10g}") if abs(number) < 1e9 else number


def _title(result: Result) -> str:
    return f"{Path(result.name).name}: {_value_name(result)}"


def _value_name(result: Result) -> str:
    return result.value.name or "value"


def _summary(result: Result, total: int, shown: int) -> str:
    rows = f"{result.scored:,} row{'s' * (result.scored != 1)}, {readable_time(result.first)} to {readable_time(result.last)} UTC. "
    limit = f"log score {result.threshold:g}"
    if not total:
        return f"{rows}No row reaches {limit}; the strongest rows are listed below."
    counted = f"{total:,} incident{'s' * (total != 1)} at or above {limit}"
    return rows + counted + (f"; the {shown} strongest are listed." if shown < total else ".")
