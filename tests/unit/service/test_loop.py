import itertools
import logging
import threading

import pytest

from htmengine.bus import BusUnavailable, Delivery, Fanout, Outgoing, QueueFull
from htmengine.errors import DependencyUnavailable
from htmengine.service import loop
from htmengine.service.loop import Outcome


class Stop(threading.Event):
    """Told to stop when there is nothing more to do, or in the midst of a pause; takes no time."""

    def __init__(self):
        super().__init__()
        self.pauses = []
        self.pauses_until_set = None

    def wait(self, timeout=None):
        self.pauses.append(timeout)
        if self.pauses_until_set == len(self.pauses):
            self.set()
        return self.is_set()


class World:
    """A bus, its consumer and a stage, which note what is done to them, and fail when they are told to."""

    name = "stage"
    queues = ("in",)
    max_messages = 7
    poll_interval_s = 0.5

    def __init__(self):
        self.stop = Stop()
        self.done = []
        self.batches = []
        self.has_lost = set()  # tags of messages that others have by now
        self.failures = {}  # by what is done: errors, raised one after the other
        self.outcome = lambda deliveries: Outcome([Outgoing("out", d.body) for d in deliveries])

    def note(self, *what):
        self.done.append(what)
        if errors := self.failures.get(what[0]):
            raise errors.pop(0)

    def run(self, **options):
        loop.run(self, self, self.stop, step=lambda name: self.done.append((name,)), **options)
        return self.done

    # as a bus
    def consume(self, queues):
        self.note("consume", *queues)
        return self

    def publish(self, messages, *, gate=None):
        self.note("publish", *messages)

    # as a consumer
    def receive(self, *, max_messages, timeout_s):
        assert (max_messages, timeout_s) == (7, 0.5)
        self.note("receive")
        if not self.batches:
            self.stop.set()
            return []
        return self.batches.pop(0)

    def still_has(self, deliveries):
        return not any(d.tag in self.has_lost for d in deliveries)

    def ack(self, deliveries):
        self.note("ack", *(d.tag for d in deliveries))

    def publish_and_ack(self, messages, done, *, gate=None):
        if messages:
            self.publish(messages)
        if done:
            self.ack(done)

    def dead_letter(self, delivery, reason):
        self.note("dead_letter", delivery.tag, reason)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        self.done.append(("give back",))

    # as a stage
    def process(self, deliveries):
        self.note("process", *(d.tag for d in deliveries))
        return self.outcome(deliveries)

    def settle(self):
        self.note("settle")

    def close(self):
        self.note("save")


@pytest.fixture
def world():
    return World()


def message(tag, body=b""):
    return Delivery("in", body, {}, 1, 1, tag)


START = [("consume", "in"), ("receive",)]
IDLE = [("receive",), ("process",), ("stage.processed",), ("settle",)]
END = [("save",), ("give back",)]


def times(done, what):
    return sum(1 for name, *_ in done if name == what)


def test_a_batch_is_processed_published_and_acknowledged_in_this_order(world):
    world.batches = [[message(1, b"a"), message(2, b"b")]]
    assert world.run() == [
        *START,
        ("process", 1, 2),
        ("stage.processed",),
        ("publish", Outgoing("out", b"a"), Outgoing("out", b"b")),
        ("ack", 1, 2),
        ("stage.published",),
        ("stage.acknowledged",),
        ("settle",),
        *IDLE,
        *END,
    ]


def test_without_messages_the_stage_still_has_its_turn(world):
    world.batches = [[], []]
    assert world.run() == [START[0], *IDLE, *IDLE, *IDLE, *END]


def test_what_has_nothing_to_publish_is_acknowledged(world):
    world.batches = [[message(1)]]
    world.outcome = lambda deliveries: Outcome()
    assert world.run() == [
        *START,
        ("process", 1),
        ("stage.processed",),
        ("ack", 1),
        ("stage.acknowledged",),
        ("settle",),
        *IDLE,
        *END,
    ]


