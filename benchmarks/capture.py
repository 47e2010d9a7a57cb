"""How often the metrics of a real machine alarm, and how soon in an incident that was staged on it.

    python -m benchmarks.capture FILE.lines.gz ...
    python -m benchmarks.capture FILE.lines.gz ... --incident START_S --within 15

Each file holds lines of the plaintext protocol in the order of their times, compressed or not. Every metric has a model
of its own. An alarm is a record that scores at least 0.5. Reported for each file:

- ``alarms_per_1000`` by row of the metric, of ``all`` metrics and of those that vary, which have three different values
  or more; null where no metric has such rows;
- ``windows_with_alarm``: share of half-minutes, from the first sample to the last, in which any metric alarms, and the
  median number of metrics that do in one of these;
- ``incident``: seconds from its start to the first alarm and to the first sample, and how many metrics alarm from the
  start to ``--within`` seconds later, both included; and how many did within as long a time before the start.
"""

from __future__ import annotations

import argparse
import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.command import add_detector_arguments, chosen_detector, print_report
from benchmarks.detectors import FIXED_THRESHOLD, Detector
from benchmarks.parallel import run
from benchmarks.summary import Report
from htmengine.doors.plaintext import parse_lines
from htmengine.htm.arrays import FloatArray
from htmengine.runtime.metric_storer.numbering import whole_seconds

ROWS = {
    "1-180": slice(0, 180),
    "181-360": slice(180, 360),
    "361-1080": slice(360, 1080),
    "later": slice(1080, None),
}
"""Rows of a metric by their numbers from 1."""
VARIES = 3
"""So many different values make a metric one that varies."""
WINDOW_S = 30


@dataclass(frozen=True)
class Metric:
    """A metric of the capture."""

    name: str
    timestamps: FloatArray
    """Shape (n,). Seconds since the epoch, rising."""
    values: FloatArray
    """Shape (n,)."""

    @property
    def varies(self) -> bool:
        """Whether there are more than two different values."""
        return len(np.unique(self.values)) >= VARIES


@dataclass(frozen=True)
class Incident:
    """A time at which something was done to the machine."""

    start_s: float
    within_s: float
    """So long after the start metrics that alarm are counted."""


def read(path: Path) -> list[Metric]:
    """Return the metrics of a file by name. A second sample of a metric in one second is left out, as the engine does.

    Raises
    ------
    ValueError : a line is no sample.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt") as file:
        samples, refusals = parse_lines(file)
    if refusals:
        raise ValueError(f"{path.name}: {refusals.details[0].reason}: {refusals.details[0].example!r}")
    columns = whole_seconds(samples)
    names, of = np.unique(np.array(columns.names), return_inverse=True)
    order = np.argsort(of, kind="stable")
    bounds = np.searchsorted(of[order], np.arange(1, len(names)))
    times = np.split(np.array(columns.timestamps, dtype=np.float64)[order], bounds)
    values = np.split(np.array(columns.values)[order], bounds)
    metrics = []
    for name, at, own in zip(names.tolist(), times, values, strict=True):
        new = at > np.concatenate([[-np.inf], np.maximum.accumulate(at)[:-1]])
        metrics.append(Metric(name, at[new], own[new]))
    return metrics


def evaluate(
    metrics: Sequence[Metric], scores: Sequence[FloatArray], incident: Incident | None = None
) -> Report:
    """Return the numbers of one capture. ``scores`` has one array per metric."""
    alarms = [own >= FIXED_THRESHOLD for own in scores]
    at = [metric.timestamps[own] for metric, own in zip(metrics, alarms, strict=True)]
    varying = [i for i, metric in enumerate(metrics) if metric.varies]
    report: Report = {
        "metrics": len(metrics),
        "metrics_that_vary": len(varying),
        "records": sum(len(own) for own in alarms),
        "alarms_per_1000": {
            "all": {rows: _per_1000([own[some] for own in alarms]) for rows, some in ROWS.items()},
            "those_that_vary": {
                rows: _per_1000([alarms[i][some] for i in varying]) for rows, some in ROWS.items()
            },
        },
        "windows_with_alarm": _windows(metrics, at),
    }
    if incident is not None:
        report["incident"] = _during(incident, metrics, at)
    return report


def _per_1000(alarms: Sequence[np.ndarray]) -> float | None:
    records = sum(len(own) for own in alarms)
    return 1000.0 * sum(int(own.sum()) for own in alarms) / records if records else None


def _windows(metrics: Sequence[Metric], alarms_at: Sequence[FloatArray]) -> Report:
    first = min(float(metric.timestamps[0]) for metric in metrics)
    last = max(float(metric.timestamps[-1]) for metric in metrics)
    windows = np.zeros(int((last - first) // WINDOW_S) + 1, dtype=np.int64)
    for at in alarms_at:
        windows[np.unique((at - first) // WINDOW_S).astype(np.int64)] += 1
    with_alarm = windows[windows > 0]
    return {
        "share": len(with_alarm) / len(windows),
        "metrics_median": float(np.median(with_alarm)) if len(with_alarm) else 0.0,
    }


def _during(incident: Incident, metrics: Sequence[Metric], alarms_at: Sequence[FloatArray]) -> Report:
    alarms = [at - incident.start_s for at in alarms_at]
    first_alarms = [float(at[at >= 0.0][0]) for at in alarms if (at >= 0.0).any()]
    samples = np.concatenate([metric.timestamps for metric in metrics]) - incident.start_s
    return {
        "first_sample_s": min(samples[samples >= 0.0].tolist(), default=None),
        "first_alarm_s": min(first_alarms, default=None),
        "metrics_within": sum(first <= incident.within_s for first in first_alarms),
        "metrics_before": sum(bool(((at < 0.0) & (at >= -incident.within_s)).any()) for at in alarms),
        "within_s": incident.within_s,
    }


def measure(path: Path, detector: Detector, incident: Incident | None, *, jobs: int | None = None) -> Report:
    """Return the numbers of a file."""
    metrics = read(path)
    return evaluate(metrics, run(detector, metrics, [1], jobs=jobs)[0], incident)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.capture", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="plaintext lines, plain or .gz")
    parser.add_argument("--incident", type=float, metavar="START_S", help="when it began: seconds since 1970")
    parser.add_argument("--within", type=float, default=15.0, help="seconds to alarm in (default: 15)")
    add_detector_arguments(parser)
    options = parser.parse_args()
    name, detector = chosen_detector(options)
    incident = None if options.incident is None else Incident(options.incident, options.within)
    report: Report = {"detector": name}
    for path in options.files:
        report[path.name] = measure(path, detector, incident, jobs=options.jobs)
    print_report(report, one_line=options.json)


if __name__ == "__main__":
    main()
