"""Samples that come in over HTTP, as each protocol's clients send them and read the answers."""

import gzip
import json
from dataclasses import replace

import cramjam
import msgspec
import pytest

from htmengine import config
from htmengine.bus import BusUnavailable, QueueFull
from htmengine.doors.limits import Limits
from htmengine.doors.reasons import Reason
from htmengine.messages import decode_metric_lines
from htmengine.repository import tokens
from tests.integration.web.server import NOW, WebServer
from tests.unit.doors import prometheus

SECOND = int(NOW)
REQUESTS = {
    "/api/v1/samples": {
        "content": f'{{"name": "a", "time": {SECOND}, "value": 1.5}}\n{{"name": "b", "tags": {{"k": "v"}}, "value": 2}}',
        "headers": {"Content-Type": "application/x-ndjson"},
    },
    "/write?db=x": {"content": f"a value=1.5 {SECOND}000000000\nb,k=v value=2"},
    "/api/v2/write?org=o&bucket=b&precision=s": {"content": f"a value=1.5 {SECOND}\nb,k=v value=2\n"},
    "/api/put": {
        "content": f'[{{"metric": "a", "timestamp": {SECOND}, "value": 1.5}}, {{"metric": "b", "value": 2, "tags": {{"k": "v"}}}}]'
    },
    "/api/v1/import": {
        "content": f'{{"metric": {{"__name__": "a"}}, "values": [1.5], "timestamps": [{SECOND}000]}}\n'
        f'{{"metric": {{"__name__": "b", "k": "v"}}, "values": [2], "timestamps": [{SECOND}000]}}'
    },
}
REMOTE_WRITE = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
BAD = {
    "/api/v1/samples": {"content": '{"name": "a"}', "headers": {"Content-Type": "application/x-ndjson"}},
    "/write": {"content": "a value=x"},
    "/api/v2/write": {"content": "a value=x"},
    "/api/put": {"content": '{"metric": "a", "value": "x"}'},
    "/api/v1/import": {"content": "{}"},
}


@pytest.fixture
def queued(context):
    """Return a function that takes the lines that wait in the metric-data queue."""

    def take():
        with context.bus.consume([context.settings.listener.queue]) as consumer:
            found = consumer.receive(max_messages=100, timeout_s=0)
            consumer.ack(found)
        return [line for delivery in found for line in decode_metric_lines(delivery.body).data]

    return take


@pytest.mark.parametrize("path", REQUESTS)
def test_samples_are_on_the_queue_once_the_request_is_answered(server, queued, path):
    answer = server.client.post(path, **REQUESTS[path])
    assert answer.status_code == (200 if "samples" in path else 204), answer.text
    assert queued() == [f"a 1.5 {SECOND}", f"b;k=v 2.0 {SECOND}"]


@pytest.mark.parametrize("path", REQUESTS)
def test_a_body_may_be_compressed(server, queued, path):
    request = REQUESTS[path]
    headers = {**request.get("headers", {}), "Content-Encoding": "gzip"}
    answer = server.client.post(path, content=gzip.compress(request["content"].encode()), headers=headers)
    assert answer.is_success
    assert len(queued()) == 2
    assert server.client.post(path, content=b"no gzip", headers=headers).status_code == 400
    headers["Content-Encoding"] = "br"
    assert server.client.post(path, content=b"x", headers=headers).status_code == 415


def test_a_sender_that_is_faster_than_a_second_is_told_in_the_report(server, queued):
    lines = [f"a value={i} {SECOND}{i * 250 % 1000:03d}000000" for i in range(4)]
    lines += [f"b value=7 {SECOND}500000000", f"b value=7 {SECOND}500000000"]  # sent again
    lines += [f"c value=8 {SECOND}500000000", f"c value=9 {SECOND + 1}000000000"]
    assert server.client.post("/write", content="\n".join(lines)).status_code == 204
    kept = [f"a 0.0 {SECOND}", *[f"b 7.0 {SECOND}"] * 2, f"c 8.0 {SECOND}", f"c 9.0 {SECOND + 1}"]
    assert queued() == kept
    rejected = server.context.counters["web"]()["rejected"]
    assert {reason: found["count"] for reason, found in rejected.items()} == {f"influx: {Reason.FASTER}": 3}


