import pytest

from tests.unit.web.house import NOW


def post(house, path, status=200, json=None):
    answer = house.client.post(f"/api/v1{path}", json=json if json is not None else {})
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def test_a_metric_gets_a_model_and_loses_it(house):
    uid = house.metric("a", [5.0] * 300, monitored=False)
    with house.client:
        assert post(house, f"/metrics/{uid}/monitor")["state"] in ("no_model", "learning")
        problem = post(house, f"/metrics/{uid}/monitor", 409)
        assert "unmonitor it first" in problem["detail"]
        assert post(house, f"/metrics/{uid}/unmonitor")["state"] == "unmonitored"


def test_a_range_and_a_parameter_set_may_be_given(house):
    uid = house.metric("a", [5.0], monitored=False)
    with house.client:
        post(house, f"/metrics/{uid}/monitor", 400, {"minimum": 1})
        post(house, f"/metrics/{uid}/monitor", 400, {"model": "best"})
        post(house, f"/metrics/{uid}/monitor", 400, {"minimun": 1})
        assert post(house, f"/metrics/{uid}/monitor", 200, {"minimum": 0, "maximum": 9, "model": "nupic"})


def test_every_metric_of_a_pattern_gets_a_model(house):
    for name in ("web.a", "web.b", "db.a"):
        house.metric(name, [5.0], monitored=False)
    house.metric("web.c", [5.0])
    with house.client:
        assert post(house, "/metrics/monitor", json={"pattern": "web.*"}) == {"monitored": 2, "left": 0}
        states = {row["name"]: row["state"] for row in house.get("/metrics")["items"]}
    assert states.pop("db.a") == "unmonitored"
    assert "unmonitored" not in states.values()


def test_a_deleted_metric_is_gone_with_its_samples(house):
    uid = house.metric("a", [5.0] * 3)
    with house.client as client:
        assert client.delete(f"/api/v1/metrics/{uid}").status_code == 204
        assert house.get("/metrics")["total"] == 0
        assert client.delete(f"/api/v1/metrics/{uid}").status_code == 404


def test_metrics_of_a_pattern_lose_their_models_or_are_deleted(house):
    for name in ("web.a", "web.b", "db.a"):
        house.metric(name, [5.0] * 3)
    house.metric("web.c", [5.0], monitored=False)
    with house.client:
        assert post(house, "/metrics/unmonitor", json={"pattern": "web.*"}) == {"changed": 2, "left": 0}
        states = {row["name"]: row["state"] for row in house.get("/metrics")["items"]}
        assert {name for name, state in states.items() if state == "unmonitored"} == {
            "web.a",
            "web.b",
            "web.c",
        }
        assert post(house, "/metrics/delete", json={"pattern": "web.[ab]"}) == {"changed": 2, "left": 0}
        assert {row["name"] for row in house.get("/metrics")["items"]} == {"web.c", "db.a"}


def test_many_metrics_are_deleted_by_several_requests(house, monkeypatch):
    monkeypatch.setattr("htmengine.web.api.monitoring.MAX_CHANGED", 2)
    for name in "abc":
        house.metric(name, [5.0])
    with house.client:
        assert post(house, "/metrics/delete", json={"pattern": "*"}) == {"changed": 2, "left": 1}
        assert post(house, "/metrics/delete", json={"pattern": "*"}) == {"changed": 1, "left": 0}
        assert house.get("/metrics")["total"] == 0


def test_a_model_moves_to_another_metric_by_export_and_import(house):
    uid = house.metric("a", [5.0] * 300, last=NOW)
    with house.client as client:
        exported = post(house, f"/models/{uid}/export")
        assert client.delete(f"/api/v1/metrics/{uid}").status_code == 204
        imported = post(house, "/models/import", json=exported)
    assert imported["name"] == "a"
    assert imported["stored"] == 300


@pytest.mark.parametrize("body", [{}, {"metricSpec": {}}, {"metricSpec": {"metric": 5}}, {"datasource": "x"}])
def test_what_is_no_export_is_explained(house, body):
    with house.client:
        assert post(house, "/models/import", 400, body)["detail"]


def test_rules_are_tried_before_they_are_written(house):
    for name in ("web.a", "web.b", "db.a", "other"):
        house.metric(name, [5.0], monitored=False)
    with house.client:
        (everything,) = house.get("/monitor-rules")["rules"]
        assert (everything["pattern"], everything["monitor"], everything["matches"]) == ("*", True, 4)
        wanted = [
            {"pattern": "web.*", "monitor": True, "limit": 1},
            {"pattern": "*.a", "monitor": True},
            {"pattern": "*", "monitor": False},
        ]
        preview = post(house, "/monitor-rules/preview", json={"rules": wanted})
    assert [rule["matches"] for rule in preview["rules"]] == [2, 1, 1]
    assert (preview["would_monitor"], preview["would_leave"], preview["monitored"]) == (2, 2, 0)
    assert preview["rules"][0]["examples"] == ["web.a", "web.b"]
