"""Draw a scored series, with its incidents marked: a page to explore, or a picture to send."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from htmengine import extras
from htmengine.detection.picture import Drawn, document, picture, title, value_name
from htmengine.detection.result import Result
from htmengine.detection.scored import ScoredSeries
from htmengine.htm.arrays import FloatArray
from htmengine.series.incidents import Incident
from htmengine.web import inlined

ENDINGS = (".html", ".png")


def require_packages(path: Path) -> None:
    """Raise PackageMissing if drawing this kind of file needs a package that is not installed."""
    if path.suffix.lower() == ".png":
        extras.require(
            "plot", f"--plot {path}: a PNG picture", otherwise=", or give a name that ends in .html"
        )


def draw(path: Path, scored: ScoredSeries, result: Result) -> None:
    """Write a page or a picture to `path`, by its ending."""
    if path.suffix.lower() == ".png":
        drawn, incidents, anomalous = picture(result, scored)
        _draw_png(path, drawn, result, incidents if anomalous else [])
    else:
        page = inlined.document("detection.js", title(result), document(result, scored))
        path.write_text(page, encoding="utf-8")


def _draw_png(path: Path, drawn: Drawn, result: Result, incidents: Sequence[Incident]) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 6.5), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(5, 2))
    times = np.round(drawn.timestamps * 1e6).astype("datetime64[us]")
    upper.fill_between(times, drawn.lows, drawn.highs, color="#3b6ea5", linewidth=0, alpha=0.15)
    upper.plot(times, drawn.values, color="#3b6ea5", linewidth=0.8)
    alone = _alone(drawn.values)
    upper.plot(times[alone], drawn.values[alone], color="#3b6ea5", linestyle="none", marker=".", markersize=2)
    lower.plot(times[alone], drawn.scores[alone], color="#5b6675", linestyle="none", marker=".", markersize=2)
    lower.fill_between(times, 0, drawn.scores, color="#8a94a3", linewidth=0, alpha=0.5)
    lower.plot(times, drawn.scores, color="#5b6675", linewidth=0.7)
    lower.axhline(result.choice.threshold, color="#c43c39", linewidth=0.8, linestyle="--")
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
    for rank, peak in enumerate(peaks[: result.choice.top], start=1):
        upper.annotate(
            str(rank),
            (np.datetime64(round(peak.timestamp * 1e6), "us"), peak.value),
            xytext=(6, 4),
            textcoords="offset points",
            color="#c43c39",
            fontsize=9,
        )
    upper.set_title(title(result), loc="left", fontsize=11, parse_math=False)
    upper.set_ylabel(value_name(result), parse_math=False)
    lower.set_ylabel("log score")
    lower.set_ylim(0, max(1.0, float(np.nanmax(drawn.scores, initial=0.0))) * 1.05)
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
