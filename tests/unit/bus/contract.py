"""What every bus keeps.

The test module of a bus derives a class from `BusContract` and gives it the fixtures that `conftest.py` asks for. Nothing
here is measured in time.
"""

import threading
import time

import pytest

from htmengine.bus import (
    MAX_DELIVERIES,
    BusError,
    BusUnavailable,
    ExchangeNotFound,
    Fanout,
    GateClosed,
    Outgoing,
    QueueFull,
    QueueNotFound,
)

TIMEOUT_S = 60.0
"""How long to wait for what must come."""


def take(consumer, count, *, at_once=100, ack=True):
    """Return that many deliveries, acknowledged as they come."""
    taken = []
    deadline = time.monotonic() + TIMEOUT_S
    while len(taken) < count:
        assert time.monotonic() < deadline, f"{len(taken)} of {count} messages came: {bodies(taken)}"
        got = consumer.receive(max_messages=min(at_once, count - len(taken)), timeout_s=1.0)
        if ack:
            consumer.ack(got)
        taken += got
    return taken


def bodies(deliveries):
    return [delivery.body for delivery in deliveries]


def put(bus, queue, *texts):
    bus.publish([Outgoing(queue, text.encode()) for text in texts])


def status_of(bus, queue):
    return next(status for status in bus.status() if status.name == queue)


def counts_of(bus, queue):
    status = status_of(bus, queue)
    return status.ready, status.unacked, status.consumers


def becomes(get, expected, patience_s=TIMEOUT_S):
    """Assert that something is as expected before long."""
    deadline = time.monotonic() + patience_s
    while (found := get()) != expected and time.monotonic() < deadline:
        time.sleep(0.02)
    assert found == expected


