"""The measure for recorded series, on an example that is small enough to count by hand."""

import gzip

import numpy as np
import pytest

from benchmarks.nab.corpus import Window
from benchmarks.nab.scorer import sigma
from benchmarks.ops.recorded import Series, counts, evaluate, load


def series(*events, count=200, probation=30, name="test-01"):
    labels = np.zeros(count, dtype=bool)
    for first, last in events:
        labels[first : last + 1] = True
    return Series(name, np.arange(count) * 60.0, np.zeros(count), labels, probation)


def scores(at, count=200):
    found = np.zeros(count)
    for place, score in at.items():
        found[place] = score
    return found


def at_half(one, at):
    found = counts(one, scores(at, len(one.values)), np.array([0.5]))
    return tuple(int(column[0]) for column in found)


def test_an_event_is_found_within_seven_records_of_its_start():
    assert at_half(series((100, 120)), {107: 0.5}) == (1, 0, 0, 0)
    assert at_half(series((100, 120)), {108: 0.9, 120: 0.9}) == (0, 1, 0, 0)
    assert at_half(series((100, 100)), {107: 0.5}) == (1, 0, 0, 0)
    assert at_half(series((100, 100)), {108: 0.5}) == (0, 1, 1, 1)


def test_detections_with_up_to_seven_records_between_them_are_one_false_alarm():
    assert at_half(series(), {50: 0.5, 58: 0.5}) == (0, 0, 1, 2)
    assert at_half(series(), {50: 0.5, 59: 0.5}) == (0, 0, 2, 2)


def test_a_false_alarm_counts_again_for_every_16_records_begun():
    assert at_half(series(), dict.fromkeys(range(50, 66), 0.5))[2:] == (1, 16)
    assert at_half(series(), dict.fromkeys(range(50, 67), 0.5))[2:] == (2, 17)


def test_an_event_that_begins_on_probation_is_dropped_with_what_is_left_of_it():
    one = series((25, 40), (60, 60))
    assert one.events == [Window(60, 60)]
    assert at_half(one, {29: 0.9, 40: 0.9, 60: 0.9}) == (1, 0, 0, 0)
    assert at_half(one, {41: 0.9}) == (0, 1, 1, 1)
    short = series((28, 28))
    assert at_half(short, {35: 0.9}) == (0, 0, 0, 0)
    assert at_half(short, {36: 0.9}) == (0, 0, 1, 1)


def test_an_event_counts_also_where_one_that_was_dropped_has_just_ended():
    one = series((29, 29), (32, 32))
    assert one.counted[32]
    assert not one.counted[[31, 33]].any()


def test_windows_share_a_tenth_of_the_series_and_are_one_where_they_overlap():
    assert series((100, 100)).windows == [Window(90, 110)]
    assert series((100, 115)).windows == [Window(90, 115)]
    assert series((100, 100), (108, 108)).windows == [Window(95, 113)]
    assert series((32, 32)).windows == [Window(30, 42)]


def test_the_numbers_of_a_group_are_those_counted_by_hand():
    # Two events: one found at 0.9, one at 0.4. One false alarm of two records at 0.6, one of a single record at 0.3.
    one = series((60, 62), (120, 122))
    found = evaluate([one], [scores({61: 0.9, 120: 0.4, 90: 0.6, 92: 0.6, 180: 0.3})])
    assert set(found) == {"test", "odd", "all"}
    all_of_it = found["all"]
    assert all_of_it == found["odd"] == found["test"]
    assert (all_of_it["series"], all_of_it["records"], all_of_it["events"]) == (1, 170, 2)
    # At 0.4: two found, one false alarm. At 0.5 and 0.9: one found, one missed, with one false alarm and with none.
    assert all_of_it["ev_f1"] == all_of_it["ev_f1_1thr"] == pytest.approx(4 / 5)
    assert all_of_it["ev_f1_fix"] == all_of_it["ev_f1_pool_fix"] == pytest.approx(2 / 4)
    assert all_of_it["fa_rec"] == pytest.approx(1000 * 2 / 170)
    assert all_of_it["fa_run"] == pytest.approx(1000 * 1 / 170)
    assert all_of_it["found"] == 0.5
    # Windows 55 to 65 and 115 to 125. Record 61 lies 5 before the end of the first one, records 90 and 92 are behind it.
    full = float(sigma(np.array(-1.0)))
    first = float(sigma(np.array(-5 / 11))) / full
    behind = float(sigma(np.array([25 / 10, 27 / 10])).sum())
    assert all_of_it["nab_std_fix"] == pytest.approx(100 * (first - 1 + 0.11 * behind + 2) / 4)
    # One more is found with 0.4, at no cost.
    second = float(sigma(np.array(-6 / 11))) / full
    assert all_of_it["nab_std"] == pytest.approx(100 * (first + second + 0.11 * behind + 2) / 4)


def test_a_series_without_an_event_counts_in_pooled_numbers_and_false_alarms_alone():
    eventful, quiet = series((60, 60)), series(name="other-01")
    found = evaluate([eventful, quiet], [scores({60: 0.9}), scores({100: 0.7})])
    assert found["all"]["ev_f1"] == 1.0
    assert found["all"]["ev_f1_pool_fix"] == pytest.approx(2 / 3)
    assert found["other"]["fa_run"] == pytest.approx(1000 / 170)
    assert np.isnan(found["other"]["nab_std"])


def test_what_is_left_of_a_dropped_event_costs_nothing_anywhere():
    one = series((20, 40), (100, 100))
    with_rest = evaluate([one], [scores({35: 0.9, 100: 0.9})])
    assert with_rest == evaluate([one], [scores({100: 0.9})])


def test_a_folder_is_read_in_the_order_of_its_manifest(tmp_path):
    manifest = "file,interval,n,probation,events\nweb-02.csv.gz,60,3,1,1\nweb-01.csv.gz,60,3,0,0\n"
    (tmp_path / "manifest.csv").write_text(manifest)
    for name, label in (("web-01", "0"), ("web-02", "1")):
        with gzip.open(tmp_path / f"{name}.csv.gz", "wt") as file:
            file.write("timestamp,value,label\n")
            file.writelines(f"2024-01-01 00:0{i}:00,{i}.5,{label if i == 2 else 0}\n" for i in range(3))
    one, other = load(tmp_path)
    assert (one.name, other.name, one.family, one.probation) == ("web-02", "web-01", "web", 1)
    assert one.timestamps.tolist() == [1_704_067_200.0, 1_704_067_260.0, 1_704_067_320.0]
    assert one.values.tolist() == [0.5, 1.5, 2.5]
    assert (one.events, other.events) == ([Window(2, 2)], [])