def test_what_the_messages_became_is_brought_to_the_disk_before_they_are_acknowledged(world):
    world.batches = [[message(1)]]
    world.failures = {"secure": [BusUnavailable("the disk reports an error")]}
    world.outcome = lambda deliveries: Outcome(
        [Outgoing("out", b"x")] * len(deliveries),
        secure=(lambda: world.note("secure")) if deliveries else None,
    )
    done = world.run()
    assert [what for what, *_ in done if what in ("publish", "secure", "ack")] == [
        "secure",
        "secure",
        "publish",
        "ack",
    ]


def test_dead_letters_leave_with_their_reason_and_their_neighbours_are_acknowledged(world):
    world.batches = [[message(1), message(2), message(3)], [message(4)]]

    def outcome(deliveries):
        bad = [d for d in deliveries if d.tag % 2 == 0]
        return Outcome([Fanout("results", b"r")] * bool(deliveries), [(d, "is even") for d in bad])

    world.outcome = outcome
    done = world.run()
    assert [what for what in done if what[0] in ("dead_letter", "ack", "publish")] == [
        ("dead_letter", 2, "is even"),
        ("publish", Fanout("results", b"r")),
        ("ack", 1, 3),
        ("dead_letter", 4, "is even"),
        ("publish", Fanout("results", b"r")),
    ]


def test_what_only_an_owner_publishes_is_left_to_the_next_one_that_gets_the_messages(world, caplog):
    world.batches = [[message(1)], [message(2), message(3)], [message(4)]]
    world.has_lost = {3}
    world.outcome = lambda deliveries: Outcome([Outgoing("out", b"x")] * len(deliveries), as_owner=True)
    done = world.run()
    assert times(done, "publish") == 2
    assert [what for what in done if what[0] == "ack"] == [("ack", 1), ("ack", 4)]
    assert "stage.lost_its_messages messages=2" in caplog.text


def test_an_owner_that_loses_its_messages_while_the_bus_is_away_publishes_nothing_behind_that(world):
    world.batches = [[message(1)]]
    world.outcome = lambda deliveries: Outcome([Outgoing("out", b"x")] * len(deliveries), as_owner=True)
    world.failures = {"publish": [BusUnavailable("away")]}
    world.has_lost = _LostLater()
    done = world.run()
    assert times(done, "publish") == 1
    assert times(done, "ack") == 0


def test_what_others_publish_too_is_published_whoever_has_the_messages(world):
    world.batches = [[message(1)]]
    world.has_lost = {1}
    assert times(world.run(), "publish") == 1


class _LostLater:
    """Has a message from the second time on that it is asked for."""

    def __init__(self):
        self.times_asked = itertools.count()

    def __contains__(self, tag):
        return next(self.times_asked) > 0


@pytest.mark.parametrize("what", ["consume", "receive", "process", "publish", "dead_letter", "settle"])
def test_what_is_away_is_waited_for_and_the_same_is_done_again(world, what):
    world.batches = [[message(1), message(2)]]
    world.outcome = lambda deliveries: Outcome(
        [Outgoing("out", b"x")] * bool(deliveries), [(d, "bad") for d in deliveries[1:]]
    )
    world.failures = {what: [BusUnavailable("locked"), DependencyUnavailable("away"), QueueFull("full")]}
    done = world.run()
    first = next(done.index(entry) for entry in done if entry[0] == what)
    assert done[first : first + 4] == [done[first]] * 4
    assert world.stop.pauses == [0.05, 0.1, 0.2]
    assert [
        entry for entry in done if entry[0] in ("publish", "dead_letter", "ack") and entry[0] != what
    ] == [
        entry
        for entry in [("dead_letter", 2, "bad"), ("publish", Outgoing("out", b"x")), ("ack", 1)]
        if entry[0] != what
    ]
    assert done[-2:] == END


