"""The live part of the demonstration."""

import time

import msgspec
import pytest

from htmengine import config
from htmengine.cli.up import demo, fleet
from htmengine.messages import MetricLines
from htmengine.service.context import Context

NOW = 1_700_000_000


class Recorder:
    """A bus that keeps the lines."""

    def __init__(self):
        self.lines = []

    def publish(self, messages, *, gate=None):
        for message in messages:
            self.lines += msgspec.json.decode(message.body, type=MetricLines).data


@pytest.fixture
def bus():
    return Recorder()


@pytest.fixture
def context(bus):
    return Context(settings=config.Settings(), bus=bus, database=None, shards=1)


def test_what_was_missed_while_the_history_was_scored_is_sent_at_once_without_anomalies(
    context, bus, monkeypatch
):
    monkeypatch.setattr(demo.time, "time", lambda: NOW + 0.5)
    expected = list(fleet.lines(NOW - 60, NOW, demo.SEED))
    sender = demo._LiveSender(context, NOW - 60)
    sender.start()
    while len(bus.lines) < len(expected):
        time.sleep(0.01)
    sender.end()
    assert bus.lines[: len(expected)] == expected
    assert sender.last >= NOW
    assert sender.sent == len(bus.lines)
