import csv
import io
from datetime import UTC, datetime

import numpy as np
import pytest

from htmengine.admin import export
from htmengine.web.api import data
from tests.integration.web.server import NOW


def test_rows_behind_a_rowid_come_one_by_one_and_without_a_gap(server):
    uid = server.metric("a", [float(i) for i in range(1, 26)])
    with server.client:
        rowids, since = [], 0
        while True:
            page = server.get(f"/metrics/{uid}/data", since_rowid=since, limit=10)
            if not page["rows"]:
                break
            rowids += [row[0] for row in page["rows"]]
            since = page["next_rowid"]
    assert rowids == list(range(1, 26))
    assert since == 25
    assert page["columns"] == ["rowid", "time", "value", "log_score", "low", "high"]


def test_with_scored_no_row_comes_before_its_score(server):
    uid = server.metric("a", [1.0, 2.0], monitored=True)
    from htmengine.repository import samples

    with server.context.database.write() as conn:
        samples.append(conn, [uid], [3], [int(NOW)], [3.0])
        samples.advance_last(conn, [samples.Advance(uid, 2, 3, int(NOW))])
    with server.client:
        every = server.get(f"/metrics/{uid}/data", since_rowid=0)
        scored = server.get(f"/metrics/{uid}/data", since_rowid=0, scored="true")
    assert [row[0] for row in every["rows"]] == [1, 2, 3]
    assert [row[0] for row in scored["rows"]] == [1, 2]


def test_few_rows_of_a_time_are_given_as_they_are(server):
    uid = server.metric("a", [1.0, 2.0, 3.0])
    with server.client:
        answer = server.get(f"/metrics/{uid}/data", **{"from": NOW - 100, "to": NOW})
    assert answer["columns"] == ["time", "value", "value_min", "value_max", "log_score", "low", "high"]
    assert answer["rows"] == [
        [NOW - 90, 2.0, 2.0, 2.0, 0.1, 4.0, 6.0],
        [NOW - 30, 3.0, 3.0, 3.0, 0.1, 4.0, 6.0],
    ]
    assert not answer["downsampled"]


@pytest.mark.parametrize("zone", ["Z", "+01:00", "-05:30", " 01:00"])
def test_times_are_taken_as_text_too(server, zone):
    uid = server.metric("a", [1.0, 2.0, 3.0])
    tz = UTC if zone == "Z" else datetime.fromisoformat(f"2000-01-01T00:00:00{zone.replace(' ', '+')}").tzinfo
    begin, end = (datetime.fromtimestamp(time, tz).isoformat()[:19] + zone for time in (NOW - 100, NOW))
    with server.client:
        answer = server.get(f"/metrics/{uid}/data", **{"from": begin, "to": end})
    assert [row[0] for row in answer["rows"]] == [NOW - 90, NOW - 30]


def test_a_spike_survives_however_few_points_there_are(server):
    values, scores = [5.0] * 1000, [0.1] * 1000
    values[437], scores[437] = 99.0, 0.9
    uid = server.metric("a", values, log_scores=scores)
    with server.client:
        answer = server.get(f"/metrics/{uid}/data", points=7, **{"from": NOW - 61000, "to": NOW})
    columns = dict(zip(answer["columns"], zip(*answer["rows"], strict=True), strict=True))
    assert answer["downsampled"]
    assert len(answer["rows"]) <= 8  # a step begins at a multiple of itself
    assert max(columns["value_max"]) == 99.0
    assert max(columns["log_score"]) == 0.9
    assert min(columns["value_min"]) == 5.0


def test_points_are_the_same_whoever_makes_them(server, monkeypatch):
    random = np.random.default_rng(3)
    uid = server.metric("a", random.normal(size=1000).tolist(), log_scores=(random.random(1000) / 3).tolist())
    series = "value,log_score,anomaly_score,low,high,forecast"
    asked = {"from": NOW - 50_000, "to": NOW - 100, "points": 20, "series": series}
    with server.client:
        of_database = server.get(f"/metrics/{uid}/data", **asked)
        monkeypatch.setattr(data, "MIN_ROWS_PER_POINT", 10**9)
        of_rows = server.get(f"/metrics/{uid}/data", **asked)
    assert of_database["rows"] == of_rows["rows"]
    assert len(of_rows["rows"]) > 10


