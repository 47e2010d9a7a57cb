"""Fixtures of the tests of every bus. A test module gives `make_bus`, which opens the bus, and `where` of its `Remote`s."""

from contextlib import ExitStack, closing

import pytest

from tests.unit.bus.remote import Remote


@pytest.fixture
def open_bus(make_bus):
    """Give a function that opens the same bus, empty at first, as another process would."""
    with ExitStack() as opened:
        yield lambda **options: opened.enter_context(closing(make_bus(**options)))


@pytest.fixture
def bus(open_bus):
    """Give the bus with the queues q and r."""
    bus = open_bus()
    for queue in ("q", "r"):
        bus.declare_queue(queue)
    return bus


@pytest.fixture
def eight(bus):
    """Give the names of eight more queues of the bus, for several consumers to share."""
    names = [f"shard.{i}" for i in range(8)]
    for queue in names:
        bus.declare_queue(queue)
    return names


@pytest.fixture
def remote(where):
    """Give a function that starts a consumer of some queues in a process of its own."""
    with ExitStack() as started:
        yield lambda *queues: started.enter_context(closing(Remote(where, *queues)))
