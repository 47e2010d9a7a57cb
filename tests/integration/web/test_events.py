from tests.integration.web.server import NOW


def sent(server, what, at, tags="deploy"):
    body = {"what": what, "tags": tags, "when": at, "data": "by the pipeline"}
    assert server.client.post("/events/", json=body).status_code == 200


def test_what_was_sent_as_to_graphite_is_listed_the_newest_first(server):
    with server.client:
        sent(server, "version 1", NOW - 7200)
        sent(server, "version 2", NOW - 60, "deploy web")
        sent(server, "long ago", NOW - 200_000)
        items = server.get("/events")["items"]
        assert [one["what"] for one in items] == ["version 2", "version 1"]
        assert items[0]["tags"] == ["deploy", "web"]
        assert (items[0]["time"], items[0]["data"]) == (NOW - 60, "by the pipeline")
        # Both ends count.
        between = server.get("/events", **{"from": NOW - 7200, "to": NOW - 60})["items"]
        assert len(between) == 2
        assert server.get("/events", limit=1)["items"] == items[:1]
