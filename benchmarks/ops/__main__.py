"""Scores a detector and the baselines on generated operations metrics. See `benchmarks.ops.report`."""

from __future__ import annotations

import argparse
import time

from benchmarks.baselines import moving_z_score, windowed_gaussian
from benchmarks.command import add_detector_arguments, chosen_detector, print_report
from benchmarks.ops.generator import generate
from benchmarks.ops.report import evaluate
from benchmarks.parallel import run
from benchmarks.summary import Report


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.ops", description=__doc__)
    parser.add_argument("--series", type=int, default=40, help="so many series (default: 40)")
    parser.add_argument("--seed", type=int, default=1, help="of the series, and of the detector (default: 1)")
    add_detector_arguments(parser)
    arguments = parser.parse_args()
    name, detector = chosen_detector(arguments)
    series = generate(arguments.series, arguments.seed)
    start = time.perf_counter()
    result: Report = {}
    for label, one in {
        name: detector,
        "moving-z-score": moving_z_score,
        "windowed-gaussian": windowed_gaussian,
    }.items():
        jobs = arguments.jobs if one is detector else 1
        result[label] = evaluate(series, run(one, series, [arguments.seed], jobs=jobs)[0])
    result |= {
        "series": len(series),
        "records": sum(len(one.values) for one in series),
        "events": sum(len(one.events) for one in series),
        "wall_s": time.perf_counter() - start,
    }
    print_report(result, one_line=arguments.json)


if __name__ == "__main__":
    main()
