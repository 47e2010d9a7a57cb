"""The RabbitMQ bus on a real broker."""

import itertools
import threading
import time

import msgspec
import pytest

from htmengine.bus import MAX_DELIVERIES, BusError, BusUnavailable, Fanout, Outgoing, QueueFull
from htmengine.bus.rabbitmq import dead_letters
from htmengine.bus.rabbitmq.bus import RabbitBus
from htmengine.bus.rabbitmq.channel import Publication, persistent
from htmengine.bus.rabbitmq.consumer import OWNERSHIP_BY_PRIORITY
from htmengine.bus.rabbitmq.management import Management
from htmengine.bus.rabbitmq.rebalancing import rendezvous_weight
from htmengine.config import Broker
from tests.integration.bus.killing import KillingContract
from tests.servers import free_ports
from tests.unit.bus.contract import (
    TIMEOUT_S,
    BusContract,
    becomes,
    bodies,
    counts_of,
    put,
    status_of,
    take,
)

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def _patience(monkeypatch):
    """The management interface of a busy machine may take its time, where a service would go without."""
    monkeypatch.setitem(Management.__init__.__kwdefaults__, "timeout_s", TIMEOUT_S)


@pytest.fixture
def plain_queues():
    return ()


@pytest.fixture
def make_bus(broker, plain_queues):
    numbers = itertools.count()

    def make_bus(**options):
        options = {"node": f"node {next(numbers)}", "plain_queues": plain_queues} | options
        return RabbitBus(broker, **options)

    return make_bus


@pytest.fixture
def where(broker, plain_queues):
    return {"broker": msgspec.to_builtins(broker), "plain_queues": plain_queues}


class RabbitContract(BusContract, KillingContract):
    settle_s = 0.5

    def came(self, bus, consumer, queue):
        consumer.receive(
            max_messages=10, timeout_s=0
        )  # a consumer that stands by asks for the queue now and then
        return consumer.holds(queue).waiting > 0


class TestSharedQueues(RabbitContract):
    pass


class TestQueuesThatApplicationsDeclareToo(RabbitContract):
    @pytest.fixture
    def plain_queues(self):
        return ("q", "r", "small")


either_kind = pytest.mark.parametrize("plain_queues", [(), ("q", "r")], ids=["shared", "plain"])


# -- Processes that die


@either_kind
def test_what_a_killed_process_held_comes_to_another(bus, remote):
    victim = remote("q", "r")
    put(bus, "q", *"abc")
    put(bus, "r", "d")
    got = []
    while len(got) < 4:
        got += victim.receive(10, 5)
    with bus.consume(["q", "r"]) as consumer:
        assert consumer.receive(max_messages=10, timeout_s=0.3) == []
        victim.kill()
        taken = take(consumer, 4)
    assert sorted((d.body, d.deliveries) for d in taken) == [(b"a", 2), (b"b", 2), (b"c", 2), (b"d", 2)]
    assert taken[0].epoch > got[0][3]


@pytest.mark.slow
def test_messages_on_their_way_to_processes_that_die_are_not_blamed(bus, remote, eight):
    put(bus, "q", "poison")
    for queue in eight:
        put(bus, queue, "innocent")
    worked_on = 0
    while worked_on < MAX_DELIVERIES:  # each dies with messages of all queues on their way to it
        victim = remote("q", *eight)
        ((_, body, *_),) = victim.receive(1, TIMEOUT_S)
        worked_on += body == "poison"
        victim.kill()
        victim.process.wait()
    with bus.consume(["q", *eight]) as consumer:
        taken = bodies(take(consumer, 1)) + bodies(take(consumer, 7))
    assert taken == [b"innocent"] * 8
    assert bodies(bus.dead_letters()) == [b"poison"]


# -- Who has which queue


# Names whose weights for each of the eight queues are so far apart that a busy machine may delay one of them by seconds.
NODES = ("wop", "rul")


def wanted_owners(queues):
    return [max(NODES, key=lambda node: rendezvous_weight(node, queue)) for queue in queues]