def test_what_may_not_have_been_acknowledged_is_published_again_first(world):
    world.batches = [[message(1)]]
    world.failures = {"ack": [BusUnavailable("locked")] * 2}
    done = [what for what, *_ in world.run() if what in ("publish", "ack")]
    assert done == ["publish", "ack"] * 3


def test_pauses_grow_to_a_limit_that_is_short_for_a_full_queue(world):
    world.batches = [[message(1)]]
    world.failures = {"process": [DependencyUnavailable("away")] * 9, "publish": [QueueFull("full")] * 5}
    world.run()
    full = [0.05, 0.1, 0.2, 0.2, 0.2]
    assert world.stop.pauses == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, *full]


def logged(world, caplog):
    with caplog.at_level(logging.WARNING, logger="htmengine"):
        world.run()
    return caplog.messages


def test_a_service_says_that_something_is_away_ever_more_seldom_and_when_it_is_back(world, caplog):
    world.batches = [[message(1)]]
    world.failures = {"publish": [DependencyUnavailable("away")] * 800}
    said = logged(world, caplog)
    assert sum(world.stop.pauses) > 3600
    waited = [float(line.split()[1].removeprefix("waited_s=")) for line in said]
    assert said[0] == "stage.waiting waited_s=0.0 reason=away"
    assert said[-1] == f"stage.goes_on waited_s={sum(world.stop.pauses):.1f}"
    gaps = [round(later - earlier, 1) for earlier, later in itertools.pairwise(waited[:-1])]
    assert gaps == sorted(gaps)
    assert gaps[-1] == 600
    assert len(said) < 20


def test_a_queue_that_is_full_for_a_moment_is_no_news(world, caplog):
    world.batches = [[message(1)]]
    world.failures = {"publish": [QueueFull("full")] * 10}
    assert logged(world, caplog) == []


def test_a_queue_that_stays_full_is_told_of(world, caplog):
    world.batches = [[message(1)]]
    world.failures = {"publish": [QueueFull("full")] * 40}
    assert logged(world, caplog) == [
        "stage.waiting waited_s=5.2 reason=full",
        f"stage.goes_on waited_s={sum(world.stop.pauses):.1f}",
    ]


@pytest.mark.parametrize("what", ["receive", "process", "publish", "ack"])
def test_one_that_is_told_to_stop_while_it_waits_saves_and_gives_its_messages_back(world, what):
    world.batches = [[message(1)]]
    world.failures = {what: [DependencyUnavailable("away")] * 100}
    world.stop.pauses_until_set = 3
    done = world.run()
    assert done[-2:] == END
    assert times(done, what) == 3
    if what != "ack":
        assert times(done, "ack") == 0


def test_one_that_is_told_to_stop_before_the_bus_was_there_saves(world):
    world.failures = {"consume": [BusUnavailable("locked")] * 100}
    world.stop.pauses_until_set = 2
    assert world.run() == [("consume", "in")] * 2 + [("save",)]


def test_one_that_is_told_to_stop_finishes_its_batch(world):
    world.batches = [[message(1)], [message(2)]]
    world.outcome = lambda deliveries: world.stop.set() or Outcome([Outgoing("out", b"x")])
    done = world.run()
    assert done[-7:-2] == [
        ("publish", Outgoing("out", b"x")),
        ("ack", 1),
        ("stage.published",),
        ("stage.acknowledged",),
        ("settle",),
    ]
    assert times(done, "receive") == 1


def test_what_cannot_be_saved_at_the_end_is_no_error(world, caplog):
    world.failures = {"save": [DependencyUnavailable("the repository is away")]}
    with caplog.at_level(logging.WARNING, logger="htmengine"):
        assert world.run()[-2:] == END
    assert "stage.not_saved reason=the repository is away" in caplog.text


