import pytest

from htmengine.incidents.writer import Writer
from tests.integration.web.server import NOW


@pytest.fixture
def three(server):
    """Metrics whose alarms lie 30, 90 and 150 seconds back."""
    return [
        server.metric(f"{name}.cpu", [5.0] * 300, log_scores=[0.1] * (299 - i) + [0.6 + i / 10] + [0.1] * i)
        for i, name in enumerate(("web", "db", "mq"))
    ]


def pages(server, path, **parameters):
    """Return what stands on all pages."""
    items, after = [], None
    while True:
        page = server.get(path, **parameters, **({"after": after} if after else {}))
        items += page["items"]
        after = page["next"]
        if after is None:
            return items


def test_an_alarm_says_why(server, three):
    with server.client:
        (alarm,) = server.get(f"/metrics/{three[0]}/alarms")["items"]
    assert (alarm["rowid"], alarm["value"], alarm["cause"], alarm["direction"]) == (300, 5.0, "error", "up")
    assert alarm["usual"] == [4.0, 6.0]
    assert alarm["foreseen"] == [[4.5, 5.5]]
    assert alarm["alarms_before"] == 1
    assert alarm["sentence"]


def test_alarms_of_all_metrics_come_newest_first_on_pages(server, three):
    with server.client:
        found = pages(server, "/anomalies", limit=1)
        assert [one["uid"] for one in found] == three
        assert [one["uid"] for one in pages(server, "/anomalies", min_score=0.65)] == three[1:]
        assert [one["uid"] for one in pages(server, "/anomalies", prefix="db.", limit=1)] == three[1:2]
        assert [one["uid"] for one in pages(server, "/anomalies", q="mq")] == three[2:]


def test_a_window_ranks_metrics_by_their_highest_score(server, three):
    with server.client:
        ranked = server.get("/anomalies", rank="window")["items"]
        assert [one["uid"] for one in ranked] == three[::-1]
        assert ranked[0] == {
            "uid": three[2],
            "name": "mq.cpu",
            "score": 0.8,
            "max": 0.8,
            "alarms": 1,
            "first": NOW - 150,
        }
        before = server.get("/anomalies", rank="window", to=NOW - 100)["items"]
        assert [one["uid"] for one in before] == three[2:]
        assert [one["uid"] for one in server.get("/anomalies", rank="window", q="db.*")["items"]] == three[
            1:2
        ]


def test_memory_ranks_and_counts_as_the_repository_does(server, three):
    window = {"from": NOW - 3000, "to": NOW - 20}
    with server.client:

        def asked():
            return server.get("/anomalies", rank="window", **window), server.get("/fleet", step=60, **window)

        quick = asked()
        server.site.fleet.alarms.begin(NOW)  # as if it remembered nothing before
        slow = asked()
    assert quick == slow
    assert len(quick[0]["items"]) == 3


def test_alarms_of_a_model_that_was_deleted_are_forgotten(server, three):
    with server.client as client:
        assert client.post(f"/api/v1/metrics/{three[0]}/unmonitor").status_code == 200
        ranked = server.get("/anomalies", rank="window")["items"]
        assert [one["uid"] for one in ranked] == three[:0:-1]
        (row,) = server.get("/metrics", name="web.cpu")["items"]
        assert (row["alarms_24h"], row["max_24h"]) == (0, 0.0)


def test_alarms_of_a_metric_in_a_time_follow_each_other_on_pages(server):
    scores = [0.9 if i % 10 == 0 else 0.1 for i in range(300)]
    uid = server.metric("a", [5.0] * 300, log_scores=scores)
    with server.client:
        every = [one["rowid"] for one in pages(server, f"/metrics/{uid}/alarms", limit=7)]
        assert every == list(range(291, 0, -10))
        window = {"from": NOW - 30 - 60 * 200, "to": NOW - 30 - 60 * 100}
        some = [one["rowid"] for one in pages(server, f"/metrics/{uid}/alarms", limit=3, **window)]
        assert some == [191, 181, 171, 161, 151, 141, 131, 121, 111, 101]
        ascending = [
            one["rowid"] for one in pages(server, f"/metrics/{uid}/alarms", since_rowid=200, limit=4)
        ]
        assert ascending == list(range(201, 300, 10))


def test_the_strip_counts_metrics_that_alarmed_in_each_cell(server, three):
    with server.client:
        strip = server.get("/fleet", step=60, **{"from": NOW - 600, "to": NOW})
    assert sum(strip["alarming"]) == 3
    assert strip["metrics"] == [3] * len(strip["times"])
    at = dict(zip(strip["times"], strip["alarming"], strict=True))
    assert at[(NOW - 30) // 60 * 60] == 1


def test_the_overview_says_what_is_unusual_and_since_when_it_is_calm(server, three):
    with server.client:
        overview = server.get("/overview")
        assert (overview["unusual"], overview["metrics"], overview["monitored"]) == (3, 3, 3)
        assert overview["calm_since"] is None
        assert overview["samples_total"] == 900
        server.now += 3600
        overview = server.get("/overview")
        assert overview["unusual"] == 0
        assert overview["calm_since"] == NOW - 30


def test_a_cursor_of_somebody_else_is_explained(server, three):
    with server.client:
        for after in ("x", "e30", "WyJhIl0"):
            assert "after" in server.get("/anomalies", status=400, after=after)["detail"]
            assert "after" in server.get("/incidents", status=400, after=after)["detail"]


def test_incidents_group_alarms_and_come_into_the_stream(server, three):
    with server.client:
        begin = server.site.hub.last
        while Writer(server.context.database, clock=lambda: NOW).work():
            pass
        server.site.feed.take_incidents()
        listed = server.get("/incidents")["items"]
        assert {metric["uid"] for one in listed for metric in one["metrics"]} == set(three)
        first = listed[0]
        assert server.get(f"/incidents/{first['id']}")["id"] == first["id"]
        assert first["sentence"]
        kinds = [event.kind for event in server.site.hub.after(begin)]
        assert "incidents" in kinds
        assert server.get("/overview")["incidents_open"] == len(listed)
        server.now += 2
        rows = {row["uid"]: row["incident"] for row in server.get("/metrics")["items"]}
        assert rows[first["metrics"][0]["uid"]] == first["id"]
        assert server.get("/incidents", state="resolved")["items"] == []
        assert server.get("/incidents", q="db")["items"]
        assert server.get("/incidents", q="nobody")["items"] == []


@pytest.mark.parametrize("incident", ["i99", "x", "i0", "i01"])
def test_an_unknown_incident_is_a_problem(server, incident):
    with server.client:
        assert server.get(f"/incidents/{incident}", status=404)["type"].endswith("#incident-not-found")
