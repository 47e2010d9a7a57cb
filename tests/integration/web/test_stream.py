import asyncio
import json

import pytest

from htmengine.messages import BatchRow
from htmengine.web.results import Wanted
from htmengine.web.stream import KINDS, MAX_GATHERED_S, Filter, Hub, events
from tests.integration.web.server import NOW


def row(rowid, name="a", log_score=0.1):
    return BatchRow(
        uid="u" + name,
        name=name,
        rowid=rowid,
        ts=int(NOW) + rowid,
        value=1.0,
        raw_anomaly=0.0,
        anomaly=0.0,
        log_score=log_score,
        sequence_score=0.0,
        novelty_score=0.0,
    )


def publish(hub, *rows):
    hub.publish_results(rows)


class Reader:
    """Reads a stream until nothing is left, or to the first text that it waits for."""

    def __init__(self, hub, cursor=None, **wanted):
        self.hub = hub
        kinds = wanted.pop("kinds", frozenset(KINDS))
        self.frames = events(hub, Filter(kinds, Wanted(**wanted)), cursor, version="1")
        self.came = []

    async def read(self, count):
        while len(self.came) < count:
            chunk = await asyncio.wait_for(anext(self.frames), 5)
            self.came += [self.parsed(frame) for frame in chunk.split(b"\n\n") if frame]
        frames, self.came = self.came[:count], self.came[count:]
        return frames

    @staticmethod
    def parsed(frame):
        lines = [line.split(": ", 1) for line in frame.decode().splitlines() if line]
        fields = dict(line for line in lines if len(line) == 2)
        return fields.get("event"), fields.get("id"), json.loads(fields.get("data", "null"))


def test_a_reader_gets_what_is_published_after_it_came():
    async def run():
        hub = Hub()
        hub.attach()
        publish(hub, row(1))
        reader = Reader(hub)
        ((event, _, hello),) = await reader.read(1)
        assert event == "hello"
        assert hello["columns"][0] == "uid"
        publish(hub, row(2), row(3))
        ((event, _, data),) = await reader.read(1)
        assert event == "results"
        assert [one[1] for one in data] == [2, 3]

    asyncio.run(run())


def test_what_comes_shortly_after_another_is_gathered_and_what_comes_after_a_pause_is_not():
    async def run():
        loop = asyncio.get_running_loop()
        loop.time = lambda: now[0]
        hub = Hub()
        hub.attach()
        reader = Reader(hub)
        await reader.read(1)
        waiting = asyncio.create_task(reader.read(1))
        for rowid in range(1, 4):
            await turns()
            publish(hub, row(rowid))
        await turns()
        chunks = [(await waiting)[0][2]]
        waiting = asyncio.create_task(reader.read(2))
        await turns()
        assert not waiting.done()
        now[0] += MAX_GATHERED_S
        chunks += [data for _, _, data in await waiting]
        assert [one[1] for data in chunks for one in data] == [1, 2, 3]
        now[0] += MAX_GATHERED_S
        waiting = asyncio.create_task(reader.read(1))
        await turns()
        publish(hub, row(4))
        await turns()
        assert waiting.done()

    async def turns():
        for _ in range(20):
            await asyncio.sleep(0)

    now = [0.0]
    asyncio.run(run())


def test_the_more_readers_there_are_the_more_is_gathered():
    async def pause(readers):
        loop = asyncio.get_running_loop()
        later = []
        loop.call_later = lambda delay, *rest: later.append(delay)
        hub = Hub()
        hub.attach()
        hub.readers = readers
        for rowid in (1, 2):
            publish(hub, row(rowid))
            await asyncio.sleep(0)
        return later[0]

    pauses = [asyncio.run(pause(readers)) for readers in (1, 200, 100_000)]
    assert pauses == pytest.approx([0.1, 0.5, 1.0], abs=0.05)


def test_a_reader_resumes_exactly_where_it_broke_off():
    async def run():
        hub = Hub()
        hub.attach()
        reader = Reader(hub)
        await reader.read(1)
        for rowid in range(1, 6):
            publish(hub, row(rowid))
        frames = await reader.read(2)
        resumed = Reader(hub, cursor=frames[-1][1])
        _, *rest = await resumed.read(4)
        assert [data[0][1] for _, _, data in frames + rest] == [1, 2, 3, 4, 5]

    asyncio.run(run())


@pytest.mark.parametrize(
    "cursor", ["another-1", "1", "-", "x", "{epoch}-", "{epoch}-99", "{epoch}-²", "{epoch}--1"]
)
def test_a_place_that_is_not_known_begins_anew(cursor):
    async def run():
        hub = Hub()
        hub.attach()
        publish(hub, row(1))
        reader = Reader(hub, cursor=cursor.format(epoch=hub.epoch))
        _, (event, _, data) = await reader.read(2)
        assert event == "reset"
        assert "again" in data["reason"]
        publish(hub, row(2))
        ((event, _, data),) = await reader.read(1)
        assert (event, data[0][1]) == ("results", 2)

    asyncio.run(run())


