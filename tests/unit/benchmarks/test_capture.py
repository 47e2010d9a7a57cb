"""What is counted of a capture, on one that is small enough to count by hand."""

import gzip

import numpy as np
import pytest

from benchmarks.capture import Incident, Metric, evaluate, measure, read


def metric(name, values, interval=10.0):
    return Metric(name, 1000.0 + interval * np.arange(len(values)), np.array(values, dtype=float))


def scores(count, *alarms):
    found = np.zeros(count)
    found[list(alarms)] = 0.5
    return found


def test_alarms_are_counted_by_row_for_all_metrics_and_for_those_that_vary():
    wave, switch = metric("wave", np.arange(400) % 3), metric("switch", np.arange(400) % 2)
    found = evaluate([wave, switch], [scores(400, 0, 179, 180, 360), scores(400, 100)])
    assert (found["metrics"], found["metrics_that_vary"], found["records"]) == (2, 1, 800)
    varying = found["alarms_per_1000"]["those_that_vary"]
    assert varying == {
        "1-180": 2000 / 180,
        "181-360": 1000 / 180,
        "361-1080": 1000 / 40,
        "later": None,
    }
    assert found["alarms_per_1000"]["all"]["1-180"] == 3000 / 360


def test_half_minutes_with_an_alarm_are_counted_from_the_first_sample_on():
    one, other = metric("one", np.arange(9)), metric("other", np.arange(9))
    found = evaluate([one, other], [scores(9, 0, 2, 3), scores(9, 0)])
    assert found["windows_with_alarm"] == {"share": pytest.approx(2 / 3), "metrics_median": 1.5}
    assert evaluate([one], [scores(9)])["windows_with_alarm"] == {"share": 0.0, "metrics_median": 0.0}


def test_an_incident_counts_the_metrics_that_alarm_from_its_start_on():
    metrics = [metric(name, np.arange(9)) for name in "abc"]
    alarms = [scores(9, 1), scores(9, 3, 4), scores(9, 5)]
    found = evaluate(metrics, alarms, Incident(start_s=1015.0, within_s=25.0))["incident"]
    assert found == {
        "first_sample_s": 5.0,
        "first_alarm_s": 15.0,
        "metrics_within": 1,
        "metrics_before": 1,
        "within_s": 25.0,
    }
    assert evaluate(metrics, alarms, Incident(1030.0, 0.0))["incident"]["metrics_within"] == 1
    assert evaluate(metrics, alarms, Incident(2000.0, 9.0))["incident"]["first_alarm_s"] is None


@pytest.mark.parametrize("name", ["some.lines", "some.lines.gz"])
def test_a_file_is_read_metric_by_metric_and_a_second_sample_of_a_second_is_left_out(tmp_path, name):
    lines = "b 1 100\na 2 100\na 3 100\na 4 101\nb 5 102\na 6 100\n"
    opener = gzip.open if name.endswith(".gz") else open
    with opener(tmp_path / name, "wt") as file:
        file.write(lines)
    a, b = read(tmp_path / name)
    assert (a.name, a.timestamps.tolist(), a.values.tolist()) == ("a", [100.0, 101.0], [2.0, 4.0])
    assert (b.name, b.timestamps.tolist(), b.values.tolist()) == ("b", [100.0, 102.0], [1.0, 5.0])

    def largest(timestamps, values, seed):
        return (values == 5.0).astype(float)

    assert measure(tmp_path / name, largest, None, jobs=1)["alarms_per_1000"]["all"]["1-180"] == 250.0


def test_a_line_that_is_no_sample_is_told(tmp_path):
    (tmp_path / "some.lines").write_text("a 1 100\na one 101\n")
    with pytest.raises(ValueError, match=r"some\.lines: the value is not a number: 'a one 101"):
        read(tmp_path / "some.lines")
