import asyncio

from htmengine import config
from htmengine.bus import GateClosed, QueueFull
from htmengine.errors import DependencyUnavailable
from htmengine.messages import decode_metric_lines
from htmengine.runtime.metric_listener import publisher as publisher_module
from htmengine.runtime.metric_listener.publisher import LinePublisher
from htmengine.runtime.metric_storer.division import Division
from htmengine.service.counters import Counters
from htmengine.service.data_queues import DataQueues, KnownQueues
from tests.unit.runtime.metric_listener.listening import FakeBus


def published(monkeypatch, *parts, interval_s):
    """Return the batches that parts become, of which each comes once the first is on the queue."""
    monkeypatch.setattr(publisher_module, "PUBLISH_INTERVAL_S", interval_s)
    bus = FakeBus()

    async def run():
        publisher = LinePublisher(
            bus,
            KnownQueues(lambda: DataQueues("data")),
            Division(config.Storer(), "test"),
            Counters(),
            batch_lines=3,
            flush_interval_s=0.0,
            on_full=lambda: None,
            on_room=lambda: None,
        )
        running = asyncio.create_task(publisher.run())
        publisher.put(parts[0], "door")
        while not (bus.messages or running.done()):  # one that fails is no reason to wait
            await asyncio.sleep(0)
        for part in parts[1:]:
            publisher.put(part, "door")
            await asyncio.sleep(0.02)
        publisher.close()
        await running

    asyncio.run(run())
    return bus.batches


def test_the_first_line_is_published_at_once_and_those_soon_behind_it_together(monkeypatch):
    assert published(monkeypatch, ["a"], ["b"], ["c"], interval_s=60.0) == [["a"], ["b", "c"]]


def test_a_full_batch_waits_for_nothing(monkeypatch):
    found = published(monkeypatch, ["a"], ["b", "c", "d"], ["e"], ["f"], interval_s=60.0)
    assert found == [["a"], ["b", "c", "d"], ["e", "f"]]


def test_lines_go_to_the_new_queues_where_the_gate_of_the_old_ones_is_closed():
    """In their order, those that were on their way first."""
    bus = FakeBus()
    bus.failures = [GateClosed("closed")]
    layouts = [
        DataQueues("data", ("old.0", "old.1"), gate="old"),
        DataQueues("data", ("new.0", "new.1", "new.2"), epoch=1, gate="new"),
    ]

    async def run():
        publisher = LinePublisher(
            bus,
            KnownQueues(lambda: layouts.pop(0)),
            Division(config.Storer(), "test"),
            Counters(),
            batch_lines=10,
            flush_interval_s=0.0,
            on_full=lambda: None,
            on_room=lambda: None,
        )
        running = asyncio.create_task(publisher.run())
        for value in range(20):
            publisher.put([f"m {value} 1"], "door")
            await asyncio.sleep(0)
        publisher.close()
        await running

    asyncio.run(run())
    (queue,) = {message.queue for message in bus.messages}
    assert queue.startswith("new.")
    assert [line for message in bus.messages for line in decode_metric_lines(message.body).data] == [
        f"m {value} 1" for value in range(20)
    ]


def test_messages_are_made_once_however_often_the_bus_is_away(monkeypatch):
    monkeypatch.setattr(publisher_module, "FIRST_PAUSE_S", 0.001)
    bus = FakeBus()
    bus.failures = [DependencyUnavailable("away"), QueueFull("full"), DependencyUnavailable("away")]
    divided = []

    class CountedDivision(Division):
        def of(self, queues, lines, peers):
            divided.append(list(lines))
            return super().of(queues, lines, peers)

    async def run():
        publisher = LinePublisher(
            bus,
            KnownQueues(lambda: DataQueues("data")),
            CountedDivision(config.Storer(), "test"),
            Counters(),
            batch_lines=10,
            flush_interval_s=0.0,
            on_full=lambda: None,
            on_room=lambda: None,
        )
        publisher.put(["m 1 1"], "door")
        publisher.close()
        await publisher.run()

    asyncio.run(run())
    assert bus.batches == [["m 1 1"]]
    assert not bus.failures
    assert divided == [["m 1 1"]]
