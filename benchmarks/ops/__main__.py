"""Scores a detector and the baselines on operations metrics: generated ones, or with --data recorded ones.

What the numbers mean: `benchmarks.ops.report` for generated series, `benchmarks.ops.recorded` for recorded ones.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.baselines import BASELINES
from benchmarks.command import add_detector_arguments, chosen_detector, print_report
from benchmarks.detectors import Detector
from benchmarks.ops import recorded, report
from benchmarks.ops.generator import generate
from benchmarks.parallel import run
from benchmarks.summary import Report

BESIDE = ("moving-z-score", "windowed-gaussian", "first-difference", "autoregression")
"""Baselines that are always measured, too."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.ops", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of labelled series (default: they are generated)")
    parser.add_argument("--series", type=int, default=40, help="generate so many series (default: 40)")
    parser.add_argument("--seed", type=int, default=1, help="of the series, and of the detector (default: 1)")
    parser.add_argument("--alone", action="store_true", help="leave the baselines out")
    add_detector_arguments(parser)
    arguments = parser.parse_args()
    name, detector = chosen_detector(arguments)
    detectors = {name: detector}
    if not arguments.alone:
        detectors |= {baseline: BASELINES[baseline] for baseline in BESIDE}
    start = time.perf_counter()
    result = measure(detectors, arguments)
    result["wall_s"] = time.perf_counter() - start
    print_report(result, one_line=arguments.json)


def measure(detectors: Mapping[str, Detector], options: argparse.Namespace) -> Report:
    """Return what each detector reaches, by name, and on how much."""
    seeds, jobs = [options.seed], options.jobs
    if options.data:
        labelled = recorded.load(options.data)
        return {
            name: recorded.evaluate(labelled, run(detector, labelled, seeds, jobs=jobs)[0])
            for name, detector in detectors.items()
        }
    series = generate(options.series, options.seed)
    result: Report = {
        name: report.evaluate(series, run(detector, series, seeds, jobs=jobs)[0])
        for name, detector in detectors.items()
    }
    return result | {
        "series": len(series),
        "records": sum(len(one.values) for one in series),
        "events": sum(len(one.events) for one in series),
    }


if __name__ == "__main__":
    main()
