import threading

import pytest

from htmengine.client import ApiError, Client, Missed, Sample
from htmengine.messages import decode_metric_lines
from htmengine.repository import tokens
from tests.integration.web.server import NOW


@pytest.fixture
def client(served):
    with Client(served.address) as client:
        yield client


def test_metrics_come_from_as_many_pages_as_there_are(served, client, monkeypatch):
    monkeypatch.setattr("htmengine.client.PAGE", 10)
    for i in range(23):
        served.server.metric(f"m.{i:02d}", [1.0, 2.0])
    assert [metric.name for metric in client.metrics(sort="name")] == [f"m.{i:02d}" for i in range(23)]
    assert client.find("m.07").name == "m.07"
    assert client.find("m.0") is None
    uid = client.find("m.07").uid
    assert [row["rowid"] for row in client.rows(uid)] == [1, 2]
    assert [row["rowid"] for row in client.rows(uid, since_rowid=1)] == [2]
    assert client.metric(uid).rows == 2
    assert client.data(uid)["value"].tolist() == [1.0, 2.0]


def test_alarms_and_ranks_are_typed(served, client):
    uid = served.server.metric("a", [5.0] * 300, log_scores=[0.1] * 299 + [0.9])
    served.server.site.feed.fill()
    (alarm,) = client.alarms(uid)
    assert alarm.usual == (4.0, 6.0)
    assert [one.uid for one in client.anomalies()] == [uid]
    assert [one.uid for one in client.ranked(NOW - 3600, NOW)] == [uid]
    assert client.overview().metrics == 1
    assert list(client.incidents("open")) == []
    assert client.health().stages
    assert client.doctor()["services"]
    assert client.refusals() == []


def test_an_error_says_what_to_do(client):
    with pytest.raises(ApiError, match="GET /api/v1/metrics lists them") as caught:
        client.metric("nobody")
    assert caught.value.status == 404


def test_samples_are_sent_in_parts(served, client, monkeypatch):
    monkeypatch.setattr("htmengine.client.SAMPLES_BATCH_SIZE", 2)
    sent = [("a", NOW, 1.0), Sample("b", None, 2.0), ("a b", 3.0, 3.0), ("c", NOW, 4.0)]
    done = client.send(sent)
    assert done.accepted + done.refused == 4
    queue = served.server.context.settings.listener.queue
    with served.server.context.bus.consume([queue]) as consumer:
        messages = [decode_metric_lines(one.body) for one in consumer.receive(max_messages=9, timeout_s=5)]
    assert sum(len(message.data) for message in messages) == done.accepted
    assert client.send([]).accepted == 0


def test_models_are_monitored_moved_and_deleted(served, client):
    uid = served.server.metric("a", [5.0] * 300, monitored=False)
    assert client.monitor(uid).state != "unmonitored"
    exported = client.export_model(uid)
    client.delete(uid)
    assert client.find("a") is None
    assert client.import_model(exported).name == "a"
    assert client.unmonitor(client.find("a").uid).state == "unmonitored"
    assert client.delete_some("a*") == 1


def test_history_is_sent_by_a_job(served, client, tmp_path):
    file = tmp_path / "history.csv"
    file.write_text("time,value\n" + "".join(f"{1_700_000_000 + 60 * i},{i}\n" for i in range(30)))
    job = client.wait(client.backfill("web.requests", file))
    assert (job.state, job.done) == ("done", 30)
    assert client.cancel(job).state == "done"


def test_results_are_followed_over_broken_connections_without_loss(served, monkeypatch):
    uid = served.server.metric("a", [1.0] * 300)
    monkeypatch.setattr("htmengine.client.RECONNECT_S", 0.05)
    follower = Client(served.address, timeout_s=0.3)  # which is shorter than the pauses of the stream
    hub, seen = served.server.site.hub, []
    results = follower.follow("a")
    connected, position = threading.Event(), hub.position

    def positioned(cursor):
        connected.set()
        return position(cursor)

    monkeypatch.setattr(hub, "position", positioned)

    def read():
        seen.extend(next(results) for _ in range(3))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    assert connected.wait(60)
    for rowid in (301, 302, 303):
        thread.join(1.0)
        served.server.take(served.server.batch((uid, "a", rowid, NOW + rowid, 1.0, 0.1)))
    thread.join(60)
    assert [one.rowid for one in seen] == [301, 302, 303]
    hub.forget()
    assert isinstance(next(results), Missed)


def test_a_token_opens_a_server_that_asks_for_one(served):
    served.server.site.access._settings = served.server.site.access._settings.__class__(require_token=True)
    with served.server.context.database.write() as conn:
        _, secret = tokens.create(conn, "test", ["read"], by="me", now=NOW)
    with Client(served.address) as stranger, pytest.raises(ApiError) as caught:
        stranger.overview()
    assert caught.value.status == 401
    with Client(served.address, secret) as known:
        assert known.session().scopes == ["read"]
        assert known.overview().metrics == 0


@pytest.mark.parametrize("url", ["localhost:2080", "ftp://x", "http://"])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(ValueError, match="address"):
        Client(url)
