import itertools
import os
import sqlite3
import stat
import threading
from contextlib import suppress

import pytest

from htmengine.bus import BusError, BusUnavailable, Fanout, Outgoing, QueueFull, QueueNotFound
from htmengine.bus.embedded.bus import EmbeddedBus
from tests.unit.bus.contract import TIMEOUT_S, BusContract, bodies, counts_of, put, status_of, take


@pytest.fixture
def path(tmp_path):
    return tmp_path / "bus.sqlite"


@pytest.fixture
def make_bus(path):
    return lambda: EmbeddedBus(path)


class TestContract(BusContract):
    pass


def test_declaring_what_is_there_writes_nothing_and_waits_for_nobody(bus, path):
    bus.declare_queue("q", limit=3)
    bus.declare_exchange("x")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    bus.declare_queue("q", limit=3)
    bus.declare_exchange("x")
    other.execute("ROLLBACK")
    other.close()


# -- Consumers of one process that come and go


def test_a_holder_gives_a_queue_up_only_when_it_has_nothing_of_it_in_hand(bus):
    with bus.consume(["q", "r"]) as one:
        put(bus, "q", *"ab")
        put(bus, "r", *"cd")
        held = take(one, 4, ack=False)
        with bus.consume(["q", "r"]) as two:
            put(bus, "q", "e")
            put(bus, "r", "f")
            (kept,) = take(one, 1)
            assert two.receive(max_messages=10, timeout_s=0) == []
            one.ack(held)
            assert one.receive(max_messages=10, timeout_s=0) == []
            (given,) = take(two, 1)
    assert {(kept.queue, kept.body), (given.queue, given.body)} == {("q", b"e"), ("r", b"f")}
    assert given.epoch == next(d.epoch for d in held if d.queue == given.queue) + 1


def test_an_heir_that_leaves_before_its_time_leaves_the_queue_where_it_is(bus):
    with bus.consume(["q", "r"]) as one:
        put(bus, "q", "a")
        put(bus, "r", "a")
        held = take(one, 2, ack=False)
        bus.consume(["q", "r"]).close()
        one.ack(held)
        put(bus, "q", "b")
        put(bus, "r", "b")
        assert [(d.body, d.epoch) for d in take(one, 2)] == [(b"b", held[0].epoch), (b"b", held[1].epoch)]


