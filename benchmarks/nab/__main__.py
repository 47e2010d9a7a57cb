"""Scores a detector on the Numenta Anomaly Benchmark. What the numbers mean: `benchmarks.nab.report`."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from benchmarks.command import add_detector_arguments, chosen_detector, print_report
from benchmarks.nab import ablation, corpus
from benchmarks.nab.report import measure


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.nab", description=__doc__)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with data/ and combined_windows.json"
    )
    parser.add_argument("--seeds", type=int, default=5, help="so many runs, with seeds from 1 (default: 5)")
    parser.add_argument(
        "--ablate", action="store_true", help="a table of the default model with each ingredient off in turn"
    )
    add_detector_arguments(parser)
    arguments = parser.parse_args()
    name, detector = chosen_detector(arguments)
    if arguments.ablate and name != "default":
        parser.error("--ablate is for --params default")
    series, profiles = corpus.load(arguments.data), corpus.load_profiles(arguments.data)
    seeds = range(1, arguments.seeds + 1)
    if arguments.ablate:
        reports = ablation.compare(series, profiles, seeds, jobs=arguments.jobs)
        if arguments.json:
            print_report({**reports}, one_line=True)
        else:
            print(ablation.as_table(reports))
        return
    start = time.perf_counter()
    result = measure(detector, series, profiles, seeds, jobs=arguments.jobs)
    result |= {"detector": name, "wall_s": time.perf_counter() - start}
    print_report(result, one_line=arguments.json)


if __name__ == "__main__":
    main()
