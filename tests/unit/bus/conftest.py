"""Fixtures of the tests of every bus. A test module gives `make_bus`, which opens the bus."""

from contextlib import ExitStack, closing

import pytest


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
