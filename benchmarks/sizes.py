"""How large the block of a default model becomes on different kinds of metrics, with and without predictions.

    python -m benchmarks.sizes
    python -m benchmarks.sizes --data DIR

Prints a table in KiB: the size after the last sample, in brackets the largest on the way, and for the default model how
much of it is stored, compressed as the engine does. With ``--data`` the files of the Numenta Anomaly Benchmark besides:
the smallest and the largest, their median, the largest on the way, and the same of what is stored.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.behaviour import day, times
from benchmarks.kernel import stored_bytes
from benchmarks.nab import corpus
from htmengine.htm import params
from htmengine.htm.arrays import FloatArray
from htmengine.htm.model import Model

PREDICTED = ((), (1,), (1, 2, 3, 4, 5))
"""How many samples ahead the models predict."""
LOOK_EVERY = 50
"""Samples from one look at a model's size to the next."""
SEED = 1


class Size(NamedTuple):
    """Of a model's block, in bytes."""

    last: int
    largest: int
    stored: int
    """The last one, compressed as the engine stores it."""


def constant(rng: np.random.Generator, count: int) -> FloatArray:
    """One value."""
    return np.full(count, 42.0)


def whole_numbers(rng: np.random.Generator, count: int) -> FloatArray:
    """A day's wave in whole numbers, with little noise."""
    return np.round(100.0 + 20.0 * day(times(count)) + rng.normal(0.0, 0.5, count))


def season(rng: np.random.Generator, count: int) -> FloatArray:
    """A day's wave with noise."""
    return 100.0 + 30.0 * day(times(count)) + rng.normal(0.0, 5.0, count)


def sparse_counts(rng: np.random.Generator, count: int) -> FloatArray:
    """Zero but for one record in 30, which has a few."""
    return np.where(rng.random(count) < 1 / 30, 1.0 + rng.poisson(1.0, count), 0.0)


def uniform(rng: np.random.Generator, count: int) -> FloatArray:
    """Noise that is as likely anywhere between two bounds."""
    return rng.uniform(0.0, 100.0, count)


def gaussian(rng: np.random.Generator, count: int) -> FloatArray:
    """Gaussian noise around a level."""
    return rng.normal(100.0, 5.0, count)


def random_walk(rng: np.random.Generator, count: int) -> FloatArray:
    """Steps up and down, so that the range grows without end."""
    return np.cumsum(rng.standard_normal(count))


SERIES: dict[str, Callable[[np.random.Generator, int], FloatArray]] = {
    "constant": constant,
    "daily season, whole numbers, little noise": whole_numbers,
    "daily season with noise": season,
    "sparse counts": sparse_counts,
    "uniform noise": uniform,
    "Gaussian noise": gaussian,
    "random walk": random_walk,
}


def size(timestamps: FloatArray, values: FloatArray, predict: Sequence[int]) -> Size:
    """Return how large a model is behind a series, and was on the way."""
    model = Model(params.parameter_set("default", predict=predict))
    largest = 0
    block = b""
    for first in range(0, len(values), LOOK_EVERY):
        some = slice(first, first + LOOK_EVERY)
        model.score_series(timestamps[some], values[some])
        block = model.save()
        largest = max(largest, len(block))
    return Size(len(block), largest, stored_bytes(block))


def table(samples: int) -> str:
    """Return the sizes on generated series as a table in Markdown."""
    default, *predicting = PREDICTED
    heads = ["Series", _said(default), "stored", *map(_said, predicting)]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for name, series in SERIES.items():
        values = series(np.random.default_rng(SEED), samples)
        one, *others = (size(times(samples), values, predict) for predict in PREDICTED)
        cells = [name, _both(one), str(_kib(one.stored)), *map(_both, others)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def on_nab(folder: Path) -> str:
    """Return the sizes on the files of the Numenta Anomaly Benchmark in a sentence."""
    sizes = [size(one.timestamps, one.values, ()) for one in corpus.load(folder)]
    return (
        f"{len(sizes)} files of the Numenta Anomaly Benchmark: {_range([one.last for one in sizes])} "
        f"({max(_kib(one.largest) for one in sizes)}); stored {_range([one.stored for one in sizes])}"
    )


def _both(one: Size) -> str:
    return f"{_kib(one.last)} ({_kib(one.largest)})"


def _range(sizes: Sequence[int]) -> str:
    kib = [_kib(one) for one in sizes]
    return f"{min(kib)} to {max(kib)}, median {statistics.median(kib):g}"


def _said(predict: Sequence[int]) -> str:
    if not predict:
        return "default"
    return f"predicting {predict[0]}" + (f" to {predict[-1]} steps" if len(predict) > 1 else " step")


def _kib(count: int) -> int:
    return round(count / 1024)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--samples", type=int, default=20_000, help="of each series (default: %(default)s)")
    parser.add_argument("--data", type=Path, help="folder of the Numenta Anomaly Benchmark")
    options = parser.parse_args()
    print(table(options.samples))
    if options.data:
        print(on_nab(options.data))


if __name__ == "__main__":
    main()