def test_consumers_that_start_together_share_queues_by_weight(open_bus, bus, eight):
    consumers = [open_bus(node=node, spread_s=8.0).consume(eight) for node in NODES]
    threads = [
        threading.Thread(target=consumer.receive, kwargs={"max_messages": 8, "timeout_s": 3})
        for consumer in consumers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert owners(bus, eight, consumers) == wanted_owners(eight)


def owners(bus, queues, consumers):
    """Return whose message of each queue comes to whom."""
    bus.publish([Outgoing(queue, b"whose?") for queue in queues])
    found = {}
    deadline = time.monotonic() + TIMEOUT_S
    while len(found) < len(queues) and time.monotonic() < deadline:
        for name, consumer in zip(NODES, consumers, strict=True):
            got = consumer.receive(max_messages=8, timeout_s=0.1)
            found |= {delivery.queue: name for delivery in got}
            consumer.ack(got)
    return [found[queue] for queue in queues]


def test_a_consumer_that_comes_later_gets_its_share_when_asked_to_rebalance(open_bus, bus, eight):
    consumers = start_one_after_the_other(open_bus, eight)
    wanted = wanted_owners(eight)
    becomes(bus.rebalance, {node: wanted.count(node) for node in NODES})
    becomes(lambda: owners(bus, eight, consumers), wanted)  # as soon as they have heard it
    assert owners(bus, eight, consumers) == wanted


def start_one_after_the_other(open_bus, queues):
    consumers = []
    for node in NODES:
        consumers.append(open_bus(node=node).consume(queues))
        consumers[-1].receive(max_messages=1, timeout_s=0)
    return consumers


@pytest.fixture
def ordered(open_bus):
    """Return a bus with some queues whose order holds whoever consumes them, and what opens further ones."""
    queues = [f"ordered.{number}" for number in range(8)]

    def opened(node):
        bus = open_bus(node=node, ordered_queues=lambda queue: queue in queues)
        for queue in queues:
            bus.declare_queue(queue)
        return bus

    return queues, opened


@pytest.mark.slow
def test_order_holds_while_queues_change_hands(ordered):
    queues, opened = ordered
    publisher = opened("publisher")
    consumers = [opened(node).consume(queues) for node in NODES]
    consumers[0].receive(max_messages=4, timeout_s=0)
    consumers[1].receive(max_messages=4, timeout_s=0)
    seen = {queue: [] for queue in queues}
    owners = set()
    sent = 0
    deadline = time.monotonic() + 4 * TIMEOUT_S
    while time.monotonic() < deadline and (sent < 100 or any(len(one) < 100 for one in seen.values())):
        if sent < 100:
            publisher.publish(
                [Outgoing(queue, b"%d" % number) for number in range(sent, sent + 20) for queue in queues]
            )
            sent += 20
        if sent in (40, 80):
            publisher.rebalance()
        # The second of them takes more at a time: then it subscribes anew.
        for number, consumer in enumerate(consumers):
            got = consumer.receive(max_messages=4 if sent < 60 else 40, timeout_s=0.1)
            for delivery in got:
                seen[delivery.queue].append(int(delivery.body))
                owners.add((number, delivery.queue))
            consumer.ack(got)
    assert seen == {queue: list(range(100)) for queue in queues}
    assert len({number for number, _ in owners}) == 2


def test_what_is_in_hand_keeps_a_queue_whose_order_must_hold(ordered):
    queues, opened = ordered
    publisher = opened("publisher")
    one = opened(NODES[0]).consume(queues)
    one.receive(max_messages=9, timeout_s=0)
    other = opened(NODES[1]).consume(queues)
    other.receive(max_messages=9, timeout_s=0)
    publisher.publish([Outgoing(queue, b"first") for queue in queues])
    held = []
    deadline = time.monotonic() + TIMEOUT_S
    while len(held) < len(queues) and time.monotonic() < deadline:
        held += one.receive(max_messages=9, timeout_s=0.1)
    publisher.rebalance()
    publisher.publish([Outgoing(queue, b"second") for queue in queues])
    for _ in range(5):
        assert all(delivery.body == b"second" for delivery in one.receive(max_messages=0, timeout_s=0.1))
        assert not other.receive(max_messages=9, timeout_s=0.1)
    one.ack(held)
    one.receive(max_messages=0, timeout_s=0.1)
    assert other.receive(max_messages=9, timeout_s=TIMEOUT_S)


def test_with_nobody_there_is_nothing_to_rebalance(bus):
    assert bus.rebalance() == {}


def test_a_queue_that_applications_declare_has_no_arguments(broker, open_bus):
    bus = open_bus(plain_queues=["data"])
    bus.declare_queue("data", limit=5)
    bus.session.on_channel(lambda channel: channel.declare_queue("data"))


def test_a_queue_that_was_declared_otherwise_is_refused_with_advice(open_bus):
    bus = open_bus()
    bus.session.on_channel(lambda channel: channel.declare_queue("other"))
    with pytest.raises(BusError, match=r"other.*delete it once it is empty"):
        bus.declare_queue("other")
    bus.declare_queue("another")


def test_from_version_4_on_a_consumer_that_comes_later_gets_its_share_by_itself(open_bus, bus, eight):
    version = bus.session.consuming.connection().version
    if version < OWNERSHIP_BY_PRIORITY:
        pytest.skip(f"needs RabbitMQ 4.0 or later, here is {'.'.join(map(str, version))}")
    consumers = start_one_after_the_other(open_bus, eight)
    becomes(lambda: owners(bus, eight, consumers), wanted_owners(eight))


def test_a_queue_may_be_limited_by_the_size_of_what_is_in_it(bus):
    bus.declare_queue("q", limit_bytes=1000)
    for _ in range(10):
        put(bus, "q", "x" * 100)
    with pytest.raises(QueueFull, match="q is full"):
        put(bus, "q", "x" * 100)


# -- Whether anyone listens


def test_an_exchange_without_queues_has_no_subscribers(bus):
    bus.declare_exchange("e")
    assert not bus.has_subscribers("e")
    bus.bind("q", "e")
    assert bus.has_subscribers("e")
    bus.declare_exchange("strange / name")
    assert not bus.has_subscribers("strange / name")


def test_without_the_management_interface_one_has_to_assume_subscribers(broker):
    (port,) = free_ports(1)
    bus = RabbitBus(msgspec.structs.replace(broker, management_port=port))
    bus.declare_exchange("e")
    assert bus.has_subscribers("e")
    bus.close()


# -- The broker away


def receive_until_it_fails(consumer):
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        consumer.receive(max_messages=1, timeout_s=0.1)


def test_a_lost_connection_is_said_so_and_everything_goes_on(bus, broker, rabbitmq_server):
    put(bus, "q", *"ab")
    with bus.consume(["q"]) as consumer:
        (first,) = take(consumer, 1, ack=False)
        assert consumer.still_has([first])
        rabbitmq_server.control("close_all_connections", "-p", broker.virtual_host, "test")
        with pytest.raises(BusUnavailable, match=r"127\.0\.0\.1"):
            receive_until_it_fails(consumer)
        assert not consumer.still_has([first])
        consumer.ack([first])  # too late: it comes again
        assert sorted(bodies(take(consumer, 2))) == [b"a", b"b"]
    retry_while_unavailable(lambda: put(bus, "q", "c"))
    becomes(lambda: counts_of(bus, "q"), (1, 0, 0))


def retry_while_unavailable(action):
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            return action()
        except BusUnavailable:
            assert time.monotonic() < deadline
            time.sleep(0.1)


@pytest.mark.slow
def test_a_broker_short_of_memory_is_unavailable_to_publishers_and_serves_consumers(bus, rabbitmq_server):
    put(bus, "q", *"ab")
    rabbitmq_server.control("set_vm_memory_high_watermark", "absolute", "1000")
    try:
        # It is set before the broker has looked how much memory it takes.
        becomes(lambda: "memory" in rabbitmq_server.control("eval", "rabbit_alarm:get_alarms()."), True)
        with pytest.raises(BusUnavailable, match=r"takes no messages now.*memory"):
            put(bus, "q", "c")
        with pytest.raises(BusUnavailable, match=r"takes no messages now.*memory"):
            put(bus, "q", "c")
        with bus.consume(["q"]) as consumer:
            assert bodies(take(consumer, 2)) == [b"a", b"b"]
    finally:
        rabbitmq_server.control("set_vm_memory_high_watermark", "0.6")
    retry_while_unavailable(lambda: put(bus, "r", "d"))
    with bus.consume(["r"]) as consumer:
        assert bodies(take(consumer, 1)) == [b"d"]


def test_over_tls_the_brokers_certificate_is_checked(broker, rabbitmq_server):
    secure = rabbitmq_server.encrypted(broker)
    bus = RabbitBus(secure)
    bus.declare_queue("q")
    put(bus, "q", "a")
    with bus.consume(["q"]) as consumer:
        assert bodies(take(consumer, 1)) == [b"a"]
    bus.declare_exchange("e")
    assert not bus.has_subscribers("e")  # the management interface is encrypted as well
    bus.close()
    with pytest.raises(BusUnavailable, match="certificate"):
        RabbitBus(msgspec.structs.replace(secure, ca_file=None))
    with pytest.raises(BusUnavailable, match=r"absent\.pem: TLS cannot be set up"):
        RabbitBus(msgspec.structs.replace(secure, ca_file=secure.ca_file.parent / "absent.pem"))


def test_a_broker_that_is_not_there_is_unavailable():
    (port,) = free_ports(1)
    with pytest.raises(BusUnavailable, match=rf"RabbitMQ at 127\.0\.0\.1:{port}: .*refused"):
        RabbitBus(Broker(host="127.0.0.1", port=port, password="secret word"))


def test_a_wrong_password_is_said_so_and_not_shown(broker):
    with pytest.raises(BusUnavailable, match="refuses this user and password") as caught:
        RabbitBus(msgspec.structs.replace(broker, password="secret word"))
    assert "secret word" not in str(caught.value)
    assert "secret word" not in repr(msgspec.structs.replace(broker, password="secret word"))


def test_a_closed_bus_refuses(bus):
    bus.close()
    bus.close()
    with pytest.raises(BusError, match="closed"):
        put(bus, "q", "a")


# -- Dead letters that the broker makes


def test_a_message_that_the_broker_put_aside_can_be_sent_again(bus, broker):
    put(bus, "q", "expired")
    exchange = f"{bus.session.application}.dead"
    dead = persistent({"x-death": [{"queue": "q", "reason": "expired"}], "mine": "kept"})
    bus.session.publish([Publication(exchange, "", b"by the broker", dead)])
    (letter,) = bus.dead_letters()
    assert (letter.queue, letter.reason) == ("q", "the broker put it aside: expired")
    assert dict(letter.headers) == {"mine": "kept"}
    assert bus.requeue([letter.id]) == 1
    becomes(lambda: status_of(bus, "q").ready, 2)


# -- What somebody deletes by hand


def ask(bus, method):
    bus.session.on_channel(lambda channel: channel.ask(method))


def test_an_exchange_that_somebody_deletes_is_made_again(bus):
    bus.declare_exchange("e")
    ask(bus, lambda raw, answer: raw.exchange_delete("e", callback=answer))
    with pytest.raises(BusUnavailable, match="somebody deleted it"):
        bus.publish([Fanout("e", b"a")])
    ask(bus, lambda raw, answer: raw.exchange_delete("e", callback=answer))
    with pytest.raises(BusUnavailable, match="somebody deleted it"):
        bus.has_subscribers("e")
    bus.bind("q", "e")
    bus.publish([Fanout("e", b"b")])
    with bus.consume(["q"]) as consumer:
        assert bodies(take(consumer, 1)) == [b"b"]


@pytest.mark.parametrize("what", ["queue", "exchange"])
def test_dead_letters_find_their_place_after_somebody_deleted_it(bus, what):
    if what == "queue":
        ask(
            bus,
            lambda raw, answer: raw.queue_delete(
                dead_letters.queue(bus.session.application), callback=answer
            ),
        )
    else:
        ask(bus, lambda raw, answer: raw.exchange_delete("htmengine.dead", callback=answer))
    put(bus, "q", "bad")
    with bus.consume(["q"]) as consumer:
        (delivery,) = take(consumer, 1, ack=False)
        consumer.dead_letter(delivery, "it is bad")
    becomes(lambda: [letter.reason for letter in bus.dead_letters()], ["it is bad"])


def test_a_journal_that_expired_is_made_again(bus):
    for _ in range(2):
        put(bus, "q", "a")
        with bus.consume(["q"]) as consumer:
            take(consumer, 1, ack=False)
        with bus.consume(["q"]) as consumer:
            again = take(consumer, 1, ack=False)
            assert again[0].deliveries == 2
            ask(bus, lambda raw, answer: raw.queue_delete("q.journal", callback=answer))
            consumer.ack(again)
            put(bus, "q", "b")
            assert bodies(take(consumer, 1)) == [b"b"]
