"""What applications put into the documented queue goes to the queues of its metrics."""

from htmengine import config
from htmengine.bus import Delivery, Outgoing
from htmengine.messages import Backfill, MetricLines, decode_metric_lines, encode_json
from htmengine.runtime.metric_storer.division import Division
from htmengine.runtime.metric_storer.router import MetricRouter
from htmengine.service.data_queues import DataQueues, marker

QUEUES = DataQueues("data", ("data.0", "data.1", "data.2"))


def routed(*bodies):
    router = MetricRouter(QUEUES, Division(config.Storer(), "test"))
    assert router.queues == ["data"]
    return router.process([Delivery("data", body, {}, 1, 1, tag) for tag, body in enumerate(bodies)])


def test_lines_keep_what_their_message_says():
    lines = [f"m{number} 1 1000" for number in range(12)]
    message = MetricLines(
        protocol="plain", data=lines, accepted_at=12.5, door="graphite", peers=[(7, "a"), (5, "b")]
    )
    published = routed(encode_json(message)).publish
    found = []
    for queue, body, *_ in published:
        part = decode_metric_lines(body)
        assert (part.protocol, part.accepted_at, part.door) == ("plain", 12.5, "graphite")
        assert {QUEUES.of_name(line.split()[0]) for line in part.data} == {queue}
        assert sum(count for count, _ in part.peers) == len(part.data)
        found += part.data
    assert sorted(found) == sorted(lines)


def test_messages_of_an_application_go_together_in_their_order():
    names = [f"m{number}" for number in range(5)] * 3
    bodies = [
        encode_json(MetricLines(protocol="plain", data=[f"{name} {place} 1000"]))
        for place, name in enumerate(names)
    ]
    published = routed(*bodies).publish
    assert len(published) == len({QUEUES.of_name(name) for name in names})
    for queue, body, *_ in published:
        assert decode_metric_lines(body).data == [
            f"{name} {place} 1000" for place, name in enumerate(names) if QUEUES.of_name(name) == queue
        ]


def test_messages_that_were_accepted_at_other_times_stay_apart():
    bodies = [
        encode_json(MetricLines(protocol="plain", data=[f"m {value} 1000"], accepted_at=at))
        for value, at in enumerate((None, 5.0, None, None))
    ]
    found = [decode_metric_lines(body) for _, body, _ in routed(*bodies).publish]
    assert [(len(part.data), part.accepted_at) for part in found] == [(1, None), (1, 5.0), (2, None)]


def test_a_history_goes_to_the_queue_of_its_metric_whatever_its_lines_say():
    body = encode_json(
        MetricLines(protocol="plain", data=["a 1 2", "b 1 2"], backfill=Backfill(metric="m", token="t"))
    )
    assert list(routed(body).publish) == [Outgoing(QUEUES.of_name("m"), body)]


def test_a_message_that_cannot_be_read_is_put_aside():
    outcome = routed(b"no message", encode_json(MetricLines(protocol="plain", data=["m 1 2"])))
    assert [delivery.body for delivery, _ in outcome.dead_letters] == [b"no message"]
    assert len(outcome.publish) == 1


def test_the_end_of_the_queue_of_before_is_no_sample():
    assert not routed(marker(1)).publish
