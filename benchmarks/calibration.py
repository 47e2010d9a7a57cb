"""Do scores and odds mean what they say? On calm data one record in N should be called "1 in N" or rarer.

    python -m benchmarks.calibration --params default --data DIR

Two tables by kind of series: the share of records whose score exceeds a likelihood p, which should be 1 - p; and under
``one_in`` the share of those whose odds are N or more, with ``times``, how many times what it should be, 1 / N. Both are
taken before damping, which lowers all that follows an alarm. A share that is larger promises too much. The default model's
odds are a number of their own; its scores are a scale, of which the table says how often it alarms.

Counted are generated series in which nothing happens and, with ``--data``, the records of the Numenta Anomaly Benchmark
outside its windows; the probation at the start of each series (15 %) does not count. ``all`` is all generated series together.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
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

ODDS = (100, 1_000, 10_000, 100_000)
"""The N that are looked at."""

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


@dataclass(frozen=True)
class OddsByScore:
    """Returns for each record the N of its "1 in N", 1 or more, of a detector whose log scale says it: 10 ** (10 score)."""

    detector: Detector

    def __call__(self, timestamps: FloatArray, values: FloatArray, seed: int) -> FloatArray:
        odds: FloatArray = 10.0 ** (10.0 * self.detector(timestamps, values, seed))
        return odds


def measure(
    detector: Detector, odds: Detector, kinds: Mapping[str, Sequence[Calm]], *, jobs: int | None = None
) -> Report:
    """Return both tables by kind of series, and for all kinds together. ``odds`` returns an N instead of a score."""
    series = [one for several in kinds.values() for one in several]
    normal = _normal(series, run(detector, series, [1], jobs=jobs)[0])
    normal_odds = _normal(series, run(odds, series, [1], jobs=jobs, highest=np.inf)[0])
    report: Report = {}
    first = 0
    for kind, several in kinds.items():
        some = slice(first, first + len(several))
        report[kind] = _tables(normal[some], normal_odds[some])
        first += len(several)
    return report | {"all": _tables(normal, normal_odds)}


def shares(normal: FloatArray) -> Report:
    """Return by p the share of scores that reach it."""
    return {f"{1 - 10.0**-digits:.{digits}f}": float(np.mean(normal >= 0.1 * digits)) for digits in DIGITS}


def shares_of_odds(normal: FloatArray) -> Report:
    """Return by N the share of odds of 1 in N or rarer, and how many times 1 / N that is."""
    found = {number: float(np.mean(normal >= number)) for number in ODDS}
    return {str(number): {"share": share, "times": share * number} for number, share in found.items()}


def _tables(normal: Sequence[FloatArray], odds: Sequence[FloatArray]) -> Report:
    scores = np.concatenate(normal)
    return {**shares(scores), "one_in": shares_of_odds(np.concatenate(odds)), "records": len(scores)}


def _normal(series: Sequence[Calm], scores: Sequence[FloatArray]) -> list[FloatArray]:
    return [own[one.normal] for one, own in zip(series, scores, strict=True)]


def _normal_records(folder: Path) -> list[Calm]:
    series = []
    for one in corpus.load(folder):
        normal = np.ones(len(one.values), dtype=np.bool_)
        normal[: int(_PROBATION * len(normal))] = False
        for window in one.windows:
            normal[window.first : window.last + 1] = False
        series.append(Calm(one.timestamps, one.values, np.flatnonzero(normal)))
    return series


def detectors(parameters: str, channels: Sequence[str] | None = None) -> tuple[Detector, Detector]:
    """Return what gives scores without damping, and what gives odds, by a parameter set."""
    from htmengine.htm import params

    if parameters != "default":
        detector = ModelDetector(parameters)
        return detector, OddsByScore(detector)
    changes: dict[str, object] = {"combination": params.Combination(damping=1.0)}
    if channels:
        changes["channels"] = tuple(channels)
    return ModelDetector("default", changes=changes), ModelDetector(
        "default", changes=changes, score="one_in"
    )


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
    detector, odds = detectors(arguments.params, arguments.channels)
    kinds = {kind: generated(kind, arguments.series, arguments.records, arguments.seed) for kind in KINDS}
    result = measure(detector, odds, kinds, jobs=arguments.jobs)
    if arguments.data:
        recorded = "NAB, normal records"
        found = measure(detector, odds, {recorded: _normal_records(arguments.data)}, jobs=arguments.jobs)
        result[recorded] = found[recorded]
    print_report(result, one_line=arguments.json)


if __name__ == "__main__":
    main()