def test_running_totals_may_come_faster_than_a_second(server, queued):
    points = [
        {"startTimeUnixNano": "1", "timeUnixNano": f"{SECOND}{part}00000000", "asInt": str(part)}
        for part in (1, 5)
    ]
    total = {"dataPoints": points, "aggregationTemporality": 2, "isMonotonic": True}
    document = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "t", "sum": total}]}]}]}
    assert server.client.post("/v1/metrics", json=document).is_success
    assert len(queued()) == 2


@pytest.mark.parametrize("path", BAD)
def test_what_is_refused_is_answered_and_reported_by_door_and_reason(server, queued, path):
    answer = server.client.post(path, **BAD[path])
    assert answer.status_code == 400
    assert queued() == []
    rejected = server.context.counters["web"]()["rejected"]
    assert [found["count"] for found in rejected.values()] == [1]
    assert all(": " in reason for reason in rejected)
    assert [(found["peer"], found["last"]) for found in rejected.values()] == [("127.0.0.1", NOW)]


@pytest.mark.parametrize("path", REQUESTS)
@pytest.mark.parametrize("error", [QueueFull("full"), BusUnavailable("away")])
def test_a_sender_is_asked_to_send_again_while_the_queue_takes_no_more(
    shared_server, monkeypatch, path, error
):
    server = shared_server

    def publish(messages, *, gate=None):
        raise error

    monkeypatch.setattr(server.context.bus, "publish", publish)
    answer = server.client.post(path, **REQUESTS[path])
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert "partial write" not in answer.text


@pytest.mark.parametrize("path", REQUESTS)
def test_other_machines_need_a_token_that_may_write(context, path):
    server = WebServer(context, host="0.0.0.0")
    try:
        with context.database.write() as conn:
            secrets = {
                scope: tokens.create(conn, scope, [scope], by="test", now=NOW)[1]
                for scope in ("read", "write")
            }
        client = server.client_at("http://10.0.0.1:2080", "10.0.0.2")
        request = dict(REQUESTS[path])
        headers = request.pop("headers", {})
        post = lambda **more: client.post(path, headers={**headers, **more}, **request).status_code  # noqa: E731
        assert post() == 401
        assert post(Authorization=f"Bearer {secrets['read']}") == 403
        for shown in (f"Bearer {secrets['write']}", f"Token {secrets['write']}"):
            assert post(Authorization=shown) in (200, 204)
    finally:
        server.site.close()


def test_on_this_machine_a_user_and_password_that_a_client_shows_unasked_do_not_matter(server, queued):
    for _ in range(60):
        answer = server.client.post("/write", content=f"a value=1 {SECOND}000000000", auth=("root", "root"))
        assert answer.status_code == 204
    assert len(queued()) == 60


@pytest.mark.parametrize("path", REQUESTS)
def test_another_sites_page_cannot_send_samples(server, queued, path):
    request = dict(REQUESTS[path])
    headers = {**request.pop("headers", {}), "Sec-Fetch-Site": "cross-site"}
    assert server.client.post(path, headers=headers, **request).status_code == 403
    assert queued() == []


@pytest.mark.parametrize("path", REQUESTS)
def test_a_body_that_is_too_large_is_refused_in_the_senders_own_form(server, path):
    headers = REQUESTS[path].get("headers", {})
    answer = server.client.post(path, content=bytes((16 << 20) + 1), headers=headers)
    assert answer.status_code == 413
    if "write" in path:
        assert answer.json()["code"] == "request too large"


def test_our_own_door_takes_a_document_and_says_what_it_refused(server, queued):
    samples = [{"name": "a", "value": 1}, {"name": "a;x", "value": 1}]
    answer = server.client.post("/api/v1/samples", json=samples)
    assert answer.status_code == 200
    assert answer.json()["accepted"] == answer.json()["refused"] == 1
    assert answer.json()["errors"][0] | {"sample": ""} == {
        "record": 2,
        "sample": "",
        "reason": "a tag is not key=value",
    }
    assert queued() == [f"a 1.0 {SECOND}"]


