"""Queues of before are stored from to their ends, whatever is lost, doubled or late."""

import pytest

from htmengine.bus import Delivery
from htmengine.messages import decode_metric_lines
from htmengine.repository import queue_layout
from htmengine.repository.queue_layout import QueueLayout
from htmengine.runtime.metric_storer.draining import LINGER_S, SETTLE_S, Drain, Marker
from htmengine.service.data_queues import MARKER, DataQueues, KnownQueues, QueuesChanged, marker
from tests.support.repository import new_repository

EPOCH = 5
AGAIN_S = 5.0


class World:
    """A storer's part in a change from two queues to three."""

    def __init__(self, folder):
        self.database = new_repository(folder / "repository.sqlite", 1)
        self.synced = self.opened = 0
        self.deleted = []
        self.now = 0.0
        self.set(QueueLayout(3, EPOCH, 2, 1))
        self.database.sync = self.sync
        self.queues = KnownQueues(self.look, self.ensure_open)
        self.stored = self.queues.now.stored
        self.drain = Drain(
            self.queues, self.stored, timer=lambda: self.now, again_s=AGAIN_S, delete=self.deleted.append
        )

    def sync(self):
        self.synced += 1

    def ensure_open(self):
        self.opened += 1

    def set(self, layout):
        with self.database.write() as conn:
            queue_layout.store(conn, layout)

    def look(self):
        with self.database.read() as conn:
            number, epoch, before, draining = queue_layout.read(conn)
        names = {
            one: tuple(f"data.{one}.{part}" for part in range(count))
            for one, count in ((epoch, number), (epoch - 1, before))
        }
        return DataQueues("data", names[epoch], names[epoch - 1], bool(draining), epoch)

    def go_on(self, *queues, epoch=EPOCH):
        """Return the queues into which markers are put."""
        found = self.drain.go_on(self.database, [Marker(queue, [str(epoch)]) for queue in queues])
        for _, body, _ in found:
            message = decode_metric_lines(body)
            assert (message.protocol, message.data) == (MARKER, [str(EPOCH)])
        return [message.queue for message in found]


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_a_marker_goes_in_a_while_after_the_gate_is_closed_and_again_if_it_is_lost(world):
    assert (world.go_on(), world.opened) == ([], 1)
    assert world.drain.wait_s == SETTLE_S
    world.now += SETTLE_S
    assert world.go_on() == [world.stored[0]]
    assert world.go_on() == []
    world.now += AGAIN_S
    assert (world.go_on(), world.opened) == ([world.stored[0]], 3)


def test_it_passes_through_all_queues_before_the_new_ones_are_stored_from(world):
    world.go_on()
    assert world.go_on(world.stored[0]) == [world.stored[1]]
    assert world.synced == 1  # what was stored must not be lost behind what comes of the marker
    assert world.queues.now.stored == world.stored
    assert world.go_on(world.stored[1]) == []
    assert world.queues.now.stored == world.queues.now.parts


def test_what_is_of_another_change_means_nothing(world):
    world.go_on()
    assert world.go_on(world.stored[0], epoch=EPOCH - 1) == []
    world.go_on(world.stored[1], epoch=EPOCH + 1)
    world.go_on("data")
    assert world.queues.now.draining


def test_a_second_marker_changes_nothing(world):
    world.go_on(*world.stored)
    done = world.look()
    world.go_on(*world.stored)
    assert world.look() == done


def test_a_marker_tells_of_a_change_that_was_not_heard_of(world):
    world.set(QueueLayout(2, EPOCH - 1))
    world.queues.look_again()
    assert world.drain.wait_s > 1e9
    world.set(QueueLayout(3, EPOCH, 2, 1))
    assert world.go_on(world.stored[0]) == [world.stored[1]]


def test_old_queues_are_deleted_when_nobody_takes_from_them_any_more(world):
    world.go_on(*world.stored)
    new = Drain(
        world.queues,
        world.queues.now.stored,
        timer=lambda: world.now,
        again_s=1.0,
        delete=world.deleted.append,
    )
    new.go_on(world.database, [])
    assert not world.deleted
    world.now += LINGER_S
    new.go_on(world.database, [])
    assert world.deleted == list(world.stored)
    assert world.queues.now.before == ()


def test_what_one_gets_of_a_queue_that_is_done_with_is_left(world):
    deliveries = [Delivery(world.stored[0], marker(EPOCH), {}, 1, 1, 1)]
    world.drain.require_stored(deliveries)
    world.set(QueueLayout(3, EPOCH, 2, 0))
    with pytest.raises(QueuesChanged):
        world.drain.require_stored(deliveries)