def test_a_consumer_that_is_closed_while_the_file_is_locked_gives_its_queues_back_later(bus, open_bus, path):
    put(bus, "q", "a")
    consumer = bus.consume(["q"])
    take(consumer, 1, ack=False)
    with bus.file.reading() as connection:
        connection.execute("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    consumer.close()
    with pytest.raises(BusUnavailable):
        bus.consume(["q"])
    other.execute("ROLLBACK")
    other.close()
    with bus.consume(["q"]) as second:
        assert [(d.body, d.deliveries) for d in take(second, 1)] == [(b"a", 2)]


def test_a_consumer_that_waits_while_the_bus_is_closed_is_told(bus):
    errors = []
    waiting = threading.Event()

    def wait():
        with bus.consume(["q"]) as consumer:
            waiting.set()
            try:
                consumer.receive(max_messages=1, timeout_s=60)
            except BusError as error:
                errors.append(str(error))

    thread = threading.Thread(target=wait)
    thread.start()
    waiting.wait()
    bus.close()
    thread.join(TIMEOUT_S)
    assert len(errors) == 1
    assert "closed" in errors[0]


def test_a_consumer_that_another_thread_closes_takes_nothing_from_its_successor(bus, monkeypatch):
    put(bus, "q", "a")
    consumer, successor = bus.consume(["q"]), bus.consume(["q"])
    writing = bus.file.writing

    def close_first():  # the other thread comes between the look and the claim
        monkeypatch.setattr(bus.file, "writing", writing)
        consumer.close()
        return writing()

    monkeypatch.setattr(bus.file, "writing", close_first)
    assert consumer.receive(max_messages=1, timeout_s=0) == []
    assert [(d.body, d.deliveries) for d in take(successor, 1)] == [(b"a", 1)]


def test_a_queue_that_is_deleted_under_its_consumer_gives_nothing_more(bus):
    with bus.consume(["q", "r"]) as consumer:
        put(bus, "q", "a")
        taken = take(consumer, 1, ack=False)
        bus.delete_queue("q")
        bus.declare_queue("q")
        put(bus, "q", "b")
        put(bus, "r", "c")
        consumer.ack(taken)
        assert bodies(take(consumer, 1)) == [b"c"]
        assert consumer.receive(max_messages=1, timeout_s=0) == []
    assert status_of(bus, "q").ready == 1


# -- Limits


def test_a_refused_batch_leaves_nothing_behind(bus):
    bus.declare_exchange("e")
    bus.bind("q", "e")
    bus.declare_queue("small", limit=1)
    put(bus, "small", "a")
    for impossible, error in ((Outgoing("small", b""), QueueFull), (Outgoing("nowhere", b""), QueueNotFound)):
        with pytest.raises(error):
            bus.publish([Outgoing("r", b""), Fanout("e", b""), impossible])
    assert (status_of(bus, "q").ready, status_of(bus, "r").ready, status_of(bus, "small").ready) == (0, 0, 1)


def test_a_batch_into_a_queue_with_room_is_not_refused_for_its_size(bus):
    bus.declare_queue("small", limit=2)
    put(bus, "small", *"abcd")
    assert status_of(bus, "small").ready == 4


def test_a_queue_takes_the_limit_that_was_declared_last(bus):
    put(bus, "q", "a")
    bus.declare_queue("q", limit=1)
    with pytest.raises(QueueFull):
        put(bus, "q", "b")
    bus.declare_queue("q")
    put(bus, "q", "b")
    with pytest.raises(ValueError, match="at least 1"):
        bus.declare_queue("q", limit=0)


def test_a_queue_that_is_full_of_bytes_refuses_until_there_is_room(bus):
    bus.declare_queue("large", limit_bytes=800)
    for _ in range(8):
        bus.publish([Outgoing("large", bytes(100))])
    with pytest.raises(QueueFull, match="800 bytes"):
        bus.publish([Outgoing("large", b"x")])
    with bus.consume(["large"]) as consumer:
        take(consumer, 1)
        bus.publish([Outgoing("large", bytes(100))])
        with pytest.raises(QueueFull):
            bus.publish([Outgoing("large", bytes(100))])
        take(consumer, 8)
    with pytest.raises(ValueError, match="at least 1"):
        bus.declare_queue("q", limit_bytes=0)


def test_an_expendable_queue_may_drop_what_its_consumer_holds(bus):
    bus.declare_queue("view", limit=2, expendable=True)
    put(bus, "view", *"ab")
    with bus.consume(["view"]) as consumer:
        held = take(consumer, 2, ack=False)
        put(bus, "view", *"cd")
        assert bodies(take(consumer, 2)) == [b"c", b"d"]
        consumer.ack(held)
    assert (status_of(bus, "view").ready, status_of(bus, "view").unacked) == (0, 0)


def test_a_dead_letter_goes_back_into_a_queue_that_is_full(bus):
    bus.declare_queue("small", limit=1)
    put(bus, "small", "a")
    with bus.consume(["small"]) as consumer:
        consumer.dead_letter(take(consumer, 1, ack=False)[0], "bad")
    put(bus, "small", "b")
    assert bus.requeue([letter.id for letter in bus.dead_letters()]) == 1
    assert status_of(bus, "small").ready == 2


def test_dead_letters_whose_queue_is_gone_stay_where_they_are(bus):
    put(bus, "q", "a")
    put(bus, "r", "b")
    with bus.consume(["q", "r"]) as consumer:
        for delivery in take(consumer, 2, ack=False):
            consumer.dead_letter(delivery, "bad")
    bus.delete_queue("r")
    with pytest.raises(QueueNotFound, match="queue r"):
        bus.requeue([letter.id for letter in bus.dead_letters()])
    assert len(bus.dead_letters()) == 2
    assert status_of(bus, "q").ready == 0


def test_subscribers_that_come_and_go_in_another_process_are_noticed(bus, open_bus):
    other = open_bus()
    bus.declare_exchange("e")
    assert not bus.has_subscribers("e")
    other.bind("q", "e")
    assert bus.has_subscribers("e")
    other.delete_queue("q")
    assert not bus.has_subscribers("e")


def test_the_age_of_a_queue_is_that_of_its_oldest_message(path):
    now = 1000.0
    bus = EmbeddedBus(path, timer=lambda: now)
    bus.declare_queue("q")
    put(bus, "q", "a")
    now = 1010.0
    put(bus, "q", "b")
    now = 1015.5
    assert status_of(bus, "q").oldest_age_s == 15.5
    assert (
        EmbeddedBus(path, timer=lambda: 3.0).status()[0].oldest_age_s is None
    )  # the machine was started again
    with bus.consume(["q"]) as consumer:
        take(consumer, 1)
        assert status_of(bus, "q").oldest_age_s == 5.5
    bus.close()


# -- The file


def fill(bus):
    """Publish until the disk is full; return how many messages were accepted."""
    numbers = itertools.count()
    with pytest.raises(BusUnavailable, match="the disk is full"):
        all(put(bus, "q", f"{number} " + "x" * 3000) is None for number in numbers)
    return next(numbers) - 1


def test_a_full_disk_is_said_and_what_was_accepted_before_survives(bus, open_bus):
    with bus.file.reading() as connection:
        connection.execute("PRAGMA max_page_count = 100")
    count = fill(bus)
    assert 20 < count < 100
    assert status_of(bus, "q").ready == count
    with bus.consume(["r"]) as consumer:  # what needs no room still goes on
        assert consumer.receive(max_messages=1, timeout_s=0) == []
    with bus.file.reading() as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.execute("PRAGMA max_page_count = 100000")
    put(bus, "q", f"{count} ")
    bus.close()
    with open_bus().consume(["q"]) as consumer:
        assert [int(body.split()[0]) for body in bodies(take(consumer, count + 1))] == list(range(count + 1))


def test_room_that_was_given_back_is_used_again(bus):
    def pages():
        with bus.file.reading() as connection:
            return connection.execute("PRAGMA page_count").fetchone()[0]

    with bus.consume(["q"]) as consumer:
        sizes = []
        for _ in range(30):
            put(bus, "q", *["x" * 3000] * 20)
            take(consumer, 20)
            sizes.append(pages())
    assert sizes[-1] <= sizes[2]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir(mode=stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(BusUnavailable, match=r"locked.*permissions"):
        EmbeddedBus(folder / "bus.sqlite")
    with pytest.raises(BusUnavailable, match="locked"):
        EmbeddedBus(folder / "below" / "bus.sqlite")


def test_a_file_that_became_read_only_refuses_and_says_so(bus):
    put(bus, "q", "a")
    with bus.file.reading() as connection:
        connection.execute("PRAGMA query_only = ON")
    with pytest.raises(BusUnavailable, match="cannot be written"):
        put(bus, "q", "b")
    with bus.file.reading() as connection:
        connection.execute("PRAGMA query_only = OFF")
    with bus.consume(["q"]) as consumer:
        assert bodies(take(consumer, 1)) == [b"a"]


def test_a_file_that_another_process_holds_for_too_long_is_unavailable_and_then_works(bus, path):
    with bus.file.reading() as connection:
        connection.execute("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(BusUnavailable, match="another process"):
        put(bus, "q", "a")
    other.execute("ROLLBACK")
    other.close()
    put(bus, "q", "b")
    assert status_of(bus, "q").ready == 1


def test_a_file_of_another_kind_is_left_alone(path):
    path.write_bytes(b"no database at all, but a text of some length" * 100)
    with pytest.raises(BusError, match="damaged, or not a bus"):
        EmbeddedBus(path)
    path.unlink()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE something (x)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(BusError, match="not a bus of htmengine"):
        EmbeddedBus(path)
    assert path.read_bytes() == before


def test_a_bus_of_another_version_is_left_alone(bus, path):
    with bus.file.writing() as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(BusError, match="version 99"):
        EmbeddedBus(path)


def test_a_closed_bus_refuses(bus):
    bus.close()
    bus.close()
    with pytest.raises(BusError, match="closed"):
        put(bus, "q", "a")


def written(bus):
    with bus.file.reading() as connection:
        return [body for (body,) in connection.execute("SELECT body FROM message ORDER BY id")]


def transient(bus, *texts):
    bus.publish([Outgoing("q", text.encode(), transient=True) for text in texts])


def test_what_a_process_publishes_to_its_own_queue_is_not_written(bus):
    bus.declare_queue("own", limit=10, expendable=True, exclusive=True)
    with bus.consume(["own", "q"]) as consumer:
        assert consumer.receive(max_messages=9, timeout_s=0) == []
        bus.publish([Outgoing("own", b"a"), Outgoing("q", b"b")])
        assert written(bus) == [b"b"]
        assert sorted(bodies(take(consumer, 2))) == [b"a", b"b"]
        assert written(bus) == []


def test_a_transient_message_is_written_only_where_no_consumer_of_this_process_has_the_queue(bus, make_bus):
    transient(bus, "a")
    assert written(bus) == [b"a"]
    with bus.consume(["q"]) as consumer:
        assert bodies(take(consumer, 1)) == [b"a"]
        transient(bus, "b")
        transient(make_bus(), "c")
        assert written(bus) == [b"c"]
        assert counts_of(bus, "q") == (2, 0, 1)
        got = take(consumer, 2, ack=False)
        assert sorted(bodies(got)) == [b"b", b"c"]
        assert counts_of(bus, "q") == (0, 2, 1)
        assert len({delivery.epoch for delivery in got}) == 1
        consumer.ack(got)
        assert counts_of(bus, "q") == (0, 0, 1)


def test_transient_messages_that_were_not_acknowledged_are_written_when_their_consumer_closes(bus):
    with bus.consume(["q"]) as consumer:
        consumer.receive(max_messages=9, timeout_s=0)
        transient(bus, *"abcd")
        first, _ = take(consumer, 2, ack=False)
        consumer.ack([first])
    assert written(bus) == [b"b", b"c", b"d"]
    transient(bus, "e")
    with bus.consume(["q"]) as consumer:
        assert bodies(take(consumer, 4)) == [b"b", b"c", b"d", b"e"]


def test_a_queue_changes_hands_with_its_transient_messages(bus, make_bus):
    with bus.consume(["q", "r"]) as consumer:
        consumer.receive(max_messages=9, timeout_s=0)
        bus.publish([Outgoing(queue, queue.encode(), transient=True) for queue in "qr" for _ in range(3)])
        with make_bus().consume(["q", "r"]) as other:
            mine, theirs = take(consumer, 6), []
            bus.publish([Outgoing(queue, b"next", transient=True) for queue in "qr"])
            while not theirs:
                mine += consumer.receive(max_messages=9, timeout_s=0)
                consumer.ack(mine)
                theirs = other.receive(max_messages=9, timeout_s=0.1)
            assert [one.body for one in theirs] == [b"next"]
            assert theirs[0].queue not in {one.queue for one in mine if one.body == b"next"}


def test_a_queue_that_somebody_deleted_takes_transient_messages_again(bus, make_bus):
    with bus.consume(["q"]) as consumer:
        consumer.receive(max_messages=9, timeout_s=0)
        transient(bus, "a")
        make_bus().delete_queue("q")
        got = []
        with suppress(BusUnavailable):
            got = consumer.receive(max_messages=9, timeout_s=0.5)
        bus.declare_queue("q")
        bus.subscribe_again(consumer)
        transient(bus, "b")
        got += consumer.receive(max_messages=9, timeout_s=1)
        transient(bus, "c")
        assert {one.body for one in take(consumer, 1)} <= {b"b", b"c"}
        consumer.ack(got)
        transient(bus, "d")
        assert written(bus) == []


def test_transient_messages_count_for_the_limit_and_have_an_age(path):
    now = [100.0]
    bus = EmbeddedBus(path, timer=lambda: now[0])
    bus.declare_queue("q", limit=2)
    with bus.consume(["q"]) as consumer:
        consumer.receive(max_messages=9, timeout_s=0)
        transient(bus, "a")
        now[0] += 3.0
        transient(bus, "b")
        with pytest.raises(QueueFull, match="q"):
            transient(bus, "c")
        assert status_of(bus, "q").oldest_age_s == 3.0
        take(consumer, 1)
        assert status_of(bus, "q").oldest_age_s == 0.0
        transient(bus, "d")
        assert bus.purge("q") == 2


def test_a_message_that_is_delivered_again_comes_alone_beside_an_own_queue(bus):
    bus.declare_queue("own", limit=10, expendable=True, exclusive=True)
    put(bus, "q", "a")
    with bus.consume(["own", "q"]) as consumer:
        assert bodies(take(consumer, 1, ack=False)) == [b"a"]
        put(bus, "own", "b")
    with bus.consume(["own", "q"]) as consumer:
        (again,) = take(consumer, 1, ack=False)
        assert (again.body, again.deliveries) == (b"a", 2)
        put(bus, "own", "c")
        assert consumer.receive(max_messages=5, timeout_s=0) == []
        consumer.ack([again])
        assert bodies(take(consumer, 2)) == [b"b", b"c"]
