"""The sending of a history."""

import threading

import msgspec
import pytest

from htmengine import config
from htmengine.cli import replaying
from htmengine.messages import MetricLines
from htmengine.runtime.opening import Context
from htmengine.series.reader import SeriesReader


class Bus:
    """Keeps what is published."""

    def __init__(self):
        self.messages = []
        self.changed = threading.Condition()

    def publish(self, messages):
        with self.changed:
            self.messages += [msgspec.json.decode(message.body, type=MetricLines) for message in messages]
            self.changed.notify_all()


@pytest.fixture
def bus():
    return Bus()


@pytest.fixture
def context(bus):
    return Context(settings=config.Settings(), bus=bus, engine=None, shards=1)


def test_a_backfill_says_that_it_goes_on_while_its_file_takes_its_time(context, bus, tmp_path, monkeypatch):
    monkeypatch.setattr(replaying, "ALIVE_EVERY_S", 0.01)
    path = tmp_path / "history.csv"
    path.write_text("timestamp,value\n" + "".join(f"{60 * row},1\n" for row in range(100)))
    with path.open("rb") as stream:
        reader = SeriesReader(stream, str(path))
        chunks = reader.chunks

        def slow_chunks():
            yield from chunks()
            before = len(bus.messages)
            with bus.changed:
                bus.changed.wait_for(lambda: len(bus.messages) >= before + 3)

        monkeypatch.setattr(reader, "chunks", slow_chunks)
        assert replaying._send(context, "m", reader, stream) == (100, 99 * 60)
    assert [len(message.data) for message in bus.messages if message.data] == [100]
    backfills = [message.backfill for message in bus.messages]
    assert [backfill.done for backfill in backfills] == [False] * (len(backfills) - 1) + [True]
    assert len({backfill.token for backfill in backfills}) == 1
