from types import SimpleNamespace

import msgspec
import pytest

from htmengine.admin.health import health_of
from htmengine.bus import Outgoing
from htmengine.service import capacity
from htmengine.web.api.health import checkpoints_of, refused
from htmengine.web.doors import DOORS
from htmengine.web.engine_shapes import Checkpoints
from htmengine.web.watch import Watch
from tests.integration.web.server import NOW
from tests.unit.service.test_capacity import MEASURED


def test_a_metric_is_told_in_the_doctors_words(server):
    uid = server.metric("a", [5.0] * 20)
    server.metric("b", [5.0], monitored=False)
    with server.client:
        found = server.get(f"/metrics/{uid}")
        assert found["name"] == "a"
        assert found["rows"] == found["stored"] == found["scored"] == 20
        assert found["first"] == NOW - 30 - 19 * 60
        assert found["model"]["samples"] == 20
        assert found["doctor"]
        server.get("/metrics/nobody", status=404)


def test_the_doctor_says_over_http_what_it_says_on_the_terminal(server):
    from htmengine.admin.metric_report import inspect

    server.metric("a", [5.0] * 20)
    with server.client:
        document = server.get("/doctor")["document"]
    health = health_of(server.context)
    assert document["findings"] == health.findings
    assert document["totals"] == health.document()["totals"]
    assert len(document["metrics"]) == len(inspect(server.context, None, health))


def test_an_engine_that_does_not_run_is_trouble(server):
    server.metric("a", [5.0])
    with server.client:
        overview = server.get("/overview")
        assert overview["engine"] == "trouble"
        assert any(
            "does not run" in one["text"] or "No service runs" in one["text"] for one in overview["troubles"]
        )
        stages = {stage["id"]: stage for stage in server.get("/health")["stages"]}
    assert stages["metric_storer"]["state"] == "trouble"
    assert stages["metric_storer"]["do"]


def test_health_lists_what_is_silent(server):
    server.silence(server.metric("quiet", [5.0] * 300, last=NOW - 7200), NOW - 7200)
    server.metric("live", [5.0] * 300)
    server.metric("history", [5.0] * 300, last=NOW - 86400)
    with server.client:
        (silent,) = server.get("/health")["silent"]
    assert (silent["name"], silent["silent_s"], silent["expected_s"]) == ("quiet", 7200, 60)


def test_dead_letters_are_listed_put_back_and_deleted(server):
    bus, queue = server.context.bus, server.context.settings.listener.queue
    bus.publish([Outgoing(queue, b"nonsense"), Outgoing(queue, b"more")])
    with bus.consume([queue]) as consumer:
        for delivery in consumer.receive(max_messages=10, timeout_s=5):
            consumer.dead_letter(delivery, "not lines")
    with server.client as client:
        listed = server.get("/dead", limit=1)
        assert (listed["total"], listed["items"][0]["reason"], listed["items"][0]["size"]) == (
            2,
            "not lines",
            8,
        )
        second = server.get("/dead", after=listed["next"])["items"]
        assert len(second) == 1
        answer = client.post("/api/v1/dead/requeue", json={"ids": [listed["items"][0]["id"]]})
        assert answer.json() == {"requeued": 1}
        assert client.post("/api/v1/dead/discard", json={"ids": None}).json() == {"discarded": 1}
        assert server.get("/dead")["items"] == []
        assert client.post("/api/v1/dead/requeue", json={"ids": ["x"]}).status_code == 400


@pytest.mark.parametrize(
    ("moment", "stages", "last"),
    [
        (None, ["Storer", "Models", "Scores", "Incidents"], "waiting"),
        (NOW - 90, ["Storer", "Models", "Scores"], "done"),
        (NOW - 91, ["Storer"], "stopped"),
    ],
)
def test_a_sample_is_followed_to_where_it_is(server, moment, stages, last):
    server.metric("a", [5.0] * 300, log_scores=[0.1] * 299 + [0.9])
    with server.client:
        steps = server.get("/follow", metric="a", **({"time": moment} if moment else {}))["steps"]
    assert [step["stage"] for step in steps] == stages
    assert steps[-1]["state"] == last


def test_a_name_that_no_metric_has_is_explained(server):
    with server.client:
        problem = server.get("/follow", status=404, metric="nobody")
    assert "nobody" in problem["detail"]


def test_the_page_gets_what_the_sender_should_do(server):
    with server.client:
        assert server.get("/refusals") == {"items": []}
        doors = server.get("/doors")["items"]
        assert {door["id"] for door in doors} == {door.name for door in DOORS}  # no listener runs


