import numpy as np
import pytest

from htmengine.series.incidents import MERGE_ROWS, IncidentFinder


def find(scores, *, threshold=0.5, top=3, chunk=1000):
    finder = IncidentFinder(threshold, top)
    log = np.array(scores, dtype=float)
    position = np.arange(len(log))
    for first in range(0, len(log), chunk):
        part = slice(first, first + chunk)
        finder.add(position[part] + 2, position[part] * 60.0, position[part] * 1.0, log[part], log[part], {})
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
