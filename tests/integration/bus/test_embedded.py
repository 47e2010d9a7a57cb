"""The embedded bus between processes, some of which are killed."""

import pytest

from tests.integration.bus.killing import KillingContract
from tests.unit.bus.contract import put, status_of, take
from tests.unit.bus.embedded.test_bus import make_bus, path  # noqa: F401  # fixtures

pytestmark = pytest.mark.integration


@pytest.fixture
def where(path):  # noqa: F811  # a fixture
    return path


class TestKilling(KillingContract):
    pass


def test_what_a_killed_process_held_comes_to_another_at_once(bus, remote):
    victim = remote("q", "r")
    put(bus, "q", *"abc")
    victim.publish("r", "d")
    (first, *_) = got = victim.receive(10)
    assert sorted(body for _, body, *_ in got) == ["a", "b", "c", "d"]
    with bus.consume(["q", "r"]) as consumer:
        assert consumer.receive(max_messages=10, timeout_s=0) == []
        victim.kill()  # and nobody waits for it: a zombie is as dead as it gets
        taken = take(consumer, 4)
    assert sorted((d.body, d.deliveries) for d in taken) == [(b"a", 2), (b"b", 2), (b"c", 2), (b"d", 2)]
    assert taken[0].epoch > first[3]


def test_the_consumers_of_a_killed_process_do_not_count(bus, remote):
    victim = remote("q")
    put(bus, "q", "a")
    victim.receive()
    assert (status_of(bus, "q").unacked, status_of(bus, "q").consumers) == (1, 1)
    victim.kill()
    victim.process.wait()
    assert (status_of(bus, "q").ready, status_of(bus, "q").unacked, status_of(bus, "q").consumers) == (
        1,
        0,
        0,
    )


def test_processes_share_queues_evenly_and_each_queue_stays_in_order(bus, remote, eight):
    one = remote(*eight)
    for queue in eight:
        put(bus, queue, "0", "1")
    first = one.receive(8)
    two = remote(*eight)
    assert two.receive() == []  # all messages are in the hands of the one that came first, or wait for it
    one.ack_all()
    seen = {queue: {"0"} for queue in eight}
    owners = {queue: set() for queue in eight}
    for number in range(2, 8):
        for consumer in (one, two):
            for queue, body, deliveries, _ in consumer.receive(100):
                assert (deliveries, int(body)) == (1, max(map(int, seen[queue])) + 1)
                seen[queue].add(body)
                owners[queue].add(consumer)
            consumer.ack_all()
        for queue in eight:
            put(bus, queue, str(number))
    for consumer in (one, two):
        for queue, body, *_ in consumer.receive(100):
            seen[queue].add(body)
    assert len(first) == 8
    assert all(seen[queue] == set("01234567") for queue in eight)
    assert sorted(map(len, owners.values())) == [1] * 8
    assert sum(owners[queue] == {one} for queue in eight) == 4


def test_when_one_of_two_processes_is_killed_the_other_gets_all_its_queues(bus, remote, eight):
    one, two = remote(*eight), remote(*eight)
    for _ in range(2):  # the first round makes room for the one that came later
        for queue in eight:
            put(bus, queue, "a")
        got = one.receive(), two.receive()
        assert [len(messages) for messages in got] == [4, 4]
        if _ == 0:
            one.ack_all()
            two.ack_all()
    one.kill()
    two.ack_all()
    again = []
    while len(again) < 4:
        again += two.receive(timeout_s=5)
        two.ack_all()
    assert sorted((queue, deliveries) for queue, _, deliveries, _ in again) == sorted(
        (queue, 2) for queue, *_ in got[0]
    )