def test_a_door_tells_when_samples_came_through_it_last():
    counters = {"lines": 10, "samples_graphite-pickle": 4, "samples_statsd": 1, "statsd_values": 50}
    listener, web = (
        SimpleNamespace(name="metric_listener", counters=counters),
        SimpleNamespace(name="web", counters={}),
    )
    now = [0.0]
    watch = Watch(
        SimpleNamespace(),
        look=lambda _context, _counts: SimpleNamespace(services=[listener, web], counts=None),
        timer=lambda: now[0],
        clock=lambda: NOW + now[0],
    )
    watch.health()
    assert [watch.samples(door) for door in ("graphite-text", "graphite-pickle", "statsd", "json")] == [
        5,
        4,
        50,
        0,
    ]
    assert watch.last_sample("graphite-text") is None
    assert watch.door_rate("graphite-text") is None
    now[0] = 10.0
    listener.counters = counters | {"lines": 30, "samples_graphite-pickle": 14}
    web.counters = {"samples_json": 7}
    watch.health()
    assert (watch.door_rate("graphite-text"), watch.door_rate("json")) == (1.0, 0.7)
    assert watch.last_sample("graphite-text") == watch.last_sample("graphite-pickle") == NOW + 10
    assert watch.last_sample("statsd") is None
    now[0] = 20.0
    web.counters = {"samples_json": 2}  # it was started again, and took two
    listener.counters = listener.counters | {"lines": 30}
    watch.health()
    assert (watch.last_sample("graphite-text"), watch.door_rate("json")) == (NOW + 10, 0.0)
    assert watch.last_sample("json") == NOW + 20


def test_metrics_are_counted_for_a_hundredth_of_the_time_at_most():
    now, took_s, counted = 0.0, 0.4, []

    def look(_context, counts):
        nonlocal now
        if counts is None:
            now += took_s
            counts = len(counted)
            counted.append(now)
        return SimpleNamespace(services=[], counts=counts)

    watch = Watch(SimpleNamespace(), look=look, timer=lambda: now)
    seen = []
    for _ in range(12):
        now += 7.0
        seen.append(watch.health().counts)
    assert counted == pytest.approx([7.4, 49.8])
    assert seen == [0] * 6 + [1] * 6
    took_s = 0.001
    now += 61.0
    watch.health()
    for _ in range(3):
        now += 7.0
        watch.health()
    assert len(counted) == 6  # where it takes no time, each time


def test_health_tells_how_old_the_last_checkpoint_is():
    scheduler = SimpleNamespace(
        name="model_scheduler", counters={"checkpointed_at": NOW - 40.0, "checkpoints": 3}
    )
    found = SimpleNamespace(services=[scheduler])
    assert checkpoints_of(found, NOW) == Checkpoints(40.0, 3)
    scheduler.counters = {}
    assert checkpoints_of(found, NOW) == Checkpoints(None, 0)
    assert checkpoints_of(SimpleNamespace(services=[]), NOW) is None


def test_refused_input_is_told_by_the_door_that_it_came_to():
    rejected = {"count": 2, "examples": ["web.x nan 1"]}
    services = [
        SimpleNamespace(name="web", counters={"rejected": {"json: the value is not finite": rejected}}),
        SimpleNamespace(
            name="metric_listener",
            counters={
                "rejected": {"graphite-pickle: too long": rejected, "graphite-text: no: colon": rejected}
            },
        ),
        SimpleNamespace(name="metric_storer", counters={"rejected": {"no: door": rejected}}),
    ]
    found = {one.door: one.reason for one in refused(SimpleNamespace(services=services))}
    assert found == {
        "json": "the value is not finite",
        "graphite-pickle": "too long",
        "graphite-text": "no: colon",
        "queue": "no: door",
    }


def test_ready_and_live_need_no_token_and_tell_nothing(server):
    with server.client as client:
        for path in ("/healthz", "/readyz"):
            assert client.get(path).text == "ok\n"


def test_latency_is_that_of_samples_that_are_sent_live(server):
    uid, other = server.metric("a", [5.0] * 300), server.metric("b", [5.0] * 300)
    with server.client:
        assert server.get("/health")["latency"] is None
        server.take(server.batch(*((uid, "a", 301 + i, NOW - 40 + i, 1.0, 0.1) for i in range(40))))
        assert server.get("/health")["latency"] is None  # history
        server.take(server.batch((other, "b", 301, NOW - 2, 1.0, 0.1)))
        assert server.get("/health")["latency"] == {"median_s": 2.0, "p99_s": 2.0}


def test_what_the_machine_can_carry_is_told_once_it_was_measured(server):
    server.metric("a", [5.0])
    with server.client:
        assert server.get("/capacity") == {
            "measured": None,
            "promises": [],
            "models": 1,
            "models_promised": None,
            "samples_per_second_promised": None,
        }
        capacity.store(server.context.settings, MEASURED)
        found = server.get("/capacity")
        assert found["measured"]["bytes_per_row"] == MEASURED.bytes_per_row
        assert [one["limit"] for one in found["promises"]] == ["cpu", "memory", "memory"]
        assert found["samples_per_second_promised"] == capacity.promised_rate(MEASURED)


def test_the_doctor_warns_of_a_fleet_that_memory_will_not_hold(server):
    server.metric("a", [5.0])
    server.metric("b", [5.0], monitored=False)
    capacity.store(
        server.context.settings, msgspec.structs.replace(MEASURED, memory_bytes=1 << 20, bytes_per_model=1e6)
    )
    (found,) = [text for text in health_of(server.context).findings if "capacity" in text]
    assert "1 model where 0 find room" in found
    capacity.store(server.context.settings, MEASURED)
    assert not [text for text in health_of(server.context).findings if "capacity" in text]
