"""A stage that is fed by the metric-data queues is made anew when these are others."""

import threading
from dataclasses import dataclass, field

import pytest

from htmengine import config
from htmengine.bus import GateClosed, QueueNotFound
from htmengine.repository.errors import RepositoryUnavailable
from htmengine.service import following
from htmengine.service.context import Context
from htmengine.service.counters import Counters
from htmengine.service.data_queues import DataQueues, KnownQueues, QueuesChanged
from htmengine.service.following import following_work


@dataclass
class World:
    """Queues that change, and what the stages saw of them."""

    layouts: list = field(default_factory=lambda: [DataQueues("data")])
    seen: list = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    now: float = 0.0
    gate_is_open: bool = False

    def look(self):
        found = self.layouts[0]
        if isinstance(found, Exception):
            raise self.layouts.pop(0)
        return found

    def open_gate(self):
        self.gate_is_open = True

    def context(self):
        return Context(
            settings=config.Settings(),
            bus=None,
            database=None,
            shards=1,
            queues=KnownQueues(self.look, self.open_gate),
            stop=self.stop,
            timer=lambda: self.now,
        )


class Made:
    name = "made"
    counters = Counters()


@pytest.fixture
def world():
    return World()


def run(world, monkeypatch, *turns, need=lambda queues: queues.epoch):
    """Let each stage do what the next of `turns` does; the last one ends the program."""
    left = list(turns)

    def runs(stage, bus, stop, **_):
        world.seen.append(world.context().data_queues.epoch)
        left.pop(0)(stop)
        if not left:
            world.stop.set()

    monkeypatch.setattr(following.loop, "run", runs)
    following_work(lambda context: Made(), "made", need)(world.context())


def changes(world, epoch):
    def turn(stop):
        assert not stop.is_set()
        world.layouts = [DataQueues("data", epoch=epoch)]
        assert not stop.is_set()  # it does not ask each time
        world.now += following.POLL_S
        assert stop.is_set()

    return turn


def test_it_is_made_anew_when_what_it_needs_changes(world, monkeypatch):
    run(world, monkeypatch, changes(world, 1), changes(world, 2))
    assert world.seen == [0, 1]


def test_it_goes_on_when_something_else_changes(world, monkeypatch):
    def turn(stop):
        world.layouts = [DataQueues("data", epoch=1)]
        world.now += following.POLL_S
        assert not stop.is_set()

    run(world, monkeypatch, turn, need=lambda queues: queues.documented)


def test_it_goes_on_while_nobody_can_say_how_the_queues_are(world, monkeypatch):
    def turn(stop):
        world.layouts.insert(0, RepositoryUnavailable("away", hint=""))
        world.now += following.POLL_S
        assert not stop.is_set()

    run(world, monkeypatch, turn)


@pytest.mark.parametrize("error", [GateClosed("closed"), QueuesChanged("others")])
def test_it_is_made_anew_where_its_queues_are_no_more(world, monkeypatch, error):
    def turn(stop):
        raise error

    run(world, monkeypatch, turn, lambda stop: None)
    assert len(world.seen) == 2


def test_where_it_is_not_needed_it_waits(world, monkeypatch):
    waited = []

    def wait(timeout):
        waited.append(timeout)
        world.layouts = [DataQueues("data", ("data.0", "data.1"), epoch=1)]

    monkeypatch.setattr(world.stop, "wait", wait)
    run(world, monkeypatch, lambda stop: None, need=lambda queues: queues.epoch if queues.routed else None)
    assert (waited, world.seen) == ([following.POLL_S], [1])


def test_one_that_stood_still_while_its_queues_were_deleted_is_made_anew(world, monkeypatch):
    def turn(stop):
        world.layouts = [DataQueues("data", epoch=1)]
        raise QueueNotFound("deleted")

    run(world, monkeypatch, turn, lambda stop: None)
    assert world.seen == [0, 1]


def test_a_queue_that_is_missing_is_an_error(world, monkeypatch):
    def turn(stop):
        raise QueueNotFound("missing")

    with pytest.raises(QueueNotFound):
        run(world, monkeypatch, turn)


def test_the_gate_is_opened_before_a_message_comes_again(world, monkeypatch):
    open_at = []

    def finds_it_closed(stop):
        open_at.append(world.gate_is_open)
        world.gate_is_open = False
        raise GateClosed("the gate is closed")

    def publishes(stop):
        open_at.append(world.gate_is_open)

    run(world, monkeypatch, finds_it_closed, finds_it_closed, publishes)
    assert open_at == [True] * 3
