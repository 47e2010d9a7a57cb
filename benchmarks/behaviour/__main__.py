"""Measures and prints. See `benchmarks.behaviour`."""

from __future__ import annotations

import argparse

import benchmarks.behaviour
from benchmarks.behaviour.report import BEHAVIOURS, as_report, as_table, compare
from benchmarks.command import print_report
from benchmarks.detectors import ModelDetector


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.behaviour",
        description=benchmarks.behaviour.__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--seeds", type=int, default=10, help="series of each behaviour (default: 10)")
    parser.add_argument(
        "--only", nargs="+", default=[""], metavar="TEXT", help="rows with one of these in their names"
    )
    parser.add_argument("--params", default="default", help="parameter set of the model (default: default)")
    parser.add_argument("--jobs", type=int, help="processes (default: one for each core)")
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    options = parser.parse_args()
    names = [name for name in BEHAVIOURS if any(text in name for text in options.only)]
    pairs = compare(names, range(options.seeds), ModelDetector(options.params), jobs=options.jobs)
    if options.json:
        print_report(as_report(pairs), one_line=True)
    else:
        print(as_table(pairs))


if __name__ == "__main__":
    main()