@pytest.mark.parametrize(
    "points", [2000, 12, 3], ids=["each row", "summed up here", "summed up by the database"]
)
def test_parts_of_the_score_are_given_where_they_are_asked_for(server, points):
    uid = server.metric("a", [5.0] * 20, log_scores=[0.1] * 19 + [0.7])
    with server.client:
        wanted = {"series": "novelty,raw,sequence", "points": points, "from": NOW - 3000, "to": NOW}
        answer = server.get(f"/metrics/{uid}/data", **wanted)
        refused = server.get(f"/metrics/{uid}/data", status=400, series="raw", since_rowid=0)
        nothing = server.get(f"/metrics/{uid}/data", **(wanted | {"from": 0, "to": 100}))
    assert answer["columns"] == ["time", "novelty", "raw", "sequence"]
    assert answer["rows"][-1][1:] == [0.7, 0.1, 0.7]
    assert "since_rowid" in refused["detail"]
    assert nothing["rows"] == []


def test_binary_columns_hold_the_same_as_json(server):
    uid = server.metric("a", [1.0, 2.0, 3.0], monitored=False)
    with server.client as client:
        path = f"/api/v1/metrics/{uid}/data"
        answer = client.get(path, params={"format": "bin"})
        expected = server.get(f"/metrics/{uid}/data")
    assert answer.headers["content-type"] == "application/octet-stream"
    names = answer.headers["x-columns"].split(",")
    assert names == expected["columns"]
    count = int(answer.headers["x-rows"])
    columns = np.frombuffer(answer.content, "<f8").reshape(len(names), count)
    rows = [[None if np.isnan(cell) else cell for cell in row] for row in columns.T.tolist()]
    assert rows == expected["rows"]


@pytest.fixture(scope="module")
def shared_metric(shared_server):
    return shared_server.metric("a", [1.0])


@pytest.mark.parametrize(
    "parameters",
    [
        {"series": "value,colour"},
        {"since_rowid": 1, "from": 5},
        {"from": 9, "to": 5},
        {"points": 0},
        {"points": "many"},
        {"since_rowid": -1},
        {"unknown": 1},
    ],
)
def test_a_request_that_makes_no_sense_is_explained(shared_server, shared_metric, parameters):
    problem = shared_server.get(f"/metrics/{shared_metric}/data", status=400, **parameters)
    assert problem["detail"]


def test_an_unknown_metric_is_a_problem_with_a_kind(server):
    with server.client as client:
        answer = client.get("/api/v1/metrics/nobody/data")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "/docs/problems#metric-not-found"
    assert answer.json()["instance"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("points", [5, 50, 400])
def test_the_database_sums_up_what_would_be_summed_up_here(server, monkeypatch, points):
    random = np.random.default_rng(7)
    values, scores = random.normal(size=1500), random.random(1500) / 2
    uid = server.metric("a", values.tolist(), log_scores=scores.tolist())
    wanted = {"points": points, "series": "value,log_score,low,high,forecast,anomaly_score"}
    window = {"from": NOW - 80_000, "to": NOW - 1000}
    with server.client:
        here = server.get(f"/metrics/{uid}/data", **wanted, **window)
        monkeypatch.setattr("htmengine.web.api.data.MAX_ROWS", 100)
        monkeypatch.setattr("htmengine.web.api.data.MIN_ROWS_PER_POINT", 0)
        there = server.get(f"/metrics/{uid}/data", **wanted, **window)
    assert here["step"] == there["step"]
    if here["step"] < 3600:
        assert there == here
    else:  # hours have no forecast, and their means are not their last values
        for name in ("time", "value_min", "value_max"):
            place = here["columns"].index(name)
            assert [row[there["columns"].index(name)] for row in there["rows"]][1:-1] == [
                row[place] for row in here["rows"]
            ][1:-1]


def test_a_time_without_rows_is_empty(server, monkeypatch):
    uid = server.metric("a", [1.0, 2.0])
    monkeypatch.setattr("htmengine.web.api.data.MAX_ROWS", -1)
    with server.client:
        answer = server.get(f"/metrics/{uid}/data", **{"from": 0, "to": 1000})
    assert answer["rows"] == []


def test_all_rows_are_given_as_a_file_with_scores_and_bands(server, monkeypatch):
    monkeypatch.setattr(export, "ROWS_BATCH_SIZE", 3)
    uid = server.metric("web/a b", [float(i) for i in range(10)], log_scores=[0.1] * 9 + [0.7])
    with server.client as client:
        answer = client.get(f"/api/v1/metrics/{uid}/rows")
        server.get("/metrics/nobody/rows", status=404)
        assert len(client.get(f"/api/v1/metrics/{uid}/rows?since_rowid=8").text.splitlines()) == 3
    assert answer.headers["content-disposition"] == 'attachment; filename="web_a_b.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [float(row["value"]) for row in rows] == list(range(10))
    assert rows[-1] | {"timestamp": "", "anomaly_score": "", "one_in": ""} == {
        "timestamp": "",
        "value": "9.0",
        "raw_anomaly_score": "0.1",
        "anomaly_score": "",
        "log_score": "0.7",
        "forecast": "5.0",
        "usual_low": "4.0",
        "usual_high": "6.0",
        "one_in": "",
    }
