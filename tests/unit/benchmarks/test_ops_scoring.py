"""Event F1 on hand-made cases."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.ops.events import Event
from benchmarks.ops.generator import Series
from benchmarks.ops.report import evaluate
from benchmarks.ops.scoring import BLOCK, NEVER, Counts, best_for_each, outcome, total
from tests.support.examples import examples

SPIKE = Event("spike", 200, 202)


def series(*events, count=400):
    return Series("test", np.arange(count) * 60.0, np.zeros(count), events)


def detections(*places, score=1.0, count=400):
    scores = np.zeros(count)
    scores[list(places)] = score
    return scores


def counts(*places, events=(SPIKE,)):
    return outcome(series(*events), detections(*places)).at(1.0)


def test_an_event_is_found_up_to_seven_samples_after_its_start():
    assert counts(200) == counts(207) == Counts(found=1, missed=0, false_alarms=0)


def test_a_detection_in_the_zone_but_too_late_neither_finds_nor_is_false():
    assert counts(208) == counts(209) == Counts(found=0, missed=1, false_alarms=0)
    assert counts(250, events=(Event("leak", 200, 260),)) == Counts(found=0, missed=1, false_alarms=0)


def test_the_zone_ends_seven_samples_after_the_end_of_the_event():
    assert counts(210) == Counts(found=0, missed=1, false_alarms=1)
    assert counts(199) == Counts(found=0, missed=1, false_alarms=1)


def test_a_run_of_detections_is_one_false_alarm():
    assert counts(100, 101, 102, 110).false_alarms == 2


def test_an_alarm_that_stays_on_counts_again_in_every_block():
    # 60 of 400 records on probation; the zone, 200 to 209, lies within the block from 180 and cuts it in two.
    blocks = len(range(60, 400, BLOCK))
    assert outcome(series(SPIKE), np.ones(400)).at(1.0).false_alarms == blocks + 1


def test_detections_on_probation_do_not_count():
    assert counts(10, 59).false_alarms == 0
    assert counts(60).false_alarms == 1


def test_two_events_close_together_can_both_be_found_by_one_long_alarm():
    pair = (Event("spike", 200, 201), Event("spike", 206, 207))
    assert counts(206, events=pair) == Counts(found=2, missed=0, false_alarms=0)


def test_f1_weighs_misses_and_false_alarms_alike():
    assert Counts(found=2, missed=1, false_alarms=1).f1 == pytest.approx(4 / 6)
    assert Counts(found=0, missed=3, false_alarms=0).f1 == 0.0


def test_the_best_threshold_spares_the_false_alarm_that_scores_less():
    scores = detections(200, score=0.8) + detections(300, score=0.7) + detections(100, score=0.3)
    threshold, best = outcome(series(SPIKE), scores).best()
    assert (threshold, best) == (0.8, Counts(found=1, missed=0, false_alarms=0))


def test_a_detector_that_says_nothing_finds_nothing_at_any_threshold():
    assert outcome(series(SPIKE), np.zeros(400)).best() == (NEVER, Counts(0, 1, 0))


def test_a_hopeless_series_is_given_up_when_all_are_counted_together():
    good = outcome(series(SPIKE), detections(200))
    hopeless = outcome(series(SPIKE), np.linspace(1.0, 0.5, 400))
    assert hopeless.best()[1].found == 1
    assert [chosen[1].found for chosen in best_for_each([good, hopeless])] == [1, 0]


def test_scores_of_another_length_than_the_series_are_refused():
    with pytest.raises(ValueError, match="399 scores for a series of 400"):
        outcome(series(SPIKE), np.zeros(399))


@examples(100)
@given(seed=st.integers(0, 2**32 - 1), levels=st.integers(1, 12))
def test_counts_agree_with_counting_record_by_record(seed, levels):
    rng = np.random.default_rng(seed)
    events = (Event("spike", 150, 152), Event("dip", 190, 215), Event("leak", 300, 380))
    scores = rng.integers(0, levels + 1, 400) / levels
    found = outcome(series(*events), scores)
    for threshold in np.unique(scores):
        in_time = [any(scores[i] >= threshold for i in range(e.first, e.first + 8)) for e in events]
        alarms, alarmed = 0, False
        for i in range(60, 400):
            if i % BLOCK == 0:
                alarmed = False
            on = scores[i] >= threshold and not any(e.first <= i <= e.last + 7 for e in events)
            alarms += on and not alarmed
            alarmed = on
        assert found.at(threshold) == Counts(sum(in_time), 3 - sum(in_time), alarms)


@examples(50)
@given(seed=st.integers(0, 2**32 - 1))
def test_thresholds_chosen_for_the_sum_are_never_worse_for_it_than_those_best_for_each_series(seed):
    rng = np.random.default_rng(seed)
    events = (Event("spike", 150, 152), Event("dip", 190, 215))
    outcomes = [outcome(series(*events), rng.random(400)) for _ in range(3)]
    alone = total([one.best()[1] for one in outcomes])
    together = total([counts for _, counts in best_for_each(outcomes)])
    assert together.f1 >= alone.f1


def test_a_report_says_how_each_kind_of_event_fares():
    two = series(SPIKE, Event("dip", 300, 310))
    report = evaluate([two], [detections(200, score=0.6) + detections(309, score=0.6)])
    assert report["kinds"]["spike"] == {"events": 1, "own_threshold": 1.0, "fixed": 1.0, "at_all": 1.0}
    assert report["kinds"]["dip"] == {"events": 1, "own_threshold": 0.0, "fixed": 0.0, "at_all": 1.0}
    assert report["fixed"] == {"f1": pytest.approx(2 / 3), "false_alarms_per_1000": 0.0, "found": 0.5}
    assert report["f1_own_threshold"] == report["f1_one_threshold"] == pytest.approx(2 / 3)
    assert report["threshold"] == 0.6