@pytest.mark.parametrize("what", ["process", "publish", "settle"])
def test_an_error_of_ours_ends_the_service_and_nothing_is_saved_from_it(world, what):
    world.batches = [[message(1)]]
    world.failures = {what: [ZeroDivisionError("ours")]}
    with pytest.raises(ZeroDivisionError):
        world.run()
    assert world.done[-1] == ("give back",)
    assert times(world.done, "save") == 0
    if what != "settle":
        assert times(world.done, "ack") == 0


def offer(world, *messages, batches):
    world.batches = [[message(number)] for number in range(batches)]
    world.outcome = lambda deliveries: Outcome(best_effort=messages if deliveries else ())


def fill(world, queue):
    """Let a queue take nothing, whatever is published with it."""

    def publish(messages, *, gate=None):
        world.note("publish", *messages)
        if any(message.queue == queue for message in messages):
            raise QueueFull(f"{queue} is full")

    world.publish = publish


def test_a_full_queue_is_waited_for_shortly_with_what_is_only_offered(world):
    best_effort = Outgoing("a", b"1"), Outgoing("b", b"2"), Outgoing("a", b"3")
    offer(world, *best_effort, batches=1)
    world.failures = {"publish": [QueueFull("one is full"), QueueFull("a is full"), QueueFull("a is full")]}
    done = world.run()
    assert [what for what in done if what[0] == "publish"] == [
        ("publish", *best_effort),
        ("publish", best_effort[0], best_effort[2]),
        ("publish", best_effort[0], best_effort[2]),
        ("publish", best_effort[0], best_effort[2]),
        ("publish", best_effort[1]),
    ]
    assert world.stop.pauses == [0.05, 0.05]


def test_what_is_only_offered_passes_by_a_queue_that_stays_full_and_reaches_the_others(world, caplog):
    offer(world, Outgoing("a", b"1"), Outgoing("b", b"2"), batches=3)
    fill(world, "a")
    done = world.run()
    assert times(done, "ack") == 3
    assert done.count(("publish", Outgoing("b", b"2"))) == 3
    assert sum(world.stop.pauses) == pytest.approx(loop.BEST_EFFORT_TIMEOUT_S, abs=0.06)  # not once again
    assert caplog.text.count("stage.going_on queue=a") == 1
    assert "queue=b" not in caplog.text


def test_one_that_is_told_to_stop_while_it_offers_gives_its_messages_back(world):
    offer(world, Outgoing("a", b"1"), batches=1)
    fill(world, "a")
    world.stop.pauses_until_set = 3
    done = world.run()
    assert times(done, "ack") == 0
    assert done[-1] == ("give back",)


def test_what_is_only_offered_is_kept_while_the_bus_is_away(world):
    world.batches = [[message(1)]]
    world.outcome = lambda deliveries: Outcome(best_effort=[Outgoing("a", b"1")] if deliveries else ())
    world.failures = {"publish": [BusUnavailable("locked")]}
    done = world.run()
    assert times(done, "publish") == 2
    assert world.stop.pauses == [0.05]


@pytest.mark.parametrize("profiling", [False, True])
def test_profiling_tells_how_long_each_part_of_a_batch_took(world, caplog, profiling):
    caplog.set_level("INFO", logger="htmengine")
    world.batches = [[message(1), message(2)]]
    world.run(profiling=profiling)
    lines = [message for message in caplog.messages if message.startswith("stage.batch")]
    assert len(lines) == profiling
    for line in lines:
        parts = dict(part.split("=") for part in line.split()[1:])
        assert parts.pop("messages") == "2"
        assert list(parts) == ["process_ms", "finish_ms", "settle_ms"]
        assert all(float(taken) >= 0 for taken in parts.values())


@pytest.mark.parametrize(
    ("rows", "messages", "taken"), [(160, 16, 128), (1600, 16, 40), (64_000, 16, 16), (1, 1, 128)]
)
def test_the_fewer_rows_messages_have_the_more_are_taken(rows, messages, taken):
    assert loop.batch_size(wanted=4000, rows=rows, messages=messages, least=16, most=128) == taken
