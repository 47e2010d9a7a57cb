"""A model that is quick and easy to foresee: a row is an anomaly if its value is above 1000."""

import numpy as np

from htmengine.htm.explanation import SeriesScores


class FakeModel:
    """Stands in for `htmengine.htm.model.Model`."""

    def __init__(self, parameters):
        self.parameters = parameters

    def score_and_explain(self, timestamps, values, *, threshold):
        """Explain nothing; score 0.9 on the log scale above 1000, else 0.1 to 0.2; expect 0 to 50, except at first."""
        log = np.where(values > 1000, 0.9, 0.1 + 0.1 * np.clip(values, 0, 1000) / 1000)
        log[np.isnan(values)] = np.nan
        zeros = np.zeros_like(log)
        known = np.where(np.isnan(log) | (np.arange(len(log)) < 10), np.nan, 1.0)
        one_in = np.where(values > 1000, 12_345.0, 1.0) * known
        expected = (25.0 * known, 0.0 * known, 50.0 * known, one_in)
        return SeriesScores(log, 1 - 10 ** (-10 * log), log, zeros, zeros, *expected), {}

    def score_series(self, timestamps, values):
        """Learn nothing."""
        self.last_read = float(timestamps[-1])
