"""What the command lines of the detection benchmarks have in common."""

from __future__ import annotations

import argparse
import json

from benchmarks.baselines import BASELINES
from benchmarks.detectors import Detector, ModelDetector
from benchmarks.summary import Report, rounded


def add_detector_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that choose a detector, and how to run and print."""
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument(
        "--params", metavar="NAME", help="parameter set of a model: default, nupic, nupic-tm, ..."
    )
    choice.add_argument("--detector", choices=sorted(BASELINES), help="baseline")
    parser.add_argument(
        "--look-ahead", action="store_true", help="models that need a range get that of the whole series"
    )
    parser.add_argument(
        "--range-rule",
        action="store_true",
        help="models score 1 where the range rule does, as published ones did",
    )
    parser.add_argument("--jobs", type=int, help="processes (default: one for each core)")
    parser.add_argument("--json", action="store_true", help="print one JSON line")


def chosen_detector(arguments: argparse.Namespace) -> tuple[str, Detector]:
    """Return the detector that was asked for, and what to call it."""
    if arguments.detector:
        return arguments.detector, BASELINES[arguments.detector]
    name = arguments.params
    if arguments.look_ahead:
        name += " with look-ahead"
    if arguments.range_rule:
        name += " and range rule"
    return name, ModelDetector(arguments.params, arguments.look_ahead, arguments.range_rule)


def print_report(report: Report, *, one_line: bool) -> None:
    """Print a report as JSON with six digits: one line for programs, or indented for people."""
    print(json.dumps(rounded(report, 6), indent=None if one_line else 2))
