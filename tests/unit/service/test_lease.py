import pytest

from htmengine.service import lease
from htmengine.service.lease import BEAT_S, keep_writing


class Stop:
    """Is set after some pauses, and keeps how long they were to be."""

    def __init__(self, pauses):
        self.left = pauses
        self.waited = []

    def is_set(self):
        return self.left == 0

    def wait(self, seconds):
        self.left -= 1
        self.waited.append(seconds)


@pytest.mark.parametrize(("took_s", "rest_s"), [(0.0, 1.0), (0.08, 1.0), (0.15, 1.5), (30.0, BEAT_S)])
def test_turns_that_take_long_come_less_often_and_the_beat_goes_on(monkeypatch, took_s, rest_s):
    class Clock:
        now = 0.0

        def monotonic(self):
            return self.now

    class Writer:
        more = 2

        def work(self):
            clock.now += took_s
            self.more -= 1
            return self.more > 0

        def close(self):
            stop.waited.append("closed")

    clock, stop = Clock(), Stop(pauses=2)
    monkeypatch.setattr(lease, "time", clock)
    keep_writing(Writer(), "writer", stop, 1.0)
    assert stop.waited == [pytest.approx(rest_s), pytest.approx(rest_s), "closed"]