def test_our_own_door_explains_problems_as_the_api_does(server):
    headers = {"Content-Type": "application/x-ndjson"}
    refused = server.client.post("/api/v1/samples", content="x", headers=headers)
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.json()["status"] == 400
    assert refused.json()["refused"] == 1
    assert server.client.post("/api/v1/samples", content="[").status_code == 415
    assert (
        server.client.post(
            "/api/v1/samples", content="[", headers={"Content-Type": "application/json"}
        ).status_code
        == 400
    )


def test_influx_keeps_the_good_lines_and_tells_the_first_bad_one(server, queued):
    answer = server.client.post("/write?db=x&precision=s", content=f"a value=1 {SECOND}\nb value=x {SECOND}")
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("partial write: line 2: the value is not a number")
    assert "X-Influx-Error" in answer.headers
    assert queued() == [f"a 1.0 {SECOND}"]
    assert server.client.post("/write?precision=d", content="a value=1").json()["code"] == "invalid"


def test_clients_of_influx_find_what_they_ask_for_before_they_write(server):
    client = server.client
    assert client.get("/ping").status_code == client.head("/ping").status_code == 204
    assert client.get("/ping").headers["X-Influxdb-Version"] == "1.8.10"
    assert client.get("/ping?verbose=true").json() == {"version": "1.8.10"}
    for answer in (
        client.post("/query", params={"q": 'CREATE DATABASE "x"'}),
        client.post("/query", data={"q": "create database x"}),
        client.get("/query", params={"q": "SHOW DATABASES"}),
    ):
        assert answer.status_code == 200
        assert answer.json()["results"][0]["statement_id"] == 0
    refused = client.get("/query", params={"q": "SELECT * FROM x"})
    assert (refused.status_code, refused.json()) == (400, {"error": "htmengine takes writes only"})


def test_opentsdb_gives_summary_and_details(server):
    content = json.dumps([{"metric": "a", "value": 1}, {"metric": "a", "value": "x"}])
    assert server.client.post("/api/put?summary", content=content).json() == {"success": 1, "failed": 1}
    details = server.client.post("/api/put?details", content=content)
    assert details.status_code == 400
    assert details.json()["errors"][0]["error"] == "the value is not a number"


def test_the_clients_of_influx_write_here(server, queued):
    influxdb = pytest.importorskip("influxdb_client.client.write.point", reason="no influxdb-client")
    line = (
        influxdb.Point("cpu")
        .tag("host", "a b")
        .field("usage", 1.5)
        .field("on", True)
        .time(SECOND, "s")
        .to_line_protocol()
    )
    assert server.client.post("/api/v2/write?precision=s", content=line).status_code == 204
    assert queued() == [f"cpu.on;host=a_b 1.0 {SECOND}", f"cpu.usage;host=a_b 1.5 {SECOND}"]


# -- Doors of running totals


def remote_write_request(*series):
    return {"content": bytes(cramjam.snappy.compress_raw(b"".join(series))), "headers": REMOTE_WRITE}


def series(name, *values, **labels):
    samples = [prometheus.sample(value, (SECOND + 60 * i) * 1000 + 250) for i, value in enumerate(values)]
    return prometheus.series_v1({"__name__": name, **labels}, samples)


@pytest.fixture
def messages(context):
    """Return a function that takes what waits in the metric-data queue."""

    def take():
        with context.bus.consume([context.settings.listener.queue]) as consumer:
            found = consumer.receive(max_messages=100, timeout_s=0)
            consumer.ack(found)
        return {(m := decode_metric_lines(delivery.body)).protocol: m.data for delivery in found}

    return take


