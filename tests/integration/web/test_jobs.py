import gzip

import pytest

from htmengine.messages import decode_metric_lines
from htmengine.web import jobs


def waiting(server):
    """Return the messages that wait for the metric storer."""
    queue = server.context.settings.listener.queue
    with server.context.bus.consume([queue]) as consumer:
        deliveries = consumer.receive(max_messages=1000, timeout_s=1)
        consumer.ack(deliveries)
    return [decode_metric_lines(delivery.body) for delivery in deliveries]


def finished(server, job):
    """Return a job when it is over."""
    while job["state"] in ("queued", "running"):
        job = server.get(f"/jobs/{job['id']}")
    return job


def test_history_is_sent_by_a_job_that_tells_how_far_it_is(server):
    rows = "time,value\n" + "".join(f"{1_700_000_000 + 60 * i},{i}\n" for i in range(1200))
    with server.client as client:
        answer = client.post("/api/v1/backfill/web.cpu", content=rows, headers={"Content-Type": "text/csv"})
        assert answer.status_code == 202, answer.text
        job = finished(server, answer.json())
        assert (job["state"], job["done"]) == ("done", 1200)
        result = server.get(f"/jobs/{job['id']}/result")["document"]
        assert (result["metric"], result["sent"], result["skipped"]) == ("web.cpu", 1200, 0)
        assert [one["id"] for one in server.get("/jobs")["items"]] == [job["id"]]
    messages = waiting(server)
    assert sum(len(message.data) for message in messages) == 1200
    assert {message.backfill.metric for message in messages} == {"web.cpu"}
    assert messages[-1].backfill.done


def test_a_job_that_is_cancelled_ends_early_and_tells_the_storer_so(server, monkeypatch):
    rows = "time,value\n" + "".join(f"{1_700_000_000 + 60 * i},{i}\n" for i in range(3000))
    with server.client as client:
        publish = server.context.bus.publish

        def cancelling(messages, *, gate=None):
            publish(messages, gate=gate)
            for job in server.site.jobs.all():
                client.delete(f"/api/v1/jobs/{job.id}")

        monkeypatch.setattr(server.context.bus, "publish", cancelling)
        answer = client.post("/api/v1/backfill/a", content=rows, headers={"Content-Type": "text/csv"})
        job = finished(server, answer.json())
    assert job["state"] == "cancelled"
    assert job["done"] < 3000
    assert waiting(server)[-1].backfill.done


@pytest.mark.parametrize(("metric", "content"), [("a b", "time,value\n1,2\n"), ("a", "hello"), ("a", "")])
def test_a_file_without_history_is_explained(server, metric, content):
    with server.client as client:
        answer = client.post(
            f"/api/v1/backfill/{metric}", content=content, headers={"Content-Type": "text/csv"}
        )
    assert answer.status_code == 400
    assert answer.json()["detail"]


def test_a_file_is_scored_and_nothing_of_it_is_kept_as_a_metric(server):
    rows = "time,value\n" + "".join(
        f"{1_700_000_000 + 60 * i},{900 if i == 700 else i % 7}\n" for i in range(1000)
    )
    with server.client as client:
        answer = client.post("/api/v1/detect", content=rows, headers={"Content-Type": "text/csv"})
        assert answer.status_code == 202, answer.text
        job = finished(server, answer.json())
        assert (job["kind"], job["state"], job["done"], job["total"]) == ("detect", "done", 1000, 1000)
        result = server.get(f"/jobs/{job['id']}/result")["document"]
        assert server.get("/metrics")["items"] == []
    (found,) = result["incidents"]
    assert (found["peak"], found["value"], found["line"]) == (1_700_000_000 + 60 * 700, 900, 702)
    assert found["reason"]
    assert len(result["columns"]["high"]) == 1000


def test_a_file_packed_in_any_way_is_scored(server):
    packed = gzip.compress(b"a;b;when\n" + b"".join(b"x;%d;%d\n" % (i % 5, 60 * i) for i in range(200)))
    with server.client as client:
        answer = client.post(
            "/api/v1/detect?time=when&value=b&passes=2&threshold=0.4",
            content=packed,
            headers={"Content-Type": "application/octet-stream"},
        )
        job = finished(server, answer.json())
        assert server.get(f"/jobs/{job['id']}/result")["document"]["threshold"] == 0.4


@pytest.mark.parametrize(
    ("query", "content"),
    [
        ("", "hello"),
        ("", ""),
        ("value=missing", "time,value\n1,2\n"),
        ("minimum=5&maximum=5", "time,value\n1,2\n"),
        ("minimum=nan&maximum=5", "time,value\n1,2\n"),
        ("params=other", "time,value\n1,2\n"),
        ("passes=0", "time,value\n1,2\n"),
    ],
)
def test_a_file_that_cannot_be_scored_is_explained(shared_server, query, content):
    answer = shared_server.client.post(
        f"/api/v1/detect?{query}", content=content, headers={"Content-Type": "text/csv"}
    )
    assert answer.status_code == 400
    assert answer.json()["detail"]


def test_results_are_forgotten_before_their_jobs(server, monkeypatch):
    monkeypatch.setattr(jobs, "MAX_RESULTS", 2)
    with server.client as client:
        made = []
        for _ in range(4):
            answer = client.post(
                "/api/v1/detect", content="time,value\n1,2\n2,3\n", headers={"Content-Type": "text/csv"}
            )
            made.append(finished(server, answer.json())["id"])
        assert "not kept" in server.get(f"/jobs/{made[0]}/result", status=409)["detail"]
        server.get(f"/jobs/{made[-1]}/result")
        assert len(server.get("/jobs")["items"]) == 4


def test_an_unknown_job_is_a_problem(server):
    with server.client:
        server.get("/jobs/x", status=404)
        server.get("/jobs/x/result", status=404)


def test_a_token_is_made_listed_and_revoked_over_http(server):
    with server.client as client:
        made = client.post("/api/v1/tokens", json={"name": "grafana", "scopes": ["write", "read"]})
        assert made.status_code == 201
        assert made.json()["token"].startswith("htm_")
        (listed,) = server.get("/tokens")["items"]
        assert (listed["name"], listed["scopes"], listed["token"]) == ("grafana", ["read", "write"], None)
        assert client.delete(f"/api/v1/tokens/{listed['id']}").status_code == 204
        assert server.get("/tokens")["items"] == []
        assert client.delete(f"/api/v1/tokens/{listed['id']}").status_code == 404
        assert client.post("/api/v1/tokens", json={"name": "x", "scopes": ["root"]}).status_code == 400