class BusContract:
    settle_s = 0.0
    """How long a bus that works behind the scenes is given until nothing more comes."""

    def nothing_comes(self, consumer):
        return consumer.receive(max_messages=10, timeout_s=self.settle_s) == []

    def came(self, bus, consumer, queue):
        """Tell whether messages of a queue have come to a consumer, which may not have given them out."""
        return True

    def becomes(self, get, expected):
        """Assert that something is as expected: at once, or before long where the bus works behind the scenes."""
        becomes(get, expected, patience_s=TIMEOUT_S if self.settle_s else 0.0)

    # -- Order, acknowledgement, redelivery

    def test_messages_come_in_the_order_in_which_they_were_published(self, bus):
        put(bus, "q", *map(str, range(150)))
        put(bus, "q", "last")
        with bus.consume(["q"]) as consumer:
            taken = take(consumer, 151)
        assert bodies(taken) == [b"%d" % i for i in range(150)] + [b"last"]
        assert {(d.queue, d.deliveries, len(d.headers)) for d in taken} == {("q", 1, 0)}
        assert len({d.tag for d in taken}) == 151

    @pytest.mark.parametrize(
        "body", [b"", bytes(range(256)), b"long" * 500_000], ids=["empty", "any", "long"]
    )
    def test_a_body_comes_as_it_was(self, bus, body):
        bus.publish([Outgoing("q", body)])
        with bus.consume(["q"]) as consumer:
            assert bodies(take(consumer, 1)) == [body]

    def test_an_empty_queue_gives_nothing(self, bus):
        with bus.consume(["q"]) as consumer:
            assert consumer.receive(max_messages=10, timeout_s=0) == []
            assert consumer.receive(max_messages=10, timeout_s=0.05) == []

    def test_no_more_messages_come_than_were_asked_for(self, bus):
        put(bus, "q", *"abcdefg")
        put(bus, "r", *"hijklmn")
        with bus.consume(["q", "r"]) as consumer:
            sizes = []
            while sum(sizes) < 14:
                got = consumer.receive(max_messages=3, timeout_s=TIMEOUT_S)
                consumer.ack(got)
                sizes.append(len(got))
        assert max(sizes) <= 3

    def test_what_was_acknowledged_never_comes_again(self, bus, open_bus):
        put(bus, "q", *"abc")
        with bus.consume(["q"]) as consumer:
            take(consumer, 3)
        bus.close()
        with open_bus().consume(["q"]) as consumer:
            assert self.nothing_comes(consumer)

    def test_what_was_not_acknowledged_does_not_come_again_while_its_consumer_lives(self, bus):
        put(bus, "q", *"ab")
        with bus.consume(["q"]) as consumer:
            take(consumer, 2, ack=False)
            assert self.nothing_comes(consumer)
            put(bus, "q", "c")
            assert bodies(take(consumer, 1)) == [b"c"]

    def test_what_a_closed_consumer_did_not_acknowledge_comes_again_one_by_one(self, bus):
        put(bus, "q", *"abcd")
        with bus.consume(["q"]) as consumer:
            take(consumer, 2, ack=False)
        with bus.consume(["q"]) as consumer:
            (first,) = consumer.receive(max_messages=10, timeout_s=TIMEOUT_S)
            assert (first.body, first.deliveries) == (b"a", 2)
            assert self.nothing_comes(consumer)
            consumer.ack([first])
            (second,) = consumer.receive(max_messages=10, timeout_s=TIMEOUT_S)
            assert (second.body, second.deliveries) == (b"b", 2)
            consumer.ack([second])
            assert [(d.body, d.deliveries) for d in take(consumer, 2)] == [(b"c", 1), (b"d", 1)]

    def test_a_message_that_comes_again_shares_no_batch_with_other_queues(self, bus):
        put(bus, "q", "again")
        with bus.consume(["q"]) as consumer:
            take(consumer, 1, ack=False)
        put(bus, "r", "fresh")
        with bus.consume(["q", "r"]) as consumer:
            batches = []
            while sum(map(len, batches)) < 2:
                batches.append(consumer.receive(max_messages=10, timeout_s=TIMEOUT_S))
                if batches[-1] and batches[-1][0].body == b"again":
                    assert self.nothing_comes(consumer)
                consumer.ack(batches[-1])
        assert sorted(bodies(batch) for batch in batches if batch) == [[b"again"], [b"fresh"]]

    def test_a_message_that_comes_again_waits_until_its_consumer_has_acknowledged_all_others(self, bus):
        first = bus.consume(["q"])
        put(bus, "q", "again")
        put(bus, "r", "held")
        take(first, 1, ack=False)
        with bus.consume(["q", "r"]) as second:
            held = take(second, 1, ack=False)
            first.close()
            assert self.nothing_comes(second)
            self.becomes(lambda: self.came(bus, second, "q"), True)
            put(bus, "r", "more")
            assert self.nothing_comes(second)
            second.ack(held)
            assert bodies(take(second, 1)) == [b"again"]

    def test_only_what_was_not_acknowledged_comes_again(self, bus):
        put(bus, "q", *"abcde")
        with bus.consume(["q"]) as consumer:
            taken = take(consumer, 5, ack=False)
            consumer.ack([taken[3], taken[1]])
        with bus.consume(["q"]) as consumer:
            assert bodies(take(consumer, 3)) == [b"a", b"c", b"e"]
            assert self.nothing_comes(consumer)

    def test_an_acknowledgement_that_is_old_or_repeated_is_ignored(self, bus):
        put(bus, "q", *"ab")
        first = bus.consume(["q"])
        taken = take(first, 2, ack=False)
        first.ack(taken[:1])
        first.ack(taken[:1])
        first.close()
        with bus.consume(["q"]) as second:
            first.ack(taken)
            second.ack(taken)
            first.dead_letter(taken[1], "late")
            assert bodies(take(second, 1)) == [b"b"]
            second.dead_letter(taken[1], "late")
        assert bus.dead_letters() == []

    def test_a_queue_that_never_ends_keeps_no_other_waiting(self, bus):
        put(bus, "q", *map(str, range(50)))
        put(bus, "r", *map(str, range(3)))

        def served():
            put(bus, "q", "more")
            return take(consumer, 1)

        with bus.consume(["q", "r"]) as consumer:
            deadline = time.monotonic() + TIMEOUT_S
            while (first := served())[0].queue != "r":  # its messages may still be on their way
                assert time.monotonic() < deadline
            then = [one for _ in range(9) for one in served()]
        assert [d.body for d in first + then if d.queue == "r"] == [b"0", b"1", b"2"]

    def test_the_queues_of_a_batch_take_turns_each_in_order(self, bus):
        put(bus, "q", *map(str, range(40)))
        put(bus, "r", *map(str, range(40)))
        with bus.consume(["q", "r"]) as consumer:
            taken = take(consumer, 80, at_once=7)
        for queue in ("q", "r"):
            assert [d.body for d in taken if d.queue == queue] == [b"%d" % i for i in range(40)]

    # -- Several consumers

    def test_of_two_consumers_one_gets_the_messages_and_the_other_takes_over_when_it_closes(
        self, bus, open_bus
    ):
        one, other = bus.consume(["q"]), open_bus().consume(["q"])
        put(bus, "q", *"abc")
        first = take(one, 3, ack=False)
        assert self.nothing_comes(other)
        one.ack(first[:1])
        assert [one.still_has(part) for part in (first[1:], first, [])] == [True, False, True]
        one.close()
        assert not one.still_has(first[1:])
        second = take(other, 2)
        assert [(d.body, d.deliveries) for d in second] == [(b"b", 2), (b"c", 2)]
        assert second[0].epoch > first[0].epoch

    def test_a_standby_that_waits_takes_over(self, bus):
        one, other = bus.consume(["q"]), bus.consume(["q"])
        put(bus, "q", "a")
        take(one, 1, ack=False)
        got = []
        thread = threading.Thread(target=lambda: got.extend(take(other, 1)))
        thread.start()
        one.close()
        thread.join(TIMEOUT_S)
        assert bodies(got) == [b"a"]

    def test_a_closed_consumer_refuses_to_receive(self, bus):
        consumer = bus.consume(["q"])
        consumer.close()
        consumer.close()
        with pytest.raises(BusError):
            consumer.receive(max_messages=1, timeout_s=0)

    def test_one_that_waits_is_woken_by_a_message(self, bus):
        got = []
        with bus.consume(["q"]) as consumer:
            thread = threading.Thread(
                target=lambda: got.extend(consumer.receive(max_messages=1, timeout_s=TIMEOUT_S))
            )
            thread.start()
            put(bus, "q", "a")
            thread.join(2 * TIMEOUT_S)
        assert bodies(got) == [b"a"]

    def test_one_that_waits_gets_what_another_process_publishes(self, bus, open_bus):
        with bus.consume(["q"]) as consumer:
            assert self.nothing_comes(consumer)
            put(open_bus(), "q", "a")
            assert bodies(consumer.receive(max_messages=1, timeout_s=TIMEOUT_S)) == [b"a"]

    def test_many_threads_publish_and_nothing_is_lost_doubled_or_out_of_order(self, bus, open_bus):
        buses = [bus, bus, open_bus(), open_bus()]
        failures = []

        def publish(bus, name):
            try:
                for i in range(0, 60, 3):
                    put(bus, "q", *(f"{name} {k}" for k in range(i, i + 3)))
            except BusError as error:
                failures.append(error)

        threads = [threading.Thread(target=publish, args=(b, n)) for n, b in enumerate(buses)]
        for thread in threads:
            thread.start()
        with bus.consume(["q"]) as consumer:
            taken = bodies(take(consumer, 240, at_once=13))
            assert self.nothing_comes(consumer)
        for thread in threads:
            thread.join()
        assert not failures
        for name in range(4):
            mine = [body for body in taken if body.startswith(b"%d " % name)]
            assert mine == [b"%d %d" % (name, i) for i in range(60)]

    # -- Durability

    def test_what_was_published_survives_the_end_of_the_publisher(self, bus, open_bus):
        put(bus, "q", "a")
        bus.close()
        with open_bus().consume(["q"]) as consumer:
            assert bodies(take(consumer, 1)) == [b"a"]

    def test_closing_the_bus_gives_back_what_its_consumers_had(self, bus, open_bus):
        put(bus, "q", "a")
        take(bus.consume(["q"]), 1, ack=False)
        bus.close()
        with open_bus().consume(["q"]) as consumer:
            assert [(d.body, d.deliveries) for d in take(consumer, 1)] == [(b"a", 2)]

    # -- Queues, limits, exchanges

    def test_what_was_never_declared_is_not_found(self, bus):
        with pytest.raises(QueueNotFound, match="nowhere"):
            put(bus, "nowhere", "a")
        with pytest.raises(QueueNotFound, match="nowhere"):
            bus.consume(["q", "nowhere"])
        with pytest.raises(QueueNotFound, match="nowhere"):
            bus.purge("nowhere")
        bus.declare_exchange("e")
        with pytest.raises(QueueNotFound, match="nowhere"):
            bus.bind("nowhere", "e")
        with pytest.raises(ExchangeNotFound, match="nowhere"):
            bus.bind("q", "nowhere")
        with pytest.raises(ExchangeNotFound, match="nowhere"):
            bus.publish([Fanout("nowhere", b"a")])

    def test_to_declare_again_changes_nothing(self, bus, open_bus):
        put(bus, "q", "a")
        other = open_bus()
        other.declare_queue("q")
        other.declare_exchange("e")
        other.bind("q", "e")
        other.declare_exchange("e")
        bus.publish([Fanout("e", b"b")])
        with bus.consume(["q"]) as consumer:
            assert bodies(take(consumer, 2)) == [b"a", b"b"]

    def test_to_publish_nothing_does_nothing(self, bus):
        bus.publish([])
        assert status_of(bus, "q").ready == 0

    def test_a_full_queue_refuses_until_there_is_room(self, bus):
        bus.declare_queue("small", limit=2)
        put(bus, "small", "a")
        put(bus, "small", "b")
        with pytest.raises(QueueFull, match="small"):
            put(bus, "small", "c")
        with bus.consume(["small"]) as consumer:
            take(consumer, 1)
            put(bus, "small", "d")
            assert bodies(take(consumer, 2)) == [b"b", b"d"]
            assert self.nothing_comes(consumer)

    def test_an_expendable_queue_drops_its_oldest_messages(self, bus):
        bus.declare_queue("view", limit=2, expendable=True)
        put(bus, "view", "a")
        put(bus, "view", *"bcd")
        put(bus, "view", "e")
        with bus.consume(["view"]) as consumer:
            assert bodies(take(consumer, 2)) == [b"d", b"e"]
            assert self.nothing_comes(consumer)
        self.becomes(lambda: status_of(bus, "view").ready, 0)

    def test_an_exclusive_queue_takes_what_its_own_process_publishes_and_what_others_do(self, bus, open_bus):
        bus.declare_exchange("e")
        bus.declare_queue("own", limit=10, expendable=True, exclusive=True)
        bus.bind("own", "e")
        bus.publish([Fanout("e", b"here", {"kind": "x"}), Outgoing("own", b"to it")])
        open_bus().publish([Fanout("e", b"there")])
        self.becomes(lambda: status_of(bus, "own").ready, 3)
        with bus.consume(["own"]) as consumer:
            got = take(consumer, 3, ack=False)
            assert sorted(bodies(got)) == [b"here", b"there", b"to it"]
            assert {delivery.headers.get("kind") for delivery in got if delivery.body == b"here"} == {"x"}
            consumer.publish_and_ack([Outgoing("own", b"next")], got)
            (last,) = take(consumer, 1, ack=False)
            assert last.body == b"next"
            consumer.dead_letter(last, "is not wanted")
            assert self.nothing_comes(consumer)
        assert [(letter.body, letter.reason) for letter in bus.dead_letters()] == [(b"next", "is not wanted")]

    def test_what_was_not_acknowledged_stays_in_an_exclusive_queue(self, bus):
        bus.declare_queue("own", limit=3, expendable=True, exclusive=True)
        put(bus, "own", *"abcd")
        with bus.consume(["own"]) as consumer:
            first, *_ = take(consumer, 3, ack=False)
            assert first.body == b"b"
            consumer.ack([first])
        self.becomes(lambda: status_of(bus, "own").ready, 2)
        assert bus.purge("own") == 2

    def test_messages_are_published_and_others_acknowledged_at_once(self, bus):
        put(bus, "q", "a", "b")
        with bus.consume(["q"]) as consumer:
            got = take(consumer, 2, ack=False)
            consumer.publish_and_ack([Outgoing("r", b"of a"), Outgoing("r", b"of b")], got)
            consumer.publish_and_ack([Outgoing("r", b"again")], got)  # done already: that is ignored
        self.becomes(lambda: status_of(bus, "q")[1:3], (0, 0))
        with bus.consume(["r"]) as consumer:
            assert bodies(take(consumer, 3)) == [b"of a", b"of b", b"again"]

    def test_every_bound_queue_gets_a_copy_with_its_headers(self, bus, open_bus):
        bus.declare_exchange("e")
        bus.declare_queue("s")
        for queue in ("q", "r", "q"):
            bus.bind(queue, "e")
        assert bus.has_subscribers("e")
        open_bus().publish([Fanout("e", b"one", {"dataType": "x", "ü": "ö"}), Fanout("e", b"two")])
        for queue in ("q", "r"):
            with bus.consume([queue]) as consumer:
                taken = take(consumer, 2)
                assert [(d.body, dict(d.headers)) for d in taken] == [
                    (b"one", {"dataType": "x", "ü": "ö"}),
                    (b"two", {}),
                ]
                assert self.nothing_comes(consumer)
        assert status_of(bus, "s").ready == 0

    def test_an_exchange_without_queues_swallows_what_is_published(self, bus):
        bus.declare_exchange("e")
        bus.publish([Fanout("e", b"a"), Outgoing("q", b"b")])
        bus.bind("q", "e")
        with bus.consume(["q"]) as consumer:
            assert bodies(take(consumer, 1)) == [b"b"]
            assert self.nothing_comes(consumer)

    def test_a_deleted_queue_takes_its_messages_and_bindings_along(self, bus):
        bus.declare_exchange("e")
        bus.bind("q", "e")
        put(bus, "q", "a")
        bus.delete_queue("q")
        bus.delete_queue("q")
        with pytest.raises(QueueNotFound):
            put(bus, "q", "b")
        bus.publish([Fanout("e", b"c")])
        bus.declare_queue("q")
        with bus.consume(["q"]) as consumer:
            assert self.nothing_comes(consumer)
            put(bus, "q", "d")
            assert bodies(take(consumer, 1)) == [b"d"]

    def test_a_queue_that_somebody_deletes_is_made_again_for_who_publishes(self, bus, open_bus, caplog):
        put(bus, "q", "lost")
        open_bus().delete_queue("q")
        with pytest.raises(BusUnavailable, match="somebody deleted it"):
            put(bus, "q", "a")
        put(bus, "q", "a")
        with bus.consume(["q"]) as consumer:
            assert bodies(take(consumer, 1)) == [b"a"]
        assert "bus.deleted" in caplog.text

    def test_a_queue_that_somebody_deletes_is_made_again_for_who_consumes(self, bus, open_bus):
        with bus.consume(["q", "r"]) as consumer:
            put(bus, "q", "a")
            put(bus, "r", "b")
            held = take(consumer, 2, ack=False)
            open_bus().delete_queue("q")
            self.becomes_whole(consumer)
            consumer.ack(held)
            put(bus, "q", "c")
            got = []
            while b"c" not in got:
                got += [delivery.body for delivery in take(consumer, 1)]
        assert status_of(bus, "q").ready == 0

    def test_a_consumer_can_be_had_of_a_queue_that_somebody_deleted(self, bus, open_bus):
        open_bus().delete_queue("q")
        with pytest.raises(BusUnavailable):
            bus.consume(["q", "r"])
        put(bus, "q", "a")
        with bus.consume(["q", "r"]) as consumer:
            assert bodies(take(consumer, 1)) == [b"a"]

    def test_a_queue_of_others_that_is_deleted_is_not_made_again(self, bus, open_bus):
        other = open_bus()
        other.declare_queue("others")
        other.delete_queue("others")
        for _ in range(2):
            with pytest.raises(QueueNotFound):
                put(bus, "others", "a")

    def test_a_subscribers_queue_that_somebody_deletes_is_gone(self, bus, open_bus):
        bus.declare_queue("subscriber", expendable=True)
        open_bus().delete_queue("subscriber")
        for _ in range(2):
            with pytest.raises(QueueNotFound):
                put(bus, "subscriber", "a")

    def becomes_whole(self, consumer):
        """Receive until the bus has found out that a queue was deleted, and has made it again."""
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            try:
                consumer.receive(max_messages=10, timeout_s=0.2)
            except BusUnavailable:
                return
            if not self.settle_s:
                return

    # -- Gates

    def test_nothing_passes_a_closed_gate_whoever_publishes(self, bus, open_bus):
        """What passed before stays, and what is published without a gate is accepted in any case."""
        other = open_bus()
        for queue in ("q", "r"):
            bus.declare_queue(queue)
        assert not bus.is_open("gate")
        bus.open_gate("gate", ["q", "r"])
        assert other.is_open("gate")
        other.publish([Outgoing("q", b"a"), Outgoing("r", b"b")], gate="gate")
        bus.close_gate("gate")
        for one in (bus, other):
            assert not one.is_open("gate")
            with pytest.raises(GateClosed):
                one.publish([Outgoing("q", b"late")], gate="gate")
        put(other, "q", "c")
        with bus.consume(["q"]) as consumer:
            assert bodies(take(consumer, 2)) == [b"a", b"c"]
        with bus.consume(["r"]) as consumer:
            assert bodies(take(consumer, 1)) == [b"b"]

    def test_gates_are_opened_and_closed_any_number_of_times(self, bus):
        bus.declare_queue("q")
        bus.close_gate("gate")
        for _ in range(2):
            bus.open_gate("gate", ["q"])
            bus.publish([Outgoing("q", b"a")], gate="gate")
            bus.close_gate("gate")
            bus.close_gate("gate")
        bus.open_gate("other", ["q"])
        with pytest.raises(GateClosed):
            bus.publish([Outgoing("q", b"b")], gate="gate")
        bus.publish([Outgoing("q", b"c")], gate="other")
        becomes(lambda: status_of(bus, "q").ready, 3)

    def test_a_gate_leads_to_a_queue_that_was_made_again(self, bus, open_bus):
        other = open_bus()
        bus.declare_queue("q")
        bus.open_gate("gate", ["q"])
        other.delete_queue("q")
        with pytest.raises(BusUnavailable):
            bus.publish([Outgoing("q", b"a")], gate="gate")
        bus.publish([Outgoing("q", b"a")], gate="gate")
        with bus.consume(["q"]) as consumer:
            assert bodies(take(consumer, 1)) == [b"a"]

    def test_a_closed_gate_stays_closed_when_a_queue_is_made_again(self, bus, open_bus):
        other = open_bus()
        bus.declare_queue("q")
        bus.open_gate("gate", ["q"])
        other.close_gate("gate")
        other.delete_queue("q")
        with pytest.raises(BusUnavailable):
            put(bus, "q", "a")
        assert not bus.is_open("gate")

    # -- Looking

    def test_a_purge_drops_what_waits_and_leaves_what_is_being_worked_on(self, bus):
        put(bus, "q", *"abc")
        with bus.consume(["q"]) as consumer:
            take(consumer, 1, ack=False)
            assert bus.purge("q") == 2
            put(bus, "q", "d")
            assert bodies(take(consumer, 1)) == [b"d"]
        with bus.consume(["q"]) as consumer:
            assert bodies(take(consumer, 1)) == [b"a"]
        put(bus, "q", *"ef")
        with bus.consume(["q"]) as consumer:
            take(consumer, 1, ack=False)
        self.becomes(lambda: status_of(bus, "q").ready, 2)
        assert bus.purge("q") == 2
        with bus.consume(["q"]) as consumer:
            assert self.nothing_comes(consumer)

    def test_the_status_counts_what_waits_what_is_worked_on_and_who_works(self, bus):
        put(bus, "q", *"abcde")
        with bus.consume(["q"]) as consumer, bus.consume(["q"]):
            taken = take(consumer, 3, ack=False)
            consumer.ack(taken[1:2])
            self.becomes(lambda: counts_of(bus, "q"), (2, 2, 2))
            age_s = status_of(bus, "q").oldest_age_s
            assert age_s is None or age_s >= 0
        self.becomes(lambda: counts_of(bus, "q"), (4, 0, 0))
        assert status_of(bus, "r").oldest_age_s is None
        assert [status.name for status in bus.status(["r", "nowhere"])] == ["r"]
        assert [status.name for status in bus.status()] == sorted(status.name for status in bus.status())

    # -- Dead letters

    def test_a_message_that_outlives_its_consumers_becomes_a_dead_letter_and_its_neighbours_do_not(self, bus):
        put(bus, "q", "before", "poison", "after")
        done = []
        for _ in range(MAX_DELIVERIES):
            with bus.consume(["q"]) as consumer:
                while True:
                    got = consumer.receive(max_messages=10, timeout_s=TIMEOUT_S)
                    if any(d.body == b"poison" for d in got):
                        break
                    consumer.ack(got)
                    done += bodies(got)
        with bus.consume(["q"]) as consumer:
            done += bodies(take(consumer, 3 - 1 - len(done)))
            assert self.nothing_comes(consumer)
        (letter,) = bus.dead_letters()
        assert (letter.queue, letter.body, letter.deliveries) == ("q", b"poison", MAX_DELIVERIES)
        assert str(MAX_DELIVERIES) in letter.reason
        assert sorted(done) == [b"after", b"before"]

    def test_a_dead_letter_keeps_its_reason_and_leaves_its_queue(self, bus, open_bus):
        bus.declare_exchange("e")
        bus.bind("q", "e")
        bus.publish([Fanout("e", b"bad", {"dataType": "x"}), Fanout("e", b"good")])
        with bus.consume(["q"]) as consumer:
            bad, good = take(consumer, 2, ack=False)
            consumer.dead_letter(bad, "not a number")
            consumer.ack([bad, good])
        with bus.consume(["q"]) as consumer:
            assert self.nothing_comes(consumer)
        (letter,) = open_bus().dead_letters()
        assert (letter.queue, letter.body, dict(letter.headers)) == ("q", b"bad", {"dataType": "x"})
        assert (letter.reason, letter.deliveries) == ("not a number", 1)

    def dead_letter(self, bus, *texts):
        put(bus, "q", *texts)
        with bus.consume(["q"]) as consumer:
            for delivery in take(consumer, len(texts), ack=False):
                consumer.dead_letter(delivery, "bad")

    def test_dead_letters_are_listed_in_pages(self, bus):
        self.dead_letter(bus, *"abcde")
        first = bus.dead_letters(limit=2)
        rest = bus.dead_letters(after=first[-1].id)
        assert [letter.body for letter in first + rest] == [b"a", b"b", b"c", b"d", b"e"]
        assert bus.dead_letters(after=rest[-1].id) == []

    def test_a_dead_letter_that_is_put_back_comes_as_a_new_message(self, bus):
        self.dead_letter(bus, *"abc")
        a, _, c = (letter.id for letter in bus.dead_letters())
        put(bus, "q", "d")
        with bus.consume(["q"]) as consumer:
            assert bus.requeue([c, a, 999_999]) == 2
            taken = take(consumer, 3)
        assert [(d.body, d.deliveries) for d in taken] == [(b"d", 1), (b"a", 1), (b"c", 1)]
        assert [letter.body for letter in bus.dead_letters()] == [b"b"]

    def test_a_discarded_dead_letter_is_gone(self, bus):
        self.dead_letter(bus, *"ab")
        (a, _) = (letter.id for letter in bus.dead_letters())
        assert bus.discard([a, 999_999]) == 1
        assert bus.requeue([a]) == 0
        assert [letter.body for letter in bus.dead_letters()] == [b"b"]
        assert status_of(bus, "q").ready == 0
