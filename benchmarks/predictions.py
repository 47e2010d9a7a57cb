"""How far predictions lie from the values that come: mean absolute error, in the metric's own unit.

    python -m benchmarks.predictions --csv FILE --params default
    python -m benchmarks.predictions --csv FILE --params nupic --predict 1 5 --first 500 --records 4000

Beside each model's error stands that of who predicts the current value. The sets of NuPIC get the range of the first 288
values. The file is an NAB file or any other with columns timestamp and value.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.command import print_report
from benchmarks.kernel import parameters_for, read
from benchmarks.summary import Report
from htmengine.htm import params
from htmengine.htm.arrays import FloatArray
from htmengine.htm.model import Model


def errors(
    parameters: params.Parameters, timestamps: FloatArray, values: FloatArray, first: int
) -> dict[int, dict[str, float]]:
    """Return by number of samples ahead the mean error of the model, and of the current value as a prediction.

    Parameters
    ----------
    timestamps, values : shape (n,).
    first : predictions of the samples before this one do not count.
    """
    _, predictions = Model(parameters).score_and_predict(timestamps, values)
    found = {}
    for steps, predicted in predictions.items():
        came, told, known = values[first + steps :], predicted[first:-steps], values[first:-steps]
        found[steps] = {
            "model": float(np.nanmean(np.abs(came - told))),
            "current value": float(np.nanmean(np.abs(came - known))),
        }
    return found


def measure(path: Path, name: str, predict: Sequence[int], first: int, records: int | None) -> Report:
    """Return the errors on a file."""
    timestamps, values = (column[:records] for column in read(path))
    found = errors(parameters_for(name, values, predict), timestamps, values, first)
    return {
        "file": path.name,
        "params": name,
        "records": len(values),
        "mean_error": {f"{steps} ahead": error for steps, error in found.items()},
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.predictions", description=__doc__.splitlines()[0])
    parser.add_argument("--csv", type=Path, required=True, help="file with columns timestamp and value")
    parser.add_argument("--params", default="default", choices=params.NAMES)
    parser.add_argument(
        "--predict", type=int, nargs="+", default=(1, 5), metavar="STEPS", help="so far ahead"
    )
    parser.add_argument("--first", type=int, default=500, help="predictions count from this sample on")
    parser.add_argument("--records", type=int, help="use only the first so many records")
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    options = parser.parse_args()
    print_report(
        measure(options.csv, options.params, options.predict, options.first, options.records),
        one_line=options.json,
    )


if __name__ == "__main__":
    main()
