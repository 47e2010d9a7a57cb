"""Detectors of a few lines each, which any model has to beat. All are causal and take O(n) time.

Those that measure a distance in standard deviations, z, score z / (z + 4.417): 0.5 is a two-sided Gaussian tail of
0.00001, that is a likelihood of 0.99999. Unlike the tail itself this never saturates, so that the order of large
deviations survives.
"""

from __future__ import annotations

import zlib

import numpy as np

from benchmarks.detectors import Detector, range_rule
from htmengine.htm.arrays import FloatArray

Z_AT_HALF = 4.417
"""A standard normal variable lies further from 0 than this with probability 0.00001."""

_SIZE_OF_A_DEVIATION = (2 / np.pi) ** 0.5
"""The mean size of a standard normal variable."""

_MIN_SAMPLES = 10
"""Deviations are not judged by fewer samples than this."""


def new_extreme(timestamps: FloatArray, values: FloatArray, seed: int) -> FloatArray:
    """Score 1 for a new extreme that stands out by more than 5 % of the range so far, else 0.

    A rule and no probability: 0.5 has no meaning of its own, every threshold finds the same.
    """
    return range_rule(values)


def moving_z_score(timestamps: FloatArray, values: FloatArray, seed: int) -> FloatArray:
    """Distance from the mean of the last 200 values over their standard deviation, z, as z / (z + 4.417)."""
    return _graded(_z_scores(values, window=200))


def windowed_gaussian(timestamps: FloatArray, values: FloatArray, seed: int) -> FloatArray:
    """Distance from the mean of the last 6400 values over their standard deviation, z, as z / (z + 4.417).

    The window is that of NAB's detector of the same name, which fits every 100 records; this one fits every record.
    """
    return _graded(_z_scores(values, window=6400))


def first_difference(timestamps: FloatArray, values: FloatArray, seed: int) -> FloatArray:
    """Size of the step from the value before, over the mean size of all steps so far."""
    return _over_usual_size(np.abs(np.diff(values, prepend=values[:1])))


def autoregression(timestamps: FloatArray, values: FloatArray, seed: int) -> FloatArray:
    """Error of a forecast from the last 16 values, over the mean size of such errors so far.

    The forecast is linear, fitted to all values so far by recursive least squares.
    """
    return _over_usual_size(np.abs(_forecast_errors(values, order=16)))


def random_scores(timestamps: FloatArray, values: FloatArray, seed: int) -> FloatArray:
    """Uniform random likelihoods p on a log scale: with d = -log10(1 - p) the score is d / (d + 5), 0.5 at 0.99999.

    The draws depend on the values too, so that files of one length do not get the same alarms.
    """
    rng = np.random.default_rng([seed, zlib.crc32(values.tobytes())])
    digits = -np.log10(1.0 - rng.random(len(values)))
    return digits / (digits + 5.0)


def null(timestamps: FloatArray, values: FloatArray, seed: int) -> FloatArray:
    """Score 0 everywhere: nothing is ever unusual."""
    return np.zeros(len(values))


BASELINES: dict[str, Detector] = {
    "range-rule": new_extreme,
    "moving-z-score": moving_z_score,
    "windowed-gaussian": windowed_gaussian,
    "first-difference": first_difference,
    "autoregression": autoregression,
    "random": random_scores,
    "null": null,
}


def _graded(z: FloatArray) -> FloatArray:
    return z / (z + Z_AT_HALF)


def _over_usual_size(sizes: FloatArray) -> FloatArray:
    """Return sizes over the mean of those before, in standard deviations of a Gaussian of this mean size, graded.

    0 while there are fewer than ten. After sizes that were all 0, any other one counts as a million deviations.
    """
    seen = np.arange(len(sizes))
    means = (np.cumsum(sizes) - sizes) / np.maximum(seen, 1)
    z = np.minimum(sizes * _SIZE_OF_A_DEVIATION / np.maximum(means, 1e-300), 1e6)
    z[:_MIN_SAMPLES] = 0.0
    return _graded(z)


def _forecast_errors(values: FloatArray, order: int) -> FloatArray:
    """Return the error of each value's forecast from so many before it and a constant; 0 for the first values.

    Values count from the first one and in the mean distance of the first ones from it, so that a metric's unit and level
    make no difference. Errors are in this unit.
    """
    centred = values - values[0]
    unit = float(np.mean(np.abs(centred[: order + 1]))) or 1.0
    centred = centred / unit
    errors = np.zeros(len(values))
    weights, covariance = np.zeros(order + 1), np.eye(order + 1)
    inputs = np.ones(order + 1)
    for i in range(order, len(values)):
        inputs[:order] = centred[i - order : i]
        spread = covariance @ inputs
        gain = spread / (1.0 + inputs @ spread)
        errors[i] = centred[i] - weights @ inputs
        weights += gain * errors[i]
        covariance -= np.outer(gain, spread)
    return errors


def _z_scores(values: FloatArray, window: int) -> FloatArray:
    """Return the distance of each value from the mean of up to ``window`` values before it, in their deviations.

    0 while there are fewer than ten. After values that were all equal, any other one is infinitely far; that counts
    as a million deviations.
    """
    count = len(values)
    ends = np.arange(count)
    starts = np.maximum(ends - window, 0)
    seen = np.maximum(ends - starts, 1)
    # Sums over a window as differences of running sums; centred at the first value to keep digits.
    centred = values - values[0]
    sums = np.concatenate([[0.0], np.cumsum(centred)])
    squares = np.concatenate([[0.0], np.cumsum(centred * centred)])
    means = (sums[ends] - sums[starts]) / seen
    variances = (squares[ends] - squares[starts]) / seen - means * means
    # What rounding of the running sums can leave of a variance that is zero.
    resolution = 1e-12 * (squares[ends] / np.maximum(ends, 1) + 1e-300)
    deviations = np.sqrt(np.maximum(variances, resolution))
    distances = np.abs(centred - means)
    z: FloatArray = np.minimum(distances / deviations, 1e6)
    z[:_MIN_SAMPLES] = 0.0
    return z