def test_a_slow_reader_is_told_to_begin_anew_and_holds_nobody_up():
    async def run():
        hub = Hub(kept_results=10, gathered_s=0.0)
        hub.attach()
        slow, quick = Reader(hub), Reader(hub)
        await slow.read(1)
        await quick.read(1)
        seen = []
        for rowid in range(1, 41):
            publish(hub, row(rowid))
            ((_, _, data),) = await quick.read(1)
            seen += [one[1] for one in data]
        assert seen == list(range(1, 41))
        ((event, identity, _),) = await slow.read(1)
        assert (event, identity) == ("reset", hub.cursor(hub.last))

    asyncio.run(run())


def test_what_a_reader_resumes_to_is_the_same_when_its_frames_are_not_kept_any_more():
    now = [0.0]
    hub = Hub(clock=lambda: now[0])
    published = [[row(n, name, n / 100) for name in ("a", "b")] for n in range(1, 30)]
    for rows in published:
        publish(hub, *rows)
        now[0] += 1.0
    wanted = Filter(results=Wanted(match="b", min_score=0.1))
    events = hub.after(0)
    got = [event.rows_for(wanted) for event in events]
    assert got == [
        [[one.uid, one.rowid, one.ts, 1.0, one.log_score, None, None, None]] if one.rowid >= 10 else []
        for _, one in published
    ]
    frames = [event.frame_for(wanted, hub.cursor(event.number)) for event in events]
    assert [Reader.parsed(frame)[2] if frame else [] for frame in frames] == got


def test_results_leave_the_ring_after_five_minutes():
    now = [0.0]
    hub = Hub(clock=lambda: now[0])
    publish(hub, row(1))
    place = hub.cursor(0)
    assert hub.position(place) == 0
    now[0] = 301.0
    assert hub.position(place) is None
    assert hub.position(hub.cursor(1)) == 1  # which has seen everything


def test_what_was_missed_makes_every_reader_begin_anew():
    hub = Hub()
    publish(hub, row(1))
    hub.forget()
    assert hub.after(1) is None
    publish(hub, row(9))
    assert hub.after(1) is None


def test_a_filter_leaves_other_results_out_and_moves_on():
    async def run():
        hub = Hub()
        hub.attach()
        reader = Reader(hub, match="web.*", min_score=0.5)
        await reader.read(1)
        publish(hub, row(1, "db.x", 0.9), row(1, "web.x", 0.4))
        publish(hub, row(2, "web.x", 0.6))
        ((_, identity, data),) = await reader.read(1)
        assert [one[0] for one in data] == ["uweb.x"]
        assert identity == hub.cursor(2)

    asyncio.run(run())


def test_other_kinds_come_only_to_whom_wants_them():
    async def run():
        hub = Hub()
        hub.attach()
        every, results = Reader(hub), Reader(hub, kinds=frozenset({"results"}))
        await every.read(1)
        await results.read(1)
        hub.publish("health", {"engine": "well"})
        publish(hub, row(1))
        assert [event for event, _, _ in await every.read(2)] == ["health", "results"]
        assert [event for event, _, _ in await results.read(1)] == ["results"]

    asyncio.run(run())


def test_published_batches_reach_the_list_and_a_long_poll(server):
    uid = server.metric("a", [1.0] * 300)
    with server.client:
        begin = server.get("/results")
        assert begin["rows"] == []
        server.publish((uid, "a", 301, NOW + 60, 7.0, 0.9))
        answer = server.get("/results", after=begin["next"], wait=20)
        assert answer["rows"] == [[uid, 301, NOW + 60, 7.0, 0.9, "error", "up", 1e5]]
        assert not answer["reset"]
        (listed,) = server.get("/metrics")["items"]
        assert listed["last"] == {"rowid": 301, "time": NOW + 60, "value": 7.0}
        assert listed["cause"] == "error"
        empty = server.get("/results", after=answer["next"], wait=0)
        assert (empty["rows"], empty["next"]) == ([], answer["next"])


def test_a_gap_in_what_was_published_is_noticed(server):
    uid = server.metric("a", [1.0] * 300)
    with server.client:
        server.take(server.batch((uid, "a", 301, NOW, 1.0, 0.1)))
        before = server.get("/results")["next"]
        server.take(server.batch((uid, "a", 305, NOW + 240, 1.0, 0.1)))
        assert server.get("/results", after=before, wait=0)["reset"]


def test_rows_that_are_published_again_change_nothing(server):
    uid = server.metric("a", [1.0] * 300)
    with server.client:
        rows = server.batch((uid, "a", 301, NOW, 1.0, 0.1), (uid, "a", 302, NOW + 60, 2.0, 0.9))
        server.take(rows)
        first = server.get("/metrics")
        server.take(rows)
        server.now += 1.5
        assert server.get("/metrics")["items"][0]["alarms_24h"] == first["items"][0]["alarms_24h"] == 1


def test_an_unknown_kind_of_event_is_explained(server):
    with server.client:
        assert "weather" in server.get("/stream", status=400, events="results,weather")["detail"]
