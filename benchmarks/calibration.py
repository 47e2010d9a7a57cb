"""Does a score mean what it says? On calm data a share of 1 - p of the records should exceed p.

    python -m benchmarks.calibration --params default --data DIR

Scores are those before damping, which lowers all that follows an alarm. Counted are generated series in which nothing
happens and, with ``--data``, the records of the Numenta Anomaly Benchmark outside its windows; the probation at the
start of each series (15 %) does not count. A share above 1 - p is a score that promises too much.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.command import print_report
from benchmarks.detectors import Detector, ModelDetector
from benchmarks.nab import corpus
from benchmarks.ops.signals import autoregressive
from benchmarks.parallel import run
from benchmarks.summary import Report
from htmengine.htm.arrays import FloatArray

DIGITS = (2, 3, 4, 5)
"""The p that are looked at: 0.99, 0.999, 0.9999 and 0.99999, on the log scale 0.2 to 0.5."""

_PROBATION = 0.15
_INTERVAL_S = 300.0


@dataclass(frozen=True)
class Calm:
    """A series of which some records are known to be normal."""

    timestamps: FloatArray
    values: FloatArray
    normal: slice | npt.NDArray[np.intp]


def white(rng: np.random.Generator, times: FloatArray) -> FloatArray:
    """Gaussian noise around a level."""
    return 100.0 + 5.0 * rng.standard_normal(len(times))


def correlated(rng: np.random.Generator, times: FloatArray) -> FloatArray:
    """First-order autoregression, correlation 0.9; every other one has heavy tails."""
    return 100.0 + 5.0 * autoregressive(rng, len(times), correlation=0.9)


def seasonal(rng: np.random.Generator, times: FloatArray) -> FloatArray:
    """A day's wave with noise."""
    return 100.0 + 30.0 * np.sin(2 * np.pi * times / 86_400) + 5.0 * rng.standard_normal(len(times))


def bursty(rng: np.random.Generator, times: FloatArray) -> FloatArray:
    """Counts whose rate varies from record to record: negative binomial, mean 5, variance 30."""
    return rng.negative_binomial(1.0, 1.0 / 6.0, len(times)).astype(np.float64)


def steps(rng: np.random.Generator, times: FloatArray) -> FloatArray:
    """Constant, with a step to another of five levels once in 500 records."""
    stays = rng.random(len(times)) >= 1 / 500
    levels = rng.integers(1, 6, len(times)).astype(np.float64)
    return levels[np.maximum.accumulate(np.where(stays, 0, np.arange(len(times))))]


def sparse(rng: np.random.Generator, times: FloatArray) -> FloatArray:
    """Zeros, and once in 50 records a count of mean 3."""
    return (rng.random(len(times)) < 0.02) * (1.0 + rng.poisson(2.0, len(times)))


KINDS: dict[str, Callable[[np.random.Generator, FloatArray], FloatArray]] = {
    "white": white,
    "correlated": correlated,
    "seasonal": seasonal,
    "bursty counts": bursty,
    "constant with steps": steps,
    "sparse zeros": sparse,
}
"""Generated series by name."""


def generated(kind: str, count: int, length: int, seed: int) -> list[Calm]:
    """Return ``count`` series of one kind."""
    series = []
    for number in range(count):
        rng = np.random.Generator(np.random.PCG64([seed, number, list(KINDS).index(kind)]))
        times: FloatArray = 1_735_689_600 + _INTERVAL_S * np.arange(length, dtype=np.float64)
        series.append(Calm(times, KINDS[kind](rng, times), slice(int(_PROBATION * length), None)))
    return series


def shares(detector: Detector, series: Sequence[Calm], *, jobs: int | None = None) -> Report:
    """Return, by p, the share of normal records whose score exceeds it, and how many records there are."""
    scores = run(detector, series, [1], jobs=jobs)[0]
    normal = np.concatenate([own[one.normal] for one, own in zip(series, scores, strict=True)])
    exceeding = {_probability(digits): float(np.mean(normal >= 0.1 * digits)) for digits in DIGITS}
    return {**exceeding, "records": len(normal)}


def _probability(digits: int) -> str:
    return f"{1 - 10.0**-digits:.{digits}f}"


def _normal_records(folder: Path) -> list[Calm]:
    series = []
    for one in corpus.load(folder):
        normal = np.ones(len(one.values), dtype=np.bool_)
        normal[: int(_PROBATION * len(normal))] = False
        for window in one.windows:
            normal[window.first : window.last + 1] = False
        series.append(Calm(one.timestamps, one.values, np.flatnonzero(normal)))
    return series


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.calibration", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--params", metavar="NAME", default="default", help="parameter set (default: default)"
    )
    parser.add_argument("--data", type=Path, help="folder of the Numenta Anomaly Benchmark")
    parser.add_argument("--series", type=int, default=5, help="so many of each kind (default: 5)")
    parser.add_argument("--records", type=int, default=20_000, help="in each of them (default: 20000)")
    parser.add_argument("--seed", type=int, default=1, help="of the series (default: 1)")
    parser.add_argument("--jobs", type=int, help="processes (default: one for each core)")
    parser.add_argument(
        "--channels", nargs="+", help="channels of the default model that count (default: all)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    arguments = parser.parse_args()
    changes: dict[str, object] = {"damping": 1.0} if arguments.params == "default" else {}
    if arguments.channels:
        changes["channels"] = tuple(arguments.channels)
    detector = ModelDetector(arguments.params, changes=changes)
    result: Report = {
        kind: shares(
            detector,
            generated(kind, arguments.series, arguments.records, arguments.seed),
            jobs=arguments.jobs,
        )
        for kind in KINDS
    }
    if arguments.data:
        result["NAB, normal records"] = shares(detector, _normal_records(arguments.data), jobs=arguments.jobs)
    print_report(result, one_line=arguments.json)


if __name__ == "__main__":
    main()
