"""Whole models of NuPIC against the scores that the original gave on files of the Numenta Anomaly Benchmark."""

import csv
import math

import msgspec
import numpy as np
import pytest

from htmengine.htm import params
from htmengine.htm.model import Model
from tests.reference.golden import golden


def benchmark_parameters(name, values):
    """The benchmark's detectors: the range of the whole file, and the likelihood of NuPIC 1.0's class."""
    minimum, maximum = params.infer_range(values)
    parameters = params.parameter_set(name, minimum=minimum, maximum=maximum)
    probation = min(math.floor(0.15 * len(values)), 750)
    likelihood = params.Likelihood(
        schedule="streaming", learning=probation // 2, probation=probation, refit=100, two_sided=True
    )
    return msgspec.structs.replace(parameters, likelihood=likelihood)


@pytest.mark.golden
@pytest.mark.parametrize(("name", "column"), [("nupic", "numenta"), ("nupic-tm", "numentaTM")])
@pytest.mark.parametrize(
    "file", ["speed_7578", "art_daily_jumpsup", "ec2_cpu_utilization_5f5533", "nyc_taxi"]
)
def test_raw_and_log_scores_are_those_of_the_original(name, column, file):
    with golden(f"run_{file}.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    times = np.array([row["timestamp"] for row in rows], dtype="datetime64[s]").astype(np.float64)
    values = np.array([float(row["value"]) for row in rows])
    scores = Model(benchmark_parameters(name, values)).score_series(times, values)
    raw = np.array([float(row[f"{column}_raw"]) for row in rows])
    np.testing.assert_array_equal(np.round(scores.raw_anomaly_score, 6), raw)
    log = np.array([float(row[f"{column}_log_likelihood"]) for row in rows])
    np.testing.assert_allclose(scores.log_score, np.maximum(log, 0.0), atol=1e-9)
