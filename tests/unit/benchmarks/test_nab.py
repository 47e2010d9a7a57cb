"""NAB's rules on hand-made cases, and the report of a run."""

import numpy as np
import pytest

from benchmarks import baselines
from benchmarks.nab import ablation
from benchmarks.nab.corpus import Profile, Series, Window
from benchmarks.nab.report import measure
from benchmarks.nab.scorer import Scorer

STANDARD = Profile(true_positive=1.0, false_positive=0.11, false_negative=1.0)


def series(name="a", count=200, windows=((100, 119),)):
    rng = np.random.default_rng(len(name))
    return Series(
        name, np.arange(count) * 300.0, rng.normal(size=count), tuple(Window(*window) for window in windows)
    )


def detections(*places, count=200):
    scores = np.zeros(count)
    scores[list(places)] = 1.0
    return scores


def score(*places, **kwargs):
    return Scorer([series(**kwargs)]).sweep([detections(*places)]).score_at(STANDARD, 1.0)


def test_no_detection_scores_0_and_the_first_record_of_the_window_100():
    assert score() == 0.0
    assert score(100) == pytest.approx(100.0)


def test_only_the_first_detection_in_a_window_counts():
    assert score(104, 105, 119) == score(104)
    assert score(119) < score(104) < score(101) < score(100)


def test_a_false_alarm_before_any_window_costs_its_full_weight():
    assert score(50, 100) == pytest.approx(100 - 0.11 * 50)


def test_a_false_alarm_right_behind_a_window_costs_less_than_one_far_from_it():
    assert score(60, 100) == pytest.approx(score(190, 100))
    assert score(100) > score(100, 120) > score(100, 130) > score(100, 190)


def test_detections_on_probation_do_not_exist():
    assert score(0, 29, 100) == pytest.approx(100.0)
    assert score(30, 100) < 99.0


def test_a_window_on_probation_cannot_be_found():
    assert score(5, 100, windows=((2, 9), (100, 119))) == pytest.approx(50.0)


def test_the_best_threshold_of_a_useless_detector_is_above_all_its_scores():
    best = Scorer([series()]).sweep([detections(*range(40, 95))]).best(STANDARD)
    assert best.score == 0.0
    assert best.threshold > 1.0


def test_files_without_any_window_cannot_be_scored():
    with pytest.raises(ValueError, match="no labelled window"):
        Scorer([series(windows=())])


def test_scores_of_another_length_than_the_file_are_refused():
    with pytest.raises(ValueError, match="as many scores"):
        Scorer([series()]).sweep([np.zeros(199)])


def test_a_report_has_mean_and_deviation_over_seeds_and_both_halves():
    files = [series(name) for name in ("a", "bb", "ccc", "dddd")]
    profiles = {"standard": STANDARD}
    report = measure(baselines.random_scores, files, profiles, [1, 2, 3], jobs=1)
    standards = [run["standard"] for run in report["per_seed"]]
    assert report["standard"] == {
        "mean": pytest.approx(np.mean(standards)),
        "sd": pytest.approx(np.std(standards, ddof=1)),
    }
    assert set(report["halves"]) == {"A", "B", "B_at_A", "A_at_B"}
    assert report["halves"]["B_at_A"]["mean"] <= report["halves"]["B"]["mean"]
    assert report["untuned_standard"]["mean"] <= report["standard"]["mean"]


def test_the_ablation_leaves_out_each_channel_in_turn_and_is_a_table():
    changed = {name: one.changes for name, one in ablation.variants().items() if name.startswith("without ")}
    assert changed["without sequence"] == {"channels": ("jump", "extreme", "deviation")}
    assert len(changed) == 5
    report = measure(
        baselines.null,
        [series(), series("bb")],
        {"standard": STANDARD} | dict.fromkeys(("reward_low_FP_rate", "reward_low_FN_rate"), STANDARD),
        [1],
        jobs=1,
    )
    lines = ablation.as_table({"all": report}).splitlines()
    assert lines[2].startswith("| all | 0.0 ± 0.0 | ")
    assert len({line.count("|") for line in lines}) == 1
