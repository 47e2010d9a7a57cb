"""Anomaly likelihood: how unusual the recent average of raw anomaly scores is, given their history.

A raw anomaly score says how badly one record was predicted. On a noisy metric bad predictions are common,
so raw scores are averaged over the last few records, and the average is compared with the distribution of such
averages in the past: the likelihood of an anomaly is 1 minus the Gaussian tail probability of the average.

`AnomalyLikelihood` scores a stream in constant time per record. `estimate` and `continue_estimate` score a whole
array at once, from one distribution.

Sources: reference "HTM scalar anomaly models", sections 9 and 10; Ahmad, Lavin, Purdy, Agha (2017), "Unsupervised
real-time anomaly detection for streaming data", Neurocomputing 262, doi:10.1016/j.neucom.2017.04.070.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, Self

import numpy as np
from numpy.typing import ArrayLike

from htmengine.htm import _kernels, params
from htmengine.htm.arrays import FloatArray, reals
from htmengine.htm.real_numbers import real

__all__ = [
    "AnomalyLikelihood",
    "Distribution",
    "continue_estimate",
    "estimate",
    "filter_likelihoods",
    "log_likelihood",
    "log_to_score",
    "score_to_log",
    "tail_probability",
]

_DEFAULTS: Final = params.STREAMING_LIKELIHOOD
NULL_MEAN, NULL_VARIANCE = 0.5, 1e6


def tail_probability(
    averages: ArrayLike, mean: float, deviation: float, *, two_sided: bool = False
) -> FloatArray:
    """Return the probability of exceeding each average under a Gaussian.

    Parameters
    ----------
    averages : shape (n,).
    mean, deviation : of the Gaussian; `deviation` is above 0.
    two_sided : where an average is below the mean, return the probability of a lower one instead (at most 0.5).
        NuPIC 1.0 does; older versions, htmengine and the published benchmark results do not.

    Returns
    -------
    Shape (n,), from 0 to 1.
    """
    if not deviation > 0:
        raise ValueError(f"deviation must be above 0, but it is {deviation}")
    return _kernels.tail_probabilities(_finite(averages, "averages"), mean, deviation, two_sided)


def filter_likelihoods(tails: ArrayLike) -> FloatArray:
    """Apply the red filter: of a run of extreme tail probabilities, only the first remains extreme.

    A tail probability of at most 1e-5 (red) is raised to 1e-3 (yellow) if the one before it, unfiltered, is red, too.

    Parameters
    ----------
    tails : shape (n,), in the order of the records.

    Returns
    -------
    Shape (n,).
    """
    return _kernels.filter_tails(_finite(tails, "tails"))


def log_likelihood(likelihoods: ArrayLike) -> FloatArray:
    """Return likelihoods on the logarithmic scale: ln(1.0000000001 - p) / ln(1e-10), clipped to [0, 1].

    0.5 becomes 0.03, 0.99 0.2, 0.99999 0.5 and 1 remains 1, so that a threshold can tell rare from very rare.

    Parameters
    ----------
    likelihoods : shape (n,), from 0 to 1.

    Returns
    -------
    Shape (n,), from 0 to 1.
    """
    return _kernels.log_likelihoods(_within_0_and_1(likelihoods, "likelihoods"))


def score_to_log(score: float) -> float:
    """Return one anomaly score (a likelihood from 0 to 1) on the logarithmic scale of `log_likelihood`."""
    return float(log_likelihood([score])[0])


def log_to_score(log_score: float) -> float:
    """Return the anomaly score from 0 to 1 whose logarithmic score, from 0 to 1, this is."""
    return float(_kernels.likelihoods_of_logs(_within_0_and_1([log_score], "log_score"))[0])


@dataclass(frozen=True, slots=True)
class Distribution:
    """A Gaussian fitted to averages of raw scores, and what is needed to continue with the next record."""

    mean: float
    variance: float
    recent_scores: tuple[float, ...]
    """The last raw scores, oldest first: as many as an average has, or as there were."""
    last_tail: float
    """The unfiltered tail probability of the last average; 1 before the first."""
    averaging_window: int = _DEFAULTS.averaging_window
    two_sided: bool = False

    @property
    def deviation(self) -> float:
        """The standard deviation."""
        return math.sqrt(self.variance)


def estimate(
    raw_scores: ArrayLike,
    values: ArrayLike,
    *,
    averaging_window: int = _DEFAULTS.averaging_window,
    skip: int = _DEFAULTS.learning,
    two_sided: bool = False,
) -> tuple[FloatArray, Distribution]:
    """Fit a distribution to the averages of raw scores, and score all of them by it.

    Parameters
    ----------
    raw_scores, values : shape (n,), n at least 1, finite. The metric's values decide whether it is flat: then, and
        if there are no more than `skip` records, everything is about as likely as not.
    averaging_window : raw scores in an average; at least 1.
    skip : records at the beginning that the fit does not use.
    two_sided : as for `tail_probability`.

    Returns
    -------
    likelihoods : shape (n,). 1 - the filtered tail probability of each average.
    distribution : for `continue_estimate`.
    """
    scores, metric = _same_length(raw_scores, values)
    if averaging_window < 1 or skip < 0 or scores.size == 0:
        raise ValueError("averaging_window must be at least 1, skip at least 0, and there must be a record")
    averages = _moving_averages(scores, averaging_window)
    fitted, compared = averages[skip:], metric[skip:]
    mean, variance = NULL_MEAN, NULL_VARIANCE
    if fitted.size and not compared.var() < _DEFAULTS.flat_variance:
        mean, variance = (
            max(float(fitted.mean()), _DEFAULTS.mean_floor),
            max(float(fitted.var()), _DEFAULTS.variance_floor),
        )
    blank = Distribution(mean, variance, (), 1.0, averaging_window, two_sided)
    return continue_estimate(scores, blank)


def continue_estimate(raw_scores: ArrayLike, distribution: Distribution) -> tuple[FloatArray, Distribution]:
    """Score further records by a distribution fitted before.

    Parameters
    ----------
    raw_scores : shape (n,), finite.
    distribution : as `estimate` or this function returned it.

    Returns
    -------
    likelihoods : shape (n,). 1 - the filtered tail probability of each average.
    distribution : the same Gaussian, ready for the next records.
    """
    window = distribution.averaging_window
    scores = np.concatenate([distribution.recent_scores, _finite(raw_scores, "raw_scores")])
    averages = _moving_averages(scores, window)[len(distribution.recent_scores) :]
    tails = np.concatenate(
        [
            [distribution.last_tail],
            tail_probability(
                averages, distribution.mean, distribution.deviation, two_sided=distribution.two_sided
            ),
        ]
    )
    continued = Distribution(
        distribution.mean,
        distribution.variance,
        tuple(scores[-window:].tolist()),
        float(tails[-1]),
        window,
        distribution.two_sided,
    )
    return 1.0 - filter_likelihoods(tails)[1:], continued


class AnomalyLikelihood:
    """Likelihood of an anomaly for each record of a stream, in constant time and bounded memory.

    Parameters
    ----------
    schedule : "streaming" as NuPIC's class and the benchmark detectors, "engine" as htmengine's anomaly service.
        Streaming: likelihood 0.5 during probation; then a fit before the first scored record and before every record
        whose number, from 0, is a multiple of `refit`. Engine: likelihood 0 during probation; a fit after it,
        and another `refit` records after each.
    averaging_window : raw scores in an average.
    learning : records that no fit uses, because the model is still learning. On the streaming schedule they are the
        first ever; on the engine's schedule the first of the window, also when it slides.
    probation : records that are not scored; from 1 to `history`.
    history : records in the sliding window to whose averages the distribution is fitted; more than `learning`.
    refit : records between fits; at least `averaging_window`.
    mean_floor, variance_floor : least mean and variance of a fitted distribution.
    flat_variance : if the values in the window have a variance below this (in the metric's unit, squared),
        everything is about as likely as not. 0 switches this off.
    two_sided : as for `tail_probability`.
    red_filter : as `filter_likelihoods`.

    Raises
    ------
    ValueError : if a parameter is out of its range.
    """

    def __init__(
        self,
        *,
        schedule: Literal["streaming", "engine"] = _DEFAULTS.schedule,
        averaging_window: int = _DEFAULTS.averaging_window,
        learning: int = _DEFAULTS.learning,
        probation: int = _DEFAULTS.probation,
        history: int = _DEFAULTS.history,
        refit: int = _DEFAULTS.refit,
        mean_floor: float = _DEFAULTS.mean_floor,
        variance_floor: float = _DEFAULTS.variance_floor,
        flat_variance: float = _DEFAULTS.flat_variance,
        two_sided: bool = _DEFAULTS.two_sided,
        red_filter: bool = _DEFAULTS.red_filter,
    ) -> None:
        if schedule not in ("streaming", "engine"):
            raise ValueError(f'schedule must be "streaming" or "engine", but it is {schedule!r}')
        parameters = _kernels.LikelihoodParameters()
        parameters.schedule = _kernels.LikelihoodSchedule[schedule.upper()]
        parameters.averaging_window = _count(averaging_window, "averaging_window")
        parameters.learning = _count(learning, "learning")
        parameters.probation = _count(probation, "probation")
        parameters.history = _count(history, "history")
        parameters.refit = _count(refit, "refit")
        parameters.mean_floor = mean_floor
        parameters.variance_floor = variance_floor
        parameters.flat_variance = flat_variance
        parameters.two_sided = two_sided
        parameters.red_filter = red_filter
        self._kernel = _kernels.Likelihood(parameters)

    @classmethod
    def for_benchmark(cls, records: int) -> Self:
        """Return the likelihood of the Numenta Anomaly Benchmark's detectors for a file of so many records."""
        probation = min(math.floor(0.15 * records), 750)
        return cls(learning=probation // 2, probation=probation)

    @classmethod
    def for_engine(cls) -> Self:
        """Return the likelihood of htmengine's anomaly service with its documented settings."""
        engine = params.ENGINE_LIKELIHOOD
        return cls(schedule="engine", probation=engine.probation, refit=engine.refit)

    def update(self, raw_score: float, value: float) -> float:
        """Take one record in and return its likelihood of being anomalous, from 0 to 1.

        Raises
        ------
        ValueError : if an argument is not finite; the state is as before. Leave out a record without a value.
        """
        raw_score, value = real(raw_score), real(value)
        if not (math.isfinite(raw_score) and math.isfinite(value)):
            raise ValueError(f"raw score and value must be finite, but they are {raw_score} and {value}")
        return float(self._kernel.update(raw_score, value))

    def update_series(self, raw_scores: ArrayLike, values: ArrayLike) -> FloatArray:
        """Take records in one by one, as if `update` were called for each.

        Parameters
        ----------
        raw_scores, values : shape (n,), finite.

        Returns
        -------
        Shape (n,). The likelihoods, from 0 to 1.

        Raises
        ------
        ValueError : if a number is not finite or the lengths differ; the state is as before.
        """
        return self._checked(self._kernel.update_series, raw_scores, values)

    def update_batch(self, raw_scores: ArrayLike, values: ArrayLike) -> FloatArray:
        """Take records in that arrived together, as htmengine's anomaly service took a batch.

        On the streaming schedule this is `update_series`. On the engine's schedule the size of the batch matters,
        as in the original: fits are max(`refit`, a tenth of the batch) records apart, and a likelihood above 0.99
        brings the next fit forward to the next record of the batch, if the last fit is more than 3 records ago.
        After such fits the window may hold up to `refit` - 1 records more than `history`, because it begins where
        the window of a scheduled fit could begin; up to `history` records, and record by record, it is exact.

        Parameters, results and errors are those of `update_series`.
        """
        return self._checked(self._kernel.update_batch, raw_scores, values)

    @property
    def records(self) -> int:
        """How many records were taken in."""
        return int(self._kernel.records)

    @property
    def distribution(self) -> tuple[float, float] | None:
        """Mean and standard deviation of the fitted Gaussian; None before the first fit."""
        return (self._kernel.mean, self._kernel.deviation) if self._kernel.fitted else None

    def save_state(self) -> bytes:
        """Return all that was learned, for `restore_state` of an object with the same parameters."""
        return self._kernel.save_state()

    def restore_state(self, state: bytes) -> None:
        """Continue from a saved state.

        Raises
        ------
        htmengine.htm._kernels.StateError : if the bytes do not fit the parameters; the state is as before.
        """
        self._kernel.restore_state(state)

    @staticmethod
    def _checked(
        update: Callable[[FloatArray, FloatArray], FloatArray], raw_scores: ArrayLike, values: ArrayLike
    ) -> FloatArray:
        scores, metric = _same_length(raw_scores, values)
        return update(scores, metric)


def _finite(numbers: ArrayLike, name: str) -> FloatArray:
    array = reals(numbers)
    if array.ndim != 1:
        raise ValueError(f"{name} must have one dimension, but has {array.ndim}")
    if not np.isfinite(array).all():
        place = int(np.argmin(np.isfinite(array)))
        raise ValueError(f"{name} must be finite, but {name}[{place}] is {array[place]}")
    return array


def _within_0_and_1(numbers: ArrayLike, name: str) -> FloatArray:
    array = _finite(numbers, name)
    if array.size and (array.min() < 0 or array.max() > 1):
        raise ValueError(f"{name} must be from 0 to 1, but range from {array.min()} to {array.max()}")
    return array


def _same_length(raw_scores: ArrayLike, values: ArrayLike) -> tuple[FloatArray, FloatArray]:
    scores, metric = _finite(raw_scores, "raw_scores"), _finite(values, "values")
    if scores.size != metric.size:
        raise ValueError(f"raw_scores has {scores.size} numbers, but values has {metric.size}")
    return scores, metric


def _count(number: int, name: str) -> int:
    if not 0 <= number < 2**31:
        raise ValueError(f"{name} must be a whole number from 0 to 2^31 - 1, but it is {number}")
    return int(number)


def _moving_averages(scores: FloatArray, window: int) -> FloatArray:
    """Average each score with the `window` - 1 before it, or with as many as there are."""
    totals = np.zeros(scores.size)
    for lag in range(min(window, scores.size)):
        totals[lag:] += scores[: scores.size - lag]
    return totals / np.minimum(np.arange(1, scores.size + 1), window)
