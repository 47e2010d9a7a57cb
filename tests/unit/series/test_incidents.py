import numpy as np
import pytest

from htmengine.htm.explanation import SeriesScores
from htmengine.series.incidents import FEW_ROWS, MERGE_ROWS, IncidentFinder


def find(scores, values=None, *, threshold=0.5, top=3, chunk=1000):
    finder = IncidentFinder(threshold, top)
    log = np.array(scores, dtype=float)
    position = np.arange(len(log))
    values = np.asarray(position if values is None else values, dtype=float)
    for first in range(0, len(log), chunk):
        part = slice(first, first + chunk)
        scores = SeriesScores(*[log[part]] * len(SeriesScores._fields))
        finder.add(position[part] + 2, position[part] * 60.0, values[part], scores, {})
    return finder


def test_neighbouring_anomalies_are_one_incident():
    scores = [0.0] * 100
    scores[20:24] = [0.6, 0.4, 0.9, 0.7]
    scores[24 + MERGE_ROWS - 1] = 0.5
    (incident,) = find(scores).incidents()
    assert (incident.start.line, incident.peak.line, incident.end.line) == (22, 24, 35)
    assert incident.rows == 4
    assert incident.duration_s == 13 * 60.0


def test_anomalies_further_apart_are_two_incidents_the_stronger_first():
    scores = [0.0] * 100
    scores[20] = 0.6
    scores[20 + MERGE_ROWS + 1] = 0.8
    assert [incident.peak.position for incident in find(scores).incidents()] == [31, 20]


def test_of_equals_the_earlier_comes_first():
    scores = [0.0] * 100
    scores[70] = scores[20] = 1.0
    assert [incident.peak.position for incident in find(scores).incidents()] == [20, 70]


@pytest.mark.parametrize("chunk", [1, 7, 10, 1000])
def test_incidents_do_not_depend_on_how_the_rows_are_cut_into_chunks(chunk):
    scores = np.random.default_rng(5).random(300) ** 8
    assert find(scores, chunk=chunk).incidents() == find(scores).incidents()


@pytest.mark.parametrize("seed", range(20))
def test_the_strongest_rows_start_with_the_strongest_and_none_is_close_to_another(seed):
    scores = np.random.default_rng(seed).random(500)
    found = [row.position for row in find(scores, threshold=2.0, chunk=100).strongest()]
    assert found[0] == np.argmax(scores)
    assert len(found) == 3
    assert min(np.diff(sorted(found))) > MERGE_ROWS
    assert sorted(scores[found], reverse=True) == scores[found].tolist()


def test_rows_without_score_are_no_anomalies():
    finder = find([np.nan] * 30)
    assert finder.incidents() == []
    assert finder.strongest() == []


def few(rows, values):
    """Return values of 0 to 9 in turn, but for those given by position; and scores, missing where the value is."""
    series = np.arange(rows) % 10.0
    for position, value in values.items():
        series[position] = value
    return np.where(np.isnan(series), np.nan, 0.1), series


@pytest.mark.parametrize("chunk", [7, 1000])
def test_of_few_rows_those_far_from_the_median_are_candidates_the_farthest_first(chunk):
    scores, values = few(200, {3: 500.0, 4: -900.0, 50: 70.0, 120: np.nan, 199: 20.0})
    assert [row.value for row in find(scores, values, chunk=chunk).farthest()] == [-900.0, 500.0, 70.0]


def test_an_anomaly_is_no_candidate():
    scores, values = few(200, {3: 500.0, 50: 70.0})
    scores[3] = 0.7
    assert [row.position for row in find(scores, values).farthest()] == [50]


@pytest.mark.parametrize("chunk", [7, 1000])
def test_of_many_rows_there_are_no_candidates(chunk):
    scores, values = few(FEW_ROWS, {3: 500.0})
    finder = find(scores, values, chunk=chunk)
    assert not finder.has_few
    assert finder.farthest() == []


def test_rows_without_a_value_do_not_make_many():
    scores, values = few(FEW_ROWS, {3: 500.0, 7: np.nan})
    finder = find(scores, values)
    assert finder.has_few
    assert [row.position for row in finder.farthest()] == [3]


def test_of_equal_values_every_other_one_is_a_candidate():
    finder = find([0.1] * 100, [5.0] * 60 + [6.0] + [5.0] * 39)
    assert [row.position for row in finder.farthest()] == [60]
    assert find([0.1] * 100, [5.0] * 100).farthest() == []
