import pytest

from htmengine.incidents.writer import Writer
from htmengine.repository import tokens
from tests.integration.web.server import NOW


def with_incident(server):
    server.metric("web.cpu", [5.0] * 300, log_scores=[0.1] * 299 + [0.9])
    Writer(server.context.database, clock=lambda: NOW).work()
    return server


@pytest.fixture
def one(server):
    """Give a server with an incident."""
    return with_incident(server)


@pytest.fixture(scope="module")
def untouched(shared_server):
    """Give one for tests that leave it as it is."""
    return with_incident(shared_server)


def post(server, path, body, status=200):
    answer = server.client.post(f"/api/v1/incidents/{path}", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_an_incident_is_acknowledged_snoozed_commented_judged_and_resolved(one):
    with one.client:
        assert post(one, "i1/ack", {"note": "looking"})["ack"]["note"] == "looking"
        assert post(one, "i1/snooze", {"for_s": 3600})["snoozed_until"] == NOW + 3600
        assert post(one, "i1/comment", {"note": "a disk"})["history"][-1]["note"] == "a disk"
        assert post(one, "i1/verdict", {"verdict": "not_mine"})["verdict"]["verdict"] == "not_mine"
        found = post(one, "i1/resolve", {})
        assert (found["state"], found["resolved"]) == ("resolved", NOW)
        assert one.get("/incidents/i1")["history"] == found["history"]
        assert [each["action"] for each in found["history"]] == [
            "ack",
            "snooze",
            "comment",
            "verdict",
            "resolve",
        ]


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("i9/ack", {}, 404, "i9"),
        ("nonsense/ack", {}, 404, "nonsense"),
        ("i1/snooze", {}, 400, "for_s or until"),
        ("i1/snooze", {"for_s": 60, "until": NOW + 60}, 400, "not both"),
        ("i1/snooze", {"until": NOW - 1}, 400, "from now"),
        ("i1/snooze", {"until": NOW + 100 * 86_400}, 400, "90 days"),
        ("i1/comment", {"note": ""}, 400, "length"),
        ("i1/verdict", {"verdict": "perhaps"}, 400, "perhaps"),
        ("i1/ack", {"notes": "?"}, 400, "notes"),
    ],
)
def test_what_cannot_be_done_is_explained(untouched, path, body, status, said):
    problem = post(untouched, path, body, status)
    assert said in problem["detail"]


def test_what_is_over_cannot_be_snoozed(one):
    with one.client:
        post(one, "i1/resolve", {})
        assert "is over" in post(one, "i1/snooze", {"for_s": 60}, 409)["detail"]


def test_whoever_may_only_look_may_not_acknowledge(one):
    with one.context.database.write() as conn:
        _, reads = tokens.create(conn, "grafana", ["read"], by="test", now=NOW)
        _, teaches = tokens.create(conn, "ann", ["read", "teach"], by="test", now=NOW)
    with one.client_at("http://localhost:2080", "127.0.0.1") as client:

        def status(secret):
            headers = {"Authorization": f"Bearer {secret}"}
            return client.post("/api/v1/incidents/i1/ack", json={}, headers=headers).status_code

        assert (status(reads), status(teaches)) == (403, 200)
        assert client.get("/api/v1/incidents/i1").json()["ack"]["by"] == "ann"


def test_rows_of_metrics_say_who_looks_after_them_and_until_when_they_are_snoozed(server):
    for name in ("web.a", "web.b"):
        server.metric(name, [5.0] * 300, log_scores=[0.1] * 297 + [0.9] * 3)
    server.metric("calm", [5.0] * 300)
    Writer(server.context.database, clock=lambda: NOW).work()

    def listed(**query):
        rows = server.get("/metrics", **query)["items"]
        return [(row["name"], row["acknowledged_by"] is not None, row["snoozed_until"]) for row in rows]

    with server.client:
        assert listed() == [("web.a", False, None), ("web.b", False, None), ("calm", False, None)]
        post(server, "i1/ack", {})
        post(server, "i1/snooze", {"for_s": 600})
        server.site.feed.take_incidents()
        for word in ("acknowledged", "snoozed"):
            assert listed(q=f"state:{word}") == [("web.a", True, NOW + 600), ("web.b", True, NOW + 600)]
            assert listed(q=f"-state:{word}") == [("calm", False, None)]
        server.site.rankings = type(server.site.rankings)()
        assert [name for name, *_ in listed()] == ["calm", "web.a", "web.b"]
        server.now = NOW + 601
        server.site.rankings = type(server.site.rankings)()
        assert [until for *_, until in listed()] == [None, None, None]
        assert [one["id"] for one in server.get("/incidents", handling="acknowledged")["items"]] == ["i1"]
        assert server.get("/incidents", handling="snoozed")["items"] == []
