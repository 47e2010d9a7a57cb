"""What one detector reaches on the benchmark, in numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.detectors import FIXED_THRESHOLD, Detector
from benchmarks.nab.corpus import Profile, Series
from benchmarks.nab.scorer import Scorer, Sweep
from benchmarks.parallel import run
from benchmarks.summary import Report, over_runs
from htmengine.htm.arrays import FloatArray


class Benchmark:
    """The files laid out for scoring: all of them, and the halves A and B (1st, 3rd, … and 2nd, 4th, … by name).

    A threshold that was chosen on the data it is judged by flatters. The halves show by how much: ``B_at_A`` is the
    score of B at the threshold that is best on A.
    """

    def __init__(self, series: Sequence[Series], profiles: Mapping[str, Profile]) -> None:
        self.profiles = dict(profiles)
        self._all = Scorer(series)
        self._a = Scorer(series[0::2])
        self._b = Scorer(series[1::2])

    def evaluate(self, scores: Sequence[FloatArray]) -> Report:
        """Return the numbers of one run. ``scores`` has one array per file, each as long as its file.

        - each profile's name: the score at the best threshold for it; ``thresholds`` holds these;
        - ``untuned_standard``: the standard profile at the fixed threshold, and there also
          ``false_alarms_per_1000`` records outside windows and ``detected_windows``, the share of windows found;
        - ``halves``: the standard profile on A, on B, and on each at the threshold of the other.
        """
        standard = self.profiles["standard"]
        sweep = self._all.sweep(scores)
        best = {name: sweep.best(profile) for name, profile in self.profiles.items()}
        return {
            **{name: one.score for name, one in best.items()},
            "untuned_standard": sweep.score_at(standard, FIXED_THRESHOLD),
            "false_alarms_per_1000": self._all.false_alarms(scores, FIXED_THRESHOLD),
            "detected_windows": sweep.found_at(FIXED_THRESHOLD) / sweep.windows,
            "halves": _halves(self._a.sweep(scores[0::2]), self._b.sweep(scores[1::2]), standard),
            "thresholds": {name: one.threshold for name, one in best.items()},
        }


def measure(
    detector: Detector,
    series: Sequence[Series],
    profiles: Mapping[str, Profile],
    seeds: Sequence[int],
    *,
    jobs: int | None = None,
) -> Report:
    """Run a detector with every seed over all files and return mean and deviation of each number of `evaluate`.

    ``per_seed`` lists the numbers of the single runs, ``seeds`` their seeds.
    """
    benchmark = Benchmark(series, profiles)
    runs = [benchmark.evaluate(scores) for scores in run(detector, series, seeds, jobs=jobs)]
    return {**over_runs(runs), "per_seed": runs, "seeds": list(seeds)}


def _halves(a: Sweep, b: Sweep, profile: Profile) -> Report:
    best_a, best_b = a.best(profile), b.best(profile)
    return {
        "A": best_a.score,
        "B": best_b.score,
        "B_at_A": b.score_at(profile, best_a.threshold),
        "A_at_B": a.score_at(profile, best_b.threshold),
    }