@pytest.mark.parametrize("path", ["/api/v1/write", "/api/prom/push", "/prometheus/write"])
def test_prometheus_writes_gauges_and_counters(server, messages, path):
    request = remote_write_request(series("up", 1.0, job="a"), series("hits_total", 5.0, job="a"))
    answer = server.client.post(path, **request)
    assert (answer.status_code, answer.content) == (204, b"")
    assert messages() == {
        "plain": [f"up;job=a 1.0 {SECOND}"],
        "totals": [f"hits_total;job=a 5.0 {SECOND}.25 counter - -"],
    }


def test_prometheus_is_told_what_it_must_not_send_again_and_what_it_must(server, messages, monkeypatch):
    post = lambda **request: server.client.post("/api/v1/write", **request)  # noqa: E731
    partly = post(**remote_write_request(series("up", 1.0, float("inf"))))
    assert (partly.status_code, partly.text) == (400, "the value is not finite: 1\n")
    assert len(messages()["plain"]) == 1
    assert post(content=b"\x05nonsense", headers=REMOTE_WRITE).status_code == 400
    good = remote_write_request(series("up", 1.0))["content"]
    for header in ({"Content-Encoding": "gzip"}, {"Content-Type": "text/plain"}):
        assert post(content=good, headers=REMOTE_WRITE | header).status_code == 415

    def full(messages, *, gate=None):
        raise QueueFull("full")

    monkeypatch.setattr(server.context.bus, "publish", full)
    later = post(**remote_write_request(series("up", 1.0)))
    assert (later.status_code, later.headers["Retry-After"]) == (503, "5")


def test_what_the_doors_take_is_configured(context, queued):
    doors = config.Doors(limits=Limits(body=1000, samples=2), drop_labels=("job",), buckets=True)
    settings = msgspec.structs.replace(context.settings, doors=doors)
    server = WebServer(replace(context, settings=settings))
    try:
        assert server.client.post("/write", content=b"a value=1\n" * 3).status_code == 413
        assert server.client.post("/write", content=b"#" * 1001).status_code == 413
        request = remote_write_request(series("up", 1.0, job="a"), series("took_bucket", 1.0, le="1"))
        assert server.client.post("/api/v1/write", **request).status_code == 204
        assert [line.split()[0] for line in queued()] == ["up", "took_bucket;le=1"]
    finally:
        server.site.close()


def test_version_2_is_told_how_much_was_written(server):
    body = prometheus.request_v2(({"__name__": "up"}, [prometheus.sample(1.0, SECOND * 1000)], 2, True))
    headers = REMOTE_WRITE | {"Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request"}
    answer = server.client.post(
        "/api/v1/write", content=bytes(cramjam.snappy.compress_raw(body)), headers=headers
    )
    assert answer.status_code == 204
    assert answer.headers["X-Prometheus-Remote-Write-Samples-Written"] == "1"


def test_opentelemetry_exports_and_is_answered_in_its_own_encoding(server, messages):
    data = {"aggregationTemporality": 2, "isMonotonic": True}
    points = [
        {"timeUnixNano": f"{SECOND}000000000", "startTimeUnixNano": f"{SECOND - 60}000000000", "asInt": "5"}
    ]
    document = {
        "resourceMetrics": [
            {"scopeMetrics": [{"metrics": [{"name": "hits", "sum": {**data, "dataPoints": points}}]}]}
        ]
    }
    answer = server.client.post("/v1/metrics", json=document)
    assert (answer.status_code, answer.json()) == (200, {})
    assert messages() == {"totals": [f"hits 5.0 {float(SECOND)} counter {float(SECOND - 60)} -"]}
    points[0]["asDouble"] = "NaN"
    assert (
        server.client.post("/v1/metrics", json=document).json()["partialSuccess"]["rejectedDataPoints"] == "1"
    )
    protobuf = {"Content-Type": "application/x-protobuf"}
    empty = server.client.post("/v1/metrics", content=b"", headers=protobuf)
    assert (empty.status_code, empty.content) == (200, b"")
    bad = server.client.post("/v1/metrics", content=b"\xff", headers=protobuf)
    assert (bad.status_code, bad.headers["Content-Type"]) == (400, "application/x-protobuf")
    assert (
        server.client.post("/v1/metrics", content=b"x", headers={"Content-Type": "text/plain"}).status_code
        == 415
    )
